"""Playing a recorded connection: which packets an MTA would send this time, and how answers are compared.

The filter is a script: for each command the packets that it answers with. What it was sent is kept.
"""

from __future__ import annotations

import itertools
import socket
import struct
from collections.abc import Callable, Mapping

import pytest

from pymilter._command.ignored import Ignored, ignored
from pymilter._command.playback import Compared, Playback
from pymilter._command.recording import Packet, RecordedConnection
from pymilter._command.relay import Side
from pymilter.testing import Action, ClientError, Protocol
from pymilter.testing._connection import Connection
from support.cfilter.rogue import rogue
from support.packets import packet, read_packet

Answers = Mapping[bytes, list[bytes]]
OPTIONS = struct.Struct("!III")
OFFER = b"O" + OPTIONS.pack(6, Action.ALL, Protocol.ALL)
UNANSWERED = b"ADKQ"

CONNECT = b"Cmx.test\x004\xc0\x00192.0.2.1\0"
ENVELOPE = [b"Hmx.test\0", b"M<a@b>\0", b"R<c@d>\0"]
CONTENT = [b"T", b"LA\0b\0", b"N", b"Bxy", b"E"]
ALL = [CONNECT, *ENVELOPE, *CONTENT]


def recorded(
    *said: bytes | list[bytes], agreed: bytes = OPTIONS.pack(6, Action.ALL, 0), by: Side | None = None
) -> RecordedConnection:
    """A negotiation, then commands, each with the list of its answers after it, or answered with "continue"."""
    packets = [Packet(Side.MTA, b"O", OFFER[1:]), Packet(Side.FILTER, b"O", agreed)]
    for one, following in itertools.zip_longest(said, said[1:]):
        for data in [one] if isinstance(one, bytes) else one:
            packets.append(Packet(Side.MTA if isinstance(one, bytes) else Side.FILTER, data[:1], data[1:]))
        if isinstance(one, bytes) and one[:1] not in UNANSWERED and not isinstance(following, list):
            packets.append(Packet(Side.FILTER, b"c", b""))
    return RecordedConnection(7, packets, ended_by=by)


def answering(answers: Answers, got: list[bytes]) -> Callable[[socket.socket], None]:
    """A filter that answers a command, or all of a kind, as `answers` says, otherwise with "continue".

    An empty answer is none; no answer in the list ends the filter.
    """

    def script(conn: socket.socket) -> None:
        while said := read_packet(conn):
            got.append(said)
            if said[:1] in UNANSWERED:
                continue
            answer = answers.get(said, answers.get(said[:1], [b"c"]))
            if not answer:
                return
            for one in filter(None, answer):
                conn.sendall(packet(one[:1], one[1:]))

    return script


def play(
    recording: RecordedConnection,
    answers: Answers | None = None,
    agree: bytes | None = OPTIONS.pack(6, Action.ALL, 0),
    ignore: str | None = None,
    timeout: float = 20,
) -> tuple[list[Compared], list[bytes]]:
    """What was compared, and what the filter was sent."""
    got: list[bytes] = []
    with rogue(answering(answers or {}, got), agree=agree) as address:
        connection = Connection(address, timeout=timeout, negotiate=False)
        try:
            compared = list(Playback(recording, connection, Ignored([] if ignore is None else [ignored(ignore)])).run())
        finally:
            connection.close()
    return compared, got


def different(compared: list[Compared]) -> list[tuple[str, list[str], list[str]]]:
    """Those that differ."""
    return [(one.step, one.recorded, one.now) for one in compared if not one.is_equal]


def test_all_is_played_and_compared() -> None:
    compared, got = play(recorded(*ALL, b"A", b"Q"))
    assert got == [*ALL, b"A", b"Q"]
    assert different(compared) == []
    assert [one.step for one in compared] == [
        "negotiation",
        "CONNECT mx.test [192.0.2.1] port 49152",
        "HELO mx.test",
        "MAIL <a@b>",
        "RCPT <c@d>",
        "DATA",
        "HEADER A: b",
        "EOH",
        "BODY 2 bytes",
        "EOM",
    ]
    assert {one.connection for one in compared} == {7}
    assert compared[0].recorded == [
        "version 6",
        "actions all",
        "protocol none",
    ]
    assert compared[1].recorded == ["continue"]


