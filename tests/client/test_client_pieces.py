"""The client, piece by piece and without a filter: the other end of a pair of sockets says what a test tells it."""

from __future__ import annotations

import io
import math
import socket
import struct
import threading
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from pymilter.testing import (
    Action,
    AddHeader,
    AddRecipient,
    ChangeFrom,
    ChangeHeader,
    Client,
    Command,
    DeleteRecipient,
    Delivered,
    Edit,
    Envelope,
    Family,
    FilterGone,
    FilterTimeout,
    InsertHeader,
    Negotiation,
    NotGranted,
    Protocol,
    ProtocolError,
    Quarantine,
    Refusal,
    ReplaceBody,
    Response,
    Result,
    SmtpReply,
    Stage,
    Step,
    Verdict,
    _process,
    apply_edits,
    free_port,
    print_result,
    temporary_socket,
)
from pymilter.testing._address import Address
from pymilter.testing._agreement import Answer, exists, is_answered, is_wanted
from pymilter.testing._channel import Channel, check_seconds
from pymilter.testing._dialogue import Dialogue
from pymilter.testing._macros import DEFAULT_MACRO_LISTS, Macros
from pymilter.testing._message import HeaderField, Message
from pymilter.testing._paint import Screen
from pymilter.testing._report import diff_lines, result_lines
from pymilter.testing._steps import _family, _mailbox
from pymilter.testing._wire import (
    MAX_REPLY,
    describe,
    offer,
    packet_length,
    read_agreement,
    read_edit,
    read_reply_code,
    strings,
    to_bytes,
    to_str,
)
from pymilter.testing._words import count, edit_text, reply_text
from support.cfilter.rogue import read_command, rogue, until_closed
from support.packets import packet

OPTIONS = struct.Struct("!III")


class AnsweringChannel(Channel):
    """A channel whose other end answers what is sent at once."""

    waiting = b""
    far: socket.socket

    def send(self, data: bytes, what: str) -> None:
        super().send(data, what)
        self.far.sendall(self.waiting)
        self.waiting = b""


class Rig:
    """A channel, and its other end."""

    def __init__(self, near: socket.socket, far: socket.socket, timeout: float) -> None:
        self.far = far
        self.channel = AnsweringChannel(near, timeout)
        self.channel.far = far
        self.dialogue = Dialogue(self.channel, Macros(), 5 * timeout)

    def says(self, *packets: bytes) -> None:
        """Send packets: each a command byte and its payload."""
        self.far.sendall(b"".join(packet(one[:1], one[1:]) for one in packets))

    def answers(self, *packets: bytes) -> None:
        """Send packets as soon as something is sent."""
        self.channel.waiting = b"".join(packet(one[:1], one[1:]) for one in packets)

    def got(self) -> bytes:
        """What has arrived since."""
        try:
            return self.far.recv(1_000_000, socket.MSG_DONTWAIT)
        except BlockingIOError:
            return b""

    def agrees(self, actions: int = Action.ALL, protocol: int = 0, version: int = 6) -> None:
        self.says(b"O" + OPTIONS.pack(version, actions, protocol))
        self.dialogue.negotiate(6, Action.ALL, Protocol.ALL)
        self.got()

    def step(self, command: Command, payload: bytes = b"", force: bool = False) -> Response:
        return self.dialogue.step(command, payload, None, force)


@pytest.fixture
def rig() -> Iterator[Rig]:
    near, far = socket.socketpair()
    with near, far:
        yield Rig(near, far, 10)


@pytest.fixture
def hasty() -> Iterator[Rig]:
    """One that waits for a moment only."""
    near, far = socket.socketpair()
    with near, far:
        yield Rig(near, far, 0.05)


# -- addresses


@pytest.mark.parametrize(
    ("text", "family", "path", "host", "port"),
    [
        ("unix:/run/x", socket.AF_UNIX, "/run/x", "", 0),
        ("local:/run/x", socket.AF_UNIX, "/run/x", "", 0),
        ("/run/x", socket.AF_UNIX, "/run/x", "", 0),
        ("inet:25", socket.AF_INET, "", "127.0.0.1", 25),
        ("inet:1@mx.test", socket.AF_INET, "", "mx.test", 1),
        ("inet6:25", socket.AF_INET6, "", "::1", 25),
        ("inet6:25@::2", socket.AF_INET6, "", "::2", 25),
    ],
)
def test_an_address_is_read(text: str, family: int, path: str, host: str, port: int) -> None:
    for given in (text, Path(text)):
        found = Address.parse(given)
        assert (found.family, found.path or "", found.host or "", found.port or 0) == (family, path, host, port)


@pytest.mark.parametrize(
    ("text", "told"),
    [
        ("fd:3", "socket is 'fd:3': a client cannot connect to it"),
        ("systemd:gate", "socket is 'systemd:gate': a client cannot connect to it"),
        ("inet:0@127.0.0.1", "socket is 'inet:0@127.0.0.1': a port from 1 to 65535 is needed"),
    ],
)
def test_an_address_that_no_client_connects_to(text: str, told: str) -> None:
    with pytest.raises(ValueError) as raised:  # noqa: PT011 - its text is looked at
        Address.parse(text)
    assert str(raised.value) == told


@pytest.mark.parametrize("value", [1e-9, 0.5, 1, 3600.0, 1e300])
def test_seconds_are_above_0(value: float) -> None:
    check_seconds("timeout", value)


@pytest.mark.parametrize("value", [0, 0.0, -0.5, -1, math.inf, math.nan])
def test_other_seconds_are_refused(value: float) -> None:
    with pytest.raises(ValueError) as raised:  # noqa: PT011 - its text is looked at
        check_seconds("timeout", value)
    assert str(raised.value) == f"timeout must be a number of seconds above 0, not {value}"


def test_a_port_is_free_in_its_family() -> None:
    port = free_port()
    with socket.socket() as sock:
        sock.bind(("127.0.0.1", port))
        sock.listen()
        assert free_port() != port
        Address.parse(f"inet:{port}").connect(5).close()


def test_a_temporary_socket_has_a_folder_that_may_go() -> None:
    with temporary_socket() as address:
        folder = Path(address.removeprefix("unix:")).parent
        assert address == f"unix:{folder}/filter.sock"
        assert list(folder.iterdir()) == []
        folder.rmdir()
    with temporary_socket("other") as address:
        assert address.endswith("/other")
        folder = Path(address.removeprefix("unix:")).parent
        (folder / "left").touch()
    assert not folder.exists()


# -- the channel


