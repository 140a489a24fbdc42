"""What is written, byte by byte, after a change: headers, texts, parts and delimiters."""

from __future__ import annotations

from email import errors, message_from_bytes
from email.header import Header
from email.message import Message
from email.mime.text import MIMEText

import pytest

import mime
from support.mime_messages import base64_leaf, leaf, multipart, read


def defects(msg: mime.MimeMessage) -> list[str]:
    return [type(defect).__name__ for defect in msg.defects]


# -- the end of the header


@pytest.mark.parametrize(
    ("raw", "expected"),
    [
        (b"", b"\nx"),
        (b"a: b", b"a: b\n\nx"),
        (b"a: b\n", b"a: b\n\nx"),
        (b"a: b\n\n", b"a: b\n\nx"),
        (b": junk", b": junk\n\nx"),
        (b": junk\r\n", b": junk\r\n\r\nx"),
        (b"a: b\r\n\r\nold", b"a: b\r\n\r\nx"),
        (b"a: b\r\rold", b"a: b\r\rx"),
    ],
)
def test_a_body_follows_an_empty_line(raw: bytes, expected: bytes) -> None:
    msg = read(raw)
    msg.set_payload_bytes(b"x")
    assert msg.as_bytes() == expected
    msg.set_payload_bytes(b"")
    assert msg.as_bytes() == (expected[:-1] if b"\n\n" in raw or raw.endswith(b"old") else raw)


@pytest.mark.parametrize("eol", [b"\n", b"\r\n", b"\r"])
def test_a_new_field_is_a_line_of_its_own(eol: bytes) -> None:
    for raw in (b"a: b", b"a: b\n", b"a: b\n\nx"):
        source = raw.replace(b"\n", eol)
        msg = read(source)
        msg["c"] = "d"
        end = eol if b"\n" in raw else b"\n"
        assert msg.as_bytes() == b"a: b" + end + b"c: d" + end + (
            b"\n\nx".replace(b"\n", eol)[len(eol) :] if b"x" in raw else b""
        )
        del msg["a"]
        assert msg.as_bytes().startswith(b"c: d" + end)


def test_fields_keep_their_bytes_wherever_they_go() -> None:
    raw = b"A:  1 \nB:2\nA:\t1\nA:  1 \n\nx"
    msg = read(raw)
    msg._headers = [*msg._headers[2:], msg._headers[1], msg._headers[0]]
    assert msg.as_bytes() == b"A:\t1\nA:  1 \nB:2\nA:  1 \n\nx"
    msg._headers = [("A", "1 "), ("A", "1 "), ("A", "1 "), ("A", "1 ")]
    assert msg.as_bytes().count(b"\n") == 5


def test_a_field_that_the_email_package_refuses_is_folded_by_the_line_end_of_the_message() -> None:
    for eol in (b"\n", b"\r\n"):
        msg = read(b"a: b" + eol + eol)
        msg.set_raw("X", "word " * 30 + "\nB: c")
        out = msg.as_bytes()
        assert len(out.split(eol)) > 4
        assert out.replace(eol, b"").count(b"\n") == 0
        assert message_from_bytes(out).keys() == ["a", "X"]
        msg["Y"] = Header("word " * 30)
        assert msg.as_bytes().replace(eol, b"").count(b"\n") == 0
        assert max(map(len, msg.as_bytes().split(eol))) < 79


def test_a_field_that_the_email_package_refuses_has_room_for_its_name() -> None:
    msg = read(b"a: b\n\n")
    msg.set_raw("X" * 40, "word " * 30 + "\nB: c")
    assert max(map(len, msg.as_bytes().split(b"\n"))) <= 78


def test_line_ends_at_the_end_of_a_value_are_left_out() -> None:
    for value in ("a\n", "a\r\n\n", "a\r"):
        msg = mime.MimeMessage()
        msg.set_raw("X", value)
        msg["Y"] = value
        assert msg.as_bytes() == b"X: a\nY: a\n\n"


def test_parameters_that_are_not_ascii_are_written_as_they_are() -> None:
    for name in ("Content-Type", "content-disposition"):
        msg = mime.MimeMessage()
        msg[name] = "a/b; name=caf\xe9"
        assert msg.as_bytes() == f"{name}: a/b; name=caf\xe9\n\n".encode()
    msg = mime.MimeMessage()
    msg["X"] = "a/b; name=caf\xe9"
    assert msg.as_bytes().isascii()


