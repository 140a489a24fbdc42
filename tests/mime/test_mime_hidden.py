"""What a mail client shows or saves, the checks see: odd messages of every kind, bad and good."""

from __future__ import annotations

import struct

import pytest

import mime
from pymilter.mime._limits import UnreadableError
from pymilter.mime._readings import other_readings
from pymilter.mime._sniff import head_of, is_html, is_message, is_tnef, is_zip, program_extension
from pymilter.mime._tnef import tnef_files
from support.mime_hidden import BAD, GOOD, KINDS, Case
from support.mime_messages import base64_leaf, multipart, read, zipped
from support.mime_tnef import attribute, properties, tnef

_CASES = [pytest.param(case, id=title) for cases in KINDS.values() for title, case in cases()]


@pytest.mark.parametrize("case", _CASES)
def test_bad_is_seen_and_good_is_left(case: Case) -> None:
    bad, good = case(*BAD), case(*GOOD)
    assert bad != good
    for raw in (bad, bad.replace(b"\n", b"\r\n")):
        msg = read(raw)
        assert msg.as_bytes() == raw
        assert mime.defang(msg, "/saved")
        again = read(msg.as_bytes())
        assert not mime.defang(again, "/saved"), "once is enough"
    msg = read(good)
    assert not mime.defang(msg, "/saved")
    assert msg.as_bytes() == good


@pytest.mark.parametrize(
    "content",
    [
        b"MZ\x90\0\x03\0\0\0", b"\x7fELF\x02\x01", b"<html><script>x</script></html>", zipped("evil.exe"),
        b"From: a\nSubject: b\nContent-Type: text/html\n\n<script>x</script>", tnef("title", b"evil.exe"),
    ],
)  # fmt: skip
def test_content_counts_whatever_it_is_called(content: bytes) -> None:
    raw = multipart(base64_leaf("image/png; name=a.png", content))
    assert not mime.defang(read(raw), "/saved", scan_zip=True)
    assert mime.defang(read(raw), "/saved", scan_zip=True, by_content=True)


PAGE = "<svg><script>x</script></svg>"


@pytest.mark.parametrize(
    "content",
    [
        pytest.param(bytes(32769) + b"CD001", id="image of a disk"),
        pytest.param(PAGE.encode("utf-16"), id="UTF-16"),
        pytest.param(b"\xfe\xff" + PAGE.encode("utf-16-be"), id="UTF-16, big end first"),
        pytest.param(PAGE.encode("utf-8-sig"), id="UTF-8 with a mark"),
    ],
)
def test_content_is_seen_behind_a_mark_or_far_in(content: bytes) -> None:
    raw = base64_leaf("image/png; name=a.png", content)
    assert not mime.defang(read(raw), "/saved")
    assert mime.defang(read(raw), "/saved", by_content=True)


@pytest.mark.parametrize(
    ("content", "is_one"),
    [
        (b"From: a\nSubject: b\n", True),
        (b"\r\nFrom me\r\nReceived : x\r\n\ty\r\nx-any: z\r\n", True),
        (b"Content-Type: text/html\rDATE: b\r", True),
        (b"hello\nFrom: a\nSubject: b\n", False),
        (b"From: a\nhello: b\n", False),
        (b"From: a\n", False),
    ],
)
def test_two_fields_at_the_beginning_make_a_message(content: bytes, is_one: bool) -> None:
    assert is_message(content) is is_one


@pytest.mark.parametrize(
    ("content", "is_one"),
    [
        (b"\n <!DOCTYPE html>", True),
        (b"<p >", True),
        (b"<!--x", True),
        (b"<?xml ", True),
        (b"<b", False),
        (b"<bx>", False),
        (b"text <html>", False),
        (b"\xfe\xff" + "<SVG/".encode("utf-16-be"), True),
        (b"\xff\xfe" + "<p>".encode("utf-16-le") + b"x", True),
        (b"\xef\xbb\xbf<p>\xff", True),
    ],
)
def test_a_tag_at_the_beginning_makes_a_page(content: bytes, is_one: bool) -> None:
    assert is_html(content) is is_one


@pytest.mark.parametrize(
    "content", [b"MZ is the sign of a program\n", b"MZ" + b"x" * 600 + b"\0", bytes(32769) + b"CD00"]
)
def test_content_that_begins_almost_like_a_program_is_none(content: bytes) -> None:
    assert not mime.defang(read(base64_leaf("text/plain", content)), "/saved", by_content=True)


