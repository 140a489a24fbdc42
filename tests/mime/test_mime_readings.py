"""The other readings that mail clients may have of a part, byte by byte."""

from __future__ import annotations

import pytest

from mime import MimeMessage
from pymilter.mime._readings import other_readings, whole_readings
from pymilter.mime._walk import size_of
from support.mime_messages import base64_leaf, leaf, read
from support.mime_tnef import tnef

Readings = list[tuple[bytes, bool]]

#: A part; its readings, and whether each is the part's own body; those by its content, too, if they are others.
CASES = [
    pytest.param(
        b"Content-Type: a/b; x=1\nContent-Type: c/d; y=2\n\nbody",
        [(b"Content-Type: c/d; x=1\n\nbody", True)],
        None,
        id="two types",
    ),
    pytest.param(
        b"Content-Type: text/plain\nContent-Type: text/html\n\nbody",
        [(b"Content-Type: text/html\n\nbody", True)],
        None,
        id="type and text",
    ),
    pytest.param(
        b"Content-Type: application/xhtml+xml\n\nbody",
        [(b"Content-Type: text/html\n\nbody", True)],
        None,
        id="xhtml",
    ),
    pytest.param(
        b"X: y\nContent-Type: none\n\nbody",
        [],
        None,
        id="none",
    ),
    pytest.param(
        b"Content-Type: a/b\nContent-Transfer-Encoding: base64\nContent-Transfer-Encoding: 7bit\n\nQUI=",
        [(b"Content-Type: a/b\n\nQUI=", False)],
        None,
        id="encodings",
    ),
    pytest.param(
        b"Content-Type: a/b\nContent-Transfer-Encoding: base64\n\nQUI=QUJD",
        [
            (b"Content-Type: a/b\nContent-Transfer-Encoding: binary\n\nAB", False),
            (b"Content-Type: a/b\nContent-Transfer-Encoding: binary\n\nAB\x10P\x90", False),
        ],
        None,
        id="bad base64",
    ),
    pytest.param(
        b"Content-Type: multipart/mixed\n\n--B\n\nx\n--B--\n",
        [],
        None,
        id="multipart no boundary",
    ),
    pytest.param(
        b"Content-Type: a/b; boundary=B\nContent-Type: multipart/mixed; boundary=B\n\n--B\n\nx\n--B--\n",
        [(b'Content-Type: multipart/mixed; boundary="B"\n\n--B\n\nx\n--B--\n', False)],
        None,
        id="composite hidden",
    ),
    pytest.param(
        b"Content-Type: a/b\nContent-Type: message/rfc822\n\nSubject: x\n\ny",
        [(b"Content-Type: message/rfc822\n\nSubject: x\n\ny", False)],
        None,
        id="message",
    ),
    pytest.param(
        b"Content-Type: a/b\nContent-Type: message/rfc822\n\nno message",
        [],
        None,
        id="message no",
    ),
    pytest.param(
        b"X: y\nno field\nContent-Type: a/b\n\nbody",
        [(b"Content-Type: text/plain\nX: y\n\nno field\nContent-Type: a/b\n\nbody", False)],
        None,
        id="first bare",
    ),
    pytest.param(
        b"X: y\nno field\nZ: 1\n\nbody",
        [(b"Content-Type: text/plain\nX: y\nZ: 1\n\nbody", False)],
        None,
        id="first bare 2",
    ),
    pytest.param(
        b"X: y\nno field\nZ: 1\n W\n\nbody\n\nmore",
        [(b"Content-Type: text/plain\nX: y\nZ: 1  W\n\nbody\n\nmore", False)],
        None,
        id="first bare 3",
    ),
    pytest.param(
        b"X: y\n \t\nContent-Type: c/d\n\nbody",
        [(b"Content-Type: text/plain\nX: y\n\nContent-Type: c/d\n\nbody", False)],
        None,
        id="blank line",
    ),
    pytest.param(
        b"X: y\r\n \r\nContent-Type: c/d\r\n\r\nbody",
        [(b"Content-Type: text/plain\nX: y\n\nContent-Type: c/d\r\n\r\nbody", False)],
        None,
        id="blank crlf",
    ),
    pytest.param(
        b"X: y\n ",
        [],
        None,
        id="blank last",
    ),
    pytest.param(
        b'Content-Type: text/plain\n\nbegin 644 a"b\\c\n#86)C\n`\nend\n',
        [
            (
                b'Content-Type: application/octet-stream; name="a\\"b\\\\c"\nContent-Transfer-Encoding: binary\n\nabc',
                False,
            )
        ],
        None,
        id="uu",
    ),
    pytest.param(
        b"Content-Type: textual/plain\n\nbegin 644 a\n#86)C\n`\nend\n",
        [],
        None,
        id="uu not text",
    ),
    pytest.param(
        b"Content-Type: a/b\nContent-Type: text/x\n\nbegin 644 a\n#86)C\n`\nend\n",
        [
            (b"Content-Type: text/x\n\nbegin 644 a\n#86)C\n`\nend\n", True),
            (b'Content-Type: application/octet-stream; name="a"\nContent-Transfer-Encoding: binary\n\nabc', False),
        ],
        None,
        id="uu second type",
    ),
    pytest.param(
        b"Content-Type: multipart/mixed; boundary=B\n\n--B\n\nx\n--B--\n--B\nX: hid\n\ny\n",
        [(b"X: hid\n\ny\n", False)],
        None,
        id="hidden",
    ),
    pytest.param(
        b"Content-Type: multipart/mixed; boundary=B\n\n--B\n\nx\n--BX: hid\n\ny\n--B--\n",
        [(b"\ny\n", False)],
        None,
        id="near",
    ),
    pytest.param(
        b"Content-Type: multipart/mixed; boundary=B\n\n--B\n\nx\n--B z\nX: hid\n\ny\n--B\n\nw\n--B--\n",
        [(b"X: hid\n\ny\n", False)],
        None,
        id="near2",
    ),
    pytest.param(
        b'Content-Type: multipart/mixed; boundary="B"; boundary="C\\"\\\\"\n\n--B\n\nx\n--C"\\\nX: hid\n\ny\n--B--\n',
        [(b'Content-Type: multipart/mixed; boundary="C\\"\\\\"\n\n--B\n\nx\n--C"\\\nX: hid\n\ny\n--B--\n', False)],
        None,
        id="other boundary",
    ),
    pytest.param(
        b"Content-Type: multipart/mixed; boundary=B\nContent-Transfer-Encoding: base64\n\nLS1CCgp4Ci0tQi0tCg==\n",
        [],
        None,
        id="b64 multipart",
    ),
    pytest.param(
        b"Content-Type: multipart/mixed; boundary=B\nContent-Transfer-Encoding: base64\n\n--B\n\nx\n--B--\n",
        [],
        None,
        id="b64 multipart both",
    ),
    pytest.param(
        b"Content-Type: message/rfc822\nContent-Transfer-Encoding: base64\n\nU3ViamVjdDogYQoKeAo=\n",
        [],
        None,
        id="b64 message",
    ),
    pytest.param(
        b"Content-Type: message/rfc822\nContent-Transfer-Encoding: base64\n\nSubject: a\n\nx\n",
        [],
        None,
        id="rfc822 said b64",
    ),
    pytest.param(
        b"Content-Type: a/b; name=winmail.dat\nX: y\n z\nContent-Disposition: inline\n\nbody",
        [],
        None,
        id="names",
    ),
    pytest.param(
        b"X: a\rb\n\nbody",
        [(b"Content-Type: text/plain\nX: a\n\nbody", False)],
        None,
        id="cr",
    ),
    pytest.param(
        b"",
        [],
        None,
        id="empty",
    ),
    pytest.param(
        b"Content-Type: a/b; x=y\n\n<html><p>",
        [],
        [(b"Content-Type: text/html; x=y\n\n<html><p>", True)],
        id="html content",
    ),
    pytest.param(
        b"Content-Type: a/b\nContent-Transfer-Encoding: base64\n\nPHA+eA==",
        [],
        [(b"Content-Type: text/html\nContent-Transfer-Encoding: base64\n\nPHA+eA==", True)],
        id="html content base64",
    ),
    pytest.param(
        b"Content-Type: text/html\n\n<html><p>",
        [],
        None,
        id="html in text/html",
    ),
    pytest.param(
        b"Content-Type: a/b\n\nSubject: x\nFrom: y\n\nz",
        [],
        [(b"Content-Type: message/rfc822\n\nSubject: x\nFrom: y\n\nz", False)],
        id="message content",
    ),
    pytest.param(
        b"Content-Type: a/b\nContent-Transfer-Encoding: base64\n\nU3ViamVjdDogYQpGcm9tOiBiCgp4Cg==\n",
        [],
        [(b"Content-Type: message/rfc822\n\nSubject: a\nFrom: b\n\nx\n", False)],
        id="message content base64",
    ),
    pytest.param(
        b"Content-Type: multipart/mixed; boundary=B\n\n<html>\n--B\n\nx\n--B--\n",
        [],
        None,
        id="multipart with html",
    ),
    pytest.param(
        b"Content-Type: a/b\nContent-Type: c/d\n\n<p>",
        [(b"Content-Type: c/d\n\n<p>", True)],
        [(b"Content-Type: c/d\n\n<p>", True), (b"Content-Type: text/html\n\n<p>", True)],
        id="two types content",
    ),
    pytest.param(
        b"Content-Type: a/b\nContent-Type: multiparts/x\nContent-Type: messages/x\n\nbody",
        [(b"Content-Type: multiparts/x\n\nbody", True), (b"Content-Type: messages/x\n\nbody", True)],
        None,
        id="types with longer names",
    ),
    pytest.param(
        b"Content-Type: a/b\nContent-Type: message/rfc822\nContent-Transfer-Encoding: base64\n\nQUI=QUI=",
        [
            (b"Content-Type: a/b\nContent-Transfer-Encoding: binary\n\nAB", False),
            (b"Content-Type: a/b\nContent-Transfer-Encoding: binary\n\nAB\x10P", False),
        ],
        None,
        id="bad base64 and no message",
    ),
    pytest.param(
        b"X: y\nno field\nContent-Type: a/b\n\n<p>",
        [(b"Content-Type: text/plain\nX: y\n\nno field\nContent-Type: a/b\n\n<p>", False)],
        [
            (b"Content-Type: text/html\nX: y\n\n<p>", True),
            (b"Content-Type: text/plain\nX: y\n\nno field\nContent-Type: a/b\n\n<p>", False),
        ],
        id="content behind no field",
    ),
]