# -- what is between the fields


@pytest.mark.parametrize(
    ("raw", "keys", "from_line", "found"),
    [
        (b"From me\na: b\n\n", ["a"], "From me", []),
        (b"From me\r\na: b\n\n", ["a"], "From me", []),
        (b"From me\nFrom you\na: b\n\n", ["a"], "From me", []),
        (b": x\na: b\n\n", ["a"], None, ["InvalidHeaderDefect"]),
        (b"a: b\nFrom me\nc: d\n\n", ["a", "c"], None, ["InvalidHeaderDefect"]),
        (b"a: b\nno field\n\n", ["a"], None, ["MissingHeaderBodySeparatorDefect"]),
        (b"a: b\nno field\nContent-X: y\n\n", ["a", "Content-X"], None, ["InvalidHeaderDefect"]),
        (b"a: b\nno\nno\nContent-X: y\n", ["a", "Content-X"], None, ["InvalidHeaderDefect"] * 2),
        (b"a: b\nno field\n\nContent-X: y\n", ["a"], None, ["MissingHeaderBodySeparatorDefect"]),
        (b"a: b", ["a"], None, []),
        (b"", [], None, []),
    ],
)
def test_lines_that_are_no_fields(raw: bytes, keys: list[str], from_line: str | None, found: list[str]) -> None:
    msg = read(raw)
    assert msg.keys() == keys
    assert msg.get_unixfrom() == from_line
    assert defects(msg) == found
    assert msg.as_bytes() == raw


def test_a_delimiter_ends_the_header_of_a_multipart() -> None:
    raw = b"Content-Type: multipart/mixed; boundary=B\n--B\nContent-Type: a/b\n\nx\n--B--\n"
    msg = read(raw)
    assert [part.get_content_type() for part in msg.get_payload()] == ["a/b"]
    first = read(multipart(b"--C\nContent-Type: a/b\n\nx\n")).get_payload(0)
    assert first.keys() == []
    later = read(b"X: y\n--B\nContent-Type: a/b\n\nx\n")
    assert later.keys() == ["X", "Content-Type"]


@pytest.mark.parametrize(
    ("body", "is_ambiguous"),
    [(b"--C\n\nx", True), (b"x\n--C", True), (b"x\r--C", True), (b"--\n", True), (b"--", True), (b"x--C\n", False),
     (b"-- \n", False), (b"x", False), (b"", False), (b"-\n-C", False)],
)  # fmt: skip
def test_a_multipart_whose_parts_are_not_found_may_have_some(body: bytes, is_ambiguous: bool) -> None:
    for boundary in (b"; boundary=B", b""):
        msg = read(b"Content-Type: multipart/mixed" + boundary + b"\n\n" + body)
        assert msg.too_complex == is_ambiguous
        kind = "StartBoundaryNotFoundDefect" if boundary else "NoBoundaryInMultipartDefect"
        assert defects(msg) == [kind, "AmbiguousDefect"][: 1 + is_ambiguous]
        assert not msg.is_multipart()
        assert msg.payload_bytes() == body
        coded = read(base64_leaf("multipart/mixed" + boundary.decode(), body))
        assert coded.too_complex == is_ambiguous


def test_defects_of_parts() -> None:
    assert defects(read(multipart(leaf("a/b")))) == []
    assert defects(read(multipart(leaf("a/b")).partition(b"--B--")[0])) == ["CloseBoundaryNotFoundDefect"]
    assert isinstance(read(b": x\n\n").defects[0], errors.InvalidHeaderDefect)


# -- delimiters


MIXED = b"Content-Type: multipart/mixed; boundary=B\n\n"


