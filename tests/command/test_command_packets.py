"""What `trace` makes of a stream: packets cut out of it, words for each, lines on the screen and in the recording."""

from __future__ import annotations

import json
import os
import struct
import time
from datetime import UTC, datetime
from pathlib import Path

import pytest

from pymilter._command.dialogue import Dialogues
from pymilter._command.output import Failure
from pymilter._command.packets import Splitter, flags_text, macros_of, packet_name, packet_text
from pymilter._command.recording import (
    Packet,
    bytes_line,
    event_line,
    first_line,
    packet_line,
    read_recording,
)
from pymilter._command.relay import Event, Side, What, read_events
from pymilter.testing import Action, Protocol
from pymilter.testing._paint import Screen
from pymilter.testing._wire import MAX_REPLY
from support.packets import packet

OPTIONS = struct.Struct("!III")
HEAD = '{"recording": "pymilter trace", "format": 1}\n'


@pytest.mark.parametrize(
    ("side", "said", "name", "text"),
    [
        ("mta", b"O" + OPTIONS.pack(6, 1, 2), "NEGOTIATE", "version 6, actions ADDHDRS, protocol NOHELO"),
        ("mta", b"O\0", "NEGOTIATE", r"'\x00' (malformed)"),
        ("mta", b"Cmx.test\x004\xc0\x00192.0.2.1\0", "CONNECT", "mx.test [192.0.2.1] port 49152"),
        ("mta", b"Cmx.test\x006\x00\x19::1\0", "CONNECT", "mx.test [::1] port 25"),
        ("mta", b"Clocal\0L\0\0/run/s\0", "CONNECT", "local [/run/s]"),
        ("mta", b"Cmx.test\0U", "CONNECT", "mx.test [unknown address]"),
        ("mta", b"Cmx.test\0X\0\0a\0", "CONNECT", r"'mx.test\x00X\x00\x00a\x00' (malformed)"),
        ("mta", b"Hmx.test\0", "HELO", "mx.test"),
        ("mta", b"M<a@b>\0SIZE=1\0BODY=8BITMIME\0", "MAIL", "<a@b> SIZE=1 BODY=8BITMIME"),
        ("mta", b"R<a@b>\0", "RCPT", "<a@b>"),
        ("mta", b"T", "DATA", ""),
        ("mta", b"UVRFY x\0", "UNKNOWN", "VRFY x"),
        ("mta", b"LTo\0 a@b\0", "HEADER", "To: a@b"),
        ("mta", b"LTo\0a\0", "HEADER", "To: a"),
        ("mta", b"LTo", "HEADER", "'To' (malformed)"),
        ("mta", b"N", "EOH", ""),
        ("mta", b"Bxyz", "BODY", "3 bytes"),
        ("mta", b"E", "EOM", ""),
        ("mta", b"Exy", "EOM", "2 bytes"),
        ("mta", b"A", "ABORT", ""),
        ("mta", b"Q!", "QUIT", "'!'"),
        ("mta", b"Q" + b"x" * 65, "QUIT", repr("x" * 64)),
        ("mta", b"\x07", "?07", ""),
        ("filter", b"c", "continue", ""),
        ("filter", b"y550 5.7.1 no\0", "reply code", "550 5.7.1 no"),
        ("filter", b"y550-5.7.1 a\r\n550 5.7.1 b\0", "reply code", "550-5.7.1 a / 550 5.7.1 b"),
        ("filter", b"y2xx\0", "reply code", r"'2xx\x00' (malformed)"),
        ("filter", b"hX\0y  z\0", "add header", "X: y  z"),
        ("filter", b"i\0\0\0\1X\0y\0", "insert header", "at 1, X: y"),
        ("filter", b"m\0\0\0\2X\0\0", "change header", "X, number 2"),
        ("filter", b"e<a@b>\0RET=FULL\0", "change sender", "<a@b> RET=FULL"),
        ("filter", b"+<a@b>\0", "add recipient", "<a@b>"),
        ("filter", b"-<a@b>\0", "delete recipient", "<a@b>"),
        ("filter", b"bxyz", "replace body", "3 bytes"),
        ("filter", b"qodd\0", "quarantine", "odd"),
        ("filter", b"q", "quarantine", " (malformed)"),
        ("filter", b"p", "progress", ""),
        ("filter", b"\xff1", "?ff", "'1'"),
        (
            "filter",
            b"O" + OPTIONS.pack(6, 0, 0) + b"\0\0\0\2i {mail_addr}\0" + b"\0\0\0\5i\0",
            "negotiation",
            "version 6, actions none, protocol none, macros at ENVFROM: i {mail_addr}, macros at EOM: i",
        ),
    ],
)
def test_each_packet_has_a_name_and_words(side: str, said: bytes, name: str, text: str) -> None:
    assert packet_name(Side(side), said) == name
    assert packet_text(Side(side), said) == text


