"""Hostile messages: bounded structure, that fails closed, and time that grows with the size only."""

from __future__ import annotations

import io
import multiprocessing
from collections.abc import Callable

import pytest

import mime
from mime import Limits, TooComplexDefect
from support.mime_messages import base64_leaf, leaf, multipart, read

LIMITS = Limits(depth=4, parts=6, fields=8, decoded=1)


def limited(raw: bytes) -> mime.MimeMessage:
    return mime.message_from_file(io.BytesIO(raw), LIMITS)


def too_complex(msg: mime.MimeMessage) -> list[str]:
    found = [part for part in msg.walk() if isinstance(part, mime.MimeMessage) and part.too_complex]
    for part in found:
        assert any(isinstance(defect, TooComplexDefect) for defect in part.defects)
        assert not part.is_multipart()
    return [part.get_content_type() for part in found]


def deep_rfc822(depth: int) -> bytes:
    return b"Content-Type: message/rfc822\n\n" * (depth - 1) + leaf("text/plain")


def deep_multipart(depth: int) -> bytes:
    raw = leaf("text/plain")
    for number in range(depth - 1):
        raw = multipart(raw, boundary=b"B%d" % number)
    return raw


@pytest.mark.parametrize(
    ("raw", "expected"),
    [
        pytest.param(deep_rfc822(4), [], id="4 deep"),
        pytest.param(deep_rfc822(5), ["message/rfc822"], id="5 deep"),
        pytest.param(deep_multipart(4), [], id="4 multiparts deep"),
        pytest.param(deep_multipart(5), ["multipart/mixed"], id="5 multiparts deep"),
        pytest.param(multipart(*[b"\n"] * 6), [], id="6 parts"),
        pytest.param(multipart(*[b"\n"] * 7), ["multipart/mixed"], id="7 parts"),
        pytest.param(multipart(*[multipart(b"\n", b"\n", boundary=b"C")] * 3), ["multipart/mixed"] * 2, id="3 times 2"),
        pytest.param(leaf("message/delivery-status", b"a: b\n\n" * 6), [], id="6 groups"),
        pytest.param(leaf("message/delivery-status", b"a: b\n\n" * 7), ["message/delivery-status"], id="7 groups"),
        pytest.param(b"a: b\n" * 8 + b"\n", [], id="8 fields"),
        pytest.param(b"a: b\n" * 9 + b"\n", ["text/plain"], id="9 fields"),
        pytest.param(base64_leaf("message/rfc822", b"\n" * 900), [], id="decoded"),
    ],
)
def test_bounds(raw: bytes, expected: list[str]) -> None:
    msg = limited(raw)
    assert too_complex(msg) == expected
    assert msg.as_bytes() == raw
    mime.defang(msg, "/saved")
    assert too_complex(msg) == []
    assert msg.ismodified() == bool(expected)
    if expected:
        assert b"It was originally named '(too complex to be checked)'" in msg.as_bytes()


def test_decoded_bound() -> None:
    inner = b"a: b\n\n" + b"x" * 900
    raw = multipart(*[leaf("message/rfc822", inner.replace(b"a", b"=61"), "quoted-printable")] * 2)
    assert too_complex(limited(raw)) == []
    raw = leaf("message/rfc822", raw, "quoted-printable")
    assert too_complex(limited(raw)) == ["message/rfc822"]


def test_default_bounds() -> None:
    assert too_complex(read(deep_rfc822(100))) == []
    assert too_complex(read(deep_rfc822(101))) == ["message/rfc822"]
    assert too_complex(read(deep_multipart(100))) == []
    assert too_complex(read(deep_multipart(101))) == ["multipart/mixed"]
    assert too_complex(read(multipart(*[b"\n"] * 10_000))) == []
    assert too_complex(read(multipart(*[b"\n"] * 10_001))) == ["multipart/mixed"]


def test_deepest_message_can_be_changed() -> None:
    for raw in (deep_rfc822(100), deep_multipart(100)):
        msg = read(raw)
        *_, last = msg.walk()
        assert isinstance(last, mime.MimeMessage)
        last.set_payload("new")
        assert msg.ismodified()
        assert msg.as_bytes() == raw.replace(b"\n\nAAAA", b"\n\nnew")


