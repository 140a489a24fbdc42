"""Descriptors: what programs that handlers start inherit, and the sockets of workers that race for a connection."""

from __future__ import annotations

import contextlib
import signal
from pathlib import Path

import pytest

from pymilter.testing import Client, ClientError, Verdict
from support.crew import serving
from support.wire import Script, Start, eventually

# What a program has that a handler starts without closing anything: in the middle of a body that is gathered in a file.
SEES = """
    def look():
        # What there is beside 0, 1 and 2, and the folder that the program reads.
        import subprocess
        done = subprocess.run(["/bin/ls", "-l", "/proc/self/fd"], close_fds=False, capture_output=True, text=True)
        links = [line.split(" -> ") for line in done.stdout.splitlines() if " -> " in line]
        links = [(int(before.split()[-1]), what) for before, what in links]
        found = [what for number, what in links if number > 2 and not what.startswith("/proc/")]
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
        keeps_connections=True,
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
    assert process.wait() == 0, process.stderr


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


@pytest.mark.parametrize("address", ["inet:0@0.0.0.0", "inet6:0@::"])
def test_a_filter_that_listens_on_all_addresses_knows_its_connections(script: Script, address: str) -> None:
    """Their own address is not the listener's: steps are left unanswered all the same, and no child holds them."""
    done = script(f"""
        import os, socket
        from pymilter.testing import Client
        port = 0
        def is_ours(number):
            try:
                with socket.socket(fileno=os.dup(number)) as found:
                    return found.family != socket.AF_UNIX and found.getsockname()[1] == port
            except OSError:
                return False
        class Filter(Base):
            def hello(self, hostname):
                if (child := os.fork()) == 0:
                    os._exit(sum(map(is_ours, map(int, os.listdir("/proc/self/fd")))))
                note("held", os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]))
                note("transports", stats().transports.acknowledged_tcp, stats().transports.plain_tcp)
                return CONTINUE
        def main(_):
            global port
            with Server(Filter, {address!r}) as server:
                port = int(server.address.split(":", 1)[1].split("@")[0])
                loopback = server.address.replace("0.0.0.0", "127.0.0.1").replace("@::", "@::1")
                with Client(loopback) as client:
                    client.connect()
                    client.helo()
    """)
    assert done.seen == [("held", 0), ("transports", 1, 0)], done.stderr


def test_threads_of_libmilter_that_have_ended_are_not_inside(script: Script) -> None:
    """Many connections at once make many threads, most of which end when there are few again."""
    done = script("""
        import threading, time
        from pathlib import Path
        from pymilter.testing import Client
        seen = set()
        class Filter(Base):
            def hello(self, hostname):
                seen.add(threading.get_native_id())
                time.sleep(0.1)
                return CONTINUE
        def ended():
            return sum(not Path(f"/proc/self/task/{thread}").exists() for thread in seen)
        def talk(address):
            with Client(address, timeout=60) as client:
                client.connect()
                client.helo()
        def main(address):
            with Server(Filter, address):
                talking = [threading.Thread(target=talk, args=(address,)) for _ in range(24)]
                for thread in talking:
                    thread.start()
                for thread in talking:
                    thread.join()
                until = time.monotonic() + 20
                while ended() == 0 and time.monotonic() < until:
                    time.sleep(0.01)
                note("ended", ended() > 0)
                time.sleep(0.1)  # the last moment of a thread
                note("inside", stats().in_flight)
    """)
    assert done.seen == [("ended", True), ("inside", 0)], done.stderr
    assert "still running" not in done.stderr