@pytest.mark.parametrize(
    ("body", "parts"),
    [
        (b"--B\n\nx\n--B--", [b"\nx"]),
        (b"--B \t\n\nx\n--B-- \t\n", [b"\nx"]),
        (b"--B\n--B\n\nx\n--B--\n", [b"\nx"]),
        (b"--B\n\n\n--B\n\nx\n--B--\n", [b"\n", b"\nx"]),
        (b"--B\r\n\r\nx\r\n--B\r\n\r\ny\r\n--B--\r\n", [b"\r\nx", b"\r\ny"]),
        (b"--B\r\rx\r--B\r\ry\r--B--\r", [b"\rx", b"\ry"]),
        (b"--B--\n--B\n\nx\n--B--\n", [b"\nx"]),
        (b"--B\n\nx\n--Bad\ny\n--B--\n", [b"\nx\n--Bad\ny"]),
        (b"--B\n\nx\n--B--\n--B\n\ny\n--B--\n", [b"\nx"]),
        (b"--B\n\nx", [b"\nx"]),
        (b"--B\n\nx\n", [b"\nx\n"]),
        (b"--B\n", [b""]),
        (b"--B", [b""]),
        (b"x--B\n\n--B\n\ny\n--B--", [b"\ny"]),
    ],
)
def test_parts_between_delimiters(body: bytes, parts: list[bytes]) -> None:
    msg = read(MIXED + body)
    assert [part.as_bytes() for part in msg.get_payload()] == parts
    assert msg.as_bytes() == MIXED + body


@pytest.mark.parametrize("eol", [b"\n", b"\r\n"])
def test_a_multipart_with_another_boundary_is_written_with_it(eol: bytes) -> None:
    raw = multipart(leaf("a/b"), leaf("c/d")).replace(b"\n", eol)
    msg = read(raw)
    msg.set_boundary("C")
    assert msg.as_bytes() == raw.replace(b"--B", b"--C").replace(b'"B"', b'"C"')
    msg = read(raw)
    msg.replace_header("Content-Type", "multipart/mixed; boundary=B")
    msg.preamble = msg.epilogue = None
    assert msg.as_bytes() == raw.replace(b'"B"', b"B").replace(b"preamble" + eol, b"").replace(b"epilogue" + eol, b"")
    msg.preamble, msg.epilogue = "a\nb", "c\nd"
    assert msg.as_bytes() == raw.replace(b'"B"', b"B").replace(b"preamble", b"a" + eol + b"b").replace(
        b"epilogue" + eol, b"c" + eol + b"d"
    )


def test_a_multipart_that_is_not_closed_is_closed_if_its_end_is_new() -> None:
    raw = multipart(leaf("a/b"), leaf("c/d")).partition(b"\n--B--")[0]
    for change, expected in (
        ("last", raw.replace(b"--B\n" + leaf("a/b") + b"\n", b"")),
        ("first", raw.replace(b"\n--B\n" + leaf("c/d"), b"\n--B--\n")),
        ("epilogue", raw + b"\n--B--\nend"),
    ):
        msg = read(raw)
        if change == "epilogue":
            msg.epilogue = "end"
        else:
            del msg.get_payload()[change == "first"]
        assert msg.as_bytes() == expected


def test_a_multipart_of_a_program_has_a_boundary_of_its_own() -> None:
    msg = mime.MimeMessage()
    msg.set_payload([read(leaf("a/b")), read(leaf("c/d"))])
    raw = msg.as_bytes()
    boundary = message_from_bytes(raw).get_boundary("").encode()
    assert len(boundary) == 37
    assert boundary[:15] + boundary[-2:] == b"=" * 17
    head = b'MIME-Version: 1.0\nContent-Type: multipart/mixed;\n boundary="' + boundary + b'"\n\n'
    assert raw == head + b"--" + boundary + b"\n" + leaf("a/b") + b"\n--" + boundary + b"\n" + leaf("c/d") + (
        b"\n--" + boundary + b"--\n"
    )
    other = mime.MimeMessage()
    other["Content-Type"] = "multipart/related"
    other.attach(read(leaf("a/b")))
    assert message_from_bytes(other.as_bytes()).get_content_type() == "multipart/related"
    own = mime.MimeMessage()
    own["Content-Type"] = 'multipart/related; boundary="own"'
    own.attach(read(leaf("a/b")))
    assert (
        own.as_bytes() == b'Content-Type: multipart/related; boundary="own"\n\n--own\n' + leaf("a/b") + b"\n--own--\n"
    )
    text = read(leaf("text/plain", b"x"))
    text.set_payload([read(leaf("a/b"))])
    assert read(text.as_bytes()).get_content_type() == "multipart/mixed"


