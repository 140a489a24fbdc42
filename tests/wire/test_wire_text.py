"""Bytes that are no UTF-8 in every text, and how @decode hands them over."""

from __future__ import annotations

import pytest

from pymilter.testing import Client, Verdict
from support.wire import Start

ALL_TEXT = """
    class Filter(Base):
        {decorator}
        def connect(self, hostname, family, hostaddr): note("connect", hostname)
        {decorator}
        def hello(self, *args): note("hello", *args)
        {decorator}
        def envfrom(self, *args): note("envfrom", *args)
        {decorator}
        def envrcpt(self, *args): note("envrcpt", *args)
        {decorator}
        def unknown(self, *args): note("unknown", *args)
        {decorator}
        def header(self, *args): note("header", *args)
"""
REFUSED = {Verdict.TEMPFAIL, Verdict.REJECT}
BAD = b"a\xe9\xa6\xff"


def send(client: Client, text: bytes) -> list[Verdict]:
    """The text at each place where there can be one."""
    answers = [
        client.connect(text),
        client.helo(text),
        client.mail(b"<" + text + b">", b"P=" + text),
        client.rcpt(b"<" + text + b">", b"P=" + text),
        client.unknown(text),
        client.data(),
        client.header("X-Name", text),
    ]
    return [answer.verdict for answer in answers]


@pytest.mark.parametrize("text", [BAD, b"", "grüße € 𝄞".encode(), b"\x80", b"a\r\tb\x01\x7f"])
@pytest.mark.parametrize("decorator", ["", "@decode('surrogateescape')"])
def test_text_is_utf8_with_nothing_lost(start: Start, decorator: str, text: bytes) -> None:
    process = start(ALL_TEXT.format(decorator=decorator))
    with Client(process.address) as client:
        assert REFUSED.isdisjoint(send(client, text))
    word = text.decode("utf-8", "surrogateescape")
    assert process.seen() == [
        ("connect", word),
        ("hello", word),
        ("envfrom", f"<{word}>", f"P={word}"),
        ("envrcpt", f"<{word}>", f"P={word}"),
        ("unknown", word),
        ("header", "X-Name", word),
    ]


def header_fields_seen(start: Start, *fields: tuple[bytes, bytes]) -> list[tuple[str, str]]:
    """What the handler gets of the fields of one message."""
    process = start(ALL_TEXT.format(decorator=""))
    with Client(process.address) as client:
        client.connect()
        client.mail("<>")
        client.rcpt("<b@x>")
        client.data()
        for name, value in fields:
            client.header(name, value)
    return [(name, value) for _, name, value in process.seen("header")]


def test_one_letter_beyond_ascii_is_seen_wherever_it_is(start: Start) -> None:
    words = ["a" * before + "é" + "b" * after for before in range(18) for after in range(9)]
    seen = header_fields_seen(start, *((b"X-Name", word.encode()) for word in words))
    assert seen == [("X-Name", word) for word in words]


def test_header_names_may_hold_any_byte(start: Start) -> None:
    assert header_fields_seen(start, (b"X-\xa6", b"\xa6")) == [("X-\udca6", "\udca6")]


@pytest.mark.parametrize(
    ("mode", "first", "second"),
    [
        ("ignore", "a", "<a>"),
        ("replace", "a\ufffd\ufffd", "<a\ufffd\ufffd>"),
        ("bytes", BAD, b"<" + BAD + b">"),
    ],
)
def test_decode(start: Start, mode: str, first: str | bytes, second: str | bytes) -> None:
    process = start(ALL_TEXT.format(decorator=f"@decode({mode!r})"))
    with Client(process.address) as client:
        assert REFUSED.isdisjoint(send(client, BAD))
    param = b"P=" + first if isinstance(first, bytes) else f"P={first}"
    assert process.seen() == [
        ("connect", first),
        ("hello", first),
        ("envfrom", second, param),
        ("envrcpt", second, param),
        ("unknown", first),
        ("header", "X-Name", first),
    ]


@pytest.mark.parametrize("step", ["hello", "envfrom", "envrcpt", "unknown", "header"])
def test_strict_text_that_is_no_utf8_is_a_failure_of_its_step(start: Start, step: str) -> None:
    process = start(f"""
        class Filter(Base):
            @decode("strict")
            def {step}(self, *args):
                note("called")
    """)
    places = ("connect", "hello", "envfrom", "envrcpt", "unknown", "data", "header")
    with Client(process.address) as client:
        verdicts = dict(zip(places, send(client, b"a\xa6b"), strict=True))
    assert [place for place, verdict in verdicts.items() if verdict is Verdict.TEMPFAIL] == [step]
    assert process.seen() == []
    assert "UnicodeDecodeError: 'utf-8' codec can't decode byte 0xa6" in process.stderr


def test_strict_text_that_is_utf8(start: Start) -> None:
    process = start(ALL_TEXT.format(decorator="@decode('strict')"))
    with Client(process.address) as client:
        assert REFUSED.isdisjoint(send(client, "für".encode()))
    assert process.seen("hello") == [("hello", "für")]


def test_each_handler_has_its_own_mode(start: Start) -> None:
    process = start("""
        class Parent(Base):
            @decode("bytes")
            def header(self, name, value): note("header", value)
            @decode("replace")
            def hello(self, hostname): note("hello", hostname)
        class Filter(Parent):
            def header(self, name, value): note("header", value)
    """)
    with Client(process.address) as client:
        send(client, b"\xa6")
    assert process.seen() == [("hello", "\ufffd"), ("header", "\udca6")]


CLASSIC = """
    class Filter(Base):
        def envfrom_bytes(self, *args):
            note("envfrom", *args)
            return super().envfrom_bytes(*args)
        def envrcpt_bytes(self, *args): note("envrcpt", *args)
        def header_bytes(self, name, value):
            note("header", name, value)
            return super().header_bytes(name, value)
        @decode("ignore")
        def header(self, name, value):
            note("decoded", name, value)
            return REJECT
"""


def test_the_classic_bytes_methods_come_first(start: Start) -> None:
    process = start(CLASSIC)
    with Client(process.address) as client:
        client.mail(b"<\xe9>", b"A=\xa6")
        client.rcpt(b"<\xe9>")
        assert client.header(b"X-Name", BAD).verdict is Verdict.REJECT
    assert process.seen() == [
        ("envfrom", b"<\xe9>", b"A=\xa6"),
        ("envrcpt", b"<\xe9>"),
        ("header", "X-Name", BAD),
        ("decoded", "X-Name", "a"),
    ]
