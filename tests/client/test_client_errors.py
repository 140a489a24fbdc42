"""Filters that die, hang or talk rubbish: a clear error each time, within the deadline."""

from __future__ import annotations

import contextlib
import socket
import struct
import threading
import time
from collections.abc import Callable, Iterator
from typing import cast

import pytest

from pymilter.testing import (
    Action,
    Client,
    FilterGone,
    FilterProcess,
    FilterTimeout,
    FilterUnreachable,
    Mta,
    NotGranted,
    Protocol,
    ProtocolError,
    Verdict,
    free_port,
    send_message,
    temporary_socket,
)
from pymilter.testing._address import Address
from support.cfilter.rogue import AGREE, read_command, rogue, until_closed
from support.packets import packet, read_packet

Probe = Callable[..., FilterProcess]
SHORT = 1.0

pytestmark = pytest.mark.timeout(60)


@contextlib.contextmanager
def talking(
    script: Callable[[socket.socket], None], *, agree: bytes = AGREE, timeout: float = 10.0
) -> Iterator[Client]:
    """A client that has negotiated with a rogue; closed without a word at the end."""
    with rogue(script, agree=agree) as address, contextlib.closing(Client(address, timeout=timeout)) as client:
        yield client


def _answering(*answers: bytes) -> Callable[[socket.socket], None]:
    """Answers each command in turn, then says nothing more."""

    def script(conn: socket.socket) -> None:
        for answer in answers:
            read_command(conn)
            conn.sendall(answer)
        until_closed(conn)

    return script


def test_bad_arguments_are_told_before_a_dead_socket() -> None:
    with temporary_socket() as address:
        with pytest.raises(ValueError, match="mta must be one of 'postfix', 'sendmail', not 'exim'"):
            send_message(address, b"", mta=cast("Mta", "exim"))
        with pytest.raises(TypeError, match="recipients must be a sequence of addresses, not the single '<a@b>'"):
            send_message(address, b"", recipients="<a@b>")


def test_nobody_listens() -> None:
    with (
        temporary_socket() as address,
        pytest.raises(FilterUnreachable, match=r"cannot connect to unix:.*No such file"),
    ):
        Client(address)
    with pytest.raises(FilterUnreachable, match=r"inet:\d+@127.0.0.1: Connection refused"):
        Client(f"inet:{free_port()}@127.0.0.1")
    with pytest.raises(FilterUnreachable, match=r"no-such-host\.invalid"):
        Client("inet:25@no-such-host.invalid")


def test_the_filter_dies_in_each_step(probe: Probe) -> None:
    steps: dict[str, Callable[[Client], object]] = {
        "connect": lambda client: client.connect(),
        "helo": lambda client: client.helo(),
        "mail": lambda client: client.mail("<a@b>"),
        "rcpt": lambda client: client.rcpt("<c@d>"),
        "header": lambda client: client.header("A", "b"),
        "eoh": lambda client: client.eoh(),
        "body": lambda client: client.body(b"x"),
        "eom": lambda client: client.eom(),
    }
    for dying in steps:
        process = probe("-x", dying)
        with contextlib.closing(Client(process.address)) as client:
            for name, step in steps.items():
                if name == dying:
                    break
                step(client)
            with pytest.raises(FilterGone, match=f"the filter closed the connection at {dying.upper()}"):
                step(client)


def test_the_filter_dies_in_a_step_without_reply(probe: Probe) -> None:
    process = probe("-x", "helo", "-P", hex(Protocol.NR_HELO))
    with contextlib.closing(Client(process.address)) as client:
        client.connect()
        assert client.helo().verdict is Verdict.NO_REPLY
        assert process.wait() == 3
        with pytest.raises(FilterGone, match="before MAIL"):
            client.mail("<a@b>")


def test_the_filter_hangs(probe: Probe) -> None:
    with contextlib.closing(Client(probe("-w", "helo").address, timeout=SHORT)) as client:
        client.connect()
        start = time.monotonic()
        with pytest.raises(FilterTimeout, match=r"did not answer HELO within 1 s$"):
            client.helo()
        assert time.monotonic() - start >= SHORT


def test_a_context_manager_does_not_hide_the_first_error(probe: Probe) -> None:
    client = Client(probe("-w", "helo").address, timeout=SHORT)
    client.connect()
    with pytest.raises(FilterTimeout, match="HELO"), client:
        client.helo()
    assert client.closed
    with pytest.raises(FilterGone, match="closed"):
        client.helo()


def test_no_answer_to_the_negotiation() -> None:
    with rogue(until_closed, agree=None) as address, pytest.raises(FilterTimeout, match="the negotiation"):
        Client(address, timeout=SHORT)