def test_messages_in_a_message_of_a_program() -> None:
    msg = read(leaf("message/rfc822", b"Subject: a\n\nx"))
    msg.set_payload([read(b"Subject: b\n\ny")])
    assert msg.as_bytes() == leaf("message/rfc822", b"Subject: b\n\ny")
    msg.set_payload([read(b"Subject: b\n\n--y")])
    assert msg.as_bytes() == leaf("message/rfc822", b"Subject: b\n\n--y")
    status = read(leaf("message/delivery-status", b"a: b\n\nc: d\n"))
    status.get_payload().reverse()
    assert status.as_bytes() == leaf("message/delivery-status", b"c: d\n\na: b\n")
    status.get_payload().append(read(b"e: f"))
    assert status.as_bytes() == leaf("message/delivery-status", b"c: d\n\na: b\n\ne: f\n")
    new = mime.MimeMessage()
    new["Content-Type"] = "message/rfc822"
    new.attach(read(b"Subject: b\n\ny"))
    assert new.as_bytes() == b"Content-Type: message/rfc822\n\nSubject: b\n\ny"


@pytest.mark.parametrize("eol", [b"\n", b"\r\n"])
def test_a_part_of_another_class_has_the_line_ends_of_the_message(eol: bytes) -> None:
    raw = multipart(leaf("a/b")).replace(b"\n", eol)
    msg = read(raw)
    text = MIMEText("From me\n\xe9\n", "plain", "utf-8")
    text["Subject"] = "word " * 30
    msg.attach(text)
    out = msg.as_bytes()
    assert out.replace(eol, b"").count(b"\n") == out.replace(eol, b"").count(b"\r") == 0
    plain = Message()
    plain["X"] = "y"
    plain.set_payload("From me")
    msg = read(raw)
    msg.attach(plain)
    assert eol + b"X: y" + eol + eol + b"From me" + eol + b"--B--" in msg.as_bytes()


@pytest.mark.parametrize("coding", ["base64", "quoted-printable", "uuencode"])
def test_a_changed_message_in_an_encoded_part_is_encoded(coding: str) -> None:
    body = {
        "base64": b"YTogYgoKeA==\n",
        "quoted-printable": b"a: b\n\nx=\n",
        "uuencode": b"begin 644 x\n'83H@8@H*>```\n`\nend\n",
    }[coding]
    raw = leaf("message/rfc822", body, coding)
    msg = read(raw)
    assert msg.get_payload(0).as_bytes() == b"a: b\n\nx"
    msg["X"] = "y"
    assert msg.as_bytes() == raw.replace(b"\n\n", b"\nX: y\n\n", 1)
    msg.get_payload(0)["c"] = "d"
    again = read(msg.as_bytes())
    assert again.get_all("content-transfer-encoding") == ["base64" if coding == "uuencode" else coding]
    assert again.get_payload(0).as_bytes() == b"a: b\nc: d\n\nx"


# -- texts that look like delimiters


@pytest.mark.parametrize(
    ("text", "encoding", "coding"),
    [
        (b"--B\n", None, "quoted-printable"),
        (b"x\n--Bx\n", "7bit", "quoted-printable"),
        (b"--B\n\0", None, "base64"),
        (b"x\n--B", "base64", "base64"),
        (b"x--B\n-- B\n--A", None, None),
        (b"--B=3D", "quoted-printable", "quoted-printable"),
    ],
)
def test_a_line_that_begins_like_a_delimiter_is_encoded(text: bytes, encoding: str | None, coding: str | None) -> None:
    msg = read(multipart(leaf("a/b", b"old", encoding), leaf("c/d")))
    msg.get_payload(0).set_payload_bytes(text)
    plain = msg.get_payload(0).get_payload(decode=True)
    again = read(msg.as_bytes())
    assert [part.get_content_type() for part in again.get_payload()] == ["a/b", "c/d"]
    part = again.get_payload(0)
    assert part.getencoding() == coding
    assert part.get_payload(decode=True) == plain
    assert again.get_payload(1).as_bytes() == leaf("c/d")


# -- the coding of a new text