@pytest.mark.parametrize(("raw", "readings", "by_content"), CASES)
def test_each_reading_of_a_part(raw: bytes, readings: Readings, by_content: Readings | None) -> None:
    assert [tuple(each) for each in other_readings(read(raw), False)] == readings
    assert [tuple(each) for each in other_readings(read(raw), True)] == (readings if by_content is None else by_content)


@pytest.mark.parametrize("how", ["type", "vendor", "name", "content"])
def test_a_winmail_dat_is_found_by_type_name_or_content(how: str) -> None:
    header = {
        "type": "application/ms-tnef",
        "vendor": "application/vnd.ms-tnef",
        "name": "a/b; name=WINMAIL.DAT",
        "content": "a/b",
    }[how]
    raw = base64_leaf(header, tnef("title", b"evil.exe"))
    file = b'Content-Type: application/octet-stream; name="evil.exe"\nContent-Transfer-Encoding: binary\n\nMZ\x90\0'
    assert [tuple(each) for each in other_readings(read(raw), True)] == [(file, False)]
    assert [tuple(each) for each in other_readings(read(raw), False)] == ([] if how == "content" else [(file, False)])


def test_a_page_in_a_winmail_dat_is_a_page() -> None:
    raw = base64_leaf("application/ms-tnef", tnef("page", b"", b"<p>"))
    page = b'Content-Type: text/html; name=""\nContent-Transfer-Encoding: binary\n\n<p>'
    assert [tuple(each) for each in other_readings(read(raw), False)] == [(page, False)]