@pytest.mark.parametrize(
    ("value", "text"),
    [
        (0, "none"),
        (Action.ALL, "all"),
        (Action.ADDHDRS | Action.QUARANTINE, "ADDHDRS QUARANTINE"),
        (Action.CHGBODY | 0x1200, "CHGBODY 0x1200"),
        (0x1000, "0x1000"),
    ],
)
def test_flags_are_named(value: int, text: str) -> None:
    assert flags_text(Action, value) == text


def test_groups_of_options_are_named_one_by_one() -> None:
    assert flags_text(Protocol, Protocol.NR_HDR | Protocol.NR_CONN) == "NR_HDR NR_CONN"


def test_macros_are_pairs() -> None:
    assert macros_of(b"DMi\0abc\0{mail_addr}\0a@b\0") == [("i", "abc"), ("{mail_addr}", "a@b")]
    assert macros_of(b"DMi\0abc\0j\0") == [("i", "abc"), ("j", "")]


def test_packets_are_cut_out_wherever_the_pieces_end() -> None:
    said = [b"Hmx\0", b"N", b"B" + b"x" * 300]
    stream = b"".join(map(packet, (b"H", b"N", b"B"), (b"mx\0", b"", b"x" * 300)))
    for size in (1, 3, 4, 5, 7, 1000):
        splitter = Splitter()
        found = [one for at in range(0, len(stream), size) for one in splitter.packets(stream[at : at + size])]
        assert (found, splitter.rest, splitter.is_foreign) == (said, b"", False), size


@pytest.mark.parametrize(
    ("length", "is_foreign"), [(0, True), (1, False), (MAX_REPLY, False), (MAX_REPLY + 1, True), (0x32323020, True)]
)
def test_what_is_too_long_for_a_packet_is_none(length: int, is_foreign: bool) -> None:
    splitter = Splitter()
    assert list(splitter.packets(packet(b"N") + length.to_bytes(4, "big"))) == [b"N"]
    assert (splitter.rest, splitter.is_foreign) == (length.to_bytes(4, "big"), is_foreign)
    assert list(splitter.packets(b"x")) == ([b"x"] if length == 1 else [])
    if is_foreign:
        assert list(splitter.packets(packet(b"N"))) == []  # nor is anything that comes later


# -- on the screen


class Follower:
    """Dialogues of a trace, and the lines without their clock."""

    def __init__(self, width: int | None = None, colour: bool = False) -> None:
        self.dialogues = Dialogues(0.0, Screen(width=width, colour=colour))

    def shown(self, what: str, side: str, data: bytes = b"", connection: int = 1, when: float = 0.0) -> list[str]:
        lines: list[str] = []
        self.dialogues.follow(Event(when, connection, What(what), Side(side), data), lines, None)
        return [line[len("12:00:00.000 ") :] for line in lines]

    def recorded(self, what: str, side: str, data: bytes = b"", connection: int = 1, when: float = 0.0) -> list[str]:
        lines: list[str] = []
        self.dialogues.follow(Event(when, connection, What(what), Side(side), data), None, lines)
        return lines


def test_what_happens_is_shown() -> None:
    follower = Follower()
    assert follower.shown("open", "mta") == ["  1 - the MTA has connected"]
    assert follower.shown("data", "mta", packet(b"H", b"a\tb\0") + packet(b"N")) == [
        "  1 > HELO        a\tb",
        "  1 > EOH",
    ]
    assert follower.shown("data", "filter", packet(b"c") + packet(b"y", b"550 a\r\n b\0")) == [
        "  1 < continue",
        "  1 < reply code  '550 a\\r\\n b\\x00' (malformed)",
    ]
    assert follower.shown("data", "filter", packet(b"h", b"A\0x\ny\0")) == ["  1 < add header  A: x y"]
    assert follower.shown("data", "filter", packet(b"-", b"<a@b>\0")) == ["  1 < delete recipient <a@b>"]
    assert follower.shown("close", "filter") == ["  1 - the filter has closed the connection"]
    assert follower.shown("close", "mta") == ["  1 - the MTA has closed the connection"]
    assert follower.shown("failed", "filter", b"cannot\tconnect\x1b", 1000) == [r"1000 - cannot	connect\x1b"]


