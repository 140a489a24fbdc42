"""How one process serves, without an MTA: hooks, systemd, rights, inherited sockets, the lock, and the drain."""

from __future__ import annotations

import contextlib
import errno
import fcntl
import grp
import logging
import os
import pwd
import socket
import stat
import threading
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from pymilter import _core
from pymilter._process.process import PROCESS
from pymilter._serve import drain as drain_module
from pymilter._serve import lock, systemd
from pymilter._serve.access import Access, check_access, give_access, group_number, user_number
from pymilter._serve.address import Address, bound_address, cannot_listen
from pymilter._serve.drain import Drain, wait_for_handlers
from pymilter._serve.hooks import accept_hook, call_hook
from pymilter._serve.inherited import adopt
from pymilter._serve.kinds import C_INT_MAX
from pymilter._serve.listener import Listener
from pymilter._serve.lock import opening
from pymilter._serve.opening import opened, wanted_address
from pymilter._serve.privileges import drop_privileges
from pymilter._serve.settings import Settings
from pymilter._serve.sockets import open_listener


def open_descriptors() -> int:
    return len(list(Path("/proc/self/fd").iterdir()))


def unix(path: Path) -> Address:
    return Address(socket.AF_UNIX, path=str(path))


# ------------------------------------------------------------------------------------ hooks


async def asynchronous() -> None: ...


def yielding() -> Any:
    yield


@pytest.mark.parametrize(
    ("value", "reason"),
    [
        (5, ""),
        (None, ""),
        (asynchronous, "nobody awaits an async def (asyncio.run() within a function does)"),
        (yielding, "a call of a function with yield runs none of it"),
        (lambda x: None, "it takes arguments, and is called without any"),
        (lambda *, x: None, "it takes arguments, and is called without any"),
    ],
)
def test_what_is_no_hook(value: object, reason: str) -> None:
    with pytest.raises(TypeError) as info:
        accept_hook(value)
    assert str(info.value) == reason


@pytest.mark.parametrize("value", [print, lambda: None, lambda x=1: None, lambda *x: None, dict])
def test_what_is_a_hook(value: Any) -> None:
    assert accept_hook(value) is value


def test_a_hook_is_called_where_children_end() -> None:
    seen: list[bool] = []
    call_hook("on_start", None)
    call_hook("on_start", lambda: seen.append(PROCESS.forks.ends_children()))
    assert seen == [True]
    assert not PROCESS.forks.ends_children()
    with pytest.raises(TypeError, match="on_stop returned a coroutine, which nobody awaits: asyncio"):
        call_hook("on_stop", lambda: asynchronous())
    awaited = type("Awaited", (), {"__await__": lambda self: iter(())})()
    with pytest.raises(TypeError, match="on_stop returned a Awaited, which nobody awaits"):
        call_hook("on_stop", lambda: awaited)


# ------------------------------------------------------------------------------------ systemd


class Manager:
    """The socket that systemd reads."""

    def __init__(self, received: socket.socket) -> None:
        self._received = received

    def told(self) -> str:
        return self._received.recv(4096).decode()


@pytest.fixture(params=["path", "abstract"])
def manager(request: pytest.FixtureRequest, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Manager]:
    is_path = request.param == "path"
    name = str(tmp_path / "notify") if is_path else f"@pymilter-{os.getpid()}"
    with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as received:
        received.bind(name if is_path else f"\0{name[1:]}")
        received.settimeout(30)
        monkeypatch.setenv("NOTIFY_SOCKET", name)
        yield Manager(received)


