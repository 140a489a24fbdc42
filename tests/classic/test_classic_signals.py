"""How runmilter ends: in the main thread or beside it, with and without signal handlers of the program's own."""

from __future__ import annotations

import signal
import sys
from pathlib import Path

import pytest

from pymilter.testing import Client, FilterProcess, temporary_socket

OWN_SIGNALS = Path(__file__).with_name("programs") / "own_signals.py"
SUBCLASS = Path(__file__).with_name("programs") / "milter_subclass.py"

# In rare cases libmilter's own thread takes the signal, and then its listener looks up only after 5 s.
TIMEOUT = 15.0


@pytest.mark.timeout(600)
@pytest.mark.parametrize("when", ["before", "after"])
def test_sigterm_ends_a_filter_beside_the_main_thread_every_time(when: str) -> None:
    for _ in range(25):
        with temporary_socket() as address:
            program = FilterProcess([sys.executable, OWN_SIGNALS, address, when], address, timeout=TIMEOUT)
            with program as process:
                with Client(address) as client:
                    client.connect()
                assert process.stop() == 0
                assert sorted(process.stdout.splitlines()) == ["handler", "installed", "returned"]


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGHUP, signal.SIGINT])
def test_each_signal_lets_runmilter_return(number: signal.Signals) -> None:
    with (
        temporary_socket() as address,
        FilterProcess([sys.executable, SUBCLASS, address], address, timeout=TIMEOUT, stop_signal=number) as process,
    ):
        with Client(address) as client:
            client.connect()
        assert process.stop() == 0
        assert process.stdout.splitlines()[-1] == "end"


def test_a_signal_at_once_after_the_socket_listens() -> None:
    for _ in range(10):
        with temporary_socket() as address:
            program = FilterProcess([sys.executable, OWN_SIGNALS, address, "before"], address, timeout=TIMEOUT)
            with program as process:
                assert process.stop() == 0