def test_packets_are_sent_and_received(rig: Rig) -> None:
    rig.channel.send(b"abc", "HELO")
    assert rig.got() == b"abc"
    assert not rig.channel.pending()
    rig.says(b"c", b"y550 x\0", b"h")
    assert rig.channel.pending()
    assert rig.channel.receive("HELO") == (b"c", b"")
    assert rig.channel.pending()  # they came in one piece
    assert not rig.channel.at_end("HELO")
    assert rig.channel.receive("HELO") == (b"y", b"550 x\0")
    assert rig.channel.receive("HELO", time.monotonic() + 5) == (b"h", b"")
    assert not rig.channel.pending()
    rig.far.close()
    assert rig.channel.pending()
    assert rig.channel.at_end("QUIT")
    rig.channel.end()  # nobody is there any more
    assert not rig.channel.closed
    rig.channel.close()
    rig.channel.close()
    assert rig.channel.closed


def test_what_is_not_asked_for_is_no_end(rig: Rig) -> None:
    rig.says(b"c")
    assert not rig.channel.at_end("QUIT")
    assert rig.channel.receive("QUIT") == (b"c", b"")


def test_the_sending_side_is_closed_alone(rig: Rig) -> None:
    rig.channel.end()
    assert rig.far.recv(10) == b""
    rig.says(b"c")
    assert rig.channel.receive("x") == (b"c", b"")


@pytest.mark.parametrize("length", [1, 2, MAX_REPLY])
def test_a_packet_has_at_most_2_mb(rig: Rig, length: int) -> None:
    sender = threading.Thread(target=rig.says, args=(b"x" * length,))
    sender.start()
    code, payload = rig.channel.receive("EOM")
    sender.join()
    assert (code, len(payload)) == (b"x", length - 1)


@pytest.mark.parametrize("length", [0, MAX_REPLY + 1])
def test_a_length_that_no_packet_has(rig: Rig, length: int) -> None:
    rig.far.sendall(struct.pack("!I", length) + b"abcdefghijklmnopq")
    with pytest.raises(ProtocolError) as raised:
        rig.channel.receive("EOM")
    head = struct.pack("!I", length) + b"abcdefghijkl"
    assert str(raised.value) == (
        f"the filter answered EOM with a packet that claims {length} bytes; 1 to 2097152 are allowed"
        f" (it began with {head!r})"
    )


@pytest.mark.parametrize(
    ("said", "ends", "error", "told"),
    [
        (b"", False, FilterTimeout, "the filter did not answer EOM within 0.05 s"),
        (
            b"\0\0\0\5c",
            False,
            FilterTimeout,
            r"the filter did not answer EOM within 0.05 s (only b'\x00\x00\x00\x05c' came, part of a packet)",
        ),
        (b"", True, FilterGone, "the filter closed the connection at EOM"),
        (b"\0", True, FilterGone, r"the filter closed the connection at EOM, in the middle of a packet (b'\x00')"),
    ],
)
def test_an_answer_that_does_not_come(hasty: Rig, said: bytes, ends: bool, error: type[Exception], told: str) -> None:
    hasty.far.sendall(said)
    if ends:
        hasty.far.close()
    with pytest.raises(error) as raised:
        hasty.channel.receive("EOM")
    assert str(raised.value) == told


def test_a_deadline_that_has_passed(rig: Rig) -> None:
    with pytest.raises(FilterTimeout, match=r"^the filter did not answer EOM within 10 s$"):
        rig.channel.receive("EOM", time.monotonic() - 1)


def test_a_connection_that_is_closed_here(rig: Rig) -> None:
    rig.channel.close()
    for use in (lambda: rig.channel.send(b"x", "HELO"), lambda: rig.channel.receive("HELO")):
        with pytest.raises(FilterGone, match=r"^cannot go on with HELO: this client's connection is closed$"):
            use()


def test_a_filter_that_is_gone_or_reads_nothing(hasty: Rig) -> None:
    with pytest.raises(FilterTimeout, match=r"^the filter did not read BODY within 0\.05 s$"):
        hasty.channel.send(bytes(10_000_000), "BODY")
    hasty.far.close()
    with pytest.raises(FilterGone, match=r"^the filter was gone when BODY was sent: Broken pipe$"):
        hasty.channel.send(b"x", "BODY")
    with pytest.raises(FilterGone, match=r"^the filter was gone at BODY: Connection reset by peer$"):
        hasty.channel.receive("BODY")


# -- the agreement

LEFT_OUT = {
    "CONNECT": ("NOCONNECT", "NR_CONN"),
    "HELO": ("NOHELO", "NR_HELO"),
    "MAIL": ("NOMAIL", "NR_MAIL"),
    "RCPT": ("NORCPT", "NR_RCPT"),
    "DATA": ("NODATA", "NR_DATA"),
    "UNKNOWN": ("NOUNKNOWN", "NR_UNKN"),
    "HEADER": ("NOHDRS", "NR_HDR"),
    "EOH": ("NOEOH", "NR_EOH"),
    "BODY": ("NOBODY", "NR_BODY"),
}


@pytest.mark.parametrize("command", Command)
def test_what_is_sent_and_answered(command: Command) -> None:
    nothing, all_of_it = (Negotiation(6, Action.ALL, protocol) for protocol in (Protocol.NONE, Protocol.ALL))
    step = command.name in LEFT_OUT
    assert is_wanted(command, nothing)
    assert is_answered(command, nothing) is (step or command is Command.EOM)
    assert is_wanted(command, all_of_it) is not step
    assert is_answered(command, all_of_it) is (command is Command.EOM)
    if step:
        no, nr = LEFT_OUT[command.name]
        for one in Protocol:
            agreed = Negotiation(6, Action.ALL, one)
            assert is_wanted(command, agreed) is (one.name != no)
            assert is_answered(command, agreed) is (one.name != nr)
    least = {"DATA": 4, "UNKNOWN": 3}.get(command.name, 0)
    assert [exists(command, version) for version in (1, 2, 3, 4, 6)] == [
        version >= least for version in (1, 2, 3, 4, 6)
    ]


def answer(*said: bytes, command: Command = Command.EOM, actions: int = Action.ALL, protocol: int = 0) -> Response:
    collecting = Answer(command, Negotiation(6, Action(actions), Protocol(protocol)))
    *first, last = (collecting.take(one[:1], one[1:]) for one in said)
    assert set(first) <= {None}
    assert last is not None
    return last


def test_an_answer_is_collected() -> None:
    assert answer(b"p", b"hA\0b\0", b"p", b"qx\0", b"a") == Response(
        Command.EOM, Verdict.ACCEPT, None, (AddHeader("A", "b"), Quarantine("x")), 2
    )
    assert answer(b"p", b"y451 4.7.1 x\0", command=Command.MAIL) == Response(
        Command.MAIL, Verdict.TEMPFAIL, SmtpReply(451, "4.7.1", ("x",)), (), 1
    )
    assert answer(b"s", command=Command.BODY, protocol=Protocol.SKIP).verdict is Verdict.SKIP
    for code, verdict in zip(
        "cartdf4", ("CONTINUE", "ACCEPT", "REJECT", "TEMPFAIL", "DISCARD", "CONN_FAIL", "SHUTDOWN"), strict=True
    ):
        assert answer(code.encode()).verdict.name == verdict


