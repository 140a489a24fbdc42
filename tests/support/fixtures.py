"""Fixtures that several folders of tests share; each conftest.py imports those that its tests use."""

from __future__ import annotations

import contextlib
from collections.abc import Iterator
from pathlib import Path

import pytest

from support.wire import Finished, Script, Start, WireFilter, finished, free_address, running


@pytest.fixture
def start(tmp_path: Path) -> Iterator[Start]:
    """Starts a filter from its source, on a free address of the `kind` unix, inet or inet6; it ends with the test."""
    with contextlib.ExitStack() as stack:

        def begin(source: str, *, kind: str = "unix", keeps_connections: bool = False, **options: object) -> WireFilter:
            address = stack.enter_context(free_address(kind))
            program = running(source, tmp_path, address, keeps_connections=keeps_connections, **options)
            return stack.enter_context(program)

        yield begin


@pytest.fixture
def script(tmp_path: Path) -> Script:
    """Runs a program whose main(address) ends by itself; its unix socket is in an empty folder."""

    def run(source: str) -> Finished:
        with free_address("unix") as address:
            return finished(source, tmp_path, address)

    return run
