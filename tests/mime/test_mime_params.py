"""The values that mail clients read in a header: parameters, comments, types and encodings, and how far they look."""

from __future__ import annotations

import pytest

import mime
from pymilter.mime._names import check_ext, part_names
from pymilter.mime._params import (
    collapse,
    content_types,
    encodings,
    parse_params,
    read_content,
    transfer_encoding,
)
from pymilter.mime._scan import parameter, value_readings, without_comments
from support.mime_messages import leaf, read

NAME = parameter("name")


@pytest.mark.parametrize(
    ("value", "readings"),
    [
        ("name=a", ["a"]),
        ("name=a b; x", ["a b", "a"]),
        (r'name="a\"b c"; x', ['a"b c', r"a\"b c", "a\\"]),
        ('name="a"b c', ["a", "ab c"]),
        (r'name="a\.b"c', ["a.b", r"a\.b", "a.bc"]),
        ('name="a', ["a"]),
        ('name="a;b c', ["a;b c", "a"]),
        ("name=a<b>", ["a<b>", "a"]),
        ("name=a(c)b", ["a(c)b", "a", "a b"]),
        ("name=(c)a", ["(c)a", "a"]),
        ("name=", []),
        ("name=%41", ["%41", "A"]),
        ("name=%C3%A9", ["%C3%A9", "é"]),
        ("name=%41\udce9", ["%41\udce9", "A\N{REPLACEMENT CHARACTER}"]),
        ("NAME =\t a", ["a"]),
        ("x-name=a;xname=b;name=c", ["c"]),
        ("name*=utf-8'en'a%20b", ["utf-8'en'a%20b", "a b"]),
        ("name*=latin-1'en'%E9", ["latin-1'en'%E9", "é"]),
        ("name*='en'%C3%A9", ["'en'%C3%A9", "é"]),
        ("name*0=a; name*1=b", ["ab"]),
        ("name*1=b; name*0=a", ["ba", "ab"]),
        ("name*2=c; name*10=d; name*0=a", ["cda", "acd"]),
        ("name*0*=utf-8''a%41; name*1=c", ["utf-8''a%41c", "aAc"]),
        ("name*0=a; name=b; name*1=c", ["b", "ac"]),
        ("name=" + "x" * 2000, ["x" * 2000]),
        ("name=" + "x" * 1500 + "y" * 501, ["x" * 1000 + "x" * 499 + "y" * 501]),
    ],
)
def test_each_reading_of_a_parameter(value: str, readings: list[str]) -> None:
    assert value_readings(value, NAME) == readings


@pytest.mark.parametrize("unit", ["name=a;", "name*0=a;"])
def test_a_header_has_so_many_parameters_of_one_name(unit: str) -> None:
    assert value_readings(unit * 64, NAME) is not None
    assert value_readings(unit * 65, NAME) is None
    assert value_readings("x=(" + unit * 65, NAME) is None
    assert value_readings(unit * 40 + "(" + unit * 25 + ")", NAME) is None


@pytest.mark.parametrize(
    ("value", "kept"),
    [
        ("ab", "ab"), ("a(b)c", "a c"), ("a(b(c)d)e", "a e"), ("a(b)(c)d", "a  d"), ("(a)", " "), ("a)b", "a)b"),
        ('a"(b)"c(d)', 'a"(b)"c '), (r"a(\)b)c", "a c"), (r'a"\"(b)"c(d)', r'a"\"(b)"c '), ('a(")b"c', 'a b"c'),
        ('a(")b(c)d', "a b d"),
        ("a(b", "a (b"), ("a(b)c(d", "a c (d"), ("a(b(c)d", "a (b(c)d"),
    ],
)  # fmt: skip
def test_comments_are_taken_out(value: str, kept: str) -> None:
    assert without_comments(value) == kept


@pytest.mark.parametrize(
    ("value", "found", "name"),
    [
        ("base64", ["base64"], "base64"),
        (" BASE64 ", ["base64"], "base64"),
        ("(x) base64", ["base64", ""], "base64"),
        ('"base64"', ["base64", ""], "base64"),
        ("base64; x", ["base64", ""], "base64"),
        ("(base64)", ["base64", ""], ""),
        ("x y base64", ["", "base64"], "x"),
        ("quoted-printable base64", ["quoted-printable", "base64", ""], "quoted-printable"),
        ("(base64) uue", ["uue", "base64", ""], "uue"),
        ("7bit", [""], "7bit"),
        ("x-unknown", [""], "x-unknown"),
        ("", [""], ""),
        ("()", [""], ""),
        ("x" * 995 + " base64", ["", ], "x" * 995),
        (" " * 994 + "base64", ["base64"], "base64"),
        (" " * 995 + "base64", [""], "base6"),
    ],
)  # fmt: skip
def test_each_reading_of_an_encoding(value: str, found: list[str], name: str) -> None:
    assert encodings(value) == found
    assert transfer_encoding(value) == name
    assert transfer_encoding(None) == ""


