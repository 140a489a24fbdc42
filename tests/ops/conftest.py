"""Fixtures of the tests of operation: filters in processes of their own."""

from __future__ import annotations

import contextlib
import tempfile
from collections.abc import Iterator
from pathlib import Path

import pytest

from support.wire import Finished, Script, Start, WireFilter, finished, free_address, running


@pytest.fixture
def start(tmp_path: Path) -> Iterator[Start]:
    """Starts a filter from its source, on a free address of the `kind` unix, inet or inet6; it ends with the test."""
    with contextlib.ExitStack() as stack:

        def begin(source: str, *, kind: str = "unix", **options: object) -> WireFilter:
            address = stack.enter_context(free_address(kind))
            keeps = bool(options.pop("keeps_connections", False))
            return stack.enter_context(running(source, tmp_path, address, keeps_connections=keeps, **options))

        yield begin


@pytest.fixture
def script(tmp_path: Path) -> Script:
    """Runs a program whose main(address) ends by itself; its unix socket is in a folder that is empty before."""

    def run(source: str) -> Finished:
        with free_address("unix") as address:
            return finished(source, tmp_path, address)

    return run


@pytest.fixture
def open_folder() -> Iterator[Path]:
    """A folder that every user gets through to, as pytest's own are not."""
    with tempfile.TemporaryDirectory(prefix="pymilter-open-") as name:
        folder = Path(name)
        folder.chmod(0o755)
        yield folder


@pytest.fixture(params=["unix", "inet"])
def kind(request: pytest.FixtureRequest) -> str:
    """Each kind of socket."""
    return str(request.param)
