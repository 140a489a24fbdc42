# Two commands do all set-up on a fresh machine: `make demo` and `make test`. `make help` lists the others.
PYTHON ?= python3
VENV ?= .venv
MINUTES ?= 5
PORT ?= 8000
SEED ?= 1
COUNT ?= 30
BIN := $(VENV)/bin
SOURCES := pyproject.toml CMakeLists.txt $(wildcard cmake/*) $(wildcard cpp/*/*.?pp cpp/*/*/*.?pp)

.PHONY: help demo test pytest test-all test-distros lint docs docs-live docs-links check-native check-long bench soak mutants clean

help:
	@echo 'make demo   build, and run an example filter on a real message'
	@echo 'make test   build, lint and test everything, with a private Postfix and Sendmail, and the sanitizers'
	@echo 'make lint   style, warnings and types'
	@echo 'make docs   build the site: build/docs/index.html'
	@echo 'make docs-live  serve the site on http://127.0.0.1:8000 (PORT=8000), built again when a page changes'
	@echo 'make docs-links  ask the hosts that the site links to whether they have those pages'
	@echo 'make check-native  sanitizers, fuzzing and leaks for the C++ half'
	@echo 'make pytest  the tests alone'
	@echo 'make check-long  the tests that take too long for make test'
	@echo 'make test-all  demo and tests on each CPython from 3.11 to 3.15 that is here (PYTHONS names others)'
	@echo 'make test-distros  the README, demo and tests on Debian 13 and sid, in chroots (SUITES names others)'
	@echo 'make bench  measure against a C filter, pymilter 1.0.5 and others'
	@echo 'make soak   good and hostile clients, kills and reloads, for MINUTES=5; checks answers, memory, descriptors'
	@echo 'make mutants  put COUNT=30 small mistakes into the code, drawn by SEED=1, and tell which no test sees'
	@echo 'make clean  remove what was built'

# The extension, built and installed so that Python files are used where they lie.
$(VENV)/.built: $(VENV)/.tools $(SOURCES)
	$(BIN)/pip install --quiet --no-build-isolation --config-settings=cmake.define.PYMILTER_WERROR=ON --editable .
	@touch $@

$(VENV)/.tools: pyproject.toml scripts/install-system
	PYTHON=$(PYTHON) scripts/install-system build
	$(PYTHON) -m venv $(VENV)
	$(BIN)/pip install --quiet --upgrade pip
	$(BIN)/pip install --quiet --group build
	@touch $@

$(VENV)/.tests: $(VENV)/.built
	PYTHON=$(PYTHON) scripts/install-system test
	$(BIN)/pip install --quiet --group test --group check --group docs
	@touch $@

$(VENV)/.docs: $(VENV)/.built
	$(BIN)/pip install --quiet --group docs
	@touch $@

demo: $(VENV)/.built
	$(BIN)/python examples/demo.py

# What CI runs: style and types, the site, all tests, and the gates of the C++ half as far as a quarter of an hour allows. Each
# phase runs, and a summary tells how each went.
test: $(VENV)/.tests
	@scripts/phases lint 'BIN=$(CURDIR)/$(BIN) scripts/lint' \
	    docs '$(BIN)/python -m sphinx -q $(SPHINX)' \
	    tests '$(BIN)/python -m pytest' \
	    native 'PYTHON=$(CURDIR)/$(BIN)/python scripts/check-native --short'

pytest: $(VENV)/.tests
	$(BIN)/python -m pytest

# Each with an environment of its own, so that they do not disturb each other. Of each version one that pyenv has,
# else the one in the PATH.
PYTHONS ?= $(foreach version,3.11 3.12 3.13 3.14 3.15,$(or \
    $(lastword $(wildcard $(HOME)/.pyenv/versions/$(version).*[0-9]/bin/python$(version))), \
    $(shell command -v python$(version))))
test-all:
	@echo 'CPython: $(or $(strip $(PYTHONS)),none is here: name some by PYTHONS)'
	@test -n '$(strip $(PYTHONS))'
	for python in $(PYTHONS); do \
	    $(MAKE) PYTHON=$$python VENV=.venv-$$(basename $$python) demo pytest || exit 1; \
	done

# Takes about as long as `make pytest` for each, and the download of a small system the first time.
SUITES ?= trixie sid
test-distros:
	scripts/test-distros $(SUITES)

lint: $(VENV)/.tests
	BIN=$(CURDIR)/$(BIN) scripts/lint

# A warning is an error, and so is a name that is referred to and not there. Nothing is fetched.
SPHINX = -W --keep-going -n -j auto -d build/doctrees docs build/docs
docs: $(VENV)/.docs
	$(BIN)/python -m sphinx $(SPHINX)

docs-live: $(VENV)/.docs
	$(BIN)/pip install --quiet --group live
	$(BIN)/python -m sphinx_autobuild --port $(PORT) --watch python --watch examples --re-ignore __pycache__ $(SPHINX)

# Needs a network, which nothing else about the site does.
docs-links: $(VENV)/.docs
	$(BIN)/python -m sphinx -q -b linkcheck -d build/doctrees docs build/links

check-native: $(VENV)/.tests
	PYTHON=$(CURDIR)/$(BIN)/python scripts/check-native

# The long gate: run it before you resolve an issue that it covers, and quote what it printed.
check-long: $(VENV)/.tests
	PYTHON=$(PYTHON) scripts/install-system peers
	$(BIN)/pip install --quiet --group live
	$(BIN)/python -m pytest --long -m long

bench: $(VENV)/.tests
	$(BIN)/python benchmarks/run.py

soak: $(VENV)/.tests
	PYTHONPATH=tests $(BIN)/python -m soak --minutes $(MINUTES)

# Takes as long as the tests the first time, to find out which of them run which lines; then about a minute a mistake.
mutants: $(VENV)/.tests
	[ -e build/mutants/lines.json ] || PYTHONPATH=tests $(BIN)/python -m mutants lines
	PYTHONPATH=tests $(BIN)/python -m mutants draw --seed $(SEED) --count $(COUNT)

clean:
	rm -rf build $(VENV) .venv-* .mypy_cache .pytest_cache .ruff_cache .hypothesis
