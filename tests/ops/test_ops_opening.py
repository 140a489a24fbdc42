"""Opening a unix socket beside others: one that hangs, one that opens at the same moment, one that takes its place."""

from __future__ import annotations

import contextlib
import errno
import fcntl
import os
import socket
import subprocess
import sys
import threading
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest

from pymilter._serve.access import UNCHANGED, Access
from pymilter._serve.address import parse_address
from pymilter._serve.listener import Listener
from pymilter._serve.sockets import open_listener
from support.wire import free_address

BACKLOG = 5


@pytest.fixture
def path() -> Iterator[Path]:
    """Where nobody listens yet, in a folder of its own."""
    with free_address("unix") as address:
        yield Path(address.removeprefix("unix:"))


def opened(path: Path, access: Access = UNCHANGED) -> Listener:
    return open_listener(parse_address(str(path)), backlog=BACKLOG, access=access)


def code_of(path: Path, access: Access = UNCHANGED) -> int | None:
    with pytest.raises(OSError, match="cannot listen on unix:") as caught:
        opened(path, access)
    return caught.value.errno


def test_a_filter_that_hangs_with_a_full_backlog_counts_as_one_that_serves(path: Path) -> None:
    """A connect() that blocks would wait for ever here."""
    with socket.socket(socket.AF_UNIX) as hanging:
        hanging.bind(str(path))
        hanging.listen(0)
        waiting = []
        try:
            while True:
                client = socket.socket(socket.AF_UNIX)
                waiting.append(client)
                client.setblocking(False)
                client.connect(str(path))
        except BlockingIOError:
            pass
        tried = threading.Thread(target=lambda: codes.append(code_of(path)), daemon=True)
        codes: list[int | None] = []
        tried.start()
        tried.join(30)
        assert codes == [errno.EADDRINUSE]
        for client in waiting:
            client.close()


def test_of_those_who_open_at_one_moment_one_serves(path: Path) -> None:
    """Over and over, beside a stale socket, which each of them wants to replace: none is deaf."""
    racers = 6
    for _ in range(100):
        with socket.socket(socket.AF_UNIX) as stale:
            stale.bind(str(path))
        begin = threading.Barrier(racers)

        def race(begin: threading.Barrier = begin) -> Listener | None:
            begin.wait(30)
            try:
                return opened(path)
            except OSError as error:
                assert error.errno == errno.EADDRINUSE  # noqa: PT017 - who is late
                return None

        with ThreadPoolExecutor(racers) as pool:
            found = [listener for listener in pool.map(lambda _: race(), range(racers)) if listener is not None]
        assert len(found) == 1
        with socket.socket(socket.AF_UNIX) as client:
            client.connect(str(path))
            found[0].accept()[0].close()
        assert os.listdir(path.parent) == [path.name]  # noqa: PTH208 - no lock stays
        found[0].discard()
        assert not path.exists()


def test_an_opener_that_was_stopped_in_it_is_not_waited_for_for_ever(
    path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("pymilter._serve.lock.PATIENCE", 0.1)
    program = """
import fcntl, sys
lock = open(sys.argv[1], "w")
fcntl.flock(lock, fcntl.LOCK_EX)
print("held", flush=True)
sys.stdin.read()
"""
    command = [sys.executable, "-c", program, f"{path}.lock"]
    with subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE) as holder:
        assert holder.stdout is not None
        assert holder.stdin is not None
        holder.stdout.readline()
        assert code_of(path) == errno.EADDRINUSE
        holder.stdin.close()
        holder.wait(30)
    # One that has died leaves its file, which keeps nobody.
    assert Path(f"{path}.lock").exists()
    opened(path).discard()
    assert not Path(f"{path}.lock").exists()