VERDICTS_AND = (
    "b'c' (continue), b'a' (accept), b'r' (reject), b't' (tempfail), b'd' (discard), b's' (skip),"
    " b'f' (connection failure), b'4' (shutdown), b'y' (reply code), b'p' (progress)"
)


@pytest.mark.parametrize(
    ("said", "command", "error", "told"),
    [
        (b"cx", Command.MAIL, ProtocolError, "the filter answered MAIL with b'c' (continue) and data: b'x'"),
        (
            b"c" + b"x" * 65,
            Command.EOM,
            ProtocolError,
            f"the filter answered EOM with b'c' (continue) and data: {b'x' * 64!r}",
        ),
        (b"s", Command.BODY, NotGranted, "the filter answered BODY with SKIP, which was not negotiated"),
        (
            b"hA\0b\0",
            Command.BODY,
            ProtocolError,
            f"the filter answered BODY with b'h' (add header); allowed are {VERDICTS_AND}",
        ),
        (
            b"?",
            Command.MAIL,
            ProtocolError,
            f"the filter answered MAIL with b'?' (0x3f, no such reply); allowed are {VERDICTS_AND}",
        ),
        (
            b"O",
            Command.EOM,
            ProtocolError,
            (
                f"the filter answered EOM with b'O' (negotiation); allowed are {VERDICTS_AND}, b'+' (add recipient),"
                " b'2' (add recipient with parameters), b'-' (delete recipient), b'b' (replace body),"
                " b'h' (add header), b'i' (insert header), b'm' (change header), b'e' (change sender),"
                " b'q' (quarantine)"
            ),
        ),
    ],
)
def test_an_answer_that_is_not_allowed(said: bytes, command: Command, error: type[Exception], told: str) -> None:
    with pytest.raises(error) as raised:
        answer(said, command=command)
    assert type(raised.value) is error
    assert str(raised.value) == told


EDITS: list[tuple[bytes, Edit, str, str]] = [
    (b"+<a@b>\0", AddRecipient("<a@b>"), "ADDRCPT", "add recipient    <a@b>"),
    (b"2<a@b>\0X=1\0", AddRecipient("<a@b>", "X=1"), "ADDRCPT_PAR", "add recipient    <a@b> X=1"),
    (b"2<a@b>\0", AddRecipient("<a@b>", ""), "ADDRCPT_PAR", "add recipient    <a@b>"),
    (b"-<a@b>\0", DeleteRecipient("<a@b>"), "DELRCPT", "delete recipient <a@b>"),
    (b"bx\0y", ReplaceBody(b"x\0y"), "CHGBODY", "replace body     3 bytes"),
    (b"hA\0\xe9\0", AddHeader("A", "\udce9"), "ADDHDRS", "add header       A: \udce9"),
    (b"i\0\0\1\2A\0b\0", InsertHeader(258, "A", "b"), "ADDHDRS", "insert header    at 258, A: b"),
    (b"m\0\0\0\1A\0b\0", ChangeHeader(1, "A", "b"), "CHGHDRS", "change header    A, number 1, to: b"),
    (b"m\0\0\0\2A\0\0", ChangeHeader(2, "A", ""), "CHGHDRS", "delete header    A, number 2"),
    (b"e<a@b>\0", ChangeFrom("<a@b>"), "CHGFROM", "change sender    <a@b>"),
    (b"e<a@b>\0RET=FULL\0", ChangeFrom("<a@b>", "RET=FULL"), "CHGFROM", "change sender    <a@b> RET=FULL"),
    (b"qodd\0", Quarantine("odd"), "QUARANTINE", "quarantine       odd"),
]


@pytest.mark.parametrize(("wire", "edit", "action", "words"), EDITS)
def test_each_edit_is_read_granted_and_described(wire: bytes, edit: Edit, action: str, words: str) -> None:
    assert read_edit(wire[:1], wire[1:]) == edit
    assert edit_text(edit) == words
    wanted = Action[action]
    assert answer(wire, b"c", actions=wanted).edits == (edit,)
    with pytest.raises(NotGranted) as raised:
        answer(wire, b"c", actions=Action.ALL & ~wanted)
    assert str(raised.value) == f"the filter sent {edit}, but {wanted!r} was not granted to it"


@pytest.mark.parametrize(
    ("wire", "told"),
    [
        (b"hA\0b", r"b'h' (add header) must hold 2 NUL-terminated strings, not b'A\x00b'"),
        (b"hA\0", r"b'h' (add header) must hold 2 NUL-terminated strings, not b'A\x00'"),
        (b"hA\0b\0c\0", r"b'h' (add header) must hold 2 NUL-terminated strings, not b'A\x00b\x00c\x00'"),
        (b"i\0\0\0", r"b'i' (insert header) has no index: b'\x00\x00\x00'"),
        (b"m\0\0\0\1", "b'm' (change header) must hold 2 NUL-terminated strings, not b''"),
        (b"+", "b'+' (add recipient) must hold 1 NUL-terminated string, not b''"),
        (b"+a\0b\0", r"b'+' (add recipient) must hold 1 NUL-terminated string, not b'a\x00b\x00'"),
        (b"2", "b'2' (add recipient with parameters) must hold 1 or 2 NUL-terminated strings, not b''"),
        (b"ea\0b\0c\0", r"b'e' (change sender) must hold 1 or 2 NUL-terminated strings, not b'a\x00b\x00c\x00'"),
        (b"-", "b'-' (delete recipient) must hold 1 NUL-terminated string, not b''"),
        (b"qx", "b'q' (quarantine) must hold 1 NUL-terminated string, not b'x'"),
    ],
)
def test_an_edit_that_is_none(wire: bytes, told: str) -> None:
    with pytest.raises(ProtocolError) as raised:
        read_edit(wire[:1], wire[1:])
    assert str(raised.value) == f"the filter's edit {told}"


def test_what_is_no_edit_at_all() -> None:
    with pytest.raises(ProtocolError, match=r"^b'c' \(continue\) is no edit$"):
        read_edit(b"c", b"")
    assert describe(b"\x07") == r"b'\x07' (0x07, no such reply)"


@pytest.mark.parametrize(
    ("payload", "lists"),
    [
        (b"", {}),
        (b"\0\0\0\0j {x}\0", {Stage.CONNECT: ("j", "{x}")}),
        (b"\0\0\0\6 ,a,\tb\r\n\0\0\0\0\1\0", {Stage.EOH: ("a", "b"), Stage.HELO: ()}),
    ],
)
def test_a_negotiation_is_read(payload: bytes, lists: dict[Stage, tuple[str, ...]]) -> None:
    assert read_agreement(OPTIONS.pack(6, 1, 2) + payload) == (6, Action.ADDHDRS, Protocol.NOHELO, lists)
    assert offer(6, 1, 2) == OPTIONS.pack(6, 1, 2)