@pytest.mark.parametrize(
    ("label", "encoding", "text", "head", "body"),
    [
        ("", None, "x", "", b"x"),
        ("", "7bit", "x", "7bit", b"x"),
        ("", "8bit", "x", "8bit", b"x"),
        ("; charset=utf-8", None, "\xe9", "", "\xe9".encode()),
        ("; charset=utf-8", "7bit", "\xe9", "quoted-printable", b"=C3=A9"),
        ("; charset=utf-8", "8bit", "\xe9", "8bit", "\xe9".encode()),
        ("; charset=utf-8", "binary", "\xe9\n", "binary", "\xe9\n".encode()),
        ("; charset=utf-8", "quoted-printable", "\xe9", "quoted-printable", b"=C3=A9"),
        ("; charset=utf-8", "base64", "\xe9", "base64", b"w6k=\r\n"),
        ("; charset=utf-8", "x-uuencode", "\xe9", "base64", b"w6k=\r\n"),
        ("; charset=utf-8", "x-unknown", "\xe9", "x-unknown", "\xe9".encode()),
        ("; charset=utf-8", "(base64)", "\xe9", "8bit", "\xe9".encode()),
        ("; charset=utf-8", "(base64)", "x", "", b"x"),
        ("; charset=utf-16", "8bit", "x", "base64", b"//54AA==\r\n"),
        ("; charset=utf-16-le", "8bit", "", "8bit", b""),
        ("; charset=utf-16-le", "binary", "\n", "base64", b"CgA=\r\n"),
        ("; charset=utf-8", "Base64 ", "x", "base64", b"eA==\r\n"),
    ],
)
def test_the_coding_stays_if_it_can_have_the_text(
    label: str, encoding: str | None, text: str, head: str, body: bytes
) -> None:
    msg = read(leaf("text/plain" + label, b"\n", encoding).replace(b"\n", b"\r\n"))
    msg.set_payload(text)
    assert (msg.getencoding() or "").strip().lower() == head
    assert msg.payload_bytes() == body or msg.as_bytes().endswith(b"\r\n\r\n" + body)
    assert msg.as_bytes().endswith(b"\r\n\r\n" + body)


def test_a_new_charset_is_written_into_the_header() -> None:
    for raw in (leaf("text/plain"), b"MIME-Version: 1.0\n" + leaf("text/plain")):
        msg = read(raw)
        msg.set_payload("\xe9")
        assert msg["Content-Type"] == 'text/plain; charset="utf-8"'
        assert msg.get_all("mime-version") == ["1.0"]
        assert msg.keys() == ["MIME-Version", "Content-Type", "Content-Transfer-Encoding"]
    msg = read(multipart(leaf("text/plain")))
    msg.get_payload(0).set_payload("\xe9")
    assert "mime-version" not in msg.get_payload(0), "only a message has one"
    own = mime.MimeMessage()
    own["Content-Type"] = "text/plain"
    own.set_payload("\xe9", "iso-8859-1")
    assert own.get_content_charset() == "iso-8859-1"
    msg = read(leaf("text/plain; charset=utf-8", b"x", "8bit"))
    msg.set_payload("\xe9", "iso-8859-1")
    assert msg.get_content_charset() == "iso-8859-1"
    assert msg.get_payload(decode=True) == b"\xe9"
    msg.set_payload("\u20ac", "iso-8859-1")
    assert msg.get_content_charset() == "utf-8"
    for charset in ("us-ascii", "x-bad", "utf-8"):
        msg = read(leaf(f"text/plain; charset={charset}", b"x"))
        msg.set_payload("y")
        assert msg.as_bytes() == leaf(f"text/plain; charset={charset}", b"y")


# -- parts that are added, dropped and replaced


def test_a_boundary_stays_unless_a_new_part_has_it() -> None:
    """Lines of the source that begin like a delimiter were no delimiters before, and are none now."""
    raw = multipart(leaf("a/b", b"x --B\n--Bad\n"), leaf("c/d"))
    msg = read(raw)
    msg.attach(read(leaf("e/f")))
    assert msg.as_bytes() == raw.replace(b"\n--B--", b"\n--B\n" + leaf("e/f") + b"\n--B--")
    msg.attach(read(leaf("e/f", b"\n--Bad")))
    again = read(msg.as_bytes())
    assert again.get_boundary() != "B"
    assert [part.get_content_type() for part in again.get_payload()] == ["a/b", "c/d", "e/f", "e/f"]
    assert again.get_payload(3).payload_bytes() == b"\n--Bad"


