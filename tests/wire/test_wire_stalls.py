"""Over TCP no message waits for a delayed acknowledgement, although the client keeps Nagle's algorithm on."""

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
ONE_STALL = 0.008  # seconds: where the kernel lets us bound it (TCP_DELACK_MAX_US, Linux 6.15), else 0.040

pytestmark = pytest.mark.skipif(sys.platform != "linux", reason="the delays of Linux are what is measured")


def quick(client: Client, play: Callable[[Client], object]) -> float:
    """The seconds that the quicker ones of many messages take: what else the machine does slows only some of them."""
    taken = []
    for _ in range(40):
        began = time.monotonic()
        play(client)
        taken.append(time.monotonic() - began)
    return statistics.quantiles(taken)[0]


@pytest.mark.parametrize("source", [MUTE, EDITS], ids=["unanswered steps", "edits"])
def test_no_message_stalls(start: Start, source: str) -> None:
    process = start(source, kind="inet")
    with Client(process.address) as client:
        client.connect()
        client.helo()
        assert quick(client, message) < ONE_STALL / 2
