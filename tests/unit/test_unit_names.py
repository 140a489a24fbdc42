"""Names and numbers that others rely on: loggers, labels of metrics, type variables, limits in the documentation."""

from __future__ import annotations

import dataclasses
import importlib
import inspect
import logging
import pkgutil
import typing
from collections.abc import Iterator
from types import ModuleType
from typing import Any

import pytest

import pymilter
from pymilter import Stats, Transports
from pymilter._class import arity, decorators, near_misses
from pymilter._low_level import Program
from pymilter._observe.scrapes import ScrapeServer
from pymilter._observe.stats import total
from pymilter._run import Server
from pymilter._serve import inherited
from pymilter._workers import last_words, limits, supervisor, worker
from pymilter.message import _edits, _field
from pymilter.prometheus import _metrics


def modules() -> Iterator[ModuleType]:
    for found in pkgutil.walk_packages(pymilter.__path__, "pymilter."):
        if not found.name.endswith("__main__"):
            yield importlib.import_module(found.name)


def test_each_module_logs_by_the_name_of_the_package() -> None:
    """Operators configure these two, as the documentation says."""
    names = {module.__name__: module.logger.name for module in modules() if hasattr(module, "logger")}
    assert all(isinstance(module.logger, logging.Logger) for module in modules() if hasattr(module, "logger"))
    assert len(names) > 10
    wanted = {name: "pymilter.mime" if name.startswith("pymilter.mime.") else "pymilter" for name in names}
    assert {name: found for name, found in names.items() if found != wanted[name]} == {}


def test_type_variables_have_the_names_that_errors_of_type_checkers_show() -> None:
    found = [
        (module.__name__, name, value)
        for module in modules()
        for name, value in vars(module).items()
        if isinstance(value, typing.TypeVar)
    ]
    assert len(found) > 10
    assert [(module, name) for module, name, value in found if value.__name__ != name] == []


@pytest.mark.parametrize("kind", [*typing.get_args(_edits.Edit), Stats, Transports])
def test_plain_values_are_never_changed(kind: Any) -> None:
    fields = [field.name for field in dataclasses.fields(kind)]
    made = kind(*range(len(fields)))
    with pytest.raises(dataclasses.FrozenInstanceError):
        setattr(made, fields[0], 5)
    assert not hasattr(made, "__dict__")
    assert (made == kind(*range(len(fields))), made == kind(*range(1, len(fields) + 1))) == (True, False)


def test_labels_of_the_metrics() -> None:
    labels = {metric.name: getattr(metric, "_labelnames", ()) for metric in _metrics(total(()))}
    assert {name: found for name, found in labels.items() if found} == {
        "pymilter_transports": ("transport",),
        "pymilter_callbacks": ("step",),
        "pymilter_answers": ("step", "status"),
        "pymilter_edits": ("call",),
    }


def test_numbers_of_other_peoples_interfaces() -> None:
    assert inherited.FIRST_SYSTEMD_DESCRIPTOR == 3  # sd_listen_fds(3)
    assert (last_words.STDERR, worker.STDERR) == (2, 2)
    assert (arity.VARARGS, arity.VARKEYWORDS) == (inspect.CO_VARARGS, inspect.CO_VARKEYWORDS)
    assert arity.GENERATOR == inspect.CO_GENERATOR
    assert (arity.COROUTINE, arity.ASYNC_GENERATOR) == (inspect.CO_COROUTINE, inspect.CO_ASYNC_GENERATOR)
    assert (_field.MOST_BYTES, _field.MOST_IN_LINE) == (60_000, 998)  # Postfix; RFC 5322
    assert decorators.MOST_MACROS == 50


def test_numbers_of_the_documentation() -> None:
    assert supervisor.HOPELESS == 6
    assert (limits.JITTER, str(limits._STATM)) == (10, "/proc/self/statm")
    assert (last_words.KEPT, last_words.LONGEST, worker.LONGEST) == (4096, 300, 300)
    assert len("connect") == near_misses.LONG


def test_defaults_of_what_programs_call() -> None:
    defaults = {
        function.__qualname__: {
            name: parameter.default
            for name, parameter in inspect.signature(function).parameters.items()
            if parameter.default is not parameter.empty
        }
        for function in (Server.start, Server.stop, pymilter.stop, Program.run, pymilter.Base.addheader)
    }
    assert defaults == {
        "Server.start": {"signals": False},
        "Serving.stop": {"grace": 0.0},
        "stop": {"grace": 0.0},
        "Program.run": {"rmsock": False},
        "Base.addheader": {"idx": -1},
    }


def test_a_server_for_scrapes_may_be_started_again_at_once_and_waits_for_nobody() -> None:
    found = (ScrapeServer.daemon_threads, ScrapeServer.allow_reuse_address, ScrapeServer.block_on_close)
    assert found == (True, True, False)
