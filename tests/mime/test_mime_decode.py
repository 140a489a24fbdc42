"""Transfer encodings and charsets: decoded whatever is in them, encoded without losing a byte."""

from __future__ import annotations

import base64
import binascii
import encodings
import quopri

import pytest
from hypothesis import given
from hypothesis import strategies as st

from pymilter.mime._decode import (
    charset_codec,
    decode_text,
    decode_transfer,
    decode_words,
    encode_transfer,
    is_uuencode,
    known_encoding,
    other_decodings,
    uu_files,
)
from support.mime_messages import leaf, read

LINES = st.lists(
    st.sampled_from(
        [b"text", b"\r\n", b"\n", b"\r", b"=", b" ", b"\t", b"\xe9", b"--B", b"From x", b".", b"x" * 80, b"=3D"]
    )
).map(b"".join)


@given(LINES, st.sampled_from([b"\n", b"\r\n"]))
def test_quoted_printable_is_lossless(data: bytes, eol: bytes) -> None:
    coded = encode_transfer(data, "quoted-printable", eol)
    assert decode_transfer(coded, "quoted-printable") == data
    assert quopri.decodestring(coded) == data
    for line in coded.replace(b"\r\n", b"\n").replace(b"\r", b"\n").split(b"\n"):
        assert len(line) <= 76
        assert not line.startswith((b"-", b"F"))
        assert not line.endswith((b" ", b"\t"))


@pytest.mark.parametrize("text", [b"--B", b"-", b"From x", b"F"])
@pytest.mark.parametrize("rows", [1, 2, 3])
def test_no_row_of_a_long_line_begins_as_a_boundary_or_an_mbox_does(text: bytes, rows: int) -> None:
    data = b"x" * 75 * rows + text + b"y" * 80 + b"\n"
    coded = encode_transfer(data, "quoted-printable", b"\n")
    assert coded.startswith((b"x" * 75 + b"=\n") * rows + b"=%02X" % text[0])
    assert decode_transfer(coded, "quoted-printable") == quopri.decodestring(coded) == data


@pytest.mark.parametrize("place", range(70, 78))
def test_no_row_ends_within_an_escape(place: int) -> None:
    data = b"x" * place + b"\xe9" * 100
    coded = encode_transfer(data, "quoted-printable", b"\n")
    assert decode_transfer(coded, "quoted-printable") == data
    for row in coded.split(b"\n"):
        assert row.replace(b"=E9", b"").strip(b"x") in (b"=", b"")


@given(st.binary(), st.sampled_from([b"\n", b"\r\n"]))
def test_base64_is_lossless(data: bytes, eol: bytes) -> None:
    coded = encode_transfer(data, "base64", eol)
    assert coded == base64.encodebytes(data).replace(b"\n", eol)
    assert decode_transfer(coded, "base64") == data
    junk = b"!\xe9 \r\n-".join(bytes([byte]) for byte in coded)
    assert decode_transfer(junk, "base64") == data


@pytest.mark.parametrize(
    ("coded", "data"),
    [(b"QUI", b"AB"), (b"QUJDR", b"ABC"), (b"QU==QUI=", b"AAB"), (b"=QQ==", b"A"), (b"=", b""), (b"", b"")],
)
def test_base64_that_was_cut_off_is_decoded_so_far(coded: bytes, data: bytes) -> None:
    assert decode_transfer(coded, "base64") == data


@given(st.binary(max_size=200))
def test_uuencoded_data_is_decoded_however_broken(data: bytes) -> None:
    lines = b"".join(binascii.b2a_uu(data[i : i + 45]) for i in range(0, len(data), 45))
    coded = b"text\nbegin 644 name\n" + lines + b"`\nend\nmore\n"
    assert decode_transfer(coded, "x-uuencode") == data
    assert decode_transfer(coded.replace(b"\n", b"\r\n"), "uue") == data


@given(st.binary(), st.sampled_from(["base64", "quoted-printable", "uuencode", "7bit", "", "x-bad"]))
def test_decoding_never_raises(data: bytes, encoding: str) -> None:
    decode_transfer(data, encoding)
    decode_transfer(b"begin 644 x\n" + data, encoding)


