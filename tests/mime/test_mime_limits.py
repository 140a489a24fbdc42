"""Hostile messages: bounded structure, that fails closed, and time that grows with the size only."""

from __future__ import annotations

import dataclasses
import io
import os
import subprocess
import sys
from typing import Any

import pytest

import mime
from mime import Limits, TooComplexDefect
from pymilter.mime import _readings
from pymilter.mime._limits import UnreadableError
from pymilter.mime._names import part_names
from pymilter.mime._params import read_content
from support import mime_hostile
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


def boundaries(number: int) -> bytes:
    """A multipart with so many parameters that may be its boundary."""
    head = b"Content-Type: multipart/mixed" + b"".join(b"; boundary=b%d" % each for each in range(number))
    return head + b"\n\n--b0\n\ntext\n--b0--\n"


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
        pytest.param(multipart(*[leaf("message/rfc822", b"\n")] * 3), [], id="3 parts with 3 messages"),
        pytest.param(multipart(*[leaf("message/rfc822", b"\n")] * 4), ["message/rfc822"] * 2, id="4 with 2 messages"),
        pytest.param(boundaries(8), [], id="8 boundaries"),
    ],
)
def test_what_exceeds_a_limit_is_kept_whole_and_then_replaced(raw: bytes, expected: list[str]) -> None:
    msg = limited(raw)
    assert too_complex(msg) == expected
    assert msg.as_bytes() == raw
    mime.defang(msg, "/saved")
    assert too_complex(msg) == []
    assert msg.ismodified() == bool(expected)
    if expected:
        assert b"It was originally named '(too complex to be checked)'" in msg.as_bytes()


def test_decoded_bound() -> None:
    """Each level of encoding is decoded anew: the bound is on all of them together."""
    raw = leaf("text/plain", b"x" * 1000)
    for _ in range(4):
        raw = base64_leaf("message/rfc822", raw)
    assert too_complex(mime.message_from_file(io.BytesIO(raw), Limits(decoded=3))) == []
    assert too_complex(mime.message_from_file(io.BytesIO(raw), Limits(decoded=2))) == ["message/rfc822"]


def test_decoded_bound_of_multiparts() -> None:
    """RFC 2045 forbids to encode a multipart, and some clients decode it."""
    raw = leaf("text/plain", b"x" * 1000)
    for _ in range(4):
        raw = base64_leaf("multipart/mixed; boundary=B", b"--B\n" + raw + b"\n--B--\n")
    assert too_complex(mime.message_from_file(io.BytesIO(raw), Limits(decoded=3))) == []
    assert too_complex(mime.message_from_file(io.BytesIO(raw), Limits(decoded=2))) == ["multipart/mixed"]


def test_a_multipart_with_too_many_boundaries_is_replaced() -> None:
    """Nobody can say which one counts; honest mail has one."""
    assert [part.get_content_type() for part in read(boundaries(8)).walk()] == ["multipart/mixed", "text/plain"]
    msg = read(boundaries(9))
    assert not msg.is_multipart()
    assert msg.too_complex
    assert [str(defect) for defect in msg.defects] == ["too many boundaries"]
    assert mime.defang(msg, "/saved")
    assert b"(too complex to be checked)" in msg.as_bytes()


def test_a_header_with_too_many_names_is_bad() -> None:
    def named(number: int) -> mime.MimeMessage:
        return read(b"Content-Type: a/b" + b"".join(b"; name=n%d" % each for each in range(number)) + b"\n\nx\n")

    assert not named(64).has_too_many_names()
    assert not mime.defang(named(64), "/saved")
    msg = named(65)
    assert msg.has_too_many_names()
    assert mime.defang(msg, "/saved")
    assert b"was originally named 'n0'" in msg.as_bytes()


@pytest.mark.parametrize(("size", "is_found"), [(100, True), (9_998, True), (9_999, False)])
def test_lines_that_are_no_fields_are_searched_for_names_as_far_as_a_bound(size: int, is_found: bool) -> None:
    """Some clients go on with the header behind such lines, if an empty line ends it."""
    lines = b"no field; name=evil.exe; "
    raw = b"Content-Type: a/b\n" + lines + b"x" * (size - len(lines)) + b"\n\nbody\n"
    assert ("filename", "evil.exe") in read(raw).getnames() or not is_found
    assert mime.defang(read(raw), "/saved") == is_found


def test_a_message_with_too_much_to_read_is_replaced(monkeypatch: pytest.MonkeyPatch) -> None:
    """Each other reading of a part costs; a sender may not ask for any number of them."""
    raw = leaf("text/plain", b"x" * 100, extra=b"Content-Type: text/html\n")
    assert not mime.defang(read(raw), "/saved")
    monkeypatch.setattr(_readings, "_AT_LEAST", 0)
    monkeypatch.setattr(_readings, "_READINGS", 0)
    msg = read(raw)
    assert mime.defang(msg, "/saved")
    assert b"(too complex to be checked)" in msg.as_bytes()
    monkeypatch.setattr(_readings, "_READINGS", 16)
    budget = _readings.Budget(2)
    budget.take(32)
    with pytest.raises(UnreadableError, match="too much to read"):
        budget.take(1)


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