@pytest.mark.parametrize(
    ("value", "types"),
    [
        ("A/B; c/d", ["a/b"]), ("(x) a/b", ["a/b"]), ("a/b c/d", ["a/b", "c/d"]), ('"a/b"', ["a/b"]),
        ("a / b", ["a/b"]),
        ("(a/b) c/d", ["c/d", "a/b"]), ("(a/b", ["a/b"]), ("a'/b", ["a/b"]), ("a", []), ("", []), ("a/", []),
        ("/b", []),
        (" " * 997 + "a/b", ["a/b"]), (" " * 997 + "a/bc", ["a/b"]), (" " * 998 + "a/b", []),
    ],
)  # fmt: skip
def test_each_reading_of_a_type(value: str, types: list[str]) -> None:
    assert content_types(value) == types


def test_parameters_are_read_the_same_however_long_they_are() -> None:
    for size in (10, 1983, 1984, 1985, 5000):
        value = "a/b; name=x; c=" + "y" * size
        assert parse_params(value) == [("a/b", ""), ("name", '"x"'), ("c", f'"{"y" * size}"')]
        parse_params(value).clear()
        assert len(parse_params(value)) == 3, "what is returned is the caller's own"


@pytest.mark.parametrize(
    ("value", "params"),
    [
        ('a/b; c="d" e', [("a/b", ""), ("c", '"d"')]),
        (r'a/b; c="d\"e" f', [("a/b", ""), ("c", r'"d\"e"')]),
        ('a/b; c="d', [("a/b", ""), ("c", r'"\"d"')]),
        ("a/b; C = d ;; e", [("a/b", ""), ("c", '"d"'), ("", '""'), ("e", '""')]),
        ("a/b; c*0=d; c*1=e", [("a/b", ""), ("c", '"de"')]),
        ("a/b; c*=utf-8'en'%C3%A9", [("a/b", ""), ("c", ("utf-8", "en", '"\xc3\xa9"'))]),
        (f"a/b; c*{'9' * 5000}=d", [("a/b", ""), (f"c*{'9' * 5000}", "d")]),
    ],
)
def test_parameters_as_the_email_package_gives_them(value: str, params: list[tuple[str, object]]) -> None:
    assert parse_params(value) == params


@pytest.mark.parametrize(
    ("value", "text"),
    [
        ('"a b"', "a b"),
        (("utf-8", "en", '"\xc3\xa9"'), "é"),
        (("latin-1", None, "\xe9"), "é"),
        (("x-bad", "", "a\xe9"), "a\N{REPLACEMENT CHARACTER}"),
        ((None, None, '"a\xe9"'), "a\xe9"),
        (("", "", "\u20ac"), "\u20ac"),
    ],
)
def test_a_value_as_text(value: str | tuple[str | None, str | None, str], text: str) -> None:
    assert collapse(value) == text


@pytest.mark.parametrize(
    ("fields", "kind", "boundaries", "encoding"),
    [
        ([], "x/y", (), ""),
        ([("CONTENT-TYPE", "A/B; boundary=C")], "a/b", (), ""),
        ([("content-type", "none"), ("content-type", "a/b")], "text/plain", (), ""),
        ([("content-type", "multipart/a; boundary=B"),
        ("content-type", "c/d; boundary=C")], "multipart/a", (b"B", b"C"),
         ""),
        ([("a", "multipart/a; boundary=B"), ("Content-Transfer-Encoding", "base64"),
          ("content-transfer-encoding", "uue")], "x/y", (), "base64"),
        ([("content-transfer-encoding", ""), ("content-transfer-encoding", "uue")], "x/y", (), ""),
        ([("content-type", 'multipart/a; boundary="B \t"; Boundary=B')], "multipart/a", (b"B",), ""),
        ([("content-type", 'multipart/a; boundary="B\0C"')], "multipart/a", (b"B\0C", b"B"), ""),
        ([("content-type", 'multipart/a; boundary="B\n C"')], "multipart/a", (b"B C",), ""),
        ([("content-type", "multipart/a; boundary=\udce9")], "multipart/a", (b"\xe9",), ""),
        ([("content-type", "multipart/a; boundary*=us-ascii''B%43")], "multipart/a", (b"BC", b"us-ascii''B%43"), ""),
        ([("content-type", 'multipart/a; boundary=""')], "multipart/a", (), ""),
    ],
)  # fmt: skip
def test_what_a_header_says_of_the_parts(
    fields: list[tuple[str, str]], kind: str, boundaries: tuple[bytes, ...], encoding: str
) -> None:
    content = read_content(fields, "x/y")
    assert (content.type, content.boundaries, content.encoding) == (kind, boundaries, encoding)


