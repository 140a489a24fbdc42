"""Fixtures of the tests of operation: filters in processes of their own."""

from __future__ import annotations

import tempfile
from collections.abc import Iterator
from pathlib import Path

import pytest

from support.fixtures import script, start

__all__ = ["kind", "open_folder", "script", "start"]


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
