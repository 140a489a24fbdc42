"""The cost gate: no public function takes more than linear time on a sender's text, and none is forgotten."""

from __future__ import annotations

import importlib
import inspect
import os
import pkgutil
import re
import subprocess
import sys
from collections.abc import Iterator

import pytest

import Milter
from support import cost
from support.cost_cases import CASES, NO_TEXT, Case

#: The MTA's side for tests: what it reads is the tests' own. No function of `pymilter` and `milter` reads a text.
_FOR_TESTS = ("Milter.test", "Milter.testctx")
_OURS = ("Milter", "milter", "mime", "pymilter")


def public(module: str) -> Iterator[str]:
    """The functions and classes of our own that a module shows."""
    found = importlib.import_module(module)
    for name in found.__all__:
        value = getattr(found, name)
        owner = (getattr(value, "__module__", None) or type(value).__module__).partition(".")[0]
        if callable(value) and owner in _OURS:
            yield f"{module}.{name}"


def all_public() -> set[str]:
    modules = [f"Milter.{module.name}" for module in pkgutil.iter_modules(Milter.__path__) if module.name[0] != "_"]
    return {
        name for module in ["Milter", "pymilter.mime", *modules] if module not in _FOR_TESTS for name in public(module)
    }


def test_each_public_function_is_listed() -> None:
    assert all_public() - CASES.keys() - NO_TEXT.keys() == set(), "say in support/cost_cases.py what text they take"
    assert (CASES.keys() | NO_TEXT.keys()) - all_public() == set(), "these are gone"
    assert CASES.keys() & NO_TEXT.keys() == set()


def run(*arguments: str, timeout: int) -> None:
    environment = {**os.environ, "PYTHONPATH": os.pathsep.join(sys.path)}
    done = subprocess.run(
        [sys.executable, inspect.getfile(cost), *arguments],
        env=environment, capture_output=True, text=True, timeout=timeout, check=False,
    )  # fmt: skip
    assert done.returncode == 0, done.stdout + done.stderr


@pytest.mark.timeout(500)
def test_time_grows_with_the_length() -> None:
    run(timeout=480)


@pytest.mark.long
@pytest.mark.timeout(1700)
def test_time_grows_with_the_length_of_many_texts() -> None:
    run("--long", timeout=1600)


@pytest.mark.parametrize(
    "pattern",
    [
        pytest.param(r"[\r\n]\s*\Z", id="blanks"),
        pytest.param(r"=\?[^?]*\?q\?.*?\?=", id="words"),
        pytest.param(r"<[^>]*>", id="tags"),
    ],
)
def test_quadratic_time_would_be_seen(pattern: str) -> None:
    """Patterns that were in this package, or are like those, and are slow on a text without a match only."""
    planted = Case(re.compile(pattern).search, ("\n ", "a", "=?a?q?", "<", "=?"), ("x",))
    assert any("characters" in fault for fault in cost.faults(planted, is_long=False))


def test_a_copy_for_each_piece_would_be_seen() -> None:
    def use(text: str) -> None:
        held = b""
        for _ in range(0, len(text), 10):
            held = bytes([*held[:0]]) + held + b"0123456789"

    assert cost.faults(Case(use, ("a",)), is_long=True)


def test_linear_time_is_not_taken_for_more() -> None:
    assert cost.faults(Case(lambda text: text.split("a"), ("a", "b")), is_long=False) == []