def test_a_part_that_a_program_changed_is_read_as_it_is_now() -> None:
    msg = read(leaf("a/b", b"x"))
    msg["Content-Type"] = "c/d"
    assert [each.data for each in other_readings(msg, False)] == [b"Content-Type: c/d\n\nx"]
    msg = read(leaf("a/b", b"x", extra=b"Content-Type: c/d\n"))
    msg.set_payload_bytes(b"new")
    assert [each.data for each in other_readings(msg, False)] == [b"Content-Type: c/d\n\nnew"]
    assert [each.data for each in whole_readings(msg)] == []
    msg = read(b"Content-Type: multipart/mixed; boundary=B\n\n--B\n\nx\n--B--\n")
    msg.get_payload(0).set_payload_bytes(b"a\rb")
    assert [each.data for each in whole_readings(msg)] == []
    msg.set_payload_bytes(b"\n--B\n\nx\r--B\n\ny\n--B--\n")
    assert [each.data for each in whole_readings(msg)] == [msg.as_bytes().replace(b"\r", b" ")]


@pytest.mark.parametrize(
    ("raw", "is_read"),
    [
        (b"X: a\rb\n\nx", True),
        (b"X: a\n\ra: b\n\nx", True),
        (b"X: a\r\n\r\nx\ry", False),
        (b"X: a\n\nx\r", False),
        (b"Content-Type: multipart/mixed; boundary=B\n\n--B\n\nx\r--B\n\ny\n--B--\n", True),
        (b"Content-Type: multipart/mixed; boundary=B\n\n--B\n\nx\r--B--\n", False),
        (b"Content-Type: multipart/mixed; boundary=B\n\n--B\nX: a\rb\n\nx\n--B--\n", True),
        (b"Content-Type: multipart/mixed; boundary=B\n\n--B\n\nx\n--B--\na\rb", False),
    ],
)
def test_a_cr_alone_counts_in_headers_and_before_delimiters(raw: bytes, is_read: bool) -> None:
    lines = raw.replace(b"\r\n", b"\n").replace(b"\r", b" ") if b"\r\n" not in raw else raw
    assert [tuple(each) for each in whole_readings(read(raw))] == ([(lines, False)] if is_read else [])


