"""Fixtures that start the C filter; a conftest.py takes them by importing them."""

from __future__ import annotations

import contextlib
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from pymilter.testing import FilterProcess
from support.cfilter import probe as cprobe

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