def test_what_a_program_changes_is_marked_as_modified() -> None:
    msg = read(multipart(leaf("a/b"), leaf("c/d")))
    assert msg.modified is False
    msg.drop(msg.get_payload(0))
    assert msg.modified is True
    for change in (
        lambda msg: msg.set_payload("x"),
        lambda msg: msg.set_payload([]),
        lambda msg: msg.set_payload_bytes(b"x"),
        lambda msg: msg.set_body_text("x"),
        lambda msg: msg.__setitem__("X", "y"),
        lambda msg: msg.__delitem__("X"),
        lambda msg: msg.replace_header("Content-Type", "a/b"),
    ):
        msg = read(leaf("a/b"))
        change(msg)
        assert msg.modified is True


def test_what_is_said_of_the_content_goes_with_it() -> None:
    extra = b"Content-ID: <x>\nContents: y\nX-Keep: z\nname=n: w\nno field\nCONTENT-Foo: v\n"
    msg = read(b"From me\n" + leaf("a/b", b"x", "base64", extra=extra))
    msg.replace_with_text(msg, "new")
    assert msg.as_bytes() == b"Contents: y\nX-Keep: z\nContent-Type: text/plain\n\nnew"
    assert msg.too_complex is False


def test_a_part_is_dropped_with_each_parent_that_is_empty_then() -> None:
    inner = multipart(leaf("a/b"), leaf("c/d"), boundary=b"IN")
    msg = read(multipart(inner, leaf("e/f")))
    msg.drop(msg.get_payload(0).get_payload(1))
    assert msg.as_bytes() == multipart(multipart(leaf("a/b"), boundary=b"IN"), leaf("e/f"))
    msg.drop(msg.get_payload(0).get_payload(0))
    assert msg.as_bytes() == multipart(leaf("e/f"))
    alone = read(multipart(multipart(leaf("a/b"), boundary=b"IN")))
    alone.drop(alone.get_payload(0).get_payload(0))
    assert alone.as_bytes() == b"From: x@y\nContent-Type: text/plain\n\n"
    for action in (alone.drop, lambda part: alone.replace_with_text(part, "x")):
        with pytest.raises(ValueError, match="the part is not one of this message"):
            action(read(leaf("a/b")))


# -- texts that are appended


@pytest.mark.parametrize(
    ("label", "old", "text", "new"),
    [
        ("", b"a\n", "b", b"a\nb"),
        ("", b"", "b", b"b"),
        ("", b"a", "caf\xe9", b"a\r\ncaf=C3=A9"),
        ("; charset=utf-8", b"a", "\xe9", "a\r\n\xe9".encode()),
        ("; charset=utf-8", b"a\xff", "\xe9", b"a\xff\r\n\xc3\xa9"),
        ("; charset=iso-8859-1", b"a\xe9", "\xe9", b"a\xe9\r\n\xe9"),
        ("; charset=iso-8859-1", b"\xe9", "\u20ac", b"=C3=A9\r\n=E2=82=AC"),
        ("; charset=us-ascii", b"\xe9", "\u20ac", b"\xe9\r\n?"),
        ("; charset=us-ascii", b"\xe9\r\n", "\u20ac", b"\xe9\r\n?"),
        ("; charset=x-bad", b"\xe9", "\u20ac", b"\xe9\r\n?"),
        ("; charset=x-bad", b"\xe9\r", "\u20ac\n", b"\xe9\r?\r"),
    ],
)
def test_a_text_is_appended_to_bytes(label: str, old: bytes, text: str, new: bytes) -> None:
    msg = read(leaf("text/plain" + label).replace(b"\n", b"\r\n").replace(b"AAAA", old))
    assert msg.append_text(text) == 1
    assert msg.as_bytes().partition(b"\r\n\r\n")[2] == new


