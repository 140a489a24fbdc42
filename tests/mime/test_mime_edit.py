"""Texts that a program sets, appends or puts in a part's place: they read back, and hide nothing."""

from __future__ import annotations

import base64
import itertools
import quopri
from collections.abc import Callable
from email import message_from_bytes, policy
from email.message import EmailMessage
from typing import cast

import pytest

from support.mime_messages import base64_leaf, leaf, multipart, read

TEXTS = [
    "plain\n",
    "caf\xe9 \u20ac\n",
    "a \udce9 and \u20ac\n",
    "--B\nx\n",
    "--B--\n",
    "From me\n.\n",
    "x" * 3000 + "\n",
    "",
]
CHARSETS = [None, "us-ascii", "iso-8859-1", "utf-8", "utf-16", "utf-7", "iso-2022-jp", "x-unknown"]
ENCODINGS = [None, "7bit", "8bit", "binary", "base64", "quoted-printable", "x-uuencode", "x-unknown", '"base64"']


def judged(raw: bytes) -> EmailMessage:
    """The message as the stdlib's new parser reads it."""
    return message_from_bytes(raw, policy=policy.default)


def lf(data: bytes) -> bytes:
    return data.replace(b"\r\n", b"\n")


@pytest.mark.parametrize("text", TEXTS)
@pytest.mark.parametrize(("charset", "encoding"), [*itertools.product(CHARSETS, ENCODINGS)])
@pytest.mark.parametrize(
    "given", [None, *(pytest.param(given, marks=pytest.mark.long) for given in ("utf-8", "iso-8859-1", "utf-16"))]
)
def test_text_reads_back(text: str, charset: str | None, encoding: str | None, given: str | None) -> None:
    """1.0.5 wrote the raw text under the old encoding, raised, or hid the next part behind a boundary."""
    label = f"; charset={charset}" if charset else ""
    for eol in (b"\n", b"\r\n"):
        raw = multipart(leaf(f"text/plain{label}", b"old\n", encoding), leaf("a/b")).replace(b"\n", eol)
        msg = read(raw)
        msg.get_payload(0).set_payload(text, given)
        again = read(msg.as_bytes())
        assert len(again.get_payload()) == 2
        assert again.get_payload(1).as_bytes() == leaf("a/b").replace(b"\n", eol)
        part = again.get_payload(0)
        codec = part.get_content_charset("ascii").replace("x-unknown", "ascii")
        assert part.get_payload(decode=True).decode(codec, "surrogateescape").replace("\r\n", "\n") == text
        if not any("\ud800" <= char <= "\udfff" for char in text) and part.get_content_charset() != "x-unknown":
            other = judged(msg.as_bytes()).get_payload(0)
            assert cast(EmailMessage, other).get_content().replace("\r\n", "\n").rstrip("\n") == text.rstrip("\n")


def test_text_in_a_nested_part_hides_nothing() -> None:
    inner = multipart(leaf("text/plain", b"x"), leaf("c/d"), boundary=b"IN")
    message = leaf("message/rfc822", multipart(leaf("text/plain"), boundary=b"C"))
    for text in ("--B\n", "a\n--IN--\n", "a\n--C", "a\n--B--x\n", "\n--Bx"):
        msg = read(multipart(inner, message, leaf("a/b")))
        for place in (msg.get_payload(0).get_payload(0), msg.get_payload(1).get_payload(0).get_payload(0)):
            place.set_payload(text)
        again = read(msg.as_bytes())
        assert [part.get_content_type() for part in again.walk()] == [part.get_content_type() for part in msg.walk()]
        assert again.get_payload(0).get_payload(0).get_payload(decode=True).decode() == text
        assert again.get_payload(1).get_payload(0).get_payload(0).get_payload(decode=True).decode() == text


@pytest.mark.parametrize("text", ["--B\n", "--B--\n", "From x\n"])
def test_a_long_line_that_is_folded_hides_nothing(text: str) -> None:
    msg = read(multipart(leaf("text/plain", b"old\n", "quoted-printable"), leaf("a/b")))
    msg.get_payload(0).set_payload("x" * 75 + text)
    raw = msg.as_bytes()
    again = read(raw)
    assert [part.get_content_type() for part in again.walk()] == [part.get_content_type() for part in msg.walk()]
    assert again.get_payload(0).get_payload(decode=True).decode() == "x" * 75 + text
    assert b"\nFrom x" not in raw


def test_text_that_is_attached_to_a_nested_part_hides_nothing() -> None:
    msg = read(multipart(multipart(leaf("text/plain", b"x"), boundary=b"IN"), leaf("a/b")))
    msg.get_payload(0).attach(read(leaf("text/plain", b"y")))
    msg.get_payload(0).get_payload(1).set_payload("--B\n")
    again = read(msg.as_bytes())
    assert [part.get_content_type() for part in again.walk()] == [part.get_content_type() for part in msg.walk()]
    assert again.get_payload(0).get_payload(1).get_payload(decode=True).rstrip() == b"--B"