def test_a_lock_file_that_has_been_replaced_keeps_nobody_away(path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Its owner has removed it while we asked for it, and another opener has made a new one."""
    monkeypatch.setattr("pymilter._serve.lock.PATIENCE", 0.1)
    flock, lock = fcntl.flock, Path(f"{path}.lock")
    with contextlib.ExitStack() as held:

        def flock_late(descriptor: int, operation: int) -> None:
            monkeypatch.setattr(fcntl, "flock", flock)
            lock.unlink()
            flock(held.enter_context(lock.open("w")).fileno(), fcntl.LOCK_EX)
            flock(descriptor, operation)

        monkeypatch.setattr(fcntl, "flock", flock_late)
        assert code_of(path) == errno.EADDRINUSE
    opened(path).discard()


@pytest.mark.parametrize("kind", ["link", "folder", "pipe"])
def test_what_lies_in_the_place_of_the_lock(path: Path, kind: str) -> None:
    """Root follows no link there, and is not kept by a pipe."""
    lock, target = Path(f"{path}.lock"), path.with_name("target")
    if kind == "link":
        lock.symlink_to(target)
    elif kind == "folder":
        lock.mkdir()
    else:
        os.mkfifo(lock)
    code_of(path)
    assert not target.exists()
    assert lock.exists() or lock.is_symlink()
    if kind == "folder":
        lock.rmdir()
    else:
        lock.unlink()


def test_a_socket_of_another_kind_is_left_alone(path: Path) -> None:
    with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as other:
        other.bind(str(path))
        assert code_of(path) == errno.EPROTOTYPE
        assert path.exists()


def test_the_file_of_another_one_is_not_removed(path: Path) -> None:
    """Somebody has put another socket in the place of ours."""
    ours = opened(path)
    path.unlink()
    other = opened(path)
    ours.discard()
    assert path.exists()
    other.discard()
    assert not path.exists()


def test_the_file_goes_before_the_socket_does(path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Once the socket is closed another filter may put its own there, perhaps even with the same inode."""
    listener = opened(path)
    seen = []
    remove = os.unlink

    def watched(file: str) -> None:
        with socket.socket(socket.AF_UNIX) as client:
            seen.append((Path(file).name, client.connect_ex(str(path))))
        remove(file)

    monkeypatch.setattr(os, "unlink", watched)
    listener.discard()
    assert seen == [(path.name, 0)]


@pytest.mark.skipif(os.geteuid() != 0, reason="only root can become a user who may not give the socket away")
def test_a_socket_that_cannot_be_given_away_leaves_no_file(path: Path) -> None:
    path.parent.chmod(0o777)
    program = f"""
import os
from pymilter import Base, run
os.setgroups([]); os.setgid(65534); os.setuid(65534)
for wish in ({{"socket_owner": 0}}, {{"socket_group": 0}}):
    try:
        run(Base, {str(path)!r}, **wish)
    except OSError as error:
        print(error.errno, error.strerror)
print(os.listdir({str(path.parent)!r}))
"""
    done = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, timeout=30, check=False)
    owner, group, left = done.stdout.splitlines()
    not_owner = "only root can give the socket to user 0 (socket_owner)"
    not_group = "this process is neither root nor in group 0, so it cannot give the socket to that"
    reasons = (not_owner, f"{not_group} (socket_group; for systemd: SupplementaryGroups=)")
    assert [owner, group] == [f"1 cannot listen on unix:{path}: {reason}" for reason in reasons], done.stderr
    assert left == "[]"


@pytest.mark.parametrize("is_socket", [True, False])
def test_access_is_not_given_to_what_has_taken_the_place_of_the_socket(
    path: Path, monkeypatch: pytest.MonkeyPatch, is_socket: bool
) -> None:
    """Neither through a link to another socket, nor to another file."""
    other = path.with_name("other")
    target: Listener | None = None
    if is_socket:
        target = opened(other)
    else:
        other.touch()
    other.chmod(0o600)
    bind = socket.socket.bind

    def bind_and_replace(listener: socket.socket, where: str) -> None:
        bind(listener, where)
        path.unlink()
        path.symlink_to(other)

    monkeypatch.setattr("pymilter._serve.sockets.Listener.bind", bind_and_replace, raising=False)
    assert code_of(path, Access(mode=0o666)) in (errno.ELOOP, errno.ENOTSOCK)
    assert other.stat().st_mode & 0o777 == 0o600
    if target is not None:
        target.discard()


def test_access_without_proc_says_so(path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    exists = os.path.exists
    monkeypatch.setattr(os.path, "exists", lambda file: not str(file).startswith("/proc/self/fd") and exists(file))
    assert code_of(path, Access(mode=0o600)) == errno.ENOTSUP


def test_access_where_paths_can_be_changed_without_following_links(path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """As on FreeBSD and macOS, which have neither O_PATH nor /proc: no descriptor is needed."""
    calls: list[tuple[object, ...]] = []

    def chmod(file: str, mode: int, *, follow_symlinks: bool) -> None:
        calls.append(("chmod", file, mode, follow_symlinks))

    def chown(file: str, owner: int, group: int, *, follow_symlinks: bool) -> None:
        calls.append(("chown", file, owner, group, follow_symlinks))

    monkeypatch.setattr(os, "chmod", chmod)
    monkeypatch.setattr(os, "chown", chown)
    monkeypatch.setattr(os, "supports_follow_symlinks", {chmod})
    monkeypatch.delattr(os, "O_PATH", raising=False)
    opened(path, Access(mode=0o660, owner=3, group=4)).discard()
    there = str(path)
    assert calls == [
        ("chown", there, 3, -1, False),
        ("chown", there, -1, 4, False),
        ("chmod", there, 0o660, False),
    ]


def test_a_path_of_107_bytes_and_one_of_108(path: Path) -> None:
    longest = path.parent / ("x" * (107 - len(str(path.parent)) - 1))
    assert len(str(longest)) == 107
    opened(longest).discard()
    assert code_of(longest.with_name(longest.name + "x")) == errno.ENAMETOOLONG


def test_ipv6_beside_ipv4_on_one_port() -> None:
    """On all addresses: each has its own socket."""
    try:
        first = open_listener(parse_address("inet6:0@::"), backlog=BACKLOG)
    except OSError:
        pytest.skip("no IPv6 here")
    with first:
        port = first.getsockname()[1]
        with open_listener(parse_address(f"inet:{port}@0.0.0.0"), backlog=BACKLOG) as second:
            assert second.getsockname()[1] == port