@pytest.mark.parametrize(
    ("payload", "told"),
    [
        (bytes(11), "the filter's negotiation packet has 11 bytes of data; 12 are the least"),
        (bytes(12) + b"\0", r"the filter's negotiation packet ends with b'\x00', which is no macro list"),
        (bytes(16), r"the filter's negotiation packet ends with b'\x00\x00\x00\x00', which is no macro list"),
        (bytes(16) + b"j", r"the filter's negotiation packet ends with b'\x00\x00\x00\x00j', which is no macro list"),
        (bytes(12) + b"\0\0\0\7j\0", "the filter asks for macros at stage 7; the stages are 0 to 6"),
    ],
)
def test_a_negotiation_that_is_none(payload: bytes, told: str) -> None:
    with pytest.raises(ProtocolError) as raised:
        read_agreement(payload)
    assert str(raised.value) == told


@pytest.mark.parametrize(
    ("payload", "told"),
    [
        (b"550 x", "the filter's reply code b'550 x' is not one string that ends with NUL"),
        (b"550\0x\0", r"the filter's reply code b'550\x00x\x00' is not one string that ends with NUL"),
        (b"550 x\0\0", r"the filter's reply code b'550 x\x00\x00' is not one string that ends with NUL"),
        (b"250 ok\0", "the filter sent the reply code b'250 ok': '250 ok' does not begin with a 4xx or 5xx code and a"),
        (b"550x\0", "the filter sent the reply code b'550x': '550x' does not begin with"),
        (b"550-a\r\n551 b\0", r"the filter sent the reply code b'550-a\r\n551 b': its lines have different codes, 550"),
        (b"550 4.7.1 x\0", "the filter sent the reply code b'550 4.7.1 x': the classes of 550 and 4.7.1 differ"),
    ],
)
def test_a_reply_code_that_is_none(payload: bytes, told: str) -> None:
    with pytest.raises(ProtocolError) as raised:
        read_reply_code(payload)
    assert str(raised.value).startswith(told)


@pytest.mark.parametrize(
    ("text", "reply"),
    [
        ("550 x\r\n", SmtpReply(550, "", ("x",))),
        ("550 x\n", SmtpReply(550, "", ("x",))),
        ("550-5.7.1 a\n550 b", SmtpReply(550, "5.7.1", ("a", "b"))),
        ("550-a\n550 5.7.1 b", SmtpReply(550, "5.7.1", ("a", "b"))),
        ("550 5.7.1234 a", SmtpReply(550, "", ("5.7.1234 a",))),
        ("550 5.999.999", SmtpReply(550, "5.999.999", ("",))),
        ("450 4.0.0  a", SmtpReply(450, "4.0.0", (" a",))),
    ],
)
def test_a_reply_is_parsed(text: str, reply: SmtpReply) -> None:
    assert SmtpReply.parse(text) == reply
    response = Response(Command.MAIL, Verdict.REJECT, reply)
    assert (response.code, response.enhanced, response.text) == (reply.code, reply.enhanced, reply.text)
    assert reply_text(response) == str(reply).replace("\n", " / ")


def test_no_reply_has_no_parts() -> None:
    response = Response(Command.MAIL, Verdict.REJECT)
    assert (response.code, response.enhanced, response.text, reply_text(response)) == (None, None, None, "")
    assert (response.edits, response.progress) == ((), 0)
    assert [count(number, "edit") for number in (0, 1, 2)] == ["0 edits", "1 edit", "2 edits"]


def test_text_on_the_wire() -> None:
    assert strings(["a", b"\xe9", "\xe9\udce9", ""]) == b"a\0\xe9\0\xc3\xa9\xe9\0\0"
    assert to_str(to_bytes("\xe9\udce9")) == "\xe9\udce9"
    assert packet_length(b"\0\0\1\2xyz") == 258
    with pytest.raises(ValueError, match=r"^'a\\x00b' contains NUL, which ends a string on the wire; use Client\.send"):
        strings(["a\0b"])


# -- the dialogue


@pytest.mark.parametrize(
    ("version", "actions", "protocol", "error", "told"),
    [
        (7, 0, 0, ProtocolError, "the filter answered with protocol version 7; 6 was offered"),
        (6, 0x3, 0, NotGranted, "the filter asks for actions that were not offered: <Action.CHGBODY: 2>"),
        (6, 0x1, 0x6, NotGranted, "the filter asks for protocol options that were not offered: <Protocol.NOMAIL: 4>"),
    ],
)
def test_more_than_was_offered(
    rig: Rig, version: int, actions: int, protocol: int, error: type[Exception], told: str
) -> None:
    rig.says(b"O" + OPTIONS.pack(version, actions, protocol))
    with pytest.raises(error) as raised:
        rig.dialogue.negotiate(6, Action.ADDHDRS, Protocol.NOHELO)
    assert str(raised.value) == told
    with pytest.raises(ProtocolError, match=r"^nothing was negotiated with the filter yet$"):
        _ = rig.dialogue.negotiation
    assert rig.got() == packet(b"O", OPTIONS.pack(6, 1, 2))


def test_what_was_agreed_is_kept(rig: Rig) -> None:
    rig.says(b"O" + OPTIONS.pack(5, 1, 2) + b"\0\0\0\2i {xy}\0")
    agreed = rig.dialogue.negotiate(6, Action.ALL, Protocol.ALL)
    assert agreed == Negotiation(
        5, Action.ADDHDRS, Protocol.NOHELO, {Stage.ENVFROM: ("i", "{xy}")}, 6, Action.ALL, Protocol.ALL
    )
    assert rig.dialogue.negotiation is agreed
    rig.answers(b"c")
    rig.got()
    rig.dialogue.step(Command.MAIL, b"<a>\0", {"xy": "1"}, False)
    assert rig.got() == packet(b"D", b"M{xy}\x001\0") + packet(b"M", b"<a>\0")


def test_another_answer_to_the_negotiation(rig: Rig) -> None:
    rig.says(b"c")
    with pytest.raises(ProtocolError) as raised:
        rig.dialogue.negotiate(6, Action.ALL, Protocol.ALL)
    assert str(raised.value) == (
        "the filter answered the negotiation with b'c' (continue); only b'O' (negotiation) is allowed"
    )


def test_a_step_waits_for_its_answer_if_there_is_one(rig: Rig) -> None:
    rig.agrees(protocol=Protocol.NR_HELO | Protocol.NOMAIL | Protocol.SKIP)
    assert rig.step(Command.HELO, b"x\0").verdict is Verdict.NO_REPLY
    assert rig.got() == packet(b"H", b"x\0")
    assert rig.step(Command.MAIL, b"<a>\0").verdict is Verdict.NOT_SENT
    assert rig.got() == b""
    rig.answers(b"r")
    assert rig.step(Command.MAIL, b"<a>\0", force=True).verdict is Verdict.REJECT
    assert rig.got() == packet(b"M", b"<a>\0")


