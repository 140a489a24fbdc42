"""Transfer encodings and charsets: any data can be decoded, and encoding loses no byte."""

from __future__ import annotations

import binascii
import re
from collections.abc import Iterator

from ._charsets import find_codec

_NOT_BASE64_OR_PADDING = re.compile(rb"[^A-Za-z0-9+/=]+")
_NOT_BASE64 = re.compile(rb"[^A-Za-z0-9+/]+")
_LINES = re.compile(rb"[^\r\n]*(?:\r\n|\r|\n|\Z)")
_UU_BEGIN = re.compile(rb"(?:\A|(?<=[\r\n]))begin(-base64)?[ \t]+[0-7]{3,6}[ \t]+([^\r\n]*+)(?:\r\n|\r|\n)")
_BASE64_LINES = re.compile(rb"(?:[A-Za-z0-9+/=]++(?:\r\n|\r|\n|\Z))*+")
_WORD = re.compile(r"=\?([^?\s]++)\?([bBqQ])\?([^?]*+)\?=")
_BETWEEN_WORDS = re.compile(r"(?<=\?=)[ \t\r\n]++(?==\?[^?\s]++\?[bBqQ]\?)")
_PADDING = re.compile(rb"=++")
_QP_ODD = re.compile(rb"=(?!\r\n|\n|[0-9A-Fa-f]{2})")
_QP_SOFT_BREAK = re.compile(rb"=[ \t]*+(?:\r\n|\n|\r|\Z)")
_QP_LONE = re.compile(rb"=(?![0-9A-Fa-f]{2}|\n)")
_QP_UNSAFE = re.compile(rb"[^\t -<>-~]")

_UU_NAMES = frozenset({"x-uuencode", "uuencode", "uue", "x-uue"})

#: Codecs that are not charsets of mail: some need quadratic time, some always raise.
_NO_CHARSET = frozenset({"punycode", "idna", "unicode_escape", "raw_unicode_escape", "undefined", "mbcs", "oem"})


def known_encoding(name: str) -> str:
    """Return the name if it is an encoding that `decode_transfer` decodes, else ""."""
    return name if name in ("base64", "quoted-printable") or name in _UU_NAMES else ""


def decode_transfer(data: bytes, encoding: str) -> bytes:
    """Decode `data` as forgivingly as mail clients do; data in an unknown encoding is returned unchanged."""
    if encoding == "base64":
        return _decode_base64(data)
    if encoding == "quoted-printable":
        return _decode_qp(data)
    if encoding in _UU_NAMES:
        return _decode_uu(data)
    return data


def other_decodings(data: bytes, encoding: str) -> list[bytes]:
    """Return what other decoders make of incorrectly encoded data, if it is not what `decode_transfer` returns."""
    found: list[bytes] = []
    if encoding == "base64":
        if b"=" in data.rstrip(b"= \t\r\n"):
            digits = _NOT_BASE64_OR_PADDING.sub(b"", data)
            found = [_digits(digits.partition(b"=")[0]), _digits(digits.replace(b"=", b"")), _until_padded(digits)]
    elif encoding == "quoted-printable" and _QP_ODD.search(data):
        found = [binascii.a2b_qp(_QP_LONE.sub(b"", _QP_SOFT_BREAK.sub(b"=\n", data)))]
    usual = decode_transfer(data, encoding) if found else b""
    return [other for other in dict.fromkeys(found) if other != usual]


def uu_files(data: bytes) -> Iterator[tuple[bytes, bytes]]:
    """Yield name and content of each uuencoded file in a text."""
    begin = _UU_BEGIN.search(data)
    while begin:
        if begin.group(1):
            end = _BASE64_LINES.match(data, begin.end()).end()  # type: ignore[union-attr]
            content = _decode_base64(data[begin.end() : end])
        else:
            lines, end = _uu_lines(data, begin.end())
            content = b"".join(lines)
        yield begin.group(2).strip(), content
        begin = _UU_BEGIN.search(data, end)


def encode_transfer(data: bytes, encoding: str, eol: bytes) -> bytes:
    """Encode `data` so that `decode_transfer` returns it; for an unknown encoding it is returned unchanged.

    uuencode is not supported: the caller must change the header to base64 first.
    """
    if encoding == "base64":
        rows = (binascii.b2a_base64(data[i : i + 57], newline=False) for i in range(0, len(data), 57))
        return b"".join(row + eol for row in rows)
    if encoding == "quoted-printable":
        return b"".join(_qp_line(m.group(), eol) for m in _LINES.finditer(data))
    return data