@pytest.mark.parametrize(
    "charset", ["utf-16", "utf-32-be", "utf-7", "cp037", "hz", "cp424", "shift_jis_2004", "mac-arabic"]
)
def test_a_text_is_appended_in_a_charset_in_which_ascii_is_other_bytes(charset: str) -> None:
    for kind, tail in (("plain", "~<b>\n"), ("html", "&#128;~<b>\n")):
        msg = read(base64_leaf(f"text/{kind}; charset={charset}", "a\n".encode(charset)))
        assert msg.append_text("~<b>\n", "\x80~<b>\n") == 1
        assert msg.get_payload(decode=True).decode(msg.get_content_charset()) == "a\n" + tail
        broken = read(base64_leaf(f"text/{kind}; charset={charset}", b"\xff\xff\xff"))
        assert broken.append_text("x") == 1
        assert broken.get_payload(decode=True).decode(broken.get_content_charset(), "replace").endswith("x")


@pytest.mark.parametrize(
    ("page", "at"),
    [
        (b"<body>x</body></html>", 7),
        (b"<body>x</BODY >\n</HTML\t>\n", 7),
        (b"<body>x</body>", 7),
        (b"<html>x</html>", 7),
        (b"x", 1),
        (b"<!-- </body></html> -->x</body></html>", 24),
        (b"</bodyx>x", 9),
        (b"", 0),
        (b"\xe9</body>", 1),
    ],
)
def test_a_text_is_appended_before_the_end_of_a_page(page: bytes, at: int) -> None:
    for charset in ("", "; charset=utf-8", "; charset=x-bad"):
        msg = read(leaf("text/html" + charset, page))
        assert msg.append_text("a & b\n") == 1
        assert msg.payload_bytes() == page[:at] + b"<br>\na &amp; b<br>\n" + page[at:]
        msg = read(leaf("text/html" + charset, page))
        msg.append_text("text", html="<i>\u20ac</i>")
        assert msg.payload_bytes() == page[:at] + b"<i>&#8364;</i>" + page[at:]


@pytest.mark.parametrize(
    ("raw", "count"),
    [
        (leaf("text/plain", b"x"), 1),
        (leaf("text/html", b"x"), 1),
        (leaf(None, b"x"), 1),
        (leaf("text/x", b"x"), 0),
        (leaf("text/plain; name=n", b"x"), 0),
        (leaf("text/plain", b"x", disposition="inline"), 1),
        (leaf("text/plain", b"x", disposition="inline; filename=f"), 0),
        (leaf("text/plain", b"x", disposition="ATTACHMENT"), 0),
        (multipart(leaf("text/plain"), leaf("text/html")), 2),
        (multipart(leaf("text/plain"), kind=b"signed"), 0),
        (multipart(leaf("text/plain"), kind=b"encrypted"), 0),
        (multipart(leaf("message/rfc822", leaf("text/plain"))), 0),
        (leaf("message/rfc822", leaf("text/plain")), 0),
    ],
)
def test_the_texts_that_are_shown(raw: bytes, count: int) -> None:
    msg = read(raw)
    assert msg.append_text("more") == count
    assert msg.as_bytes().count(b"more") == count
    assert msg.ismodified() == bool(count)


def test_a_text_that_was_left_whole_is_not_shown() -> None:
    msg = read(leaf("text/plain", b"x"))
    msg.too_complex = True
    assert msg.append_text("more") == 0


def test_a_part_of_another_class_is_no_text_that_is_shown() -> None:
    msg = read(multipart(leaf("text/plain", b"x")))
    msg.attach(MIMEText("y"))
    assert msg.append_text("z") == 1


def test_a_from_line_of_a_message_of_a_program() -> None:
    msg = mime.MimeMessage()
    msg["a"] = "b"
    msg.set_unixfrom("From me")
    assert msg.as_bytes(unixfrom=True) == b"From me\na: b\n\n"
    assert read(b"From me\na: b\n\n").as_bytes(unixfrom=True) == b"From me\na: b\n\n"
    assert read(b"x").as_bytes(unixfrom=True).endswith(b"\nx")


@pytest.mark.parametrize("kind", ["text/plain", "text/x-y"])
def test_a_text_of_a_message_of_a_program_has_a_version(kind: str) -> None:
    msg = mime.MimeMessage()
    msg["Content-Type"] = kind
    msg.set_payload("\u20ac")
    assert msg.get_all("mime-version") == ["1.0"]
    assert msg.get_payload(decode=True) == "\u20ac".encode()
    assert msg.getencoding() == "quoted-printable"


