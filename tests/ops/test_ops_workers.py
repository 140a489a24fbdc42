"""Many processes on one socket: started, replaced when they die and by new code, ended with their supervisor."""

from __future__ import annotations

import contextlib
import os
import signal
import sys
import textwrap
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from pymilter.testing import Client, ClientError, FilterGone, FilterProcess, FilterTimeout, FilterUnreachable, Verdict
from support.wire import eventually, free_address

PROGRAM = """
    import logging, os, sys
    from pathlib import Path
    import pymilter
    from pymilter import *
    logging.basicConfig(level=logging.INFO)
    REPLY = "{reply}"
    class Filter(Base):
        def hello(self, hostname):
            return Reject(550, "5.7.1", f"{{os.getpid()}} {{REPLY}}")
        def envfrom(self, *args):
            return CONTINUE
    {before}
    run(Filter, sys.argv[1], workers=2, grace=20, pid_file=sys.argv[2])
"""


class Crew:
    """A supervisor and its workers."""

    def __init__(self, folder: Path, address: str, before: str = "") -> None:
        self.program = folder / "program.py"
        self.pid_file = folder / "pid"
        self.before = before
        self.write("old")
        self.process = FilterProcess([sys.executable, self.program, address, self.pid_file], address)

    def write(self, reply: str) -> None:
        self.program.write_text(textwrap.dedent(PROGRAM.format(reply=reply, before=self.before)))

    def wait_for(self, text: str, times: int = 1) -> None:
        eventually(lambda: self.process.stderr, lambda said: said.count(text) >= times)

    def ask(self) -> tuple[int, str]:
        """The process that serves a connection, and its code's word."""
        with Client(self.process.address) as client:
            client.connect()
            reply = client.helo().text
        number, _, word = str(reply).partition(" ")
        return int(number), word

    def pids(self) -> set[int]:
        children = Path(f"/proc/{self.process.pid}/task/{self.process.pid}/children").read_text()
        return set(map(int, children.split()))


@pytest.fixture
def crew(tmp_path: Path, kind: str) -> Iterator[Crew]:
    with free_address(kind) as address:
        crew = Crew(tmp_path, address)
        with crew.process:
            crew.wait_for("2 workers serve")
            yield crew


def is_alive(pid: int) -> bool:
    """A process that has ended counts as gone, whether or not somebody has taken its status."""
    try:
        return Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0] != "Z"
    except FileNotFoundError:
        return False


def gone(pids: set[int]) -> Callable[[], bool]:
    return lambda: not any(map(is_alive, pids))


def test_both_serve_and_sigterm_ends_all(crew: Crew) -> None:
    workers = crew.pids()
    assert len(workers) == 2
    assert crew.pid_file.read_text() == f"{crew.process.pid}\n"
    seen: set[int] = set()

    def ask() -> set[int]:
        seen.add(crew.ask()[0])
        return seen

    eventually(ask, lambda found: found == workers)
    assert crew.process.stop() == 0, crew.process.stderr
    assert gone(workers)()
    assert not crew.pid_file.exists()
    with pytest.raises(FilterUnreachable):
        Client(crew.process.address).connect()


def test_a_worker_that_dies_is_replaced(crew: Crew) -> None:
    first = crew.pids()
    os.kill(min(first), signal.SIGKILL)
    crew.wait_for("ended with status -9")
    eventually(crew.pids, lambda found: len(found) == 2 and min(first) not in found)
    assert crew.ask()[1] == "old"


def test_sighup_brings_the_new_code_and_loses_no_connection(crew: Crew) -> None:
    old = crew.pids()
    talking = Client(crew.process.address)
    talking.connect()
    crew.write("new")
    crew.process.send_signal(signal.SIGHUP)
    crew.wait_for("2 workers serve", 2)
    assert all(crew.ask()[1] == "new" for _ in range(10))
    # The connection that was open goes on with the code that it began with.
    reply = talking.helo()
    assert reply.verdict is Verdict.REJECT
    assert str(reply.text).endswith("old")
    talking.close()
    eventually(crew.pids, lambda found: len(found) == 2 and not found & old)


def test_a_message_under_way_ends_before_its_worker(crew: Crew) -> None:
    workers = crew.pids()
    client = Client(crew.process.address)
    client.connect()
    client.mail("<a@example.org>")
    crew.process.send_signal(signal.SIGTERM)
    crew.wait_for("stopped listening")  # the other worker's
    # The MTA is refused and need not wait: no process holds the socket.
    eventually(lambda: refuses(crew.process.address), bool)
    assert client.eom().verdict is Verdict.CONTINUE
    with contextlib.suppress(ClientError):
        client.close()
    assert crew.process.wait() == 0
    assert gone(workers)()


def refuses(address: str) -> bool:
    try:
        Client(address, timeout=0.5).close()
    except (FilterUnreachable, FilterGone):
        return True
    except FilterTimeout:
        return False
    return False


def test_workers_end_when_the_supervisor_dies(crew: Crew) -> None:
    workers = crew.pids()
    crew.process.send_signal(signal.SIGKILL)
    eventually(gone(workers), bool)


def test_workers_that_die_at_once(tmp_path: Path) -> None:
    """There is an end to it, and it is told."""
    with free_address("unix") as address:
        crew = Crew(tmp_path, address, before="'PYMILTER_WORKER' in os.environ and sys.exit(7)")
        with crew.process:
            assert crew.process.wait() == 1
        assert not Path(address.removeprefix("unix:")).exists()


def test_workers_end_where_systemd_signals_all(crew: Crew) -> None:
    """With KillMode=control-group each gets SIGTERM, supervisor and workers alike."""
    workers = crew.pids()
    client = Client(crew.process.address)
    client.connect()
    client.mail("<a@example.org>")
    for pid in (*workers, crew.process.pid):
        os.kill(pid, signal.SIGTERM)
    crew.wait_for("stopped listening")
    assert client.eom().verdict is Verdict.CONTINUE
    with contextlib.suppress(ClientError):
        client.close()
    assert crew.process.wait() == 0