def test_a_queue_of_connections_that_is_full_is_waited_for() -> None:
    with temporary_socket() as address, socket.socket(socket.AF_UNIX) as listener, contextlib.ExitStack() as stack:
        path = address.removeprefix("unix:")
        listener.bind(path)
        listener.listen(0)
        while True:
            waiting = stack.enter_context(socket.socket(socket.AF_UNIX))
            waiting.setblocking(False)
            if waiting.connect_ex(path):
                break
        with pytest.raises(FilterTimeout, match=rf"^no connection to {address} within 0.2 s$"):
            Client(address, timeout=0.2)
        made: list[socket.socket] = []
        connecting = threading.Thread(target=lambda: made.append(Address.parse(address).connect(60)))
        connecting.start()
        connecting.join(0.1)
        assert connecting.is_alive()
        stack.enter_context(listener.accept()[0])
        connecting.join(60)
        assert [stack.enter_context(sock).gettimeout() for sock in made] == [None]


def test_half_a_packet_and_silence() -> None:
    with (
        talking(_answering(b"\0\0"), timeout=SHORT) as client,
        pytest.raises(FilterTimeout, match=r"CONNECT within 1 s \(only b'\\x00\\x00' came"),
    ):
        client.connect()


def test_half_a_packet_and_the_end() -> None:
    def script(conn: socket.socket) -> None:
        read_command(conn)
        conn.sendall(packet(b"y", b"550 no\0")[:9])

    with talking(script) as client, pytest.raises(FilterGone, match="at CONNECT, in the middle of a packet"):
        client.connect()


@pytest.mark.parametrize(
    ("begin", "drip", "text"),
    [
        (b"\0\0\1\0y", b"5", r"did not answer CONNECT within 1 s"),
        (b"", packet(b"p"), r"asked for more time at CONNECT \d+ times, and gave no answer within 5 s"),
    ],
)
def test_a_trickle_is_bounded_too(begin: bytes, drip: bytes, text: str) -> None:
    """Single bytes do not restart the deadline; progress does, but not for ever."""

    def script(conn: socket.socket) -> None:
        read_command(conn)
        conn.sendall(begin)
        conn.settimeout(0.05)
        for _ in range(200):
            try:
                conn.sendall(drip)
                if not conn.recv(100):
                    return
            except TimeoutError:
                continue
            except OSError:
                return

    with talking(script, timeout=SHORT) as client, pytest.raises(FilterTimeout, match=text):
        client.connect()


def test_progress_restarts_the_deadline() -> None:
    def script(conn: socket.socket) -> None:
        read_command(conn)
        for _ in range(4):
            time.sleep(0.4)
            conn.sendall(packet(b"p"))
        conn.sendall(packet(b"c"))
        until_closed(conn)

    with talking(script, timeout=1.5) as client:
        assert client.eom().progress == 4


@pytest.mark.parametrize("length", [0, 2**21 + 1, 2**31, 2**32 - 1])
def test_an_absurd_length(length: int) -> None:
    with (
        talking(_answering(struct.pack("!I", length) + b"c" * 10)) as client,
        pytest.raises(ProtocolError, match=rf"CONNECT with a packet that claims {length} bytes; 1 to 2097152 are"),
    ):
        client.connect()


@pytest.mark.parametrize(
    ("answer", "text"),
    [
        (packet(b"?"), r"answered EOM with b'\?' \(0x3f, no such reply\); allowed are b'c' \(continue\), "),
        (packet(b"\xff"), r"b'\\xff' \(0xff, no such reply\)"),
        (packet(b"O", b"x" * 12), r"answered EOM with b'O' \(negotiation\); allowed are"),
        (packet(b"c", b"extra"), r"answered EOM with b'c' \(continue\) and data: b'extra'"),
        (packet(b"y", b"550 no"), "not one string that ends with NUL"),
        (packet(b"y", b"550 a\0b\0"), "not one string that ends with NUL"),
        (packet(b"y", b"\0"), "does not begin with a 4xx or 5xx code"),
        (packet(b"y", b"250 fine\0"), "does not begin with a 4xx or 5xx code"),
        (packet(b"y", b"550-a\r\n551 b\0"), "different codes, 550 and 551"),
        (packet(b"y", b"550 4.7.1 b\0"), "classes of 550 and 4.7.1 differ"),
        (
            packet(b"h", b"name only\0"),
            r"b'h' \(add header\) must hold 2 NUL-terminated strings, not b'name only\\x00'",
        ),
        (packet(b"h", b"name\0value"), "must hold 2 NUL-terminated strings, not"),
        (packet(b"h", b"name\0value\0more\0"), "must hold 2 NUL-terminated strings, not"),
        (packet(b"i", b"\0\0"), "has no index"),
        (packet(b"m", b"\0\0\0\1name\0"), "must hold 2 NUL-terminated strings, not"),
        (packet(b"+"), "must hold 1 NUL-terminated string, not"),
        (packet(b"2", b"a\0b\0c\0"), "must hold 1 or 2 NUL-terminated strings, not"),
        (packet(b"e", b""), "must hold 1 or 2 NUL-terminated strings, not"),
        (packet(b"q", b"why"), "must hold 1 NUL-terminated string, not"),
    ],
)
def test_rubbish_at_the_end_of_a_message(answer: bytes, text: str) -> None:
    with talking(_answering(answer)) as client, pytest.raises(ProtocolError, match=text):
        client.eom()