def test_a_source_that_has_lines_like_delimiters_keeps_them() -> None:
    raw = multipart(leaf("a/b", b"x\n--Bad\n"), leaf("c/d"))
    msg = read(raw)
    msg.get_payload(0)["X"] = "y"
    assert msg.as_bytes() == raw.replace(b"Content-Type: a/b\n", b"Content-Type: a/b\nX: y\n")


def test_delimiters_stay_unless_the_boundary_is_another() -> None:
    raw = b"Content-Type: multipart/mixed; boundary=B; boundary=C\n\n--B \n\nx\n--B\t\n\ny\n--B-- \nend"
    msg = read(raw)
    msg.replace_header("Content-Type", "multipart/mixed; boundary=B")
    assert msg.as_bytes() == raw.replace(b"; boundary=C", b"")
    msg = read(raw)
    msg.get_payload().reverse()
    assert msg.as_bytes() == raw.replace(b"--B \n\nx\n--B\t\n\ny", b"--B\t\n\ny\n--B \n\nx")
    msg = read(raw)
    msg.replace_header("Content-Type", "multipart/mixed; boundary=C")
    assert msg.as_bytes() == b"Content-Type: multipart/mixed; boundary=C\n\n--C\n\nx\n--C\n\ny\n--C-- \nend"


def test_all_parts_taken_from_a_multipart_that_is_not_closed() -> None:
    raw = multipart(leaf("a/b")).partition(b"\n--B--")[0]
    msg = read(raw)
    msg.get_payload().clear()
    assert msg.as_bytes() == raw.partition(b"--B")[0] + b"--B\n\n--B--\n"


def test_a_text_with_a_charset_is_encoded_again() -> None:
    for raw in (base64_leaf("text/plain", b"x"), leaf("text/plain", b"x", "quoted-printable")):
        msg = read(raw)
        msg.set_payload("\xe9", "utf-8")
        assert msg.get_payload(decode=True) == "\xe9".encode()
        assert msg.getencoding() in ("base64", "quoted-printable")
        assert msg.get_content_charset() == "utf-8"
    msg = read(multipart(leaf("a/b")))
    msg.set_payload("\xe9", "iso-8859-1")
    assert msg.get_content_type() == "text/plain"
    assert msg.get_payload(decode=True) == b"\xe9"


@pytest.mark.parametrize(
    ("body", "groups"),
    [
        (b"", [b""]),
        (b"\n", [b""]),
        (b"\n\n", [b"", b""]),
        (b"a: b", [b"a: b"]),
        (b"a: b\n", [b"a: b\n"]),
        (b"a: b\n\n", [b"a: b\n"]),
        (b"a: b\n\nc: d", [b"a: b\n", b"c: d"]),
        (b"a: b\n\nc: d\n\n", [b"a: b\n", b"c: d\n"]),
        (b"\na: b\n", [b"", b"a: b\n"]),
        (b"a: b\n\n\nc: d\n", [b"a: b\n", b"", b"c: d\n"]),
        (b"a: b\r\n\r\nc: d\r\n", [b"a: b\r\n", b"c: d\r\n"]),
        (b"a: b\r\rc: d", [b"a: b\r", b"c: d"]),
        (b"x\n\ny\n", [b"x\n", b"y\n"]),
    ],
)
def test_groups_of_a_delivery_status(body: bytes, groups: list[bytes]) -> None:
    raw = leaf("message/delivery-status", body)
    msg = read(raw)
    assert [part.as_bytes() for part in msg.get_payload()] == groups
    assert msg.as_bytes() == raw


def test_two_codings_of_which_none_counts_are_left_out() -> None:
    for text, coding in (("new", None), ("\xe9", "quoted-printable")):
        msg = read(leaf("text/plain; charset=utf-8", b"x", "7bit", extra=b"Content-Transfer-Encoding: 8bit\n"))
        msg.set_payload(text)
        assert msg.getheaders("content-transfer-encoding") == (coding and [coding])
        assert msg.get_payload(decode=True) == text.encode()