def test_a_boundary_may_be_in_a_line_that_is_no_field() -> None:
    fields = [("content-type", "multipart/a")]
    assert read_content(fields, "x/y", [b"boundary=C\r\n", b"x; boundary=D; z"]).boundaries == (b"C", b"D")
    assert read_content([], "multipart/a", [b"x; boundary=C"]).boundaries == (b"C",)
    assert read_content([], "a/b", [b"x; boundary=C"]).boundaries == ()


# -- the names of a part


@pytest.mark.parametrize(
    ("raw", "pairs"),
    [
        (leaf("a/b; x=1; name=n"), [("a/b", ""), ("x", "1"), ("name", "n"), ("filename", "n")]),
        (leaf(None, disposition="inline; filename=f; NAME=g; x=h"), [("filename", "f"), ("filename", "g")]),
        (
            leaf("a/b; name=n", extra=b"Content-Type: c/d; x=1; name=m\n"),
            [("a/b", ""), ("name", "n"), ("filename", "n"), ("filename", "1"), ("filename", "m")],
        ),
        (
            leaf('a/b; name="=?utf-8?q?x?="'),
            [("a/b", ""), ("name", "=?utf-8?q?x?="), ("filename", "=?utf-8?q?x?="), ("filename", "x")],
        ),
        (leaf(None, disposition="inline; filename=f g"), [("filename", "f g"), ("filename", "f")]),
        (leaf('a/b; name="x\n y"'), [("a/b", ""), ("name", "x\n y"), ("filename", "x\n y"), ("filename", "x y"),
                                      ("filename", "xy")]),
        (b"Content-Type: a/b\nno field; name=n\r\nX: y\n\n", [("a/b", ""), ("filename", None), ("filename", "nX: y"),
                                                             ("filename", "nX:"), ("filename", "n")]),
    ],
)  # fmt: skip
def test_all_names_of_a_part(raw: bytes, pairs: list[tuple[str, str | None]]) -> None:
    assert read(raw).getnames() == pairs
    assert not read(raw).has_too_many_names()


@pytest.mark.parametrize(
    "raw",
    [
        leaf("application/zip"), leaf("application/x-zip"), leaf("application/x-zip-compressed"),
        leaf("application/zip-compressed"), leaf("application/x-compressed"), leaf("multipart/x-zip"),
        leaf("a/b; name=x.ZIP"), leaf("a/b", disposition='inline; filename="x.zip. "'),
        leaf("a/b", extra=b"Content-Type: application/zip\n"), leaf("a/b; x=y.zip"),
    ],
)  # fmt: skip
def test_a_zip_file_has_its_type_or_its_name(raw: bytes) -> None:
    assert part_names(read(raw)).is_zip
    assert not part_names(read(leaf("application/x; name=zip"))).is_zip


@pytest.mark.parametrize(
    "name",
    ["a.exe::$data", "a.exe::$DATA", "a.exe.::$data", "a.ex\u202ee", "a.\u3164exe", "a.exe\u2028",
     "a.\uff25\uff38\uff25",
     "a.e\udce9xe", "\ufe00a.exe\u200b. ",
     "a.e\x01xe", "a.exe\u2029", "a.exe\0\u200b"],
)  # fmt: skip
def test_characters_that_nobody_sees_hide_no_extension(name: str) -> None:
    assert check_ext(name) == name
    assert check_ext(name.replace("x", "\xe9").replace("\uff38", "\xe9")) is None


@pytest.mark.parametrize("before", [b"", b"From: x\n", b"Content-Type: a/b\n"])
@pytest.mark.parametrize("stray", [b"no field; name=my evil.exe", b": name=my evil.exe"])
@pytest.mark.parametrize("after", [b"", b"\nX: y", b"\nmore", b"\n: more", b"\n more", b"\nContent-X: y"])
def test_a_name_in_a_line_that_is_no_field_ends_with_the_line(before: bytes, stray: bytes, after: bytes) -> None:
    """What follows was read as a part of the name, and hid its extension."""
    raw = before + stray + after + b"\n\nbody\n"
    for each in (raw, raw.replace(b"\n", b"\r\n"), raw.replace(b"\n", b"\r")):
        if before or not stray.startswith(b"no"):
            assert ("filename", "my evil.exe") in read(each).getnames()
            assert mime.defang(read(each), "/saved")


@pytest.mark.parametrize("after", [b"", b": y\n", b" y\n"])
def test_a_boundary_in_a_line_that_is_no_field_ends_with_the_line(after: bytes) -> None:
    raw = b"Content-Type: multipart/mixed\n: boundary=B\n" + after + b"\n--B\n\nx\n--B--\n"
    assert [part.get_payload() for part in read(raw).get_payload()] == ["x"]
