"""Descriptors: what programs that handlers start inherit, and the sockets of workers that race for a connection."""

from __future__ import annotations

import contextlib
import signal
from pathlib import Path

import pytest

from pymilter.testing import Client, ClientError, Verdict
from support.crew import serving
from support.wire import Start, eventually

# What a program has that a handler starts without closing anything: in the middle of a body that is gathered in a file.
SEES = """
    def look():
        # What there is beside 0, 1 and 2, and the folder that the program reads.
        import subprocess
        done = subprocess.run(["/bin/ls", "-l", "/proc/self/fd"], close_fds=False, capture_output=True, text=True)
        links = [line.split()[-3:] for line in done.stdout.splitlines() if "->" in line]
        found = [what for number, _, what in links if int(number) > 2 and not what.startswith("/proc/")]
        # Debian's libmilter has a pipe of its own, to wake its threads, which it does not close.
        pipes = sorted(what for what in found if what.startswith("pipe:"))
        return [what for what in found if what not in pipes[:1]]
"""


@pytest.mark.parametrize("kind", ["unix", "inet"])
def test_what_a_program_inherits_from_a_handler(start: Start, kind: str) -> None:
    """Nothing of libmilter's or ours: sockets, pipes, the file of a body."""
    process = start(
        SEES
        + """
    class Filter(Base):
        def hello(self, hostname):
            return CONTINUE
        @gather(in_memory=0)
        def body(self, data):
            return CONTINUE
        def unknown(self, command):
            note("inherits", look())
            return CONTINUE
    """,
        kind=kind,
    )
    with Client(process.address) as gathering, Client(process.address) as client:
        gathering.connect()
        gathering.mail("<a@example.org>")
        gathering.body(b"x" * 60_000)
        client.connect()
        client.unknown("LOOK")
        assert process.seen("inherits") == [("inherits", [])]
        assert any("pymilter-body" in name for name in open_files(process.pid))
        assert gathering.eom().verdict is Verdict.CONTINUE


def open_files(pid: int) -> list[str]:
    found = []
    for entry in Path(f"/proc/{pid}/fd").iterdir():
        with contextlib.suppress(OSError):
            found.append(str(entry.readlink()))
    return found


def test_what_a_program_inherits_during_the_end(start: Start) -> None:
    """The silent socket that has taken the listener's place is no program's either."""
    process = start(
        SEES
        + """
    class Filter(Base):
        def envfrom(self, *args):
            return CONTINUE
        def unknown(self, command):
            note("inherits", look())
            return CONTINUE
    """,
        grace=60,
    )
    client = Client(process.address)
    client.connect()
    client.mail("<a@example.org>")
    process.send_signal(signal.SIGTERM)
    eventually(lambda: Path(process.address.removeprefix("unix:")).exists(), lambda there: not there)
    client.unknown("LOOK")
    client.unknown("LOOK")
    assert process.seen("inherits") == [("inherits", [])] * 2
    client.abort()
    with contextlib.suppress(ClientError):
        client.close()


def test_what_a_program_inherits_from_a_worker(tmp_path: Path) -> None:
    """Neither the listener, nor the line to the supervisor, nor the memory that workers share."""
    before = (
        SEES
        + """
    class Filter(Filter):
        def unknown(self, command):
            print("inherits", look(), flush=True)
            return CONTINUE
    """
    )
    with serving(tmp_path, before=before, workers=2) as crew:
        with Client(crew.process.address) as client:
            client.connect()
            client.unknown("LOOK")
        assert crew.process.stdout == "inherits []\n"


@pytest.mark.parametrize("kind", ["unix", "inet"])
def test_accept_never_waits(start: Start, kind: str) -> None:
    """The connection that a worker was woken for may have gone to another one."""
    process = start(
        """
        import os, socket
        class Filter(Base):
            def hello(self, hostname):
                for number in map(int, os.listdir("/proc/self/fd")):
                    try:
                        with socket.socket(fileno=os.dup(number)) as found:
                            if found.getsockopt(socket.SOL_SOCKET, socket.SO_ACCEPTCONN):
                                note("blocks", os.get_blocking(number))
                    except OSError:
                        pass
                return CONTINUE
        """,
        kind=kind,
    )
    with Client(process.address) as client:
        client.connect()
        client.helo()
    assert process.seen("blocks") == [("blocks", False)]
