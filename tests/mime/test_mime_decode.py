"""Transfer encodings and charsets: decoded whatever is in them, encoded without losing a byte."""

from __future__ import annotations

import base64
import binascii
import quopri

import pytest
from hypothesis import given
from hypothesis import strategies as st

from pymilter.mime._decode import charset_codec, decode_text, decode_transfer, decode_words, encode_transfer
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