@pytest.mark.parametrize("header", ["base64", "BASE64", " base64 ", "base64 (comment)", "base64; x"])
def test_name_of_the_encoding(header: str) -> None:
    """1.0.5 did not decode "base64 " with a blank behind it; mail clients do."""
    assert read(leaf("a/b", b"QUI=", header)).get_payload(decode=True) == b"AB"


@pytest.mark.parametrize("data", [b"plain text\n", b"begin the day\n", b" begin 644 x\n#86)C\n", b""])
def test_text_that_is_only_called_uuencoded_stays(data: bytes) -> None:
    assert decode_transfer(data, "x-uuencode") == data


def test_a_charset_with_a_long_name_is_unknown() -> None:
    """Python finds utf-8 in any number of dashes, and remembers each name."""
    assert charset_codec("utf" + "-" * 96 + "8") == "utf-8"
    assert charset_codec("utf" + "-" * 97 + "8") is None


@pytest.mark.parametrize(
    ("lines", "data"),
    [
        (b"#86)C\n", b"abc"),  # the text ends where the file does
        (b"#86)C9&5F\n`\nend\n", b"abc"),  # more in the line than its first byte says
        (b"", b""),
    ],
)
def test_uuencoded_lines_are_read_until_one_is_none(lines: bytes, data: bytes) -> None:
    assert decode_transfer(b"begin 644 name\n" + lines, "x-uuencode") == data


def test_only_charsets_of_texts_have_a_codec() -> None:
    assert charset_codec("UTF-8") == "utf-8"
    assert charset_codec("latin1") == "iso8859-1"
    for name in (None, "", "x-bad", "\0", "zip", "rot13", "hex", "punycode", "idna", "unicode_escape", "undefined"):
        assert charset_codec(name) is None
        assert decode_text(b"a\xe9", name) == "a\N{REPLACEMENT CHARACTER}"


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("a=?utf-8?q?b=C3=A9_?=c", "abé c"),
        ("=?utf-8?b?w6k=?= =?iso-8859-1*fr?Q?=E9?=", "éé"),
        ("=?x-bad?q?a?= x =?utf-8?x?a?=", "a x =?utf-8?x?a?="),
        ("=?utf-8?q?a", "=?utf-8?q?a"),
    ],
)
def test_encoded_words(text: str, expected: str) -> None:
    assert decode_words(text) == expected


@pytest.mark.parametrize(
    ("encoding", "data", "usual", "others"),
    [
        ("base64", b"QUI=", b"AB", []),
        ("base64", b"QUI= \t\r\n", b"AB", []),
        ("base64", b"QUI=QUI=", b"ABAB", [b"AB", b"AB\x10P"]),
        ("base64", b"QU==QUJD", b"AABC", [b"A", b"AD\x14$"]),
        ("base64", b"Q=UJD", b"P\x90", [b"", b"ABC"]),
        ("base64", b"=Q!UJD", b"ABC", [b""]),
        ("base64", b"QUJ=D", b"AB", [b"ABC"]),
        ("quoted-printable", b"a=41 = \nb=\rc=\r\n=\t", b"aA bc", []),
        ("quoted-printable", b"a==41", b"a=A", [b"aA"]),
        ("quoted-printable", b"a=x=4", b"a=x=4", [b"ax4"]),
        ("quoted-printable", b"=4x= \r\n=4a", b"=4xJ", [b"4xJ"]),
        ("x-uuencode", b"=x=", b"=x=", []),
        ("", b"=x=", b"=x=", []),
    ],
)
def test_what_other_decoders_make_of_bad_data(encoding: str, data: bytes, usual: bytes, others: list[bytes]) -> None:
    assert decode_transfer(data, encoding) == usual
    assert other_decodings(data, encoding) == others


def test_each_uuencoded_file_in_a_text_is_found() -> None:
    text = (
        b"x\nbegin 644 a b \n#86)C\n`\nend\nbegin-base64 0755 c.exe\r\nQUJD\r\n====\r\n"
        b"begin 64 n\nbegin 6444444 n\n begin 644 n\nbegin 600\tz\r#86)C\r\rbegin 777777 last\n#86)C\nno more"
    )
    assert list(uu_files(text)) == [(b"a b", b"abc"), (b"c.exe", b"ABC"), (b"z", b"abc"), (b"last", b"abc")]
    assert list(uu_files(b"begin 644 x\n`\nbegin 644 y\nend\n")) == [(b"x", b""), (b"y", b"")]
    assert decode_transfer(b"begin 644 x\n#86)C\n\nbegin 644 y\n#9&5F\n", "uue") == b"abc"
    assert decode_transfer(b"begin 644 x\n\xff\xff\n", "uuencode") == b""


