"""Finds the charsets in which readers may decode HTML: from a byte order mark, the label, or a <meta>."""

from __future__ import annotations

import re

from ._decode import charset_codec

#: Codecs in which the byte of "<" is not always "<". In ISO 2022 no other bytes make a "<".
_NOT_ASCII = re.compile(r"utf.?(7|16|32)|hz|cp(037|273|424|500|875|1026|1140)\b", re.IGNORECASE)
_IN_META = re.compile(rb"charset\s{0,9}=[\s\"']{0,9}((?:[\w-]{0,20}utf-?7|hz)[\w-]{0,9})", re.IGNORECASE)
#: Labels that Python does not know: from the Encoding standard (WHATWG), and the first name of UTF-7.
_LABELS = {
    **dict.fromkeys(("unicode", "ucs-2", "iso-10646-ucs-2", "csunicode", "unicodefeff"), "utf-16"),
    "unicodefffe": "utf-16-be",
    "x-unicode-2-0-utf-7": "utf-7",
}
_ANY_IN_META = re.compile(rb"<meta\b[^>]{0,200}?charset\s{0,9}=[\s\"']{0,9}([\w-]{1,40})", re.IGNORECASE)
_MARKS = (
    (b"\xff\xfe\0\0", "utf-32-le"),
    (b"\0\0\xfe\xff", "utf-32-be"),
    (b"\xff\xfe", "utf-16-le"),
    (b"\xfe\xff", "utf-16-be"),
)
_WIDE = re.compile(r"utf-(?:16|32)-[lb]e")


def codecs_to_read(data: bytes, charset: str | None) -> list[str]:
    """Return the codecs, besides ASCII, in which `data` must be read; `charset` is the label, if any."""
    found = [codec for mark, codec in _MARKS if data.startswith(mark)]
    labels = [charset, *(label.decode("ascii", "replace") for label in {*_IN_META.findall(data)})]
    for codec in map(_codec, labels):
        if codec and _NOT_ASCII.match(codec):
            # Without a mark, RFC 2781 and browsers disagree on the byte order.
            found += [codec] if codec not in ("utf-16", "utf-32") else [f"{codec}-le", f"{codec}-be"]
    return list(dict.fromkeys(found))


def codecs_to_show(data: bytes, charset: str | None) -> tuple[str, str]:
    """Return the codec with which most readers decode `data`, and the one in which to write the result for them.

    The second is ASCII, with references for other characters, if there is no label or if all was ASCII before.
    """
    for mark, marked in (*_MARKS, (b"\xef\xbb\xbf", "utf-8")):
        if data.startswith(mark):
            return marked, marked
    codec = _codec(charset)
    if codec in ("utf-16", "utf-32"):
        codec += "-be" if data.startswith(b"\0") else "-le"
    if codec and (_NOT_ASCII.match(codec) or codec.startswith("iso2022")):
        return codec, codec
    if codec and codec not in ("ascii", "iso8859-1"):
        return codec, "ascii" if data.isascii() else codec
    if not codec:
        meta = _ANY_IN_META.search(data)
        codec = _codec(meta.group(1).decode("ascii")) if meta else None
        if codec and not codec.startswith(("utf-16", "utf-32")):
            return codec, "ascii"
    try:
        data.decode("utf-8")
    except UnicodeDecodeError:
        return "cp1252", "ascii"
    return "utf-8", "ascii"


def _codec(label: str | None) -> str | None:
    label = (label or "").strip().lower()
    return _LABELS.get(label) or charset_codec(label)


def is_wide(codec: str) -> bool:
    """Return whether each character has two or four bytes, whatever bytes come before it."""
    return _WIDE.fullmatch(codec) is not None


def decode(data: bytes, codec: str) -> tuple[str, bytes]:
    """Return the text, for `encode`, and the half character that may be left at the end of UTF-16."""
    if codec.startswith("utf-16-"):
        whole = len(data) & ~1
        return data[:whole].decode(codec, "surrogatepass"), data[whole:]
    return data.decode(codec, "replace"), b""


def encode(text: str, codec: str) -> bytes:
    """Encode a text that `decode` returned."""
    return text.encode(codec, "surrogatepass" if codec.startswith("utf-16-") else "replace")