def test_nothing_recorded_is_nothing_played() -> None:
    assert play(RecordedConnection(1), agree=None) == ([], [])


def test_what_is_negotiated_is_compared() -> None:
    before = OPTIONS.pack(6, Action.ADDHDRS, Protocol.NR_HDR) + b"\0\0\0\5i\0" + b"\0\0\0\2j {x}\0"
    now = OPTIONS.pack(4, 0, Protocol.NOHELO)
    compared, _ = play(recorded(agreed=before), agree=now)
    assert different(compared) == [
        (
            "negotiation",
            ["version 6", "actions ADDHDRS", "protocol NR_HDR", "macros at ENVFROM: j {x}", "macros at EOM: i"],
            ["version 4", "actions none", "protocol NOHELO"],
        )
    ]


def test_macros_go_before_their_command() -> None:
    _, got = play(recorded(CONNECT, b"DHi\0x\0", b"DHj\0y\0", b"Hmx\0", b"M<a>\0"))
    assert got == [CONNECT, b"DHi\0x\0", b"DHj\0y\0", b"Hmx\0", b"M<a>\0"]  # each once


@pytest.mark.parametrize(
    ("option", "code"),
    [
        (Protocol.NOCONNECT, b"C"),
        (Protocol.NOHELO, b"H"),
        (Protocol.NOMAIL, b"M"),
        (Protocol.NORCPT, b"R"),
        (Protocol.NODATA, b"T"),
        (Protocol.NOHDRS, b"L"),
        (Protocol.NOEOH, b"N"),
        (Protocol.NOBODY, b"B"),
    ],
)
def test_what_the_filter_does_not_want_now_is_not_sent(option: Protocol, code: bytes) -> None:
    compared, got = play(recorded(*ALL), agree=OPTIONS.pack(6, Action.ALL, option))
    assert got == [one for one in ALL if one[:1] != code]
    assert [step for step, _, _ in different(compared)] == ["negotiation"]
    assert len(compared) == len(ALL)


def test_what_the_version_does_not_have_now_is_not_sent() -> None:
    compared, got = play(recorded(*ALL, b"Ux\0"), agree=OPTIONS.pack(2, 0x3F, 0))
    assert got == [one for one in ALL if one != b"T"]
    assert [one.step for one in compared][-1] == "EOM"


@pytest.mark.parametrize("is_now", [False, True])
def test_what_is_answered_only_once_is_not_compared(is_now: bool) -> None:
    unanswered = OPTIONS.pack(6, Action.ALL, Protocol.NR_HDR)
    if is_now:
        compared, got = play(recorded(*ALL), {b"L": [b""]}, agree=unanswered)
    else:
        packets = list(recorded(*ALL, agreed=unanswered).packets)
        after = packets.index(Packet(Side.MTA, b"L", b"A\0b\0")) + 1
        del packets[after]
        compared, got = play(RecordedConnection(7, packets))
    assert got == ALL
    assert "HEADER A: b" not in [one.step for one in compared]
    assert [one.step for one in compared][-1] == "EOM"


@pytest.mark.parametrize(
    ("edits", "lines"),
    [
        ([b"hA\0b\0"], ["add header       A: b"]),
        ([b"i\0\0\0\1A\0b\0"], ["insert header    at 1, A: b"]),
        ([b"m\0\0\0\1A\0b\0"], ["change header    A, number 1, to: b"]),
        ([b"m\0\0\0\1A\0\0"], ["delete header    A, number 1"]),
        ([b"+<x>\0", b"-<y>\0", b"e<z>\0"], ["add recipient    <x>", "delete recipient <y>", "change sender    <z>"]),
        ([b"hA\0b\n c\0"], ["add header       A: b", " c"]),
        ([b"qodd\0", b"p"], ["quarantine       odd"]),
        ([b"bx\r\n", b"by", b"hA\0b\0"], ["add header       A: b", "replace body", "  x", "  y"]),
        ([b"b"], ["replace body", "  "]),
    ],
)
def test_edits_are_lines(edits: list[bytes], lines: list[str]) -> None:
    compared, _ = play(recorded(*ALL[:-1], b"E", [*edits, b"a"]))
    assert different(compared) == [("EOM", [*lines, "accept"], ["continue"])]