def test_an_edit_before_the_end_of_the_message() -> None:
    with (
        talking(_answering(packet(b"h", b"A\0b\0"))) as client,
        pytest.raises(ProtocolError, match=r"answered HELO with b'h' \(add header\); allowed are"),
    ):
        client.helo()


EDITS = {
    Action.ADDHDRS: [packet(b"h", b"A\0b\0"), packet(b"i", b"\0\0\0\0A\0b\0")],
    Action.CHGHDRS: [packet(b"m", b"\0\0\0\1A\0b\0")],
    Action.CHGBODY: [packet(b"b", b"x")],
    Action.ADDRCPT: [packet(b"+", b"<a>\0")],
    Action.ADDRCPT_PAR: [packet(b"2", b"<a>\0X\0"), packet(b"2", b"<a>\0")],
    Action.DELRCPT: [packet(b"-", b"<a>\0")],
    Action.CHGFROM: [packet(b"e", b"<a>\0")],
    Action.QUARANTINE: [packet(b"q", b"why\0")],
}


@pytest.mark.parametrize("action", EDITS)
def test_each_edit_needs_its_own_grant(action: Action) -> None:
    for edit in EDITS[action]:
        for granted in (action, Action.ALL & ~action):
            agree = struct.pack("!III", 6, granted, 0)
            with talking(_answering(edit + packet(b"c")), agree=agree) as client:
                if granted == action:
                    assert len(client.eom().edits) == 1
                else:
                    with pytest.raises(NotGranted, match=rf"but <Action.{action.name}: \d+> was not granted"):
                        client.eom()


@pytest.mark.parametrize(
    ("agree", "text"),
    [
        (b"", "has 0 bytes of data; 12 are the least"),
        (struct.pack("!III", 7, 0, 0), "version 7; 6 was offered"),
        (struct.pack("!III", 6, 0x201, 0), "actions that were not offered"),
        (struct.pack("!III", 6, 0, 0x200001), "protocol options that were not offered"),
        (struct.pack("!III", 6, 0, 0) + b"\0\0\0\x09j\0", "macros at stage 9; the stages are 0 to 6"),
        (struct.pack("!III", 6, 0, 0) + b"\0\0\0\0j", "no macro list"),
        (struct.pack("!III", 6, 0, 0) + b"\0\0", "no macro list"),
    ],
)
def test_rubbish_in_the_negotiation(agree: bytes, text: str) -> None:
    with rogue(until_closed, agree=agree) as address, pytest.raises(ProtocolError, match=text):
        Client(address)


def test_another_reply_to_the_negotiation() -> None:
    def script(conn: socket.socket) -> None:
        read_packet(conn)
        conn.sendall(packet(b"c"))
        until_closed(conn)

    with (
        rogue(script, agree=None) as address,
        pytest.raises(ProtocolError, match=r"negotiation with b'c' \(continue\); only b'O'"),
    ):
        Client(address)


def test_a_reply_to_a_step_without_reply() -> None:
    agree = struct.pack("!III", 6, 0x1FF, Protocol.NR_HELO)

    def script(conn: socket.socket) -> None:
        read_command(conn)
        conn.sendall(packet(b"c"))
        until_closed(conn)

    with talking(script, agree=agree) as client:
        client.helo()
        assert client._channel._poll.poll(5000)
        with pytest.raises(ProtocolError, match=r"sent b'c' \(continue\) before MAIL, when nothing had been asked"):
            client.mail("<a@b>")


def test_a_reply_to_quit() -> None:
    def script(conn: socket.socket) -> None:
        read_command(conn)
        conn.sendall(packet(b"c"))
        until_closed(conn)

    with talking(script) as client:
        with pytest.raises(ProtocolError, match=r"answered QUIT with b'c'"):
            client.quit()
        assert client.closed


def test_a_filter_that_does_not_close_after_quit() -> None:
    with rogue(until_closed) as address, pytest.raises(FilterTimeout, match="QUIT"):
        Client(address, timeout=SHORT).quit()


def test_a_filter_that_does_not_read() -> None:
    def script(conn: socket.socket) -> None:
        while conn.recv(1, socket.MSG_PEEK):
            time.sleep(0.05)
            if stop:
                return

    stop: list[bool] = []
    agree = struct.pack("!III", 6, 0x1FF, Protocol.NR_BODY)
    with talking(script, agree=agree, timeout=SHORT) as client:
        with pytest.raises(FilterTimeout, match=r"did not read BODY within 1 s"):
            client.body(b"x" * 50_000_000)
        stop.append(True)