SIGN = b"\x78\x9f\x3e\x22\x01\x00"
_LONG, _TIME, _UNICODE, _BINARY = 3, 0x40, 0x1F, 0x102
DATA, NAME = 0x3701, 0x3707


def winmail(*rows: bytes) -> bytes:
    """A winmail.dat with one attachment that has these properties."""
    return SIGN + attribute(2, 0x9002, bytes(14)) + attribute(2, 0x9005, struct.pack("<I", len(rows)) + b"".join(rows))


def row(number: int, kind: int, value: bytes, *, id: bytes = b"") -> bytes:
    """One property as in the file, which for types of fixed size has no count."""
    return struct.pack("<HH", kind, number) + id + value


def sized(*values: bytes) -> bytes:
    return struct.pack("<I", len(values)) + b"".join(
        struct.pack("<I", len(each)) + each + bytes(-len(each) % 4) for each in values
    )


WIDE = sized("evil.exe\0".encode("utf-16-le"))
FILE = [row(NAME, _UNICODE, WIDE), row(DATA, _BINARY, sized(b"abc"))]
FOUND = [("evil.exe", "application/octet-stream", b"abc")]


@pytest.mark.parametrize(
    "before",
    [
        pytest.param(row(1, _LONG, bytes(4)), id="fixed"),
        pytest.param(row(1, 2, bytes(4)), id="16 bits, padded"),
        pytest.param(row(1, _TIME, bytes(8)), id="64 bits"),
        pytest.param(row(1, 0x48, bytes(16)), id="id"),
        pytest.param(row(1, 0x1000 | _LONG, struct.pack("<I", 2) + bytes(8)), id="several"),
        pytest.param(row(1, 0x1000 | _BINARY, sized(b"a", b"bcdef")), id="several of any size"),
        pytest.param(row(0x8001, _LONG, bytes(4), id=bytes(16) + struct.pack("<II", 0, 7)), id="named by a number"),
        pytest.param(
            row(0x8001, _LONG, bytes(4), id=bytes(16) + struct.pack("<II", 1, 6) + b"abcdef\0\0"), id="named by a name"
        ),
    ],
)
def test_file_in_a_winmail_dat_is_found_behind_each_kind_of_property(before: bytes) -> None:
    assert list(tnef_files(winmail(before, *FILE))) == FOUND


def test_each_attachment_in_a_winmail_dat_has_its_own_name() -> None:
    """A name without content is one too, and so is content without a name."""
    second = tnef("title", b"b.txt")[6:].partition(b"IPM.Note\0")[2][2:]
    assert [name for name, _, _ in tnef_files(tnef("title", b"a.exe") + second)] == ["a.exe", "b.txt"]
    named = SIGN + attribute(2, 0x9002, bytes(14)) + attribute(2, 0x8010, b"a.exe\0")
    assert list(tnef_files(named)) == [("a.exe", "application/octet-stream", b"")]
    assert list(tnef_files(winmail(FILE[1]))) == [("", "application/octet-stream", b"abc")]
    assert list(tnef_files(winmail())) == []
    assert list(tnef_files(b"text")) == []


@pytest.mark.parametrize(
    ("data", "reason"),
    [
        (winmail(*FILE)[:-3], "an attribute is longer than the file"),
        (winmail(row(1, 0x99, bytes(8))), "a property has the type 0x99"),
        (winmail(row(1, _BINARY, b"\1\0\0\0\1")), "a property is cut off"),
        (winmail(b"\1"), "a property is cut off"),
    ],
)
def test_a_broken_winmail_dat_is_replaced(data: bytes, reason: str) -> None:
    with pytest.raises(UnreadableError, match=reason):
        list(tnef_files(data))
    msg = read(base64_leaf("application/ms-tnef; name=winmail.dat", data))
    assert mime.defang(msg, "/saved")
    assert b"'winmail.dat', and has been removed" in msg.as_bytes()


def test_a_winmail_dat_has_as_many_properties_as_it_says() -> None:
    assert list(tnef_files(winmail(*FILE).replace(struct.pack("<I", 2) + FILE[0], struct.pack("<I", 1) + FILE[0]))) == [
        ("evil.exe", "application/octet-stream", b"")
    ]


def test_a_lying_count_in_a_winmail_dat_costs_nothing() -> None:
    many = winmail(*FILE).replace(struct.pack("<I", 2) + FILE[0], struct.pack("<I", 2**32 - 1) + FILE[0])
    assert list(tnef_files(many)) == FOUND
    values = struct.pack("<HHI", _BINARY, 1, 2**32 - 1) + bytes(4)
    assert list(tnef_files(winmail(values))) == []