def test_delimiters_of_a_multipart_inside_are_no_delimiters() -> None:
    """A longer boundary may begin with the outer one."""
    inner = b"Content-Type: multipart/x; boundary=BB\n\n--BB\n\nx\n--BB\n\ny\n--BB--\n"
    raw = b"Content-Type: multipart/mixed; boundary=B\n\n--B\n" + inner + b"\n--B\n\nz\n--B--\n"
    msg = read(raw)
    assert [part.get_content_type() for part in msg.walk()] == ["multipart/mixed", "multipart/x", *["text/plain"] * 3]
    assert list(other_readings(msg, False)) == []
    deeper = raw.replace(b"\ny\n", b"\ny\n--Bad\nhidden\n")
    assert [each.data for each in other_readings(read(deeper), False)] == [b"hidden\n"]


def test_the_size_of_a_part_is_that_of_its_source() -> None:
    msg = read(leaf("multipart/mixed; boundary=B", b"--B\n" + leaf("a/b") + b"\n--B\n" + leaf("c/d") + b"\n--B--\n"))
    assert [size_of(part) for part in msg.get_payload()] == [len(leaf("a/b")), len(leaf("c/d"))]
    assert size_of(MimeMessage()) == 0


@pytest.mark.parametrize(
    ("raw", "reading"),
    [
        (
            b"Content-Type: a/b; x=\xe9\nX: \xff\nContent-Type: c/d\n\n\xe9",
            b"Content-Type: c/d; x=\xe9\nX: \xff\n\n\xe9",
        ),
        (
            b"Content-Type: text/plain\n\nbegin 644 \xe9\n#86)C\n",
            b'Content-Type: application/octet-stream; name="\xe9"\nContent-Transfer-Encoding: binary\n\nabc',
        ),
        (
            b"Content-Type: a/b; boundary=\xe9\nContent-Type: multipart/x\n\n--\xe9\n\nx",
            b'Content-Type: multipart/x; boundary="\xe9"\n\n--\xe9\n\nx',
        ),
    ],
)
def test_a_reading_has_the_bytes_of_its_part(raw: bytes, reading: bytes) -> None:
    assert [each.data for each in other_readings(read(raw), False)] == [reading]