def test_the_clock_has_milliseconds() -> None:
    dialogues, lines = Dialogues(1_700_000_000.25, Screen()), list[str]()
    dialogues.follow(Event(0.7499, 7, What.OPEN, Side.MTA), lines, None)
    clock = time.strftime("%H:%M:%S", time.localtime(1_700_000_000))
    assert lines == [f"{clock}.999   7 - the MTA has connected"]


def test_macros_are_shown_when_they_change() -> None:
    follower = Follower()
    macros = packet(b"D", b"Mi\0A1\0j\0mx\0")
    assert follower.shown("data", "mta", macros) == ["  1   macros      i=A1, j=mx"]
    assert follower.shown("data", "mta", macros) == []
    assert follower.shown("data", "mta", macros, connection=2) == ["  2   macros      i=A1, j=mx"]
    assert follower.shown("data", "mta", packet(b"D", b"Mi\0A2\0j\0mx\0")) == ["  1   macros      i=A2"]
    follower.shown("close", "filter")
    assert follower.shown("data", "mta", packet(b"D", b"Mi\0A2\0")) == []  # the MTA is still there
    follower.shown("close", "mta")
    assert follower.shown("data", "mta", packet(b"D", b"Mi\0A2\0")) == ["  1   macros      i=A2"]
    assert follower.shown("data", "filter", packet(b"D", b"Mi\0A2\0")) == [r"  1 < ?44         'Mi\x00A2\x00'"]


def test_what_is_no_packet_is_shown_and_recorded_once() -> None:
    follower = Follower()
    assert follower.shown("data", "filter", b"220 hello\r\n") == [r"  1 ? 11 bytes that are no packet: '220 hello\r\n'"]
    assert follower.shown("data", "filter", b"x" * 40) == [f"  1 ? 40 bytes that are no packet: '{'x' * 32}'"]
    assert follower.shown("data", "filter", packet(b"c")) == [r"  1 ? 5 bytes that are no packet: '\x00\x00\x00\x01c'"]
    assert follower.shown("data", "mta", b"\0\0") == []  # it may become one
    assert follower.shown("close", "mta") == [
        r"  1 ? 2 bytes that are no packet: '\x00\x00'",
        "  1 - the MTA has closed the connection",
    ]
    assert follower.shown("data", "mta", packet(b"N")) == ["  1 > EOH"]  # nothing is left of what was before
    assert follower.recorded("data", "mta", packet(b"H", b"x\0") + b"\0\0", when=1.25) == [
        '{"t": 1.25, "c": 1, "from": "mta", "name": "HELO", "packet": "Hx\\u0000"}'
    ]
    assert follower.recorded("close", "mta", when=1.5) == [
        '{"t": 1.5, "c": 1, "from": "mta", "bytes": "\\u0000\\u0000"}',
        '{"t": 1.5, "c": 1, "event": "close", "by": "mta"}',
    ]


@pytest.mark.parametrize(
    ("what", "side", "data", "painted"),
    [
        ("open", "mta", b"", "\x1b[90mthe MTA has connected\x1b[0m"),
        ("close", "filter", b"", "\x1b[90mthe filter has closed the connection\x1b[0m"),
        ("failed", "filter", b"cannot connect", "\x1b[31mcannot connect\x1b[0m"),
        ("data", "mta", packet(b"N"), "\x1b[1mEOH\x1b[0m"),
        ("data", "mta", packet(b"D", b"Ni\0x\0"), "\x1b[90mmacros\x1b[0m"),
        ("data", "mta", b"GET /", "\x1b[31m5 bytes that are no packet: 'GET /'\x1b[0m"),
        ("data", "filter", packet(b"c"), "\x1b[32mcontinue\x1b[0m"),
        ("data", "filter", packet(b"r"), "\x1b[31mreject\x1b[0m"),
        ("data", "filter", packet(b"d"), "\x1b[33mdiscard\x1b[0m"),
        ("data", "filter", packet(b"q", b"x\0"), "\x1b[33mquarantine\x1b[0m"),
        ("data", "filter", packet(b"y", b"550 x\0"), "\x1b[31mreply code\x1b[0m"),
        ("data", "filter", packet(b"p"), "< progress"),
    ],
)
def test_colours_tell_what_it_is(what: str, side: str, data: bytes, painted: str) -> None:
    (line,) = Follower(colour=True).shown(what, side, data)
    assert painted in line
    assert line.count("\x1b") == 2 * ("\x1b" in painted)


