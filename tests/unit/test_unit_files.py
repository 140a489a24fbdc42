"""Files that a filter makes and removes again: the pid file, the file of its socket, the lock beside it."""

from __future__ import annotations

import errno
import fcntl
import os
import socket
from collections.abc import Callable
from pathlib import Path

import pytest

from pymilter import MilterError
from pymilter._low_level import Program
from pymilter._process.own_file import OwnFile
from pymilter._serve.address import Address
from pymilter._serve.inherited import adopt
from pymilter._serve.lock import opening
from pymilter._serve.pid_file import keep_pid_file
from pymilter._serve.sockets import open_listener


def open_descriptors() -> int:
    return len(list(Path("/proc/self/fd").iterdir()))


def refusing(*arguments: object, **keywords: object) -> None:
    raise PermissionError(errno.EACCES, "the folder is not yours")


# ------------------------------------------------------------------------------------ the pid file


@pytest.mark.parametrize("mask", [0o000, 0o022, 0o077])
def test_a_pid_file_is_written_by_its_owner_alone(tmp_path: Path, mask: int) -> None:
    """Who could write it could have root kill any process."""
    file = tmp_path / "pid"
    earlier = os.umask(mask)
    try:
        with keep_pid_file(file):
            assert file.read_text() == f"{os.getpid()}\n"
            assert file.stat().st_mode & 0o777 == 0o644 & ~mask
    finally:
        os.umask(earlier)
    assert list(tmp_path.iterdir()) == []


def removed(file: Path) -> None:
    file.unlink()


def of_another(file: Path) -> None:
    file.write_text("4711\n")


def replaced(file: Path) -> None:
    file.unlink()
    file.write_text(f"{os.getpid()}\n")


@pytest.mark.parametrize(("change", "left"), [(removed, []), (of_another, ["pid"]), (replaced, ["pid"])])
def test_a_pid_file_that_is_no_longer_ours_stays(
    tmp_path: Path, change: Callable[[Path], None], left: list[str], caplog: pytest.LogCaptureFixture
) -> None:
    before = open_descriptors()
    with keep_pid_file(tmp_path / "pid"):
        change(tmp_path / "pid")
    assert [path.name for path in tmp_path.iterdir()] == left
    assert open_descriptors() <= before
    assert caplog.messages == []


def test_a_pid_file_that_cannot_be_removed_is_emptied(
    tmp_path: Path, caplog: pytest.LogCaptureFixture, monkeypatch: pytest.MonkeyPatch
) -> None:
    file = tmp_path / "pid"
    with keep_pid_file(file):
        monkeypatch.setattr(Path, "unlink", refusing)
    assert file.read_text() == ""
    assert caplog.messages == [f"cannot remove the pid file {file}, which is empty now: the folder is not yours"]


def test_a_pid_file_that_cannot_be_put_in_place_leaves_nothing(tmp_path: Path) -> None:
    (tmp_path / "pid").mkdir()
    before = open_descriptors()
    with pytest.raises(IsADirectoryError), keep_pid_file(tmp_path / "pid"):
        pass
    assert [path.name for path in tmp_path.iterdir()] == ["pid"]
    assert open_descriptors() <= before
    where = tmp_path / "none" / "pid"
    with (
        pytest.raises(FileNotFoundError, match=f"cannot write the pid file {where}: No such file"),
        keep_pid_file(where),
    ):
        pass


# ------------------------------------------------------------------------------------ a file of our own


