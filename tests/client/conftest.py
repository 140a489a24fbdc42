"""Fixtures of the client's tests: the C filter, and the three kinds of socket."""

from __future__ import annotations

import socket
from collections.abc import Iterator

import pytest

from pymilter.testing import free_port, temporary_socket
from support.cfilter.fixtures import probe, probe_program
from support.require import missing

__all__ = ["probe", "probe_program"]


@pytest.fixture(params=["unix", "inet", "inet6"])
def transport(request: pytest.FixtureRequest) -> Iterator[str]:
    """A free address of each kind, in libmilter's notation."""
    if request.param == "unix":
        with temporary_socket() as address:
            yield address
        return
    host = "127.0.0.1" if request.param == "inet" else "::1"
    try:
        port = free_port(host)
    except OSError as error:
        missing(f"no {request.param} loopback address: {error}")
    yield f"{request.param}:{port}@{host}"


@pytest.fixture
def has_ipv6() -> None:
    """Needs IPv6 on the loopback interface."""
    try:
        with socket.socket(socket.AF_INET6) as sock:
            sock.bind(("::1", 0))
    except OSError as error:
        missing(f"no IPv6 loopback address: {error}")