def test_attached_message_with_the_same_boundary_hides_nothing() -> None:
    raw = multipart(leaf("text/plain", b"x"), leaf("a/b"))
    msg = read(raw)
    msg.get_payload().insert(0, read(leaf("message/rfc822", raw)))
    again = read(msg.as_bytes())
    assert [part.get_content_type() for part in again.get_payload()] == ["message/rfc822", "text/plain", "a/b"]
    assert again.get_payload(0).get_payload(0).as_bytes() == raw


def test_text_in_the_place_of_parts() -> None:
    msg = read(multipart(leaf("text/plain"), leaf("a/b")))
    msg.set_payload("caf\xe9")
    again = read(msg.as_bytes())
    assert again.get_content_type() == "text/plain"
    assert again.get_payload(decode=True) == "caf\xe9".encode()
    assert again["from"] == "x@y"


def test_text_in_a_part_whose_header_is_ambiguous() -> None:
    msg = read(leaf("text/plain", b"eA==", "7bit", extra=b"Content-Transfer-Encoding: base64\n"))
    msg.set_payload("new\n")
    assert msg.as_bytes().endswith(b"\n\nnew\n")
    assert msg.get_all("content-transfer-encoding") is None


# -- append_text

HTML = b"<html><body><p>hi</p></body></html>\n"


@pytest.mark.parametrize("text", ["-- \nsent by us\n", "gru\xdf \u20ac\n", "--B\n"])
@pytest.mark.parametrize(("charset", "encoding"), [*itertools.product(CHARSETS, ENCODINGS)])
def test_append_text(text: str, charset: str | None, encoding: str | None) -> None:
    label = f"; charset={charset}" if charset else ""
    codec = charset if charset and charset != "x-unknown" else "ascii"
    name = (encoding or "").strip('"')
    encode: Callable[[bytes], bytes] = base64.encodebytes if name == "base64" else bytes
    if name == "quoted-printable":
        encode = quopri.encodestring
    if encoding == "x-uuencode" or (codec == "utf-16" and encoding not in ("base64", '"base64"', "binary")):
        return
    parts = [
        leaf(f"text/{kind}{label}", encode(old.encode(codec)), encoding)
        for kind, old in (("plain", "old"), ("html", HTML.decode()))
    ]
    tail = [leaf("text/plain; name=a.txt", b"attached\n"), leaf("a/b")]
    msg = read(multipart(multipart(*parts, boundary=b"IN", kind=b"alternative"), *tail))
    assert msg.append_text(text, html="<p>\u20ac</p>") == 2
    again = read(msg.as_bytes())
    assert [part.as_bytes() for part in again.get_payload()[1:]] == tail
    plain, page = again.get_payload(0).get_payload()
    codec = plain.get_content_charset("ascii")
    whole = plain.get_payload(decode=True).decode("ascii" if codec == "x-unknown" else codec)
    assert lf(whole.encode()) == lf(("old\n" + text).encode())
    codec = page.get_content_charset("ascii")
    whole = page.get_payload(decode=True).decode("ascii" if codec == "x-unknown" else codec)
    assert whole == HTML.decode().replace("</body>", "<p>&#8364;</p></body>")


def test_append_text_escapes_for_html() -> None:
    msg = read(leaf("text/html", b"<p>x"))
    assert msg.append_text("a < b & c\nd") == 1
    assert msg.as_bytes() == leaf("text/html", b"<p>x<br>\na &lt; b &amp; c<br>\nd")


def test_append_text_leaves_alone_what_is_not_shown() -> None:
    signed = multipart(leaf("text/plain", b"x"), leaf("application/pgp-signature"), boundary=b"S", kind=b"signed")
    raw = multipart(
        signed,
        leaf("message/rfc822", leaf("text/plain", b"x")),
        leaf("text/plain", b"x", None, "attachment"),
        leaf("text/calendar", b"x"),
    )
    msg = read(raw)
    assert msg.append_text("y") == 0
    assert msg.as_bytes() == raw


def test_append_text_to_bytes_that_nobody_can_read() -> None:
    msg = read(leaf("text/plain; charset=us-ascii", b"\xff\xfe\n"))
    msg.append_text("caf\xe9\n")
    assert msg.get_payload(decode=True).startswith(b"\xff\xfe\n")
    assert b"caf" in msg.as_bytes()


def test_append_text_to_half_a_character() -> None:
    msg = read(base64_leaf("text/plain; charset=utf-16", "ab".encode("utf-16") + b"\0"))
    assert msg.append_text("caf\xe9\n") == 1
    assert msg.get_payload(decode=True).decode("utf-16") == "ab\N{REPLACEMENT CHARACTER}\ncaf\xe9\n"


