"""Connections are shared out among workers: to the one with the fewest, and none waits for one that hangs."""

from __future__ import annotations

import contextlib
import os
import signal
import textwrap
import time
from collections import Counter
from collections.abc import Iterator
from functools import partial
from pathlib import Path

import pytest

from pymilter.testing import Client, ClientError
from support.crew import Crew, freeze, serving
from support.wire import eventually

# Whether a connection waits for the worker with the fewest must not depend on how busy this machine is.
PATIENT = """\
import pymilter._workers.serve
pymilter._workers.serve.PATIENCE = {patience}
"""
TELLING = """\
class Filter(Filter):
    def close(self):
        os.write(1, b"closed %d\\n" % os.getpid())  # in one piece: connections end at once
"""
KEEPING = (
    TELLING
    + """\
kept = []
class Filter(Filter):
    def envfrom(self, *args):
        kept.append((self, self.context))
        return CONTINUE
"""
)

HEARING = (
    TELLING
    + """\
class Filter(Filter):
    def unknown(self, command):
        return CONTINUE
"""
)


class Held:
    """Connections that stay open, each with the worker that serves it."""

    def __init__(self, crew: Crew) -> None:
        self._crew = crew
        self._clients: list[tuple[int, Client]] = []

    def take(self, count: int) -> Counter[int]:
        """So many more, one after the other; how many of them each worker has got."""
        taken: Counter[int] = Counter()
        for _ in range(count):
            client = Client(self._crew.process.address, timeout=4)  # libmilter by itself looks every 5 s
            self._clients.append((0, client))
            client.connect()
            pid = int(str(client.helo().text).split()[0])
            self._clients[-1] = (pid, client)
            taken[pid] += 1
        return taken

    def counts(self) -> Counter[int]:
        """How many each worker has."""
        return Counter(pid for pid, _ in self._clients)

    def begin_a_message(self) -> None:
        """On each."""
        for _, client in self._clients:
            client.mail("<>")

    def begin_anew(self, worker: int) -> None:
        """Those of one worker end with QUIT_NC, and begin again on the same socket; the filter is `HEARING`."""
        for pid, client in self._clients:
            if pid == worker:
                client.unknown("NOOP")  # libmilter does not take QUIT_NC after HELO
                client.quit_nc()
                client.connect()
                client.helo()

    def close(self, worker: int | None = None) -> None:
        """Close those of one worker, or all."""
        for pid, client in self._clients:
            if worker in (None, pid):
                with contextlib.suppress(ClientError):
                    client.close()
        self._clients = [(pid, client) for pid, client in self._clients if worker not in (None, pid)]

    def close_and_wait(self, worker: int) -> None:
        """Close those of one worker, whose filter tells that it is `TELLING`, and wait until it knows."""
        count = self.counts()[worker]
        self.close(worker)
        eventually(lambda: self._crew.process.stdout.count(f"closed {worker}\n"), lambda closed: closed == count)


@contextlib.contextmanager
def shared(
    folder: Path, kind: str = "unix", *, patience: float = 60, before: str = "", workers: int = 2
) -> Iterator[tuple[Crew, Held]]:
    """A crew, and the connections to it that are held until the end."""
    lines = f"{PATIENT.format(patience=patience)}\n{textwrap.dedent(before)}"
    with serving(folder, kind, before=lines, workers=workers, grace=20) as crew:
        held = Held(crew)
        try:
            yield crew, held
        finally:
            held.close()


# The supervisor has it already; workers get it from there.
INHERITED = """\
    if not is_worker():
        import socket
        listening = socket.socket(socket.AF_UNIX)
        listening.bind(sys.argv[1].removeprefix("unix:"))
        listening.listen()
        os.dup2(listening.fileno(), 3)
        os.environ.update(LISTEN_PID=str(os.getpid()), LISTEN_FDS="1")
    sys.argv[1] = "{address}"
"""


@pytest.mark.parametrize("workers", [2, 3])
def test_idle_connections_are_split_evenly(tmp_path: Path, kind: str, workers: int) -> None:
    with shared(tmp_path, kind, workers=workers) as (crew, held):
        assert held.take(6 * workers) == dict.fromkeys(crew.pids(), 6)


@pytest.mark.parametrize("address", ["fd:3", "systemd:"])
def test_a_socket_that_was_open_already_is_shared_too(tmp_path: Path, address: str) -> None:
    with shared(tmp_path, before=INHERITED.format(address=address)) as (crew, held):
        assert held.take(12) == dict.fromkeys(crew.pids(), 6)


@pytest.mark.parametrize("before", [TELLING, KEEPING], ids=["", "kept"])
def test_who_has_lost_its_connections_gets_the_next(tmp_path: Path, kind: str, before: str) -> None:
    with shared(tmp_path, kind, before=before) as (crew, held):
        held.take(12)
        held.begin_a_message()
        worker = min(crew.pids())
        held.close_and_wait(worker)
        # The other one may take one before it sees that it has more.
        assert held.take(8)[worker] >= 6
        assert held.counts() == dict.fromkeys(crew.pids(), 7)


