"""Fixtures of the wire tests: starting filters, and the kinds of socket."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from support.fixtures import script, start
from support.puppet import SOURCE, Puppet
from support.wire import free_address, running

__all__ = ["kind", "puppet", "script", "start"]


@pytest.fixture(scope="module")
def puppet(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Puppet]:
    """A filter that does at each connection what the test tells it; one process for all tests of a file."""
    with (
        free_address("unix") as address,
        running(SOURCE, tmp_path_factory.mktemp("puppet"), address) as process,
    ):
        yield Puppet(process)


@pytest.fixture(params=["unix", "inet", "inet6"])
def kind(request: pytest.FixtureRequest) -> str:
    """Each kind of socket."""
    return str(request.param)
