"""The listening socket: who may connect, one that is open already, and rights given up afterwards."""

from __future__ import annotations

import errno
import os
import pwd

import pytest

from support import require
from support.wire import Script, Seen


def told(script: Script, source: str) -> Seen:
    done = script(source)
    assert done.returncode == 0, done.stderr
    return done.seen


def test_mode_owner_and_group_of_a_unix_socket(script: Script) -> None:
    require.root("a socket of another owner")
    source = """
        import os, stat
        def main(address):
            os.umask(0)
            with Server(Base, address, socket_mode=0o660, socket_owner="nobody", socket_group=12):
                found = os.stat(address[5:])
                note(oct(stat.S_IMODE(found.st_mode)), found.st_uid, found.st_gid)
            note(os.path.exists(address[5:]))
    """
    assert told(script, source) == [("0o660", pwd.getpwnam("nobody").pw_uid, 12), (False,)]


def test_nobody_can_connect_before_the_mode_is_set(script: Script) -> None:
    """The socket does not listen yet when its mode is set."""
    source = """
        import os, socket
        def main(address):
            chmod = os.chmod
            def watched(*args, **options):
                with socket.socket(socket.AF_UNIX) as client:
                    note(client.connect_ex(address[5:]))
                chmod(*args, **options)
            os.chmod = watched
            with Server(Base, address, socket_mode=0o600):
                with socket.socket(socket.AF_UNIX) as client:
                    note(client.connect_ex(address[5:]))
    """
    assert told(script, source) == [(errno.ECONNREFUSED,), (0,)]


def test_a_tcp_socket_has_no_mode(script: Script) -> None:
    source = """
        def main(address):
            try:
                run(Base, "inet:0@127.0.0.1", socket_mode=0o600)
            except ValueError as error:
                note(str(error))
    """
    assert told(script, source) == [("inet:0@127.0.0.1 is not a unix socket of ours: it has no mode, owner or group",)]


@pytest.mark.parametrize("kind", ["fd", "systemd", "named"])
@pytest.mark.parametrize("family", ["unix", "inet"])
def test_a_socket_that_is_open_already(script: Script, kind: str, family: str) -> None:
    """It is served, whatever libmilter's own fd: can do, and its file is left alone at the end."""
    source = f"""
        import os, socket
        from pymilter.testing import send_message
        def main(address):
            if {family!r} == "unix":
                opened = socket.socket(socket.AF_UNIX)
                opened.bind(address[5:])
                opened.listen()
            else:
                opened = socket.create_server(("127.0.0.1", 0))
                address = f"inet:{{opened.getsockname()[1]}}@127.0.0.1"
            os.environ.update(LISTEN_PID=str(os.getpid()), LISTEN_FDS="2", LISTEN_FDNAMES="other:mail")
            where = f"fd:{{opened.fileno()}}"
            os.dup2(opened.fileno(), 13)
            for number in (3, 4):  # free in this process at this moment, as systemd has them
                os.dup2(13, number)
            if {kind!r} == "systemd":
                os.environ["LISTEN_FDS"] = "1"
                where = "systemd:"
            elif {kind!r} == "named":
                where = "systemd:mail"
            with Server(Base, where) as server:
                note(server.address == address)
                note(send_message(address, b"A: b\\r\\n\\r\\nx\\r\\n").delivered)
            note({family!r} != "unix" or os.path.exists(address[5:]))
            with socket.socket(opened.family) as client:
                note(client.connect_ex(opened.getsockname()))
    """
    assert told(script, source) == [(True,), (True,), (True,), (0,)]


@pytest.mark.parametrize(
    ("address", "before", "code", "reason"),
    [
        ("fd:99", "pass", errno.EBADF, "Bad file descriptor"),
        ("fd:0", "pass", errno.ENOTSOCK, "Socket operation on non-socket"),
        ("fd:20", "s = socket.socket(); os.dup2(s.fileno(), 20)", errno.EINVAL, "not a stream socket that listens"),
        ("systemd:", "pass", errno.EBADF, "systemd has passed no socket to this process (LISTEN_PID)"),
        (
            "systemd:",
            "os.environ.update(LISTEN_PID=str(os.getpid()), LISTEN_FDS='2', LISTEN_FDNAMES='one:two')",
            errno.EBADF,
            "systemd has passed 2 sockets: name one (one, two)",
        ),
        (
            "systemd:mail",
            "os.environ.update(LISTEN_PID=str(os.getpid()), LISTEN_FDS='1', LISTEN_FDNAMES='other')",
            errno.EBADF,
            "systemd has passed no socket of this name, but: other",
        ),
        (
            "systemd:mail",
            "os.environ.update(LISTEN_PID=str(os.getpid()), LISTEN_FDS='1', LISTEN_FDNAMES='other:mail')",
            errno.EBADF,
            "systemd has passed no socket of this name, but: other",
        ),
    ],
)
def test_descriptors_that_are_no_use(script: Script, address: str, before: str, code: int, reason: str) -> None:
    source = f"""
        import os, socket
        def main(_):
            {before}
            try:
                run(Base, {address!r})
            except OSError as error:
                note(error.errno, str(error))
    """
    [(number, text)] = told(script, source)
    assert number == code
    assert reason in text
    assert f"cannot listen on {address}" in text


def test_it_becomes_another_user_once_the_socket_is_open(script: Script) -> None:
    require.root("a filter that becomes another user")
    nobody = pwd.getpwnam("nobody")
    source = """
        import os
        from pymilter.testing import send_message
        def main(address):
            os.chmod(os.path.dirname(address[5:]), 0o711)
            with Server(Base, address, user="nobody", socket_owner="nobody", socket_mode=0o600):
                note(os.getresuid(), os.getresgid(), os.getgroups())
                note(send_message(address, b"A: b\\r\\n\\r\\nx\\r\\n").delivered)
    """
    ids = (nobody.pw_uid,) * 3, (nobody.pw_gid,) * 3, os.getgrouplist("nobody", nobody.pw_gid)
    assert told(script, source) == [ids, (True,)]
