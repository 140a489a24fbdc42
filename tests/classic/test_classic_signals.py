"""How runmilter ends: in the main thread or beside it, with and without signal handlers of the program's own."""

from __future__ import annotations

import signal
import sys
from pathlib import Path

import pytest

from pymilter.testing import Client, FilterProcess, temporary_socket
from support.wire import eventually

OWN_SIGNALS = Path(__file__).with_name("programs") / "own_signals.py"
SUBCLASS = Path(__file__).with_name("programs") / "milter_subclass.py"


def told_at_sigterm(when: str) -> list[str]:
    """What the program writes whose handler is installed before or after the filter's start."""
    with (
        temporary_socket() as address,
        FilterProcess([sys.executable, OWN_SIGNALS, address, when], address) as process,
    ):
        with Client(address) as client:
            client.connect()
        eventually(lambda: process.stdout, lambda text: "installed" in text)
        assert process.stop() == 0
        return sorted(process.stdout.splitlines())


@pytest.mark.timeout(600)
@pytest.mark.parametrize("when", ["before", "after"])
def test_sigterm_ends_a_filter_beside_the_main_thread_every_time(when: str) -> None:
    for _ in range(25):
        assert told_at_sigterm(when) == ["handler", "installed", "returned"]


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGHUP, signal.SIGINT])
def test_each_signal_lets_runmilter_return(number: signal.Signals) -> None:
    with (
        temporary_socket() as address,
        FilterProcess([sys.executable, SUBCLASS, address], address, stop_signal=number) as process,
    ):
        with Client(address) as client:
            client.connect()
        assert process.stop() == 0
        assert process.stdout.splitlines()[-1] == "end"


def test_a_signal_at_once_after_the_socket_listens() -> None:
    for _ in range(10):
        with temporary_socket() as address:
            program = FilterProcess([sys.executable, OWN_SIGNALS, address, "before"], address)
            with program as process:
                assert process.stop() == 0