def test_only_a_file_of_our_own_is_removed(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    path = tmp_path / "socket"
    path.touch()
    own = OwnFile(str(path), "socket")
    kept = path.with_name("kept")
    path.rename(kept)  # kept, so that the other has another inode
    path.touch()
    own.remove()
    assert path.exists()
    path.unlink()
    own.remove()
    kept.rename(path)
    own.remove()
    assert not path.exists()
    own.remove()
    assert caplog.messages == []


def test_a_file_that_cannot_be_removed_is_named_in_the_log(
    tmp_path: Path, caplog: pytest.LogCaptureFixture, monkeypatch: pytest.MonkeyPatch
) -> None:
    path = tmp_path / "socket"
    path.touch()
    own = OwnFile(str(path), f"socket unix:{path}")
    monkeypatch.setattr(os, "unlink", refusing)
    own.remove()
    assert caplog.messages == [f"cannot remove the socket unix:{path}: the folder is not yours"]
    own.leave_to_parent()
    own.remove()
    assert len(caplog.messages) == 1


# ------------------------------------------------------------------------------------ sockets


@pytest.mark.parametrize(
    ("kind", "reason"),
    [
        (socket.SOCK_STREAM, "it is not a stream socket that listens"),
        (socket.SOCK_SEQPACKET, "it is not a stream socket that listens"),
        (None, "Socket operation on non-socket"),
    ],
)
def test_a_descriptor_that_cannot_be_served_is_not_kept(kind: int | None, reason: str) -> None:
    with socket.socket(socket.AF_UNIX, kind or socket.SOCK_STREAM) as given, Path(os.devnull).open() as file:
        if kind == socket.SOCK_SEQPACKET:
            given.bind("")  # the system chooses a name
            given.listen()
        number = file.fileno() if kind is None else given.fileno()
        before = open_descriptors()
        with pytest.raises(OSError, match=f"cannot listen on fd:{number}: {reason}"):
            adopt(Address(socket.AF_UNSPEC, inherited=f"fd:{number}"))
        assert open_descriptors() <= before
        os.fstat(number)  # it is still open for whoever gave it


@pytest.mark.parametrize("is_served", [True, False])
def test_a_link_to_a_socket_is_no_socket(tmp_path: Path, is_served: bool) -> None:
    """Whoever may write to the folder could have another socket removed by it."""
    link = tmp_path / "link"
    link.symlink_to(tmp_path / "socket")
    with socket.socket(socket.AF_UNIX) as other:
        other.bind(str(tmp_path / "socket"))
        if is_served:
            other.listen()
        before = open_descriptors()
        with pytest.raises(OSError, match=f"cannot listen on unix:{link}: the file there is not a socket"):
            open_listener(Address(socket.AF_UNIX, path=str(link)), backlog=1)
        assert open_descriptors() <= before
    assert sorted(path.name for path in tmp_path.iterdir()) == ["link", "socket"]
    with open_listener(Address(socket.AF_UNIX, path=str(tmp_path / "socket")), backlog=1) as listener:
        listener.discard()
    assert [path.name for path in tmp_path.iterdir()] == ["link"]


def test_a_classic_program_that_opens_another_socket_leaves_none_behind(tmp_path: Path) -> None:
    program = Program()
    with pytest.raises(MilterError, match="there is no socket to open: call setconn"):
        program.open(rmsock=True)
    program.connection = f"unix:{tmp_path}/first"
    first = program.open(rmsock=True)
    program.connection = f"unix:{tmp_path}/second"
    second = program.open(rmsock=True)
    assert first.fileno() < 0
    assert [path.name for path in tmp_path.iterdir()] == ["second"]
    program.connection = str(tmp_path / "none" / "third")
    with pytest.raises(MilterError, match="No such file"):
        program.open(rmsock=True)
    assert program.listener is second
    assert second.fileno() >= 0
    second.discard()
    assert list(tmp_path.iterdir()) == []


# ------------------------------------------------------------------------------------ the lock


def test_a_lock_that_the_system_refuses_is_closed(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def no_locks(descriptor: int, operation: int) -> None:
        raise OSError(errno.ENOLCK, os.strerror(errno.ENOLCK))

    address = Address(socket.AF_UNIX, path=str(tmp_path / "socket"))
    before = open_descriptors()
    with opening(address):
        assert [path.name for path in tmp_path.iterdir()] == ["socket.lock"]
    assert list(tmp_path.iterdir()) == []
    monkeypatch.setattr(fcntl, "flock", no_locks)
    with pytest.raises(OSError, match="No locks available"), opening(address):
        pass
    assert open_descriptors() <= before