def test_what_the_version_does_not_have_is_sent_only_by_force(rig: Rig) -> None:
    rig.agrees(version=2)
    assert rig.step(Command.DATA).verdict is Verdict.NOT_SENT
    assert rig.step(Command.UNKNOWN, b"x\0").verdict is Verdict.NOT_SENT
    rig.answers(b"c")
    assert rig.step(Command.DATA, force=True).verdict is Verdict.CONTINUE
    assert rig.got() == packet(b"T")


def test_skip_holds_until_another_command(rig: Rig) -> None:
    rig.agrees(protocol=Protocol.SKIP)
    rig.answers(b"s")
    assert rig.step(Command.BODY, b"a").verdict is Verdict.SKIP
    for _ in range(2):
        assert rig.step(Command.BODY, b"b").verdict is Verdict.NOT_SENT
    rig.answers(b"c")
    assert rig.step(Command.EOM).verdict is Verdict.CONTINUE
    rig.answers(b"s")
    assert rig.step(Command.BODY, b"c").verdict is Verdict.SKIP
    rig.dialogue.notify(Command.ABORT)
    rig.answers(b"c")
    assert rig.step(Command.BODY, b"d").verdict is Verdict.CONTINUE
    bodies = [packet(b"B", one) for one in (b"a", b"c", b"d")]
    assert rig.got() == bodies[0] + packet(b"E") + bodies[1] + packet(b"A") + bodies[2]


def test_macros_of_a_step_that_is_not_sent_go_with_the_next(rig: Rig) -> None:
    rig.agrees(protocol=Protocol.NOMAIL | Protocol.NR_RCPT | Protocol.NODATA)
    dialogue = rig.dialogue
    dialogue.step(Command.MAIL, b"<a>\0", {"x": "1"}, False)
    assert rig.got() == b""
    dialogue.step(Command.RCPT, b"<b>\0", {"y": "2"}, False)
    assert rig.got() == packet(b"D", b"Mx\x001\0") + packet(b"D", b"Ry\x002\0") + packet(b"R", b"<b>\0")
    dialogue.step(Command.RCPT, b"<b>\0", None, False)
    assert rig.got() == packet(b"R", b"<b>\0")
    dialogue.step(Command.MAIL, b"<a>\0", {"x": "1"}, False)
    dialogue.step(Command.DATA, b"", {"z": "3"}, False)  # here Postfix sends what it has
    assert rig.got() == packet(b"D", b"Mx\x001\0") + packet(b"D", b"Tz\x003\0")
    dialogue.step(Command.MAIL, b"<a>\0", {"x": "1"}, False)
    dialogue.notify(Command.ABORT)
    assert rig.got() == packet(b"D", b"Mx\x001\0") + packet(b"A")


def test_the_queue_id_is_that_of_one_message(rig: Rig) -> None:
    rig.agrees()
    rig.dialogue.macros.set(i="4711")
    rig.answers(b"c")
    rig.step(Command.EOM)
    assert rig.dialogue.macros.value("i") == ""
    rig.dialogue.macros.set(i="4712")
    rig.dialogue.notify(Command.ABORT)
    assert rig.dialogue.macros.value("i") == ""
    rig.dialogue.macros.set(i="4713")
    rig.answers(b"c")
    rig.step(Command.MAIL, b"<a>\0")
    assert rig.dialogue.macros.value("i") == "4713"


def test_what_was_not_asked_for(rig: Rig) -> None:
    rig.agrees(protocol=Protocol.NR_HELO)
    rig.says(b"r")
    with pytest.raises(ProtocolError) as raised:
        rig.step(Command.HELO, b"x\0")
    assert str(raised.value) == (
        "the filter sent b'r' (reject) before HELO, when nothing had been asked of it"
        " (perhaps a reply to a step that it had negotiated as no-reply)"
    )
    rig.far.close()
    with pytest.raises(FilterGone, match=r"^the filter closed the connection before MAIL$"):
        rig.step(Command.MAIL, b"<a>\0")
    rig.channel.close()
    rig.dialogue.check_quiet(Command.MAIL)  # sending tells it
    with pytest.raises(FilterGone, match="this client's connection is closed"):
        rig.dialogue.notify(Command.QUIT)


def test_progress_gives_more_time_and_not_for_ever(hasty: Rig) -> None:
    hasty.agrees()
    hasty.answers(b"p", b"p", b"c")
    assert hasty.step(Command.EOM).progress == 2
    hasty.answers(b"p")
    with pytest.raises(FilterTimeout, match=r"^the filter did not answer EOM within 0\.05 s$"):
        hasty.step(Command.EOM)
    hasty.dialogue.progress_timeout = 0.01
    hasty.answers(b"p", b"p")
    with pytest.raises(FilterTimeout) as raised:
        hasty.step(Command.EOM)
    assert str(raised.value) == ("the filter asked for more time at EOM 2 times, and gave no answer within 0.01 s")


# -- macros


def test_each_command_has_the_macros_of_its_stage() -> None:
    stages = dict(zip("CHMRTLNBE", (0, 1, 2, 3, 4, 6, 6, 5, 5), strict=True))
    for code, stage in stages.items():
        asked = Macros({f"m{number}": str(number) for number in range(7)})
        asked.ask({Stage(number): (f"m{number}",) for number in range(7)})
        assert asked.packet(Command(code.encode())) == packet(b"D", f"{code}m{stage}\0{stage}\0".encode())
    assert Macros({"x": "1"}).packet(Command.UNKNOWN) == b""
    assert Macros().packet(Command.UNKNOWN, {"ab": "1", "{c}": "2"}) == packet(b"D", b"U{ab}\x001\0c\x002\0")


def test_where_the_value_of_a_macro_comes_from() -> None:
    macros = Macros({"{a}": "fixed", "j": b"\xe9"}, {Stage.HELO: ("{a}", "b", "j")})
    macros.set(a="session", b="session")
    assert [macros.value(name) for name in ("a", "{a}", "b", "{b}", "j", "none")] == [
        "fixed",
        "fixed",
        "session",
        "session",
        "\udce9",
        "",
    ]
    assert macros.packet(Command.HELO) == packet(b"D", b"H{a}\0fixed\0b\0session\0j\0\xe9\0")
    assert macros.packet(Command.HELO, {"{b}": "extra"}) == packet(b"D", b"H{a}\0fixed\0b\0extra\0j\0\xe9\0")
    macros.set(b=None, c=None)
    assert macros.packet(Command.HELO) == packet(b"D", b"H{a}\0fixed\0j\0\xe9\0")
    macros.ask({Stage.HELO: ()})
    assert macros.packet(Command.HELO) == packet(b"D", b"H{a}\0fixed\0j\0\xe9\0")
    macros.ask({Stage.HELO: ("{j}",)})
    assert macros.packet(Command.HELO) == packet(b"D", b"H{j}\0\xe9\0")