def test_a_uuencoded_line_with_more_than_its_first_byte_says_is_read_so_far() -> None:
    line = binascii.b2a_uu(bytes(range(45)))[:-1]
    for size in (1, 2, 3, 4, 44, 45):
        coded = b"begin 644 x\n" + bytes([32 + size]) + line[1:] + b"QQQ\n`\nend\n"
        assert decode_transfer(coded, "x-uue") == bytes(range(size))


def test_rows_of_base64_have_76_characters() -> None:
    assert encode_transfer(bytes(57), "base64", b"\n") == b"A" * 76 + b"\n"
    assert encode_transfer(bytes(58), "base64", b"\r\n") == b"A" * 76 + b"\r\nAA==\r\n"
    assert encode_transfer(b"", "base64", b"\n") == b""
    assert encode_transfer(b"a\r\n", "x-uuencode", b"\n") == b"a\r\n"


@pytest.mark.parametrize("size", [75, 76, 77, 151, 152, 153])
def test_rows_of_quoted_printable_have_76_characters(size: int) -> None:
    rows = encode_transfer(b"x" * size, "quoted-printable", b"\r\n").split(b"=\r\n")
    assert [len(row) for row in rows] == {75: [75], 76: [76], 77: [75, 2], 151: [75, 76], 152: [75, 75, 2],
                                          153: [75, 75, 3]}[size]  # fmt: skip


def test_what_quoted_printable_escapes() -> None:
    data = b"a\x1f\x7f =~\t\xe9 \r\n-x\rFy\nF-\n\t\n>f-"
    assert encode_transfer(data, "quoted-printable", b"\n") == (b"a=1F=7F =3D~\t=E9=20\r\n=2Dx\r=46y\n=46-\n=09\n>f-")


@pytest.mark.parametrize("name", ["base64", "quoted-printable", "x-uuencode", "uuencode", "uue", "x-uue"])
def test_encodings_that_are_known(name: str) -> None:
    assert known_encoding(name) == name
    assert is_uuencode(name) == ("uu" in name)
    assert decode_transfer(b"begin 644 x\n#86)C\n", name) == b"abc" or "uu" not in name
    for unknown in (name + "x", name[:-1], "7bit", "binary", ""):
        assert known_encoding(unknown) == ""
        assert not is_uuencode(unknown)


def test_codecs_that_are_no_charsets_of_mail_have_none() -> None:
    for name in ("raw_unicode_escape", "raw-unicode-escape", "PUNYCODE", "bz2", "uu", "base64", "mbcs", "oem"):
        assert charset_codec(name) is None


def test_an_unknown_charset_is_forgotten() -> None:
    """The standard library remembers each name it was asked for."""
    encodings._cache["x_of_somebody_else"] = None
    assert charset_codec("x-nobody-knows-this") is None
    assert None not in encodings._cache.values()
    assert charset_codec("latin-1") == "iso8859-1"


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("=?utf-8?B?w6k=?=", "é"),
        ("=?utf-8?b?w6k?==?utf-8?q?=C3=A9?=", "éé"),
        ("=?utf-8?q?a?= \r\n\t=?utf-8?q?b?=", "ab"),
        ("=?utf-8?q?a?= =?utf-8?x?b?=", "a =?utf-8?x?b?="),
        ("=?utf-8*en?q?a_b?= c", "a b c"),
        ("=?utf-8?q?\udce9?=", "\N{REPLACEMENT CHARACTER}"),
        ("=?us ascii?q?a?=", "=?us ascii?q?a?="),
    ],
)
def test_encoded_words_in_a_parameter(text: str, expected: str) -> None:
    assert decode_words(text) == expected


def test_bytes_that_a_charset_lacks_are_replaced() -> None:
    assert decode_text(b"a\xe9", None) == "a\N{REPLACEMENT CHARACTER}"
    assert decode_text(b"a\xe9", "latin-1") == "aé"
    assert decode_text(b"a\xc3", "utf-8") == "a\N{REPLACEMENT CHARACTER}"
