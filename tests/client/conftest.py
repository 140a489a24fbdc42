"""Fixtures of the client's tests: the C filter, and the three kinds of socket."""

from __future__ import annotations

import contextlib
import socket
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from pymilter.testing import FilterProcess, free_port, temporary_socket
from support.cfilter import probe as cprobe
from support.require import missing

Probe = Callable[..., FilterProcess]


@pytest.fixture(scope="session")
def probe_program(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The compiled C filter."""
    return cprobe.build(tmp_path_factory.mktemp("probe"))


@pytest.fixture
def probe(probe_program: Path) -> Iterator[Probe]:
    """Starts the C filter with options: `probe("-r", "mail=reject")`; it ends with the test."""
    with contextlib.ExitStack() as stack:

        def start(*options: str, address: str | None = None) -> FilterProcess:
            return stack.enter_context(cprobe.running(probe_program, *options, address=address))

        yield start


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