def test_properties_are_written_as_they_are_read() -> None:
    assert properties((DATA, _BINARY, b"abc"))[4:] == FILE[1]


def texts(number: int, *values: bytes) -> bytes:
    return row(number, 0x1E, sized(*values))


@pytest.mark.parametrize(
    ("rows", "found"),
    [
        ([texts(0x3001, b"a.exe\0"), FILE[1]], [("a.exe", b"abc")]),
        ([texts(0x3704, b"a.exe\0"), FILE[1]], [("a.exe", b"abc")]),
        ([texts(0x3707, b"caf\xe9\0\0"), FILE[1]], [("caf\xe9", b"abc")]),
        ([texts(0x3703, b"a.exe\0"), FILE[1]], [("", b"abc")]),
        ([texts(0x3707, b"a\0"), texts(0x3001, b"b\0"), FILE[1]], [("a", b"abc"), ("b", b"abc")]),
        ([texts(0x3707, b"a\0"), texts(0x3001, b"a\0"), FILE[1]], [("a", b"abc")]),
        ([FILE[1], row(DATA, _BINARY, sized(b"de")), FILE[0]], [("evil.exe", b"abc"), ("evil.exe", b"de")]),
        ([FILE[0], row(DATA, 0xD, sized(bytes(16) + b"obj"))], [("evil.exe", b"obj")]),
        ([FILE[0]], [("evil.exe", b"")]),
        ([row(NAME, _UNICODE, sized(b"a\0\0")), FILE[1]], [("a", b"abc")]),
        ([row(NAME, 0x1000 | _UNICODE, sized(b"a\0", b"b\0")), FILE[1]], [("a", b"abc"), ("b", b"abc")]),
    ],
)
def test_names_and_contents_in_a_winmail_dat(rows: list[bytes], found: list[tuple[str, bytes]]) -> None:
    assert list(tnef_files(winmail(*rows))) == [(name, "application/octet-stream", data) for name, data in found]


@pytest.mark.parametrize(
    "kind",
    [(1, 4), (2, 4), (3, 4), (4, 4), (5, 8), (6, 8), (7, 8), (0xA, 4), (0xB, 4), (0x14, 8), (0x40, 8), (0x48, 16)],
)
def test_each_type_of_fixed_size_has_its_size(kind: tuple[int, int]) -> None:
    number, size = kind
    assert list(tnef_files(winmail(row(1, number, bytes(size)), *FILE))) == FOUND
    assert list(tnef_files(winmail(row(1, 0x1000 | number, struct.pack("<I", 3) + bytes(3 * size)), *FILE))) == FOUND


@pytest.mark.parametrize("size", range(10))
def test_values_are_padded_to_four_bytes(size: int) -> None:
    assert list(tnef_files(winmail(row(1, _BINARY, sized(bytes(size))), *FILE))) == FOUND
    name = bytes(size) + bytes(-size % 4)
    named = bytes(16) + struct.pack("<II", 1, size) + name
    assert list(tnef_files(winmail(row(0x8000, _LONG, bytes(4), id=named), *FILE))) == FOUND
    assert list(tnef_files(winmail(row(0x7FFF, _LONG, bytes(4)), *FILE))) == FOUND


def test_a_page_and_a_winmail_dat_in_a_winmail_dat() -> None:
    page = attribute(1, 0x9003, properties((0x1013, _BINARY, b"<p>"), (0x1014, _BINARY, b"no")))
    assert list(tnef_files(SIGN + page)) == [("", "text/html", b"<p>")]
    other = attribute(1, 0x9005, properties((0x1013, _BINARY, b"<p>"))) + attribute(1, 0x8010, b"no name\0")
    assert list(tnef_files(SIGN + other)) == []
    inner = tnef("title", b"evil.exe")
    assert [file[1:] for file in tnef_files(tnef("object", b"evil.exe"))] == [("application/ms-tnef", inner)]
    assert [file[:2] for file in tnef_files(winmail(row(DATA, _BINARY, sized(inner))))] == [("", "application/ms-tnef")]


