"""Over TCP no message waits for a delayed acknowledgement, although the client keeps Nagle's algorithm on."""

from __future__ import annotations

from pathlib import Path

import pytest

from pymilter.testing import Client
from support.require import missing
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
ANSWERING = """
    class Filter(Base):
        def envfrom(self, mailfrom, *params): return CONTINUE
        def envrcpt(self, to, *params): return CONTINUE
"""
EDITS = """
    class Filter(Base):
        def eom(self):
            self.addheader("X-One", "1")
            self.addheader("X-Two", "2")
            self.replacebody(b"x" * 1000)
            return CONTINUE
"""
COUNTERS = Path("/proc/net/netstat")


def delayed_acknowledgements() -> int:
    """How many acknowledgements the kernel has held back until their timer ran out, on all connections together."""
    if not COUNTERS.exists():
        missing(f"only Linux counts delayed acknowledgements, in {COUNTERS}")
    names, values = (line.split() for line in COUNTERS.read_text().splitlines() if line.startswith("TcpExt:"))
    return int(values[names.index("DelayedACKs")])


@pytest.mark.parametrize(
    ("source", "last"),
    [(MUTE, "eom"), (ANSWERING, "envrcpt"), (EDITS, "eom")],
    ids=["unanswered steps", "abort", "edits"],
)
def test_no_message_stalls(start: Start, source: str, last: str) -> None:
    """A message that stalls has such an acknowledgement in it; where the machine is slow, some others have one too."""
    process = start(source, kind="inet")
    quick = 0
    with Client(process.address) as client:
        client.connect()
        client.helo()
        for _ in range(200):
            before = delayed_acknowledgements()
            message(client, last)
            quick += delayed_acknowledgements() == before
            if quick == 10:
                return
    pytest.fail(f"only {quick} of 200 messages needed no acknowledgement that was held back")


CORKED = """
    import contextlib, os, socket
    from pathlib import Path

    def note_cork(step):
        for path in Path("/proc/self/fd").iterdir():
            with contextlib.suppress(OSError):  # that listens, or is closed by now
                if path.is_socket():
                    with socket.socket(fileno=os.dup(int(path.name))) as peer:
                        peer.getpeername()
                        note(step, peer.getsockopt(socket.IPPROTO_TCP, socket.TCP_CORK))

    class Filter(Base):
        def envfrom(self, mailfrom, *params):
            note_cork("envfrom")
        def eom(self):
            note_cork("eom")
            {edit}
            note_cork("edited")
"""


@pytest.mark.parametrize("edit", ['self.addheader("X-One", "1")', 'self.replacebody(b"x")'])
def test_edits_wait_for_each_other_and_never_past_the_message(start: Start, edit: str) -> None:
    process = start(CORKED.format(edit=edit), kind="inet")
    with Client(process.address) as client:
        client.connect()
        for _ in range(2):
            assert len(message(client)["eom"].edits) == 1
    assert process.seen() == [("envfrom", 0), ("eom", 0), ("edited", 1)] * 2
