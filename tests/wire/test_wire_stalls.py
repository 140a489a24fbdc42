"""Over TCP no message waits for a delayed acknowledgement, 40 ms, although the client keeps Nagle's algorithm on."""

from __future__ import annotations

import statistics
import sys
import time
from collections.abc import Callable

import pytest

from pymilter.testing import Client
from support.wire import Start, message

MUTE = """
    class Filter(Base):
        def envfrom(self, mailfrom, *params) -> None: self.steps = 1
        def envrcpt(self, to, *params) -> None: self.steps += 1
        def data(self) -> None: self.steps += 1
        def header(self, name, value) -> None: self.steps += 1
        def eoh(self) -> None: self.steps += 1
        def body(self, chunk) -> None: self.steps += 1
        def eom(self): return CONTINUE
"""
EDITS = """
    class Filter(Base):
        def eom(self):
            self.addheader("X-One", "1")
            self.addheader("X-Two", "2")
            self.replacebody(b"x" * 1000)
            return CONTINUE
"""
ONE_STALL = 0.040  # seconds: TCP_DELACK_MIN of Linux

pytestmark = pytest.mark.skipif(sys.platform != "linux", reason="the delays of Linux are what is measured")


def median(client: Client, play: Callable[[Client], object]) -> float:
    """Of the seconds that one of many messages takes: what else the machine does seldom counts."""
    taken = []
    for _ in range(30):
        began = time.monotonic()
        play(client)
        taken.append(time.monotonic() - began)
    return statistics.median(taken)


@pytest.mark.parametrize("source", [MUTE, EDITS], ids=["unanswered steps", "edits"])
def test_no_message_stalls(start: Start, source: str) -> None:
    process = start(source, kind="inet")
    with Client(process.address) as client:
        client.connect()
        client.helo()
        assert median(client, message) < ONE_STALL / 2


def test_an_abort_does_not_stall(start: Start) -> None:
    """It has no answer that could carry the acknowledgement which the next command waits for."""
    process = start(MUTE, kind="inet")
    with Client(process.address) as client:
        client.connect()
        client.helo()
        assert median(client, lambda client: message(client, "data")) < ONE_STALL / 2