def test_a_connection_that_goes_on_after_quit_nc_counts(tmp_path: Path, kind: str) -> None:
    with shared(tmp_path, kind, before=HEARING) as (crew, held):
        held.take(8)
        worker = min(crew.pids())
        held.begin_anew(worker)
        eventually(lambda: crew.process.stdout.count(f"closed {worker}\n"), (4).__eq__)
        assert held.take(8) == dict.fromkeys(crew.pids(), 4)


@pytest.mark.parametrize("is_idle", [False, True])
def test_the_successor_of_a_killed_worker_catches_up(tmp_path: Path, is_idle: bool) -> None:
    with shared(tmp_path, before=TELLING) as (crew, held):
        held.take(10)
        killed, other = sorted(crew.pids())
        if is_idle:
            held.close_and_wait(killed)
        os.kill(killed, signal.SIGKILL)
        crew.wait_for("listening on", 3)
        held.close(killed)
        held.take(7)
        [new] = crew.pids() - {killed, other}
        assert held.counts() == {other: 6, new: 6}


def test_workers_share_after_a_reload(tmp_path: Path, kind: str) -> None:
    with shared(tmp_path, kind) as (crew, held):
        held.take(4)
        old = set(held.counts())
        for times in range(2, 4):
            crew.process.send_signal(signal.SIGHUP)
            crew.wait_until_it_serves(times)
        taken = held.take(12)
        assert list(taken.values()) == [6, 6]
        assert not old & set(taken)


def test_no_connection_waits_for_a_worker_that_hangs(tmp_path: Path, kind: str) -> None:
    with shared(tmp_path, kind, patience=0.01) as (crew, held):
        stopped, other = sorted(crew.pids())
        freeze(stopped)
        assert held.take(20) == {other: 20}
        os.kill(stopped, signal.SIGCONT)
        eventually(lambda: held.take(1), lambda taken: taken[stopped] == 1)


def test_who_hangs_is_waited_for_once(tmp_path: Path) -> None:
    with shared(tmp_path, patience=2) as (crew, held):
        stopped, other = sorted(crew.pids())
        freeze(stopped)
        assert held.take(1) == {other: 1}
        begin = time.monotonic()
        assert held.take(6) == {other: 6}
        assert 2 <= time.monotonic() - begin < 10  # 12 s, if each were to wait
        os.kill(stopped, signal.SIGCONT)
        # Once it has shown that it is there, it gets the next ones, until it has as many.
        eventually(lambda: held.take(1), lambda taken: taken[stopped] == 1)
        missing = held.counts()[other] - held.counts()[stopped]
        assert held.take(missing + 2)[stopped] >= missing


def test_one_worker_shares_with_nobody(tmp_path: Path) -> None:
    def maps(crew: Crew) -> list[bool]:
        return ["/memfd:pymilter" in Path(f"/proc/{pid}/maps").read_text() for pid in sorted(crew.pids())]

    for workers in (1, 2):
        folder = tmp_path / str(workers)
        folder.mkdir()
        with shared(folder, workers=workers) as (crew, _):
            assert maps(crew) == [workers > 1] * workers


def test_a_process_that_a_handler_forks_holds_no_socket(tmp_path: Path) -> None:
    forks = """\
    class Filter(Filter):
        def connect(self, *args):
            if os.fork() == 0:
                time.sleep(60)
                os._exit(0)
            return CONTINUE
"""
    with shared(tmp_path, "inet", before=forks) as (crew, held):
        held.take(4)
        forked = {int(pid) for worker in crew.pids() for pid in children(worker)}
        assert len(forked) == 4
        try:
            for pid in forked:
                eventually(partial(pipes_and_listeners, pid), (2, 0).__eq__)
            assert crew.process.stop() == 0, crew.process.stderr
            with pytest.raises(ClientError):
                held.take(1)
        finally:
            for pid in forked:
                os.kill(pid, signal.SIGKILL)


def pipes_and_listeners(pid: int) -> tuple[int, int]:
    """How many pipes and listening sockets a process holds; a filter has a pipe, and so has each worker."""
    links: list[str] = []
    for entry in Path(f"/proc/{pid}/fd").iterdir():
        with contextlib.suppress(FileNotFoundError):  # it closes them just now
            links.append(str(entry.readlink()))
    listeners = [row.split() for row in Path("/proc/net/unix").read_text().splitlines()[1:]]
    inodes = {row[6] for row in listeners if int(row[3], 16) & 0x10000}  # __SO_ACCEPTCON
    inodes |= {row[9] for row in map(str.split, Path("/proc/net/tcp").read_text().splitlines()[1:]) if row[3] == "0A"}
    held = set(links) & {f"socket:[{inode}]" for inode in inodes}
    return len({link for link in links if link.startswith("pipe:")}), len(held)


def children(pid: int) -> list[str]:
    """The processes that any of its threads has made."""
    return [word for task in Path(f"/proc/{pid}/task").iterdir() for word in (task / "children").read_text().split()]