def test_a_winmail_dat_ends_with_its_last_attribute() -> None:
    whole = winmail(*FILE)
    assert list(tnef_files(whole[:-2])) == FOUND, "the checksum of the last attribute"
    assert list(tnef_files(whole + bytes(8))) == FOUND, "less than an attribute"
    assert list(tnef_files(whole + attribute(1, 1, b""))) == FOUND
    with pytest.raises(UnreadableError):
        list(tnef_files(whole[:-3]))
    last = struct.pack("<BHHI", 2, 0x8010, 6, 0)
    named = SIGN + attribute(2, 0x8010, b"a\0")
    assert [name for name, _, _ in tnef_files(named + last)] == ["a", ""], "an empty name"
    assert [name for name, _, _ in tnef_files(named + last[:-1])] == ["a"]
    title = SIGN + attribute(2, 0x8010, b"a\0") + attribute(2, 0x800F, b"x")
    assert list(tnef_files(title)) == [("a", "application/octet-stream", b"x")]


# -- signs of content


@pytest.mark.parametrize(
    ("head", "extension"),
    [
        (b"MZ\0", ".exe"), (b"ZM\0", ".exe"), (b"MZ" + b"x" * 509 + b"\0", ".exe"), (b"MZ" + b"x" * 510 + b"\0", None),
        (b"\x7fELF", ".elf.exe"), (b"\xfe\xed\xfa\xce", ".macho.exe"), (b"\xfe\xed\xfa\xcf", ".macho.exe"),
        (b"\xce\xfa\xed\xfe", ".macho.exe"), (b"\xcf\xfa\xed\xfe", ".macho.exe"), (b"\xca\xfe\xba\xbe", ".jar"),
        (b"L\0\0\0\x01\x14\x02\0\0\0\0\0\xc0\0\0\0\0\0\0F", ".lnk"), (b"MSCF", ".cab"), (b"ITSF", ".chm"),
        (b"?_\x03\0", ".hlp"), (b"vhdxfile", ".vhdx"), (b"conectix", ".vhd"), (b"#!", ".ksh"), (b"REGEDIT4", ".reg"),
        (b"Windows Registry Editor", ".reg"), ("Windows Reg".encode("utf-16-le"), ".reg"),
        ("\ufeffWindows Reg".encode("utf-16-le"), ".reg"), (bytes(32769) + b"CD001", ".iso"),
        (bytes(32768) + b"CD001", None), (bytes(32770) + b"CD001", None), (b"PK\x03\x04", None), (b"", None),
        (b"xMZ\0", None),
    ],
)  # fmt: skip
def test_the_sign_of_a_program(head: bytes, extension: str | None) -> None:
    assert program_extension(head) == extension
    if extension and len(head) < 30 and not head.endswith(b"\0"):
        assert program_extension(head[:-1]) is None


def test_the_signs_of_other_files() -> None:
    for sign in (b"PK\x03\x04", b"PK\x05\x06", b"PK00PK\x03\x04"):
        assert is_zip(sign + b"x")
        assert not is_zip(sign[:-1] + b"\0")
        assert not is_zip(b"x" + sign)
    assert is_tnef(SIGN)
    assert not is_tnef(SIGN[:3])


def test_the_head_of_a_body_is_decoded_as_far_as_it_counts() -> None:
    assert head_of(b"QUJD" * 40_000, "base64") == b"ABC" * 20_000
    assert len(head_of(b"x" * 60_001, "")) == 60_000
    assert head_of(b"=41" * 50_000, "quoted-printable") == b"A" * 40_000


@pytest.mark.parametrize(
    "name",
    ["!DOCTYPE html", "HTML", "head", "script", "iframe", "h1", "div", "font", "table", "a", "style", "title", "b",
     "body",
     "br", "p", "meta", "svg", "?xml"],
)  # fmt: skip
def test_each_tag_with_which_a_page_may_begin(name: str) -> None:
    for end in (">", " ", "/", "\t", "\n", "\f", "\r"):
        assert is_html(f"<{name}{end}".encode())
    for end in ("", "x", "="):
        assert not is_html(f"<{name}{end}".encode())
    assert is_html(f"\t\n\f\r <{name} ".encode())
    assert not is_html(f"x<{name} ".encode())
    assert [is_html(text) for text in (b"<!--", b"<!--x", b"<!-", b"<h2>")] == [True, True, False, False]


def test_a_name_in_a_winmail_dat_cannot_end_its_line() -> None:
    raw = base64_leaf("application/ms-tnef", tnef("title", b"a\r\nb.exe"))
    assert [reading.data.partition(b"\n")[0] for reading in other_readings(read(raw), False)] == [
        b'Content-Type: application/octet-stream; name="a  b.exe"'
    ]
