"""Content transfer encodings and charsets, decoded without ever raising and encoded without losing a byte."""

from __future__ import annotations

import binascii
import re

from ._charsets import find_codec

_NOT_BASE64 = re.compile(rb"[^A-Za-z0-9+/]+")
_LINES = re.compile(rb"[^\r\n]*(?:\r\n|\r|\n|\Z)")
_UU_BEGIN = re.compile(rb"(?:\A|(?<=[\r\n]))begin [0-7]{1,6} [^\r\n]*(?:\r\n|\r|\n)")
_WORD = re.compile(r"=\?([^?\s]++)\?([bBqQ])\?([^?]*+)\?=")
_BETWEEN_WORDS = re.compile(r"(?<=\?=)[ \t\r\n]++(?==\?[^?\s]++\?[bBqQ]\?)")
_QP_UNSAFE = re.compile(rb"[^\t -<>-~]")

_UU_NAMES = frozenset({"x-uuencode", "uuencode", "uue", "x-uue"})

#: Codecs that are no charset of a mail: some need quadratic time, some always raise.
_NO_CHARSET = frozenset({"punycode", "idna", "unicode_escape", "raw_unicode_escape", "undefined", "mbcs", "oem"})


def known_encoding(name: str) -> str:
    """Return the encoding of that name if it is one that is decoded; else ""."""
    return name if name in ("base64", "quoted-printable") or name in _UU_NAMES else ""


def decode_transfer(data: bytes, encoding: str) -> bytes:
    """Decode `data`, forgiving as mail clients are; an unknown encoding leaves it as it is."""
    if encoding == "base64":
        return _decode_base64(data)
    if encoding == "quoted-printable":
        return binascii.a2b_qp(data)
    if encoding in _UU_NAMES:
        return _decode_uu(data)
    return data


def encode_transfer(data: bytes, encoding: str, eol: bytes) -> bytes:
    """Encode `data` so that `decode_transfer` gives it back; an unknown encoding leaves it as it is.

    uuencode is not written: the caller changes the header to base64 first.
    """
    if encoding == "base64":
        rows = (binascii.b2a_base64(data[i : i + 57], newline=False) for i in range(0, len(data), 57))
        return b"".join(row + eol for row in rows)
    if encoding == "quoted-printable":
        return b"".join(_qp_line(m.group(), eol) for m in _LINES.finditer(data))
    return data


def is_uuencode(encoding: str) -> bool:
    """Tell whether `encoding` is one of the names of uuencode."""
    return encoding in _UU_NAMES


def decode_text(data: bytes, charset: str | None) -> str:
    """Decode `data` from `charset`; what does not fit, or an unknown charset, gives U+FFFD for the bytes above 127."""
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
    """Return Python's name of `charset`, or None when it knows none that is a charset of texts."""
    info = find_codec(charset) if charset else None
    if info is None:
        return None
    try:
        b"x".decode(info.name, "replace")  # refuses the codecs that are no text encoding, such as zip
    except (LookupError, ValueError):
        return None
    return None if info.name.replace("-", "_") in _NO_CHARSET else info.name


def _decode_base64(data: bytes) -> bytes:
    end = data.find(b"=")  # padding ends the data
    digits = _NOT_BASE64.sub(b"", data if end < 0 else data[:end])
    if len(digits) % 4 == 1:  # six bits are no byte
        digits = digits[:-1]
    return binascii.a2b_base64(digits + b"=" * (-len(digits) % 4))


def _decode_uu(data: bytes) -> bytes:
    begin = _UU_BEGIN.search(data)
    if not begin:
        return data
    out = []
    for match in _LINES.finditer(data, begin.end()):
        line = match.group().rstrip(b"\r\n")
        if not line or line == b"end":
            break
        try:
            out.append(binascii.a2b_uu(line))
        except binascii.Error:  # a line that lies about its length: take what its first byte promises
            size = (((line[0] - 32) & 63) * 4 + 5) // 3
            try:
                out.append(binascii.a2b_uu(line[:size]))
            except binascii.Error:
                break
    return b"".join(out)


def _qp_line(line: bytes, eol: bytes) -> bytes:
    body = line.rstrip(b"\r\n")
    end = line[len(body) :]
    text = _QP_UNSAFE.sub(lambda m: b"=%02X" % ord(m.group()), body)
    if text[:1] in (b"-", b"F"):  # a line of the text must never look like a boundary, nor like mbox's "From "
        text = b"=%02X" % text[0] + text[1:]
    if text[-1:] in (b" ", b"\t"):
        text = text[:-1] + b"=%02X" % text[-1]
    rows = []
    while len(text) > 76:
        cut = 75
        while text[cut - 1 : cut] == b"=" or text[cut - 2 : cut - 1] == b"=":
            cut -= 1
        rows.append(text[:cut] + b"=" + eol)
        text = text[cut:]
        if text[:1] in (b"-", b"F"):
            text = b"=%02X" % text[0] + text[1:]
    return b"".join(rows) + text + end