def test_a_line_is_cut_to_a_narrow_screen() -> None:
    follower = Follower(width=40)
    for data, line in (
        (packet(b"H", b"x" * 30 + b"\0"), "  1 > HELO        xxxxxx..."),
        (packet(b"H", b"x" * 9 + b"\0"), "  1 > HELO        xxxxxxxxx"),
        (packet(b"H", b"x" * 10 + b"\0"), "  1 > HELO        xxxxxx..."),
    ):
        assert follower.shown("data", "mta", data) == [line]
        assert len("12:00:00.000 " + line) <= 40
    assert follower.shown("data", "filter", b"220 no milter at all") == ["  1 ? 20 bytes that are ..."]
    assert Follower(width=30).shown("data", "filter", packet(b"-", b"<a@b>\0")) == ["  1 < delete r..."]
    # Beside a name that leaves no more than four columns there is no text.
    assert Follower(width=34).shown("data", "filter", packet(b"i", b"\0\0\0\1X\0y\0")) == ["  1 < insert header"]
    assert Follower(width=35).shown("data", "filter", packet(b"p", b"xyzxyz")) == ["  1 < progress    '..."]


# -- in the recording


def test_lines_of_a_recording() -> None:
    head = json.loads(first_line("unix:/x"))
    assert list(head) == ["recording", "format", "began", "target"]
    assert (head["recording"], head["format"], head["target"]) == ("pymilter trace", 1, "unix:/x")
    began = datetime.fromisoformat(head["began"])
    assert began.tzinfo == UTC
    assert head["began"].endswith("Z")
    assert len(head["began"]) == len("2026-11-26T15:38:23.746Z")
    assert packet_line(1.23456789, 2, Side.FILTER, "continue", b"c\xff\0") == (
        '{"t": 1.234568, "c": 2, "from": "filter", "name": "continue", "packet": "c\\u00ff\\u0000"}'
    )
    assert bytes_line(1.23456789, 2, Side.MTA, b"\xe9") == '{"t": 1.234568, "c": 2, "from": "mta", "bytes": "\\u00e9"}'
    assert event_line(1.23456789, Event(9, 3, What.OPEN, Side.MTA)) == (
        '{"t": 1.234568, "c": 3, "event": "open", "by": "mta"}'
    )
    failed = Event(9, 3, What.FAILED, Side.FILTER, "é".encode())
    assert event_line(0, failed) == '{"t": 0, "c": 3, "event": "failed", "by": "filter", "reason": "\\u00e9"}'


def recording(tmp_path: Path, *lines: dict[str, object]) -> Path:
    file = tmp_path / "recording"
    file.write_text(HEAD + "".join(f"{json.dumps(line)}\n" for line in lines))
    return file


def test_a_recording_is_read_connection_by_connection(tmp_path: Path) -> None:
    file = recording(
        tmp_path,
        {"c": 2, "event": "open", "by": "mta"},
        {"c": 1, "event": "open", "by": "mta"},
        {"c": 2, "from": "mta", "packet": "H\xffx"},
        {"c": 1, "from": "filter", "packet": "c"},
        {"c": 2, "event": "close", "by": "filter"},
        {"c": 2, "event": "close", "by": "mta"},
        {"c": 2, "from": "mta", "bytes": "after its end"},
        {"c": 3, "event": "failed", "by": "filter"},
        {"c": 4, "from": "filter", "bytes": "220 "},
    )
    second, first, third, fourth = read_recording(file)
    assert (second.number, second.packets) == (2, [Packet(Side.MTA, b"H", b"\xffx")])
    assert (second.ended_by, second.fault) == (Side.FILTER, "")
    assert (first.number, first.packets) == (1, [Packet(Side.FILTER, b"c", b"")])
    assert (first.ended_by, first.fault) == (None, "")
    assert (third.ended_by, third.fault) == (None, "the filter could not be reached when it was recorded")
    assert (fourth.number, fourth.fault) == (4, "the filter said what is no packet")