@pytest.mark.parametrize(
    ("code", "reply", "lines"),
    [
        (b"M", b"r", ["reject"]),
        (b"R", b"y550-5.1.1 no\r\n550 5.1.1 body\0", ["reject 550-5.1.1 no / 550 5.1.1 body"]),
        (b"E", b"y451 4.7.1 later\0", ["tempfail 451 4.7.1 later"]),
    ],
)
def test_replies_are_lines(code: bytes, reply: bytes, lines: list[str]) -> None:
    compared, _ = play(recorded(*ALL), {code: [reply]})
    ((_, was, now),) = different(compared)
    assert (was, now) == (["continue"], lines)


IGNORED = "/2/"


@pytest.mark.parametrize(
    ("edit", "line"),
    [
        (b"hA\0id 2\0", "add header       A: id *"),
        (b"i\0\0\0\1A\0id 2\0", "insert header    at 1, A: id *"),
        (b"m\0\0\0\1A\0id 2\0", "change header    A, number 1, to: id *"),
        (b"bid 2", "replace body"),
        (b"qid 2\0", "quarantine       id *"),
        (b"+<2@b>\0", "add recipient    <*@b>"),
    ],
)
def test_what_may_differ_is_a_star(edit: bytes, line: str) -> None:
    compared, _ = play(recorded(*ALL), {b"E": [edit, b"y550 5.7.1 queue 2\0"]}, ignore=IGNORED)
    ((_, _, now),) = different(compared)
    assert now == [line, *(["  id *"] if line == "replace body" else []), "reject 550 5.7.1 queue *"]


def test_the_values_of_a_field_may_differ() -> None:
    edits = [b"hAb\0x\0", b"i\0\0\0\1AB\0y\0", b"m\0\0\0\1aB\0z\0", b"m\0\0\0\1ab\0\0", b"hAc\0x\0", b"c"]
    compared, _ = play(recorded(*ALL), {b"E": edits}, ignore="field:aB")
    assert different(compared)[0][2] == [
        "add header       Ab: *",
        "insert header    at 1, AB: *",
        "change header    aB, number 1, to: *",
        "delete header    ab, number 1",  # that it is deleted is no value
        "add header       Ac: x",
        "continue",
    ]


# -- what an MTA sends after an answer


def sent_after(code: bytes, answer: bytes, *said: bytes) -> list[bytes]:
    """What the filter gets of `said` if it gives all commands of a kind this answer now."""
    return play(recorded(*said), {code: [answer]})[1]


NEXT = [b"A", *ENVELOPE[1:], *CONTENT, b"Q"]


@pytest.mark.parametrize("answer", [b"r", b"t", b"a", b"d", b"y451 4.7.1 x\0"])
def test_after_a_final_answer_only_the_next_message_is_sent(answer: bytes) -> None:
    for code, before in ((b"M", 3), (b"T", 5), (b"L", 6), (b"N", 7), (b"B", 8)):
        got = play(recorded(*ALL, *NEXT), {ALL[before - 1]: [answer], code: [answer]})[1]
        assert got[:before] == ALL[:before], code
        assert got[before:] == [b"A", *NEXT[1 : before - 1], b"Q"], code


@pytest.mark.parametrize("end", [b"A", b"M<x>\0", b"Q"])
def test_a_message_ends_with_each_of_these(end: bytes) -> None:
    got = sent_after(b"N", b"r", *ALL, end)
    assert got == [*ALL[:7], end]


@pytest.mark.parametrize(
    ("code", "answer", "goes_on"),
    [
        (b"R", b"r", True),
        (b"R", b"y451 4.7.1 x\0", True),
        (b"R", b"a", False),
        (b"R", b"d", False),
        (b"U", b"r", True),
        (b"U", b"a", True),
    ],
)
def test_a_refused_recipient_or_unknown_command_does_not_end_the_message(
    code: bytes, answer: bytes, goes_on: bool
) -> None:
    said = [CONNECT, *ENVELOPE[:2], b"Ux\0", ENVELOPE[2], b"T"]
    got = sent_after(code, answer, *said)
    assert (b"T" in got) is goes_on
    assert got == (said if goes_on else said[:-1])


@pytest.mark.parametrize("code", [b"C", b"H"])
@pytest.mark.parametrize("answer", [b"r", b"a", b"d", b"t"])
def test_after_a_final_answer_to_connect_or_helo_nothing_is_sent(code: bytes, answer: bytes) -> None:
    got = sent_after(code, answer, *ALL, b"Q")
    assert got == (ALL[:1] if code == b"C" else ALL[:2])