def test_what_systemd_is_told(manager: Manager, monkeypatch: pytest.MonkeyPatch) -> None:
    assert systemd.notify("READY=1", "STATUS=fine") is True
    assert manager.told() == "READY=1\nSTATUS=fine"
    before = time.monotonic_ns() // 1000
    systemd.notify_reloading()
    first, second = manager.told().split("\n")
    assert first == "RELOADING=1"
    word, _, microseconds = second.partition("=")
    assert (word, before <= int(microseconds) <= time.monotonic_ns() // 1000) == ("MONOTONIC_USEC", True)
    monkeypatch.setenv("WATCHDOG_USEC", "20000")
    monkeypatch.setenv("WATCHDOG_PID", str(os.getpid()))
    with systemd.watchdog():
        (beating,) = (thread for thread in threading.enumerate() if thread.name == "pymilter watchdog")
        assert beating.daemon
        assert [manager.told() for _ in range(3)] == ["WATCHDOG=1"] * 3
    assert not beating.is_alive()


def test_the_watchdog_is_fed_at_once(manager: Manager, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("WATCHDOG_USEC", "2000000000")
    monkeypatch.delenv("WATCHDOG_PID", raising=False)
    with systemd.watchdog():
        assert manager.told() == "WATCHDOG=1"


@pytest.mark.parametrize("microseconds", ["0", "-1", "20000"])
def test_systemd_is_told_nothing_that_it_does_not_ask_for(monkeypatch: pytest.MonkeyPatch, microseconds: str) -> None:
    monkeypatch.delenv("NOTIFY_SOCKET", raising=False)
    monkeypatch.setenv("WATCHDOG_USEC", microseconds)
    monkeypatch.delenv("WATCHDOG_PID", raising=False)
    assert systemd.notify("READY=1") is False
    begun = threading.enumerate()
    with systemd.watchdog():
        assert threading.enumerate() == begun
    monkeypatch.setenv("NOTIFY_SOCKET", "")
    assert systemd.notify("READY=1") is False
    monkeypatch.setenv("NOTIFY_SOCKET", "/no/such/socket")
    assert systemd.notify("READY=1") is False
    if microseconds != "20000":
        with systemd.watchdog():
            assert threading.enumerate() == begun


# ------------------------------------------------------------------------------------ sockets that were open already


@pytest.fixture
def given() -> Iterator[socket.socket]:
    """A socket that listens, as descriptor 3 would in a service of systemd."""
    with socket.create_server(("127.0.0.1", 0)) as listener:
        yield listener


def passed(monkeypatch: pytest.MonkeyPatch, first: int, count: str | None, names: str | None, pid: int = 0) -> None:
    monkeypatch.setattr("pymilter._serve.inherited.FIRST_SYSTEMD_DESCRIPTOR", first)
    monkeypatch.setenv("LISTEN_PID", str(os.getpid() + pid))
    for name, value in (("LISTEN_FDS", count), ("LISTEN_FDNAMES", names)):
        monkeypatch.delenv(name, raising=False)
        if value is not None:
            monkeypatch.setenv(name, value)


@pytest.mark.parametrize(
    ("count", "names", "wanted", "before"),
    [
        ("1", None, "", 0),
        ("1", "milter", "", 0),
        ("1", "milter", "milter", 0),
        ("2", "first:milter", "milter", 1),
        ("3", "first:second:milter", "milter", 2),
    ],
)
def test_the_socket_that_systemd_passes(
    given: socket.socket, count: str, names: str | None, wanted: str, before: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    passed(monkeypatch, given.fileno() - before, count, names)
    with adopt(Address(socket.AF_UNSPEC, inherited=f"systemd:{wanted}")) as listener:
        assert isinstance(listener, Listener)
        assert listener.getsockname() == given.getsockname()
        assert listener.fileno() != given.fileno()
        assert listener.file is None
        assert not os.get_inheritable(listener.fileno())
        assert bound_address(listener) == Address(socket.AF_INET, host="127.0.0.1", port=given.getsockname()[1])


@pytest.mark.parametrize(
    ("count", "names", "wanted", "pid", "reason"),
    [
        ("1", None, "", 1, "systemd has passed no socket to this process (LISTEN_PID)"),
        (None, None, "", 0, "systemd has passed 0 sockets: name one ()"),
        ("2", "a:b", "", 0, "systemd has passed 2 sockets: name one (a, b)"),
        ("2", "a:b", "c", 0, "systemd has passed no socket of this name, but: a, b"),
        ("1", "a:b", "b", 0, "systemd has passed no socket of this name, but: a, b"),
        ("1", "", "x", 0, "systemd has passed no socket of this name, but: "),
    ],
)
def test_what_systemd_has_not_passed(
    given: socket.socket,
    count: str | None,
    names: str | None,
    wanted: str,
    pid: int,
    reason: str,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    passed(monkeypatch, given.fileno(), count, names, pid)
    with pytest.raises(OSError, match="cannot listen on ") as info:
        adopt(Address(socket.AF_UNSPEC, inherited=f"systemd:{wanted}"))
    assert info.value.errno == errno.EBADF
    assert info.value.strerror == f"cannot listen on systemd:{wanted}: {reason}"


def test_a_process_that_systemd_did_not_start(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("LISTEN_PID", raising=False)
    with pytest.raises(OSError, match=r"has passed no socket to this process \(LISTEN_PID\)"):
        adopt(Address(socket.AF_UNSPEC, inherited="systemd:"))


def test_a_descriptor_that_is_not_open() -> None:
    with pytest.raises(OSError, match=r"cannot listen on fd:987654: Bad file descriptor") as info:
        adopt(Address(socket.AF_UNSPEC, inherited="fd:987654"))
    assert info.value.errno == errno.EBADF
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as datagrams:
        with pytest.raises(OSError, match="it is not a stream socket that listens") as info:
            adopt(Address(socket.AF_UNSPEC, inherited=f"fd:{datagrams.fileno()}"))
        assert info.value.errno == errno.EINVAL


# ------------------------------------------------------------------------------------ who may connect


def test_users_and_groups_have_numbers() -> None:
    user, group = pwd.getpwuid(os.getuid()), grp.getgrgid(os.getgid())
    assert (user_number(user.pw_name), group_number(group.gr_name)) == (user.pw_uid, group.gr_gid)
    assert (user_number(5), group_number(5), user_number(None), group_number(None)) == (5, 5, None, None)
    assert (user_number(0), group_number(0)) == (0, 0)
    with pytest.raises(ValueError, match=r"^there is no user 'no-such'$"):
        user_number("no-such")
    with pytest.raises(ValueError, match=r"^there is no group 'no-such'$"):
        group_number("no-such")


@pytest.mark.parametrize("access", [Access(mode=0), Access(owner=0), Access(group=0)])
def test_only_a_unix_socket_of_ours_has_a_mode(access: Access) -> None:
    assert access.is_given()
    check_access(Address(socket.AF_UNIX, path="x"), access)
    for address in (Address(socket.AF_INET, port=1), Address(socket.AF_UNSPEC, inherited="fd:3")):
        check_access(address, Access())
        with pytest.raises(
            ValueError, match=f"^{address} is not a unix socket of ours: it has no mode, owner or group$"
        ):
            check_access(address, access)
    assert not Access().is_given()


Calls = list[tuple[Any, ...]]


@pytest.fixture
def calls(monkeypatch: pytest.MonkeyPatch) -> Calls:
    """What the system is asked for; nothing is changed."""
    noted: Calls = []
    for name in ("chown", "chmod"):

        def note(*arguments: Any, name: str = name, **keywords: Any) -> None:
            noted.append((name, *arguments, keywords))

        monkeypatch.setattr(os, name, note)
    return noted


@pytest.mark.parametrize(
    ("access", "changes"),
    [
        (Access(), []),
        (Access(0o600), [("chmod", 0o600)]),
        (Access(0), [("chmod", 0)]),
        (Access(owner=5), [("chown", 5, -1)]),
        (Access(group=6), [("chown", -1, 6)]),
        (Access(0o660, 0, 0), [("chown", 0, -1), ("chown", -1, 0), ("chmod", 0o660)]),
    ],
)
def test_access_is_given_by_a_descriptor_of_the_socket(
    tmp_path: Path, calls: Calls, access: Access, changes: Calls
) -> None:
    address, before = unix(tmp_path / "socket"), open_descriptors()
    with socket.socket(socket.AF_UNIX) as listener:
        listener.bind(address.path)
        give_access(address, access)
    assert open_descriptors() <= before
    assert [(name, *rest[:-1]) for name, _, *rest in calls] == changes
    assert all(call[1].startswith("/proc/self/fd/") for call in calls)
    assert all(call[-1] == {"follow_symlinks": True} for call in calls)


def test_a_system_that_can_change_a_socket_itself_does(
    tmp_path: Path, calls: Calls, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(os, "supports_follow_symlinks", {os.chmod})
    give_access(unix(tmp_path / "socket"), Access(0o600, 1, 2))
    assert {(call[1], call[-1]["follow_symlinks"]) for call in calls} == {(str(tmp_path / "socket"), False)}
    assert len(calls) == 3


def test_what_has_taken_the_place_of_a_socket(tmp_path: Path, calls: Calls, monkeypatch: pytest.MonkeyPatch) -> None:
    path, before = tmp_path / "socket", open_descriptors()
    path.touch()
    with pytest.raises(OSError, match="another file has taken the place of the socket") as info:
        give_access(unix(path), Access(0o600))
    assert info.value.errno == errno.ENOTSOCK
    path.unlink()
    path.symlink_to(tmp_path / "other")
    with socket.socket(socket.AF_UNIX) as other:
        other.bind(str(tmp_path / "other"))
        with pytest.raises(OSError, match="another file has taken the place of the socket"):
            give_access(unix(path), Access(0o600))
    path.unlink()
    with socket.socket(socket.AF_UNIX) as listener:
        listener.bind(str(path))
        monkeypatch.setattr(os.path, "exists", lambda name: False)
        with pytest.raises(
            OSError, match="socket_mode, socket_owner and socket_group need /proc, which is not"
        ) as info:
            give_access(unix(path), Access(0o600))
    assert info.value.errno == errno.ENOTSUP
    assert calls == []
    assert open_descriptors() <= before


@pytest.mark.parametrize(
    ("access", "reason"),
    [
        (Access(owner=5), "only root can give the socket to user 5 (socket_owner)"),
        (Access(group=6), "this process is neither root nor in group 6, so it cannot give the socket to that"),
    ],
)
def test_who_may_not_give_a_socket_away(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, access: Access, reason: str
) -> None:
    def refuse(*arguments: object, **keywords: object) -> None:
        raise PermissionError(errno.EPERM, "no")

    address = unix(tmp_path / "socket")
    monkeypatch.setattr(os, "chown", refuse)
    before = open_descriptors()
    with pytest.raises(OSError, match="cannot listen on") as info:
        open_listener(address, backlog=1, access=access)
    assert reason in str(info.value)
    assert info.value.errno == errno.EPERM
    assert list(tmp_path.iterdir()) == []
    assert open_descriptors() <= before


# ------------------------------------------------------------------------------------ root's rights


class Rights:
    """The rights of a process, which changes them as the system would."""

    def __init__(self, user: int, group: int) -> None:
        self.user, self.group = user, group
        self.calls: Calls = []

    def change(self, name: str, *arguments: Any) -> None:
        if self.user != 0:
            raise PermissionError(errno.EPERM, "Operation not permitted")
        self.calls.append((name, *arguments))


@pytest.fixture
def rights(monkeypatch: pytest.MonkeyPatch) -> Rights:
    made = Rights(0, 0)
    monkeypatch.setattr(os, "getresuid", lambda: (made.user,) * 3)
    monkeypatch.setattr(os, "getresgid", lambda: (made.group,) * 3)
    monkeypatch.setattr(os, "geteuid", lambda: made.user)
    for name in ("initgroups", "setgroups", "setgid", "setuid"):
        monkeypatch.setattr(os, name, lambda *arguments, name=name: made.change(name, *arguments))
    return made


ROOT = pwd.getpwuid(0)
NOBODY = pwd.getpwnam("nobody")


@pytest.mark.parametrize(
    ("user", "group", "calls"),
    [
        (None, None, []),
        (
            "nobody",
            None,
            [("initgroups", "nobody", NOBODY.pw_gid), ("setgid", NOBODY.pw_gid), ("setuid", NOBODY.pw_uid)],
        ),
        (NOBODY.pw_uid, 7, [("initgroups", "nobody", 7), ("setgid", 7), ("setuid", NOBODY.pw_uid)]),
        (NOBODY.pw_uid, 0, [("initgroups", "nobody", 0), ("setgid", 0), ("setuid", NOBODY.pw_uid)]),
        (None, 7, [("setgroups", []), ("setgid", 7)]),
        (None, 0, [("setgroups", []), ("setgid", 0)]),
        (0, None, [("initgroups", ROOT.pw_name, ROOT.pw_gid), ("setgid", ROOT.pw_gid), ("setuid", 0)]),
    ],
)
def test_root_gives_its_rights_up_in_order(
    rights: Rights, user: str | int | None, group: int | None, calls: Calls
) -> None:
    """The groups first: a process that is no longer root may not leave them."""
    drop_privileges(user, group)
    assert rights.calls == calls


@pytest.mark.parametrize(
    ("user", "group", "is_there"),
    [
        (None, None, True),
        ("nobody", None, True),
        ("nobody", NOBODY.pw_gid, True),
        (None, NOBODY.pw_gid, True),
        ("nobody", 7, False),
        (None, 7, False),
        (0, None, False),
    ],
)
def test_who_is_that_user_already_stays_so(
    rights: Rights, user: str | int | None, group: int | None, is_there: bool
) -> None:
    rights.user, rights.group = NOBODY.pw_uid, NOBODY.pw_gid
    if is_there:
        drop_privileges(user, group)
    else:
        with pytest.raises(PermissionError) as info:
            drop_privileges(user, group)
        wish = " and ".join(
            f"{name}={value!r}" for name, value in (("user", user), ("group", group)) if value is not None
        )
        assert info.value.strerror == f"{wish}: only root can become another, and this is user {NOBODY.pw_uid}"
        assert info.value.errno == errno.EPERM
    assert rights.calls == []


def test_rights_that_are_only_put_aside_are_given_up(rights: Rights, monkeypatch: pytest.MonkeyPatch) -> None:
    for name, numbers in (("getresuid", (NOBODY.pw_uid, NOBODY.pw_uid, 0)), ("getresgid", (7, 7, 0))):
        with monkeypatch.context() as patched:
            rights.user, rights.group = NOBODY.pw_uid, 7
            patched.setattr(os, name, lambda numbers=numbers: numbers)
            with pytest.raises(PermissionError):
                drop_privileges(NOBODY.pw_uid, 7)


def test_a_user_whose_groups_are_not_known(rights: Rights) -> None:
    with pytest.raises(ValueError, match=r"^there is no user 4111222333, whose groups would be needed$"):
        drop_privileges(4111222333, None)
    assert rights.calls == []


# ------------------------------------------------------------------------------------ the opening


def test_a_socket_is_opened_with_its_settings(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    dropped: list[tuple[object, object]] = []
    monkeypatch.setattr("pymilter._serve.opening.drop_privileges", lambda *who: dropped.append(who))
    path = tmp_path / "socket"
    settings = Settings(socket_mode=0o601, user=0, group=0)
    address = wanted_address(f"unix:{path}", settings)
    with opened(address, settings) as listener:
        assert dropped == [(0, 0)]
        assert stat.S_IMODE(path.stat().st_mode) == 0o601
        assert listener in PROCESS.not_for_children
        assert listener.file is not None
        assert listener.file in PROCESS.not_for_children
        with socket.socket(socket.AF_UNIX) as peer:
            peer.connect(str(path))
    assert listener.fileno() == -1
    assert path.exists()  # what serves it removes it
    with pytest.raises(LookupError), opened(address, settings):
        raise LookupError
    assert list(tmp_path.iterdir()) == []
    with pytest.raises(ValueError, match="is not a unix socket of ours"):
        wanted_address("inet:0@127.0.0.1", settings)


@pytest.mark.parametrize("wrong", [5, None, b"x"])
def test_where_to_listen_is_text(wrong: Any) -> None:
    with pytest.raises(TypeError, match="it must be a str, such as unix:/run/filter/socket or inet:8891"):
        wanted_address(wrong, Settings())


def test_a_socket_is_let_go_in_two_ways(tmp_path: Path) -> None:
    path = tmp_path / "socket"
    listener = open_listener(unix(path), backlog=1)
    listener.leave_to_parent()
    assert (listener.fileno(), path.exists()) == (-1, True)
    listener = open_listener(unix(path), backlog=1)  # nobody serves it: it is replaced
    for _ in range(2):
        listener.discard()
        assert (listener.fileno(), path.exists(), listener.file) == (-1, False, None)
    Listener(socket.AF_UNIX).discard()


@pytest.mark.parametrize(
    ("address", "family"),
    [
        (Address(socket.AF_INET, host="127.0.0.1"), socket.AF_INET),
        (Address(socket.AF_INET6, host="::1"), socket.AF_INET6),
    ],
)
def test_an_internet_socket(address: Address, family: int) -> None:
    with open_listener(address, backlog=1) as listener:
        found = bound_address(listener)
        assert (found.family, found.host, found.port > 0, found.path) == (family, address.host, True, "")
        assert listener.getsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR) == 1
        if family == socket.AF_INET6:
            assert listener.getsockopt(socket.IPPROTO_IPV6, socket.IPV6_V6ONLY) == 1
        with pytest.raises(OSError, match=f"cannot listen on {found}: Address already in use") as info:
            open_listener(found, backlog=1)
        assert info.value.errno == errno.EADDRINUSE


def test_all_addresses_of_this_machine() -> None:
    with open_listener(Address(socket.AF_INET), backlog=1) as listener:
        assert listener.getsockname()[0] == "0.0.0.0"


def test_a_host_that_nobody_knows() -> None:
    before = open_descriptors()
    with pytest.raises(OSError, match=r"cannot listen on inet:0@no\.such\.host\.invalid: ") as info:
        open_listener(Address(socket.AF_INET, host="no.such.host.invalid"), backlog=1)
    assert info.value.errno == errno.EADDRNOTAVAIL
    assert open_descriptors() <= before


def test_a_path_that_just_fits(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    for length in (107, 108):
        address = Address(socket.AF_UNIX, path="\N{LATIN SMALL LETTER E WITH ACUTE}" + "x" * (length - 2))
        if length == 107:
            open_listener(address, backlog=1).discard()
        else:
            with pytest.raises(OSError, match="the path is longer than 107 bytes") as info:
                open_listener(address, backlog=1)
            assert info.value.errno == errno.ENAMETOOLONG
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize(
    ("code", "wanted", "reason"),
    [
        (0, errno.EADDRINUSE, "another program serves it"),
        (errno.EAGAIN, errno.EADDRINUSE, "another program serves it"),
        (errno.EINPROGRESS, errno.EADDRINUSE, "another program serves it"),
        (errno.EACCES, errno.EACCES, "cannot find out who serves the socket there: Permission denied"),
        (errno.ENOENT, None, ""),  # it has gone meanwhile
        (errno.ECONNREFUSED, None, ""),
    ],
)
def test_whether_a_socket_is_served(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, code: int, wanted: int | None, reason: str
) -> None:
    path = tmp_path / "socket"
    with socket.socket(socket.AF_UNIX) as earlier:
        earlier.bind(str(path))

    def connect(probe: socket.socket, where: str) -> int:
        assert (probe.getblocking(), where) == (False, str(path))
        if code == errno.ENOENT:
            path.unlink()
        return code

    monkeypatch.setattr(socket.socket, "connect_ex", connect)
    if wanted is None:
        open_listener(unix(path), backlog=1).discard()
    else:
        with pytest.raises(OSError, match="cannot listen on") as info:
            open_listener(unix(path), backlog=1)
        assert (info.value.errno, info.value.strerror) == (wanted, f"cannot listen on unix:{path}: {reason}")
        assert path.exists()
    monkeypatch.undo()
    with contextlib.suppress(FileNotFoundError):
        path.unlink()


def test_a_stale_socket_may_be_left_where_it_is(tmp_path: Path) -> None:
    path = tmp_path / "socket"
    with socket.socket(socket.AF_UNIX) as earlier:
        earlier.bind(str(path))
    with pytest.raises(OSError, match="Address already in use"):
        open_listener(unix(path), backlog=1, remove_stale=False)
    assert path.exists()


def test_as_many_may_wait_as_the_setting_says(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    asked: list[int] = []
    monkeypatch.setattr(Listener, "listen", lambda listener, backlog: asked.append(backlog))
    settings = Settings(backlog=7)
    with opened(unix(tmp_path / "socket"), settings) as listener:
        listener.discard()
    assert (asked, Settings().backlog) == ([7], C_INT_MAX)


def test_errors_name_the_address() -> None:
    error = cannot_listen(errno.EPERM, Address(socket.AF_INET6, host="::1", port=5), "why")
    assert (type(error), error.strerror) == (PermissionError, "cannot listen on inet6:5@::1: why")


# ------------------------------------------------------------------------------------ the lock


def test_one_process_at_a_time_opens_a_socket(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    address, path = unix(tmp_path / "socket"), f"{tmp_path}/socket.lock"
    monkeypatch.setattr(lock, "PATIENCE", 0.02)
    before = open_descriptors()
    with opening(address):
        assert stat.S_IMODE(Path(path).stat().st_mode) & 0o077 == 0
        with pytest.raises(OSError, match="another process opens it, and holds ") as info, opening(address):
            pass
        assert info.value.errno == errno.EADDRINUSE
        assert Path(path).exists()
    assert not Path(path).exists()
    with opening(address):
        pass
    with pytest.raises(LookupError), opening(address):
        raise LookupError
    assert not Path(path).exists()
    assert open_descriptors() <= before


def test_a_lock_whose_file_has_gone_is_taken_anew(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Whoever held it removed it while this process waited for it."""
    address, path = unix(tmp_path / "socket"), tmp_path / "socket.lock"
    taken: list[int] = []
    flock = fcntl.flock

    def late(descriptor: int, operation: int) -> None:
        taken.append(descriptor)
        if len(taken) < 3:
            path.unlink()
        if len(taken) == 2:
            path.touch()  # of somebody else
        flock(descriptor, operation)

    monkeypatch.setattr(fcntl, "flock", late)
    before = open_descriptors()
    with opening(address):
        assert len(taken) == 3
        assert os.path.samestat(os.fstat(taken[-1]), path.stat())
    assert open_descriptors() <= before


@pytest.mark.parametrize("kind", ["folder", "fifo", "link"])
def test_what_is_in_the_way_of_the_lock(tmp_path: Path, kind: str) -> None:
    path, before = tmp_path / "socket.lock", open_descriptors()
    if kind == "folder":
        path.mkdir()
    elif kind == "fifo":
        os.mkfifo(path)
    else:
        path.symlink_to(tmp_path / "elsewhere")
    with pytest.raises(OSError, match="cannot listen on") as info, opening(unix(tmp_path / "socket")):
        pass
    expected = {
        "folder": (errno.EISDIR, f"Is a directory ({path})"),
        "fifo": (errno.EEXIST, f"{path} is in the way, and no lock file"),
        "link": (errno.ELOOP, f"Too many levels of symbolic links ({path})"),
    }[kind]
    assert (info.value.errno, info.value.strerror) == (
        expected[0],
        f"cannot listen on unix:{tmp_path}/socket: {expected[1]}",
    )
    assert [one.name for one in tmp_path.iterdir()] == ["socket.lock"]
    assert open_descriptors() <= before


def test_a_folder_that_is_not_there(tmp_path: Path) -> None:
    address = unix(tmp_path / "none" / "socket")
    with pytest.raises(OSError, match="No such file") as info, opening(address):
        pass
    assert info.value.strerror == f"cannot listen on {address}: No such file or directory"


# ------------------------------------------------------------------------------------ the drain


class Service:
    """A service with so many connections, messages under way, and messages that came too late."""

    def __init__(self, connections: int = 0) -> None:
        self.connections = connections
        self.calls: list[str] = []

    def open_connections(self) -> int:
        self.connections -= 1
        return self.connections + 1

    def stop_accepting(self) -> None:
        self.calls.append("stop_accepting")

    def answer_tempfail(self) -> None:
        self.calls.append("answer_tempfail")


class Counted:
    """What the C++ half counts; each look at a number finds one fewer."""

    def __init__(self, monkeypatch: pytest.MonkeyPatch, under_way: int = 0, too_late: int = 0) -> None:
        self.under_way, self.too_late = under_way, too_late
        self.looks = 0
        self.ended = 0
        monkeypatch.setattr(_core, "messages_under_way", lambda: self.under_way)
        monkeypatch.setattr(_core, "messages_too_late", self._too_late)
        monkeypatch.setattr(_core, "end_messages", self._end)
        monkeypatch.setattr(_core, "end_messages_when_none", self._when_none)

    def _too_late(self) -> int:
        self.looks += 1
        self.too_late = max(0, self.too_late - 1)
        return self.too_late

    def _end(self) -> None:
        self.ended += 1
        self.under_way = 0

    def _when_none(self) -> bool:
        self.under_way = max(0, self.under_way - 1)
        return self.under_way == 0


def draining(service: Service, **asked: Any) -> Drain:
    given: Any = service
    drain = Drain(given)
    if asked:
        drain.ask(**asked)
    return drain


def test_messages_are_waited_for(monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture) -> None:
    counted, service = Counted(monkeypatch, under_way=3), Service(connections=5)
    refusing: list[list[str]] = []
    drain = draining(
        service, grace=1000.0, for_connections=False, refusing=lambda: refusing.append(list(service.calls))
    )
    drain.run(1000.0)
    assert (service.calls, refusing) == (["stop_accepting"], [["stop_accepting"]])
    assert (counted.ended, service.connections, caplog.messages) == (0, 5, [])


def test_connections_are_waited_for(monkeypatch: pytest.MonkeyPatch) -> None:
    counted, service = Counted(monkeypatch), Service(connections=3)
    draining(service, grace=1000.0, for_connections=True, refusing=None).run(1000.0)
    assert (counted.ended, service.connections, service.calls) == (0, -1, ["stop_accepting"])


def test_what_is_left_is_told_and_gets_tempfail(
    monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    counted, service = Counted(monkeypatch, under_way=10**9, too_late=3), Service()
    draining(service).run(0.0)
    assert (counted.ended, counted.looks, service.calls) == (1, 3, ["stop_accepting", "answer_tempfail"])
    ((left, text),) = [(record.args[0], record.getMessage()) for record in caplog.records if record.args]  # type: ignore[index]
    assert text == f"{left} messages are still under way after 0 s: TEMPFAIL"
    assert caplog.records[0].levelno == logging.WARNING


def test_a_message_that_never_asks_is_not_waited_for_for_ever(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(drain_module, "TEMPFAIL_TIME", 0.02)
    counted = Counted(monkeypatch, too_late=10**9)
    draining(Service()).run(0.0)
    assert counted.ended == 0


def test_a_wait_for_connections_gives_way_to_a_stop(monkeypatch: pytest.MonkeyPatch) -> None:
    Counted(monkeypatch)
    service = Service(connections=10**9)
    drain = draining(service, grace=1000.0, for_connections=True, refusing=None)
    begun = threading.Event()
    monkeypatch.setattr(service, "open_connections", lambda: begun.set() or 1)  # type: ignore[func-returns-value]
    running = threading.Thread(target=drain.run, args=(1000.0,), daemon=True)
    running.start()
    assert begun.wait(30)
    drain.ask(0.0, False, None)
    running.join(30)
    assert not running.is_alive()


@pytest.mark.parametrize(("is_in_callback", "looks"), [(0, 3), (1, 2)])
def test_handlers_are_waited_for_but_the_one_that_waits(
    monkeypatch: pytest.MonkeyPatch, is_in_callback: int, looks: int
) -> None:
    numbers = [2, 1, 0]
    seen: list[int] = []

    def counters() -> dict[str, int]:
        seen.append(numbers.pop(0))
        return {"in_flight": seen[-1]}

    monkeypatch.setattr(_core, "counters", counters)
    monkeypatch.setattr(_core, "is_in_callback", lambda: is_in_callback)
    wait_for_handlers(1000.0)
    assert len(seen) == looks
    monkeypatch.setattr(_core, "counters", lambda: {"in_flight": 5})
    wait_for_handlers(0.0)