@pytest.mark.parametrize(
    ("text", "told"),
    [
        ("", "recording is empty, and no recording of `pymilter trace --save`"),
        ("[1]\n", "recording is no recording of `pymilter trace --save`: see its first line"),
        ('{"format": 1}\n', "recording is no recording of `pymilter trace --save`: see its first line"),
        ('{"recording": "pymilter trac", "format": 1}\n', "recording is no recording of `pymilter trace --save`: see"),
        ('{"recording": "pymilter trace"}\n', "recording has format None: this pymilter reads format 1"),
        ('{"recording": "pymilter trace", "format": 2}\n', "recording has format 2: this pymilter reads format 1"),
        (f"{HEAD}[1]\n", "recording, line 2: it is not a JSON object"),
        (f'{HEAD}{{"c": 1', "recording, line 2: it is not a JSON object; the end of the file is missing"),
        (f'{HEAD}{{"c": 1, "event": "open", "by": "mta"}}\n{{}}\n', "recording, line 3: 'c' is missing"),
        (f'{HEAD}{{"c": 1, "event": "shut", "by": "mta"}}\n', "recording, line 2: 'shut' is not a valid What"),
        (f'{HEAD}{{"c": 1, "from": "me", "packet": "c"}}\n', "recording, line 2: 'me' is not a valid Side"),
        (f'{HEAD}{{"c": 1, "from": "mta", "packet": "\\u0100"}}\n', "recording, line 2: 'latin-1' codec can't encode"),
        (f'{HEAD}{{"c": 1, "event": "open"}}\n', "recording, line 2: 'by' is missing"),
        (f'{HEAD}{{"c": 1, "from": "mta"}}\n', "recording, line 2: 'packet' is missing"),
        (f'{HEAD}{{"c": "x", "from": "mta"}}\n', "recording, line 2: invalid literal for int"),
        (f'{HEAD}{{"c": [], "from": "mta"}}\n', "recording, line 2: int() argument must be "),
        (f'{HEAD}{{"c": 1, "from": "mta", "packet": ""}}\n', "recording, line 2: a packet without a command byte"),
        (f"{HEAD}\xe9", "recording is no recording of `pymilter trace --save`: it is not ASCII"),
    ],
)
def test_what_is_no_recording_is_told(tmp_path: Path, text: str, told: str) -> None:
    (tmp_path / "recording").write_text(text)
    with pytest.raises(Failure) as raised:
        read_recording(tmp_path / "recording")
    assert str(raised.value).startswith(f"{tmp_path}/{told}")
    assert str(raised.value).endswith("missing") == told.endswith("missing")
    assert raised.value.status == 2


def test_a_recording_that_is_not_there_is_told(tmp_path: Path) -> None:
    with pytest.raises(Failure, match=rf"cannot read {tmp_path}: Is a directory") as raised:
        read_recording(tmp_path)
    assert raised.value.status == 2


def test_the_recording_of_a_recorded_line_is_read_back(tmp_path: Path) -> None:
    file = tmp_path / "recording"
    lines = [
        first_line("unix:/x"),
        event_line(0, Event(0, 1, What.OPEN, Side.MTA)),
        packet_line(0, 1, Side.MTA, "BODY", bytes(range(256))),
        event_line(0, Event(0, 1, What.CLOSE, Side.MTA)),
    ]
    file.write_text("".join(f"{line}\n" for line in lines))
    (connection,) = read_recording(file)
    assert connection.packets == [Packet(Side.MTA, b"\0", bytes(range(1, 256)))]
    assert connection.ended_by is Side.MTA


# -- from the relay


def test_events_are_read_from_the_pipe_however_they_are_cut() -> None:
    head = struct.Struct("=dQBBI")
    events = [
        Event(0.25, 1, What.OPEN, Side.MTA),
        Event(0.5, 1, What.DATA, Side.FILTER, b"x" * 20),
        Event(1.0, 2**40, What.CLOSE, Side.FILTER),
        Event(2.0, 3, What.FAILED, Side.FILTER, b"cannot connect"),
    ]
    kinds, sides = ["open", "data", "close", "failed"], ["mta", "filter"]
    stream = b"".join(
        head.pack(one.when, one.connection, kinds.index(one.what.value), sides.index(one.side.value), len(one.data))
        + one.data
        for one in events
    )
    for cut in (1, head.size - 1, head.size, head.size + 1, 2 * head.size + 19, len(stream)):
        receiver, pipe = os.pipe()
        reading = read_events(receiver)
        found: list[Event] = []
        for piece in (stream[:cut], stream[cut:]):
            if piece:
                os.write(pipe, piece)
                found += next(reading)
        os.close(pipe)
        assert next(reading, None) is None
        os.close(receiver)
        assert found == events, cut