@pytest.mark.parametrize("name", mime_hostile.HOSTILE)
def test_time_is_linear(name: str) -> None:
    """0.4 MB take a second or two; in quadratic time they take many minutes."""
    command = [sys.executable, mime_hostile.__file__, name]
    environment = {**os.environ, "PYTHONPATH": os.pathsep.join(sys.path)}
    subprocess.run(command, env=environment, timeout=30, check=True)


def test_the_limits() -> None:
    assert Limits() == Limits(depth=100, parts=10_000, fields=100_000, decoded=4)


@pytest.mark.parametrize(
    ("raw", "limits", "defect"),
    [
        (deep_rfc822(2), Limits(depth=1), "nested deeper than 1"),
        (b"a: b\n" * 2, Limits(fields=1), "too many header fields"),
        (multipart(b"\n", b"\n"), Limits(parts=1), "too many parts"),
        (deep_rfc822(2), Limits(parts=0), "too many parts"),
        (leaf("message/delivery-status", b"a: b\n\nc: d\n"), Limits(parts=1), "too many parts"),
        (base64_leaf("message/rfc822", b"\n"), Limits(decoded=0), "too much to decode"),
        (base64_leaf("multipart/mixed; boundary=B", b"\n"), Limits(decoded=0), "too much to decode"),
    ],
)
def test_a_part_says_which_limit_it_exceeds(raw: bytes, limits: Limits, defect: str) -> None:
    msg = mime.message_from_file(io.BytesIO(raw), limits)
    assert msg.too_complex
    assert defect in [str(each) for each in msg.defects if isinstance(each, TooComplexDefect)]
    assert msg.as_bytes() == raw
    assert not read(raw).too_complex


def test_the_decoded_bound_is_on_what_is_decoded() -> None:
    parts = multipart(*[base64_leaf("message/rfc822", b"\n" * 300)] * 3)
    for decoded, expected in ((1, []), (0, ["message/rfc822"] * 3)):
        assert too_complex(mime.message_from_file(io.BytesIO(parts), Limits(decoded=decoded))) == expected


def test_readings_at_least_and_in_proportion() -> None:
    for size, total in ((0, 1 << 20), (65536, 1 << 20), (65537, 16 * 65537), (100_000, 1_600_000)):
        budget = _readings.Budget(size)
        budget.take(total)
        budget.take(0)
        with pytest.raises(UnreadableError, match="too much to read"):
            budget.take(1)


@pytest.mark.parametrize(
    ("depth", "kind", "expected"),
    [(3, "message/rfc822", False), (2, "message/rfc822", True), (3, "multipart/x", False)],
)
def test_the_groups_of_a_delivery_status_are_one_deeper(depth: int, kind: str, expected: bool) -> None:
    raw = leaf("message/delivery-status", f"Content-Type: {kind}\n\n".encode())
    msg = mime.message_from_file(io.BytesIO(raw), Limits(depth=depth))
    assert msg.get_payload(0).too_complex == expected


def test_nothing_is_decoded_of_an_empty_body() -> None:
    for kind in ("message/rfc822", "multipart/mixed; boundary=B"):
        assert not mime.message_from_file(io.BytesIO(base64_leaf(kind, b"")), Limits(decoded=0)).too_complex


@pytest.mark.parametrize("value", [Limits(), mime.ZipLimits(), part_names(read(b"\n")), read_content([], "a/b")])
def test_what_several_messages_may_share_cannot_be_changed(value: Any) -> None:
    with pytest.raises(dataclasses.FrozenInstanceError):
        setattr(value, dataclasses.fields(value)[0].name, None)
    assert not hasattr(value, "__dict__"), "small"


def test_the_source_of_a_part_is_small_and_shown_without_its_bytes() -> None:
    source = read(multipart(leaf("a/b", b"x" * 1000))).source
    assert not hasattr(source, "__dict__")
    assert "xxx" not in repr(source)
    assert "Piece(start=0, end=" in repr(source)
    assert mime.MimeMessage().too_complex is False


@pytest.mark.parametrize("kind", ["message/rfc822", "multipart/mixed; boundary=B"])
def test_only_the_body_of_a_part_counts_as_decoded(kind: str) -> None:
    raw = b"X: " + b"x" * 1000 + b"\n" + base64_leaf(kind, b"--B\n\nx\n--B--\n" * 9)
    msg = mime.message_from_file(io.BytesIO(raw), Limits(decoded=1))
    assert not msg.too_complex
    assert msg.is_multipart()


@pytest.mark.parametrize("name", ["", "; name=n.bin"])
def test_what_is_too_complex_keeps_its_name_in_the_warning(name: str) -> None:
    raw = boundaries(9).replace(b"\n", name.encode() + b"\n", 1)
    for change in (mime.defang, mime.check_name, lambda msg: mime.check_attachments(msg, lambda part: 0)):
        msg = read(raw)
        assert not change(msg) or change is mime.defang
        assert msg.removed == (name.partition("=")[2] or "(too complex to be checked)")
        assert f"was originally named '{msg.removed}'".encode() in msg.as_bytes()