def test_after_skip_no_more_of_the_kind_is_sent() -> None:
    said = [*ALL[:-1], b"Bz", b"Bz", b"E", b"A", *ENVELOPE[1:], *CONTENT[:3], b"Bz", b"Bz", b"E"]
    skips = OPTIONS.pack(6, Action.ALL, Protocol.SKIP)
    compared, got = play(recorded(*said, agreed=skips), {b"Bxy": [b"s"]}, agree=skips)
    assert got == [*ALL, b"A", *ENVELOPE[1:], *CONTENT[:3], b"Bz", b"Bz", b"E"]
    assert different(compared) == [("BODY 2 bytes", ["continue"], ["skip"])]


# -- filters and recordings that end, or make no sense


def test_a_filter_that_is_gone_now() -> None:
    compared, got = play(recorded(*ALL, b"Q"), {b"M": []})
    assert different(compared) == [("MAIL <a@b>", ["continue"], ["no answer: the filter closed the connection"])]
    assert got == ALL[:3]


@pytest.mark.parametrize(("by", "count"), [(Side.FILTER, 2), (Side.MTA, 1), (None, 1)])
def test_the_last_answer_may_not_have_been_recorded(by: Side | None, count: int) -> None:
    compared, got = play(recorded(CONNECT, [], by=by))
    assert got == [CONNECT]
    assert len(compared) == count
    if by is Side.FILTER:
        assert compared[1].recorded == ["no answer: the filter closed the connection"]
        assert not compared[1].is_equal


def test_an_answer_that_is_not_allowed_was_recorded() -> None:
    compared, got = play(recorded(CONNECT, [b"hA\0b\0", b"c"], b"Hx\0"))
    ((step, was, now),) = different(compared)
    assert step.startswith("CONNECT ")
    assert was[0].startswith("the filter answered CONNECT with b'h' (add header); allowed are ")
    assert now == ["continue"]
    assert got == [CONNECT, b"Hx\0"]


def test_an_answer_that_is_not_allowed_comes_now() -> None:
    compared, got = play(recorded(*ALL), {b"H": [b"hA\0b\0"]})
    ((step, was, now),) = different(compared)
    assert (step, was) == ("HELO mx.test", ["continue"])
    assert now[0].startswith("the filter answered HELO with b'h' (add header); allowed are ")
    assert got == ALL[:2]


def test_no_answer_comes_now() -> None:
    compared, _ = play(recorded(CONNECT, b"Hx\0"), {b"C": [b"p"]}, timeout=0.2)
    ((_, _, now),) = different(compared)
    assert now == ["the filter did not answer CONNECT within 0.2 s"]


@pytest.mark.parametrize(
    ("packets", "told"),
    [
        ([(Side.MTA, OFFER)], "the recording does not begin with a negotiation"),
        ([(Side.FILTER, b"O" + bytes(12))], "the recording does not begin with a negotiation"),
        ([(Side.MTA, b"Hx\0"), (Side.FILTER, b"O" + bytes(12))], "the recording does not begin with a negotiation"),
        ([(Side.MTA, OFFER), (Side.FILTER, b"c")], "the recording does not begin with a negotiation"),
        ([(Side.MTA, OFFER), (Side.MTA, OFFER)], "the recording does not begin with a negotiation"),
        (
            [(Side.MTA, OFFER[:-1]), (Side.FILTER, b"O" + bytes(12))],
            "the recording begins with an MTA's negotiation that is cut off",
        ),
        (
            [(Side.MTA, OFFER), (Side.FILTER, OFFER), (Side.FILTER, b"c")],
            "the recording has an answer of the filter where the MTA had asked nothing",
        ),
        (
            [(Side.MTA, OFFER), (Side.FILTER, OFFER), (Side.MTA, b"Y")],
            "the recording has the command b'Y', which does not exist",
        ),
    ],
)
def test_a_recording_that_makes_no_sense(packets: list[tuple[Side, bytes]], told: str) -> None:
    recording = RecordedConnection(1, [Packet(side, said[:1], said[1:]) for side, said in packets])
    with pytest.raises(ClientError) as raised:
        play(recording)
    assert str(raised.value) == told