NOT_WITH_CONTENT = [
    "client_resolve",
    "client_connections",
    "mail_addr",
    "mail_host",
    "mail_mailer",
    "rcpt_addr",
    "rcpt_host",
    "rcpt_mailer",
]


@pytest.mark.parametrize("name", [*NOT_WITH_CONTENT, "client_addr", "auth_type"])
@pytest.mark.parametrize("code", list("MTLNBE"))
def test_what_cleanup_does_not_know_goes_not_with_the_content(name: str, code: str) -> None:
    command = Command(code.encode())
    sent = packet(b"D", f"{code}{{{name}}}\0x\0".encode())
    lists = dict.fromkeys(Stage, (f"{{{name}}}",))
    of_session, of_test = Macros(None, lists), Macros({name: "x"}, lists)
    of_session.set(**{name: "x"})
    assert of_test.packet(command) == sent
    assert of_session.packet(command) == (b"" if code in "LNBE" and name in NOT_WITH_CONTENT else sent)


def test_default_macros_are_postfixs() -> None:
    assert {stage.name: " ".join(names) for stage, names in DEFAULT_MACRO_LISTS.items()} == {
        "CONNECT": "j {daemon_name} {daemon_addr} v _",
        "HELO": "{tls_version} {cipher} {cipher_bits} {cert_subject} {cert_issuer}",
        "ENVFROM": "i {auth_type} {auth_authen} {auth_author} {mail_addr} {mail_host} {mail_mailer}",
        "ENVRCPT": "i {rcpt_addr} {rcpt_host} {rcpt_mailer}",
        "DATA": "i",
        "EOM": "i",
        "EOH": "i",
    }
    assert Macros().packet(Command.CONNECT) == packet(
        b"D", b"Cj\0mail.example.com\0{daemon_name}\0mail.example.com\0{daemon_addr}\x00127.0.0.1\0v\0Postfix 3.7.11\0"
    )
    assert Macros().value("daemon_port") == "25"


@pytest.mark.parametrize(
    ("path", "address", "host"),
    [
        ("<A@B.Test>", "a@b.test", "b.test"),
        ("a@b", "a@b", "b"),
        ("<@x,@y:a@b>", "a@b", "b"),
        ("<>", "", ""),
        ("<postmaster>", "postmaster", "postmaster"),
        (b"<\xe9@b>", "\udce9@b", "b"),
        ("<a@b", "a@b", "b"),
    ],
)
def test_addresses_in_macros(path: str | bytes, address: str, host: str) -> None:
    assert _mailbox(path) == (address, host)


def test_the_family_of_an_address() -> None:
    assert [_family(text).name for text in ("", "/x", "::1", "192.0.2.1")] == ["UNKNOWN", "UNIX", "INET6", "INET"]


# -- the report


def result(steps: list[Step], verdict: Verdict = Verdict.ACCEPT, **fields: object) -> Result:
    values: dict[str, object] = {
        "transcript": tuple(steps),
        "verdict": verdict,
        "decided_at": Command.EOM,
        "reply": SmtpReply(250, "2.0.0", ("Ok",)),
        "accepted": ("<b@x>",),
        "refused": (),
        "edits": (),
        "envelope": Envelope("<a@x>", ("<b@x>",)),
        "original": b"A: b\n\nx\n",
        "message": b"A: b\n\nx\n",
        "queue_id": "1",
    }
    return Result(**(values | fields))  # type: ignore[arg-type]


def step(command: Command, text: str, verdict: Verdict = Verdict.CONTINUE, **fields: object) -> Step:
    return Step(command, text, Response(command, verdict, **fields))  # type: ignore[arg-type]


def test_a_report() -> None:
    steps = [
        step(Command.CONNECT, "mx [192.0.2.1]"),
        step(Command.MAIL, "<a@x>\x1b", Verdict.NO_REPLY),
        step(Command.RCPT, "<c@x>", Verdict.REJECT, reply=SmtpReply(550, "5.1.1", ("no", "body"))),
        step(Command.HEADER, "A: b\n c"),
        step(Command.HEADER, "X: " + "y" * 80),
        step(Command.EOM, "", edits=(AddHeader("X", "y"),)),
    ]
    changed = result(
        steps,
        edits=(AddHeader("X", "y\x1b"),),
        envelope=Envelope("<a@x>", ("<b@x>", "<d@x>"), "RET=FULL", "odd\x1b"),
        message=b"A: b\nX: y\n\nx\n",
        reply=SmtpReply(250, "2.0.0", ("Ok", "queued")),
    )
    assert list(result_lines(changed, Screen())) == [
        "Session",
        f"  CONNECT   {'mx [192.0.2.1]':48}continue",
        f"  MAIL      {'<a@x>' + chr(92) + 'x1b':48}no reply",
        f"  RCPT      {'<c@x>':48}reject: 550-5.1.1 no / 550 5.1.1 body",
        f"  HEADER    {'A: b  c':48}continue",
        f"  HEADER    {'X: ' + 'y' * 41 + '...':48}continue",
        f"  EOM       {'':48}continue, 1 edit",
        "  (no reply: the filter gets this step, and the MTA does not wait for an answer)",
        "",
        "Edits",
        r"  add header       X: y\x1b",
        "",
        "Verdict     accept, decided at EOM",
        "SMTP reply  250-2.0.0 Ok",
        "            250 2.0.0 queued",
        "From        <a@x> RET=FULL",
        "To          <b@x>, <d@x>",
        r"On hold     odd\x1b",
        "",
        "Message as changed",
        "  --- as received",
        "  +++ as changed",
        "  @@ -1,3 +1,4 @@",
        "   A: b",
        "  +X: y",
        "   ",
        "   x",
    ]
    plain = result([], envelope=Envelope("<a@x>", ()))
    assert list(result_lines(plain, Screen())) == [
        "Session",
        "",
        "Verdict     accept, decided at EOM",
        "SMTP reply  250 2.0.0 Ok",
        "From        <a@x>",
        "To          (nobody)",
        "",
        "The message is unchanged, byte for byte.",
    ]
    refused = result([], Verdict.DISCARD, edits=(Quarantine("x"),), decided_at=Command.MAIL)
    assert list(result_lines(refused, Screen(colour=True)))[2:] == [
        "\x1b[1mEdits (not used: the message is not delivered)\x1b[0m",
        "  quarantine       x",
        "",
        "\x1b[1mVerdict\x1b[0m     \x1b[33mdiscard\x1b[0m, decided at MAIL",
        "\x1b[1mSMTP reply\x1b[0m  250 2.0.0 Ok",
        "",
        "The message is not delivered.",
    ]
    out = io.StringIO()
    print_result(plain, out, colour=False)
    assert out.getvalue().splitlines() == list(result_lines(plain, Screen()))


