"""Milter._outgoing: connections to hosts that a stranger names, with one deadline and a limit on what is received."""

from __future__ import annotations

import socket
import threading
import time
from collections.abc import Callable, Iterator
from typing import Any

import pytest

from Milter._outgoing import Connection, NotPublicError, _look_up


@pytest.fixture
def listener() -> Iterator[socket.socket]:
    with socket.socket() as sock:
        sock.bind(("127.0.0.1", 0))
        sock.listen()
        yield sock


def later(seconds: float = 20) -> float:
    return time.monotonic() + seconds


def connected(listener: socket.socket, deadline: float | None = None) -> tuple[Connection, socket.socket]:
    """A connection, and its other end."""
    host, port = listener.getsockname()
    ours = Connection(host, port, later() if deadline is None else deadline, 10, True)
    return ours, listener.accept()[0]


def places(monkeypatch: pytest.MonkeyPatch, *addresses: tuple[str, int]) -> None:
    """What each name is found to be."""

    def getaddrinfo(host: str, port: int, *, type: int) -> list[tuple[Any, ...]]:
        assert type == socket.SOCK_STREAM
        return [(socket.AF_INET, type, 6, "", address) for address in addresses]

    monkeypatch.setattr(socket, "getaddrinfo", getaddrinfo)


def test_what_is_received_has_a_limit(listener: socket.socket) -> None:
    ours, theirs = connected(listener)
    with ours, theirs:
        theirs.sendall(bytes(65_536))
        got, buffer = 0, bytearray(65_536)
        while got < 65_536:
            got += ours.recv_into(buffer)
        theirs.sendall(b"x")
        with pytest.raises(OSError, match=r"^the server has sent more than 65536 bytes$"):
            ours.recv_into(buffer)


def test_files_made_of_it_have_the_limit_too(listener: socket.socket) -> None:
    ours, theirs = connected(listener)
    with ours, theirs, ours.makefile("rb") as file:
        theirs.sendall(b"line\n")
        assert file.readline() == b"line\n"
        theirs.sendall(bytes(65_536))
        with pytest.raises(OSError, match="more than 65536"):
            file.read(65_536)


def test_nothing_is_done_after_the_deadline(listener: socket.socket) -> None:
    ours, theirs = connected(listener)
    with ours, theirs:
        ours.sendall(b"x")
        assert theirs.recv(5) == b"x"
        assert 10 < ours.gettimeout() <= 20  # type: ignore[operator]
        ours.hurry(100)
        assert ours._remaining() <= 20
        ours.hurry(5)
        assert 0 < ours._remaining() <= 5
        ours.hurry(0)
        uses: list[Callable[[], object]] = [lambda: ours.sendall(b"x"), lambda: ours.recv_into(bytearray(5))]
        for use in uses:
            with pytest.raises(TimeoutError, match=r"^the time for the whole exchange is over$"):
                use()


def test_silence_lasts_until_the_deadline(listener: socket.socket) -> None:
    ours, theirs = connected(listener)
    with ours, theirs:
        ours.hurry(0.05)
        with pytest.raises(TimeoutError):
            ours.recv_into(bytearray(5))


def test_the_next_address_is_tried(listener: socket.socket, monkeypatch: pytest.MonkeyPatch) -> None:
    port = listener.getsockname()[1]
    places(monkeypatch, ("127.0.0.2", port), ("127.0.0.1", port))
    with Connection("mx.test", port, later(), 7, True) as ours:
        assert ours.getpeername() == ("127.0.0.1", port)
        assert ours.gettimeout() == 7
    listener.close()
    with pytest.raises(ConnectionRefusedError):
        Connection("mx.test", port, later(), 7, True)


def test_only_public_addresses_are_tried(listener: socket.socket, monkeypatch: pytest.MonkeyPatch) -> None:
    tried: list[object] = []
    monkeypatch.setattr(Connection, "connect", lambda self, place: tried.append(place))
    places(monkeypatch, ("10.0.0.1", 25), ("1.1.1.1", 25), ("8.8.8.8", 25))
    Connection("mx.test", 25, later(), 7, False).close()
    assert tried == [("1.1.1.1", 25)]
    places(monkeypatch, ("10.0.0.1", 25), ("127.0.0.1", 25))
    with pytest.raises(NotPublicError, match=r"^mx\.test is at 10\.0\.0\.1, which is not a public address$"):
        Connection("mx.test", 25, later(), 7, False)
    assert len(tried) == 1


def test_a_name_that_is_not_there(monkeypatch: pytest.MonkeyPatch) -> None:
    def getaddrinfo(*_arguments: object, **_keywords: object) -> list[object]:
        raise socket.gaierror(socket.EAI_NONAME, "Name or service not known")

    monkeypatch.setattr(socket, "getaddrinfo", getaddrinfo)
    with pytest.raises(socket.gaierror, match="not known"):
        _look_up("mx.test", 25, later())


@pytest.mark.parametrize("seconds", [0.05, -5])
def test_a_look_up_that_takes_too_long_is_left_alone(monkeypatch: pytest.MonkeyPatch, seconds: float) -> None:
    over = threading.Event()

    def getaddrinfo(*_arguments: object, **_keywords: object) -> list[object]:
        over.wait(20)
        return []

    monkeypatch.setattr(socket, "getaddrinfo", getaddrinfo)
    name = "m" * 60
    with pytest.raises(TimeoutError, match=rf"^no answer from DNS for {name} in time$"):
        _look_up(name, 25, later(seconds))
    (thread,) = [thread for thread in threading.enumerate() if thread.name.startswith("look up ")]
    assert (thread.name, thread.daemon) == (f"look up {'m' * 50}", True)  # the process ends without it
    over.set()
    thread.join(20)
