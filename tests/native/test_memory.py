"""Memory stays flat over many messages and connections with failures among them, and nothing is left at the end.

PYMILTER_MESSAGES and PYMILTER_CONNECTIONS make the load larger; `scripts/check-native leaks` does.
"""

from __future__ import annotations

import os
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import pytest

from pymilter.testing import Client, Verdict
from support.sanitized import IS_SANITIZED, measures_memory
from support.wire import WireFilter, eventually, free_address, running

MESSAGES = int(os.environ.get("PYMILTER_MESSAGES", "4000"))
CONNECTIONS = int(os.environ.get("PYMILTER_CONNECTIONS", "400"))
# A warm interpreter still makes some hundred blocks, CPython 3.12 more than others; a leak makes one for each message.
MOST_BLOCKS = 1000
MOST_GROWTH = 100_000  # bytes: what threads that come and go, and caches, make of it

SOURCE = """
    import ctypes, gc, logging, os, sys, weakref

    logging.getLogger("pymilter").setLevel(logging.INFO)
    logging.getLogger("pymilter").addFilter(lambda record: record.levelno < logging.ERROR)

    class Mallinfo(ctypes.Structure):
        _fields_ = [(name, ctypes.c_size_t) for name in
                    ("arena", "ordblks", "smblks", "hblks", "hblkhd", "usmblks", "fsmblks", "used", "free", "top")]

    mallinfo = getattr(ctypes.CDLL(None), "mallinfo2", None)
    if mallinfo:
        mallinfo.restype = Mallinfo
    malloc = ctypes.CDLL(None).malloc
    malloc.restype = ctypes.c_void_p
    alive = weakref.WeakSet()
    kept = []

    class Failure(Exception):
        pass

    class Filter(Base):
        leaks = "LEAKS"
        def __init__(self):
            alive.add(self)
            self.blob = bytes(5000)
        def connect(self, hostname, family, hostaddr) -> None:
            if hostname == "fail":
                raise Failure(self)
        def envfrom(self, mailfrom, *params):
            self.kind = mailfrom
            if self.leaks == "objects":
                kept.append(mailfrom * 2)
            if self.leaks == "malloc":
                malloc(100)
            self._ctx.setpriv([self, mailfrom])
            return self.fail("envfrom")
        def envrcpt(self, to, *params):
            return self.fail("envrcpt")
        def header(self, name, value) -> None:
            self.value = value
            self.fail("header")
        def body(self, chunk) -> None:
            self.chunk = chunk
            self.fail("body")
        def eom(self):
            self.getsymval("i")
            self.replacebody(self.chunk)
            self.addheader("X-Held", self.value)
            self.addheader("Bad", "no") if self.kind == "<bad@x>" else None
            return self.fail("eom")
        def abort(self):
            self.fail("abort")
        def close(self):
            if self.blob[0]:
                raise Failure
        def unknown(self, command):
            living = len(alive)
            gc.collect()
            used = mallinfo() if mallinfo else Mallinfo()
            note("measured", living, len(os.listdir("/proc/self/fd")), used.used + used.hblkhd,
                 sys.getallocatedblocks())
        def fail(self, step):
            match self.kind.strip("<>").split("@")[0].split("-"):
                case "raise", where if where == step:
                    raise Failure(self, step)
                case "exit", where if where == step:
                    sys.exit(self)
                case "huge", where if where == step:
                    return 1 << 80
                case "what", where if where == step:
                    return {"no": "status"}
                case "reject", where if where == step:
                    return Reject(550, "5.7.1", "no %s" % step, "and a second line")
                case "setreply", where if where == step:
                    self.setreply("550", "5.7.1", "no")
                    return REJECT
                case "edit", where if where == step:
                    self.addheader("A:B", "no header name")
            return CONTINUE
"""

KINDS = (
    "good",
    "raise-envfrom",
    "raise-envrcpt",
    "raise-header",
    "raise-body",
    "raise-eom",
    "raise-abort",
    "exit-eom",
    "exit-header",
    "huge-eom",
    "what-envrcpt",
    "reject-envrcpt",
    "reject-eom",
    "setreply-eom",
    "edit-eom",
    "edit-envrcpt",
    "gone",
)
BODY = b"x" * 3000


@dataclass(frozen=True)
class Measured:
    """What the filter's process has at one moment."""

    living: int
    files: int
    malloc: int
    blocks: int


def measure(process: WireFilter) -> Measured:
    """What the filter has when there is one connection only, the one that asks."""
    before = len(process.seen("measured"))
    with Client(process.address) as client:
        client.connect("measure")
        client.helo()
        client.unknown("MEASURE")
    return Measured(*process.wait_for(lambda seen: sum(note[0] == "measured" for note in seen) > before)[-1][1:])


def send(client: Client, kind: str) -> Verdict:
    """One message of a kind, as far as an MTA would go."""
    verdict = client.mail(f"<{kind}@x>").verdict
    if verdict is not Verdict.CONTINUE:
        return verdict
    client.rcpt("<to@x>")
    if kind == "raise-abort":
        client.abort()
        return Verdict.DISCARD
    client.data()
    client.header("Subject", kind)
    client.eoh()
    client.body(BODY)
    return client.eom().verdict


def load(process: WireFilter, messages: int, connections: int) -> None:
    """Messages of each kind over many connections, some of which end in the middle."""
    each = messages // connections
    for number in range(connections):
        client = Client(process.address, timeout=60)
        fails = number % 23 == 22
        client.connect("fail" if fails else "good")
        client.helo()
        for place in range(each):
            kind = KINDS[(number + place) % len(KINDS)]
            verdict = send(client, kind)
            assert (verdict is Verdict.CONTINUE) == (not fails and kind in CONTINUING), (kind, verdict)
        if number % 5 == 4:
            client.close()  # without QUIT
        else:
            client.quit()


def measure_at_rest(process: WireFilter) -> Measured:
    """What is left once only the connection that measures is there: the last ones of a load may still be ending."""
    return eventually(lambda: measure(process), lambda now: now.living == 1)


CONTINUING = {"good", "gone", "raise-envrcpt", "what-envrcpt", "reject-envrcpt", "edit-envrcpt"}


@pytest.fixture
def process(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[WireFilter]:
    source = SOURCE.replace("LEAKS", getattr(request, "param", ""))
    with free_address("unix") as address, running(source, tmp_path, address) as filter_process:
        yield filter_process


@pytest.mark.timeout(3000)
def test_nothing_is_left(process: WireFilter) -> None:
    """Objects of the user's, file descriptors, memory; and that connections made are freed, which `running` checks."""
    load(process, MESSAGES // 4, CONNECTIONS // 4)
    first = measure_at_rest(process)
    load(process, MESSAGES, CONNECTIONS)
    last = measure_at_rest(process)
    assert last.files == first.files
    if not IS_SANITIZED:
        assert last.blocks - first.blocks < MOST_BLOCKS
        assert last.malloc - first.malloc < MOST_GROWTH


@measures_memory
@pytest.mark.parametrize("process", ["objects", "malloc"], indirect=True)
def test_a_leak_would_be_seen(process: WireFilter) -> None:
    """A string kept for each message, or a hundred bytes of malloc's, shows at once."""
    load(process, 500, 50)
    first = measure(process)
    load(process, 2000, 200)
    last = measure(process)
    assert last.blocks - first.blocks > 1500 or last.malloc - first.malloc > MOST_GROWTH