@pytest.mark.parametrize(("number", "shown", "more"), [(3, 3, None), (4, 4, None), (5, 3, "2 more"), (9, 3, "6 more")])
@pytest.mark.parametrize(
    ("command", "verdict"),
    [(Command.BODY, Verdict.CONTINUE), (Command.BODY, Verdict.NO_REPLY), (Command.HEADER, Verdict.NOT_SENT)],
)
def test_steps_that_are_alike_are_counted(
    command: Command, verdict: Verdict, number: int, shown: int, more: str | None
) -> None:
    steps = [step(Command.EOH, ""), *(step(command, "x", verdict) for _ in range(number)), step(Command.EOM, "")]
    lines = [line for line in result_lines(result(steps), Screen()) if line.startswith(f"  {command.name} ")]
    assert sum(" x " in line for line in lines) == shown
    assert lines[shown:] == ([f"  {command.name:<9} {more}, answered alike"] if more else [])


def test_other_steps_are_shown_one_by_one() -> None:
    steps = [step(Command.HEADER, "x") for _ in range(9)]
    steps += [step(Command.BODY, "x", Verdict.CONTINUE, progress=number) for number in range(9)]
    assert sum(" x " in line for line in result_lines(result(steps), Screen())) == 18


def test_a_report_fits_a_narrow_screen() -> None:
    reply = SmtpReply(550, "5.7.1", ("a reply that is long",))
    steps = [step(Command.EOM, "x" * 50, Verdict.REJECT, reply=reply), step(Command.MAIL, "<a@x>", Verdict.NOT_SENT)]
    assert list(result_lines(result(steps), Screen(width=40)))[1:8] == [
        "  EOM       " + "x" * 12 + "...",
        "            reject: 550 5.7.1 a reply",
        "            that is long",
        f"  MAIL      {'<a@x>':16}not sent",
        "  (not sent: the filter asked the MTA to",
        "  leave this step out, or to send no",
        "  more of its kind)",
    ]
    wide = list(result_lines(result([step(Command.EOM, "x" * 200)]), Screen(width=300)))
    assert wide[1] == f"  EOM       {'x' * 92}... continue"
    coloured = list(result_lines(result(steps[:1]), Screen(width=40, colour=True)))
    assert coloured[2] == "            \x1b[31mreject\x1b[0m: 550 5.7.1 a reply"


def test_differences_of_messages() -> None:
    same = result([])
    assert list(diff_lines(same, Screen())) == []
    ends = result([], message=b"A: b\r\n\r\nx\r\n")
    assert list(diff_lines(ends, Screen())) == ["only line ends, or lines further on, differ"]
    lines = b"".join(b"%d\n" % number for number in range(2000))
    exact = result([], original=lines, message=lines + b"\n")
    assert list(diff_lines(exact, Screen())) == [
        "only line ends, or lines further on, differ",
        "(lines after the first 2000 were not compared)",
    ]
    longest = result([], original=lines[2:], message=lines)
    shown = list(diff_lines(longest, Screen()))
    assert shown[2:4] == ["@@ -1,3 +1,4 @@", "+0"]
    assert "not compared" not in shown[-1]
    coloured = list(diff_lines(result([], message=b"A: c\x1b\n\nx\n"), Screen(colour=True)))
    assert coloured == [
        "\x1b[31m--- as received\x1b[0m",
        "\x1b[32m+++ as changed\x1b[0m",
        "\x1b[36m@@ -1,3 +1,3 @@\x1b[0m",
        "\x1b[31m-A: b\x1b[0m",
        "\x1b[32m+A: c\\x1b\x1b[0m",
        " ",
        " x",
    ]


def test_what_refused_means() -> None:
    refused = result([], Verdict.REJECT, refused=(Refusal("<c@x>", SmtpReply(550)),))
    assert (refused.delivered, refused.changed, refused.sender, refused.recipients) == (
        False,
        False,
        "<a@x>",
        ("<b@x>",),
    )
    assert (refused.quarantine, refused.headers, refused.body) == (None, (("A", "b"),), b"x\n")
    assert result([]).delivered


# -- what listens

UNIX = """\
Num       RefCount Protocol Flags    Type St Inode Path
0000: 00000002 00000000 00010000 0001 01 111 /run/listens
0000: 00000003 00000000 00000000 0001 03 112 /run/connected
0000: 00000003 00000000 00000000 0001 03 113
0000: 00000002 00000000 00010000 0001 01 114 /run/with blanks  in it
0000: 00000002 00000000 00010000 0001 01 115 relative
"""
TCP = """\
  sl  local_address rem_address   st tx_queue rx_queue tr tm->when retrnsmt   uid  timeout inode
   0: 0100007F:{port:04X} 00000000:0000 {state} 00000000:00000000 00:00000000 00000000     0        0 1 1 0 100 0 0 10 0
"""