def test_own_check_does_not_let_it_through() -> None:
    """A check that knows nothing of bounds sees a part without parts; check_attachments replaces it all the same."""
    msg = limited(multipart(deep_rfc822(5), leaf("a/b")))
    assert mime.check_attachments(msg, lambda part: 0) == 0
    assert too_complex(msg) == []
    assert msg.ismodified()
    assert msg.as_bytes().endswith(leaf("a/b") + b"\n--B--\nepilogue\n")


_SIZE = 400_000
_HTML = b"Content-Type: text/html\n\n"
_B = b"Content-Type: multipart/mixed; boundary=B\n\n"
#: Each of these once takes quadratic time in the stdlib's parsers, or in a careless one.
HOSTILE: dict[str, Callable[[], bytes]] = {
    "semicolons in quotes": lambda: b'Content-Type: text/plain; a="' + b";" * _SIZE + b"\n\n",
    "parameters": lambda: b"Content-Type: text/plain" + b";a=b" * (_SIZE // 4) + b"\n\n",
    "escaped quotes": lambda: b"Content-Type: text/plain; name=" + b'"\\' * (_SIZE // 2) + b"\n\n",
    "RFC 2231 parts": lambda: b"Content-Type: a/b" + b"".join(b";a*%d*=b" % i for i in range(_SIZE // 10)) + b"\n\n",
    "encoded words": lambda: b'Content-Type: a/b; name="' + b"=?utf-8?q?a?= " * (_SIZE // 14) + b'"\n\n',
    "starts of encoded words": lambda: b'Content-Type: a/b; name="' + b"=?" * (_SIZE // 2) + b'"\n\n',
    "folds": lambda: b"a: x" + b"\n x" * (_SIZE // 3) + b"\n\n",
    "fields": lambda: b"a:\n" * (_SIZE // 3),
    "no fields": lambda: b" \n:\nFrom \n" * (_SIZE // 10),
    "delimiters": lambda: _B + b"--B\n" * (_SIZE // 4),
    "nearly delimiters": lambda: _B + b"--BB\n--B \t x\n" * (_SIZE // 13),
    "parts": lambda: _B + b"--B\n\n\n" * 9_999,
    "punycode": lambda: b"Content-Type: text/plain; charset=punycode\n\n\xe9" + b"a-" * (_SIZE // 2),
    "messages": lambda: deep_rfc822(20_000),
    "<a": lambda: _HTML + b"<a " * (_SIZE // 3),
    "<a in quotes": lambda: _HTML + b"<a " * (_SIZE // 3) + b' b=">"',
    "quotes": lambda: _HTML + b"<a a='b\">" * (_SIZE // 9),
    "comments": lambda: _HTML + b"<!--" * (_SIZE // 4),
    "declarations": lambda: _HTML + b"<!" * (_SIZE // 2),
    "end tags": lambda: _HTML + b"</a " * (_SIZE // 4),
    "less than": lambda: _HTML + b"<" * _SIZE,
    "ampersands": lambda: _HTML + b"&" * _SIZE,
    "attributes": lambda: _HTML + b"<a" + b" =" * (_SIZE // 2) + b">",
    "scripts": lambda: _HTML + b"<script>" * (_SIZE // 8),
    "titles": lambda: _HTML + b"<title>" * (_SIZE // 7),
}


def _use(raw: bytes) -> None:
    msg = read(raw)
    for part in msg.walk():
        part.get_payload(decode=True)
        part.get_filename()
    mime.defang(msg, "/saved", scan_zip=True)
    msg["X"] = "y"
    msg.as_bytes()


@pytest.mark.parametrize("name", HOSTILE)
def test_time_is_linear(name: str) -> None:
    """0.4 MB take well under a second or two; in quadratic time they take many minutes."""
    process = multiprocessing.get_context("fork").Process(target=_use, args=(HOSTILE[name](),))
    process.start()
    process.join(30)
    alive = process.is_alive()
    if alive:
        process.kill()
        process.join()
    assert not alive, "still busy after 30 seconds"
    assert process.exitcode == 0
