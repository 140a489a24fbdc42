"""What all tests need: the signals that a program has when it is started from a terminal, and the long gate."""

from __future__ import annotations

import signal

import pytest

# What a shell runs in the background starts with SIGINT ignored, and under nohup with SIGHUP; so would be the filters
# that tests start.
for number, handler in ((signal.SIGINT, signal.default_int_handler), (signal.SIGHUP, signal.SIG_DFL)):
    if signal.getsignal(number) is signal.SIG_IGN:
        signal.signal(number, handler)


pytest_plugins = ["pytester"]


def pytest_addoption(parser: pytest.Parser) -> None:
    parser.addoption("--long", action="store_true", help="run the tests that take minutes too")


def pytest_collection_modifyitems(config: pytest.Config, items: list[pytest.Item]) -> None:
    if config.getoption("--long"):
        return
    too_long = [item for item in items if item.get_closest_marker("long")]
    if too_long:
        config.hook.pytest_deselected(items=too_long)
        items[:] = [item for item in items if not item.get_closest_marker("long")]