def is_uuencode(encoding: str) -> bool:
    """Return whether `encoding` is one of the names of uuencode."""
    return encoding in _UU_NAMES


def decode_text(data: bytes, charset: str | None) -> str:
    """Decode `data` from `charset`, with U+FFFD for invalid bytes; if it is unknown, for each byte above 127."""
    return data.decode(charset_codec(charset) or "ascii", "replace")


def decode_words(text: str) -> str:
    """Decode the RFC 2047 words in a text, in linear time."""
    return _WORD.sub(_word, _BETWEEN_WORDS.sub("", text))


def _word(match: re.Match[str]) -> str:
    charset, kind, coded = match.groups()
    data = coded.encode("utf-8", "surrogateescape")
    data = _decode_base64(data) if kind in "bB" else binascii.a2b_qp(data, header=True)
    return decode_text(data, charset.partition("*")[0])


def charset_codec(charset: str | None) -> str | None:
    """Return Python's name of `charset`; None if Python does not know it, or if it is not for texts."""
    info = find_codec(charset) if charset else None
    if info is None:
        return None
    try:
        b"x".decode(info.name, "replace")  # raises for codecs that are not text encodings, such as zip
    except (LookupError, ValueError):
        return None
    return None if info.name.replace("-", "_") in _NO_CHARSET else info.name


def _decode_base64(data: bytes) -> bytes:
    """Decode as most clients do: they continue after padding, and decode each padded stretch separately."""
    return b"".join([_digits(_NOT_BASE64.sub(b"", stretch)) for stretch in _PADDING.split(data)])


def _digits(digits: bytes) -> bytes:
    if len(digits) % 4 == 1:  # six bits do not make a byte
        digits = digits[:-1]
    return binascii.a2b_base64(digits + b"=" * (-len(digits) % 4))


def _until_padded(digits: bytes) -> bytes:
    """Decode as binascii does: padding ends the data if it completes four digits, and is ignored elsewhere."""
    try:
        return binascii.a2b_base64(digits)
    except binascii.Error:
        return b""


def _decode_qp(data: bytes) -> bytes:
    """Decode, allowing blanks after the "=" of a soft line break (RFC 2045, 6.7, rule 3), and "=" that encode nothing.

    binascii loses the text after "=" and CR, and misreads "==3C".
    """
    if _QP_ODD.search(data):
        data = _QP_LONE.sub(b"=3D", _QP_SOFT_BREAK.sub(b"=\n", data))
    return binascii.a2b_qp(data)


def _decode_uu(data: bytes) -> bytes:
    return next((content for _, content in uu_files(data)), data)


def _uu_lines(data: bytes, pos: int) -> tuple[list[bytes], int]:
    """Decode lines up to one that is not uuencoded; return them and the position where they end."""
    out: list[bytes] = []
    end = pos
    for match in _LINES.finditer(data, pos):  # the last of these is empty
        line, end = match.group().rstrip(b"\r\n"), match.start()
        if not line or line == b"end":
            break
        try:
            out.append(binascii.a2b_uu(line))
        except binascii.Error:  # the line is too long for its first byte, which has the length: decode that much
            size = (((line[0] - 32) & 63) * 4 + 5) // 3
            try:
                out.append(binascii.a2b_uu(line[:size]))
            except binascii.Error:
                break
    return out, end


def _qp_line(line: bytes, eol: bytes) -> bytes:
    body = line.rstrip(b"\r\n")
    end = line[len(body) :]
    text = _QP_UNSAFE.sub(lambda m: b"=%02X" % ord(m.group()), body)
    if text[:1] in (b"-", b"F"):  # no line of the text may look like a boundary, or like the "From " of an mbox
        text = b"=%02X" % text[0] + text[1:]
    if text[-1:] in (b" ", b"\t"):
        text = text[:-1] + b"=%02X" % text[-1]
    rows = []
    begin, lead = 0, b""
    while len(lead) + len(text) - begin > 76:
        cut = begin + 75 - len(lead)
        while text[cut - 1 : cut] == b"=" or text[cut - 2 : cut - 1] == b"=":
            cut -= 1
        rows.append(lead + text[begin:cut] + b"=" + eol)
        begin, lead = cut, b""
        if text[cut : cut + 1] in (b"-", b"F"):
            begin, lead = cut + 1, b"=%02X" % text[cut]
    return b"".join(rows) + lead + text[begin:] + end