@pytest.mark.parametrize(("old", "new"), [(b"a\n", b"a\nb"), (b"a\r", b"a\rb"), (b"a", b"a\nb"), (b"", b"b")])
def test_appended_text_begins_a_line(old: bytes, new: bytes) -> None:
    msg = read(leaf("text/plain", old))
    msg.append_text("b")
    assert msg.get_payload(decode=True) == new
    msg = read(base64_leaf("text/plain; charset=us-ascii", old))
    msg.append_text("\u20ac")
    assert lf(msg.get_payload(decode=True)) == new.replace(b"b", "\u20ac".encode()).replace(b"\r", b"\n")


# -- drop and replace_with_text


def test_drop_removes_one_part_and_keeps_every_other_byte() -> None:
    parts = [leaf("text/plain", b"a"), leaf("x/y", b"b"), leaf("c/d", b"c")]
    msg = read(multipart(*parts))
    msg.drop(msg.get_payload(1))
    assert msg.as_bytes() == multipart(parts[0], parts[2])
    assert msg.ismodified()
    with pytest.raises(ValueError, match="not one of this message"):
        msg.drop(read(parts[0]))


def test_drop_takes_what_is_empty_then() -> None:
    inner = multipart(leaf("message/rfc822", leaf("text/plain", b"x")), boundary=b"IN")
    msg = read(multipart(inner, leaf("a/b")))
    msg.drop(msg.get_payload(0).get_payload(0).get_payload(0))
    assert msg.as_bytes() == multipart(leaf("a/b"))
    msg.drop(msg.get_payload(0))
    assert read(msg.as_bytes()).get_content_type() == "text/plain"
    assert msg.get_payload(decode=True) == b""
    msg.drop(msg)
    assert msg["from"] == "x@y"


@pytest.mark.parametrize("text", TEXTS)
def test_replace_with_text(text: str) -> None:
    parts = [
        base64_leaf("x/y; name=a.exe", b"MZ", "attachment; filename=a.exe"),
        leaf("message/rfc822", leaf("text/plain")),
        multipart(leaf("c/d"), boundary=b"IN"),
    ]
    for number in range(3):
        msg = read(multipart(*parts, leaf("a/b")))
        msg.replace_with_text(msg.get_payload(number), text)
        again = read(msg.as_bytes())
        others = [part.as_bytes() for part in again.get_payload()]
        del others[number]
        assert others == [part for at, part in enumerate([*parts, leaf("a/b")]) if at != number]
        part = again.get_payload(number)
        assert part.get_content_type() == "text/plain"
        assert part.get_filename() is None
        assert part.get_payload(decode=True).decode(part.get_content_charset("ascii"), "surrogateescape") == text


def test_replace_the_message_itself() -> None:
    msg = read(multipart(leaf("a/b")))
    events: list[tuple[str, str | None]] = []
    msg.headerchange = lambda _, name, value: events.append((name, value))
    msg.replace_with_text(msg, "gone, caf\xe9")
    again = judged(msg.as_bytes())
    assert again.get_content().rstrip("\n") == "gone, caf\xe9"
    assert again["from"] == "x@y"
    assert events[0] == ("content-type", None)


# -- header values


def test_value_of_an_8bit_header_is_a_str_and_written_as_it_is() -> None:
    """The email package gives an object that is no str: any sender could make a handler fail."""
    raw = b"Subject: caf\xe9 \xff\nTo: a\n\nx"
    msg = read(raw)
    assert msg["Subject"].lower() == "caf\udce9 \udcff"
    assert all(type(value) is str for value in [*msg.values(), msg.get("subject"), *msg.get_all("Subject", [])])
    msg["X-Copy"] = msg["Subject"]
    msg.replace_header("To", msg["Subject"])
    assert msg.as_bytes() == b"Subject: caf\xe9 \xff\nTo: caf\xe9 \xff\nX-Copy: caf\xe9 \xff\n\nx"
    assert read(b"Subject: caf\xe9\n\nx").as_string().startswith("Subject: =?unknown-8bit?q?caf=E9?=")


@pytest.mark.parametrize("change", ["replace", "delete", "add"])
@pytest.mark.parametrize(
    "raw",
    [
        b" From: a\r\nSubject: s\r\nTo: t\r\n\r\nx\r\n", b" x\n y\nSubject: s\nTo: t\n\nx", b"\tx\nSubject: s\n\nx",
        b"Subject: s\n: no name\n more\nTo: t\n\nx", b"From me\n x\nSubject: s\nTo: t\n\nx",
        b"To: t\n: no name\nSubject: s\n: more\n y\n\nx",
    ],
)  # fmt: skip
def test_changed_field_swallows_no_stray_line(raw: bytes, change: str) -> None:
    msg = read(raw)
    assert msg.source is not None
    stray = b"".join(raw[begin:end] for begin, end in msg.source.junk)
    if change == "replace":
        msg.replace_header("Subject", "S2")
    elif change == "delete":
        del msg["Subject"]
    else:
        msg["X-New"] = "y"
    again = read(msg.as_bytes())
    assert again.items() == msg.items()
    assert again.source is not None
    assert b"".join(again.source.data[begin:end] for begin, end in again.source.junk) == stray