@pytest.fixture
def tables(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Tables of sockets in place of /proc/net."""
    monkeypatch.setattr(_process, "_PROC", tmp_path)
    return tmp_path


@pytest.mark.parametrize(
    ("path", "listens"),
    [
        ("/run/listens", True),
        ("/run/connected", False),
        ("/run/with blanks  in it", True),
        ("/run/none", False),
        ("relative", True),
        ("/run", False),
    ],
)
def test_a_unix_socket_that_is_listened_on(tables: Path, path: str, listens: bool) -> None:
    (tables / "unix").write_text(UNIX)
    assert _process._listens(Address.parse(f"unix:{path}")) is listens


@pytest.mark.parametrize("table", ["tcp", "tcp6"])
@pytest.mark.parametrize(("state", "listens"), [("0A", True), ("01", False), ("06", False)])
def test_a_port_that_is_listened_on(tables: Path, table: str, state: str, listens: bool) -> None:
    (tables / table).write_text(TCP.format(port=8890, state=state))
    assert _process._listens(Address.parse("inet:8890")) is listens
    assert not _process._listens(Address.parse("inet:8891"))


def test_without_tables_a_connection_is_made(tables: Path) -> None:
    with temporary_socket() as address:
        where = Address.parse(address)
        assert not _process._listens(where)
        with socket.socket(socket.AF_UNIX) as listener:
            assert where.path is not None
            listener.bind(where.path)
            listener.listen()
            assert _process._listens(where)
            listener.settimeout(10)
            listener.accept()[0].close()
    assert not _process._listens(Address.parse(f"inet:{free_port()}"))


# -- a session without answers

VALUES = ("_", "client_name", "client_ptr", "client_addr", "client_port", "client_connections", "client_resolve")


@pytest.mark.parametrize(
    ("name", "address", "values"),
    [
        ("mx.test", "192.0.2.1", "mx.test [192.0.2.1]|mx.test|mx.test|192.0.2.1|99|1|OK"),
        ("[192.0.2.1]", "192.0.2.1", "unknown [192.0.2.1]|unknown|unknown|192.0.2.1|99|1|FAIL"),
        ("mx.test", "::1", "mx.test [::1]|mx.test|mx.test|::1|99|1|OK"),
        ("mx.test", "/run/x", "mx.test [/run/x]|mx.test|mx.test|/run/x|0|1|OK"),
        ("mx.test", None, "mx.test [unknown]|mx.test|mx.test|unknown|0|1|OK"),
    ],
)
def test_macros_of_the_client(name: str, address: str | None, values: str) -> None:
    with rogue(until_closed, agree=OPTIONS.pack(6, 0x1FF, Protocol.NR_ALL)) as where:
        client = Client(where)
        assert client.connect(name, address, 99).verdict is Verdict.NO_REPLY
        assert "|".join(client._macros.value(macro) for macro in VALUES) == values
        client.close()


def test_macros_of_a_message() -> None:
    with rogue(until_closed, agree=OPTIONS.pack(6, 0x1FF, Protocol.NR_ALL | Protocol.RCPT_REJ)) as where:
        client = Client(where)

        def known(*names: str) -> list[str]:
            return [client._macros.value(name) for name in names]

        mail, rcpt = ("mail_addr", "mail_host", "mail_mailer"), ("rcpt_addr", "rcpt_host", "rcpt_mailer")
        client.mail("<A@B.test>", "SIZE=1")
        assert known(*mail, "i") == ["a@b.test", "b.test", "smtp", ""]
        assert client.queue_id == "0000000001"
        client.rcpt("<X@Y>")
        assert known(*rcpt, "i") == ["x@y", "y", "smtp", "0000000001"]
        client.rcpt("<v@w>")
        assert known(*rcpt) == ["v@w", "w", "smtp"]
        client.rcpt("<no@w>", rejected="550 5.1.1 nobody here")
        assert known(*rcpt) == ["550 5.1.1 nobody here", "5.1.1", "error"]
        client.data()
        assert known(*rcpt) == ["x@y", "y", "smtp"]
        client.mail("<>")
        assert known(*rcpt, *mail, "i") == ["", "", "", "", "", "smtp", ""]
        assert client.queue_id == "0000000002"
        assert client.server_name == "mail.example.com"
        client.close()


def test_no_step_is_sent_that_the_filter_leaves_out_unless_it_is_forced() -> None:
    left_out = Protocol.ALL & ~Protocol.HDR_LEADSPC
    with rogue(until_closed, agree=OPTIONS.pack(6, 0x1FF, left_out)) as where:
        client = Client(where)
        for force, verdict in ((None, Verdict.NOT_SENT), (True, Verdict.NO_REPLY), (False, Verdict.NOT_SENT)):
            given: dict[str, Any] = {} if force is None else {"force": force}
            answers = [
                client.connect(**given),
                client.helo(**given),
                client.mail("<a@b>", **given),
                client.rcpt("<c@d>", **given),
                client.data(**given),
                client.unknown("x", **given),
                client.header("A", "b", **given),
                client.eoh(**given),
                client.body(b"x", **given),
            ]
            assert {answer.verdict for answer in answers} == {verdict}, force
        assert client.body(b"").verdict is Verdict.NOT_SENT
        client.close()
    with rogue(until_closed, agree=OPTIONS.pack(6, 0x1FF, 0)) as where, Client(where, negotiate=False) as client:
        client.negotiate()
        assert client.rcpt("<c@d>", rejected="550 no").verdict is Verdict.NOT_SENT  # it has not asked for such ones
        client.close()


@pytest.mark.parametrize(
    ("address", "family", "wire"),
    [
        ("192.0.2.1", None, b"mx\x004\x00\x63192.0.2.1\0"),
        ("::1", None, b"mx\x006\x00\x63::1\0"),
        ("/run/x", None, b"mx\0L\0\0/run/x\0"),
        (None, None, b"mx\0U"),
        ("x", Family.UNIX, b"mx\0L\0\0x\0"),
        ("x", Family.UNKNOWN, b"mx\0U"),
    ],
)
def test_the_client_on_the_wire(address: str | None, family: Family | None, wire: bytes) -> None:
    got: list[bytes] = []
    with rogue(lambda conn: got.append(read_command(conn)), agree=OPTIONS.pack(6, 0x1FF, Protocol.NR_ALL)) as where:
        client = Client(where)
        client.connect("mx", address, 99, family=family)
    client.close()
    assert got == [b"C" + wire]


def test_a_recipient_that_the_mta_refused_is_sent_if_that_is_forced() -> None:
    got: list[bytes] = []
    with rogue(lambda conn: got.append(read_command(conn)), agree=OPTIONS.pack(6, 0x1FF, Protocol.NR_ALL)) as where:
        client = Client(where)
        assert client.rcpt("<a@b>", rejected="550 no").verdict is Verdict.NOT_SENT
        assert client.rcpt("<c@d>", rejected="550 no", force=True).verdict is Verdict.NO_REPLY
    client.close()
    assert got == [b"R<c@d>\0"]


@pytest.mark.parametrize(
    "value",
    [
        Negotiation(6, Action.NONE, Protocol.NONE),
        Envelope("<a@b>", ()),
        SmtpReply(550),
        Response(Command.MAIL, Verdict.CONTINUE),
        step(Command.MAIL, "x"),
        Refusal("<a@b>", SmtpReply(550)),
        result([]),
        Delivered(Envelope("<a@b>", ()), b""),
        HeaderField(b"A", b"A: b"),
        Message((), b"", b"", b""),
    ],
)
def test_what_the_client_tells_cannot_be_changed(value: object) -> None:
    name = next(iter(type(value).__annotations__))
    with pytest.raises(AttributeError):
        setattr(value, name, None)
    with pytest.raises((AttributeError, TypeError)):
        value.other = 1  # type: ignore[attr-defined]


def test_hanging_up_is_seen_by_the_filter() -> None:
    with rogue(until_closed) as where:
        client = Client(where, timeout=5)
        client.hang_up()  # ends when the filter has closed its side, which it does at the end of the stream
        assert client.closed
        client.hang_up()


def test_sendmail_has_places_for_fields_that_are_added() -> None:
    names = ["Resent-Date", "Date", "Resent-From", "From", "Full-Name", "Resent-Message-Id", "Message-Id"]
    edits = [AddHeader(name.upper(), name) for name in ("Return-Path", *reversed(names))]
    delivered = apply_edits(b"A: b\n\nx\n", Envelope("<a@b>", ()), edits, mta="sendmail")
    assert [value for _, value in delivered.headers] == ["Return-Path", *names, "b"]


def test_a_path_that_is_no_utf8(tables: Path) -> None:
    (tables / "unix").write_bytes(UNIX.encode() + b"0000: 00000002 00000000 00010000 0001 01 116 /run/\xe9\n")
    assert _process._listens(Address.parse("unix:/run/\udce9"))
    assert not _process._listens(Address.parse("unix:/run/none"))
