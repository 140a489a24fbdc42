"""Owns reading a header value with encoded words in it (RFC 2047), in time that grows with its length."""

import re
from binascii import Error as Base64Error
from binascii import a2b_base64
from collections.abc import Iterator
from email.quoprimime import header_decode
from typing import NamedTuple

from ._charsets import find_codec

_HEAD = re.compile(r"=\?([^?*\s]*+)(?:\*[^?]*+)?\?([bBqQ])\?")
_LINE_END = re.compile(r"[\r\n]")
_FOLD = re.compile(r"[\r\n]+[ \t]*")


class _Word(NamedTuple):
    start: int
    end: int
    charset: str
    encoding: str
    text: str


def _words(value: str) -> Iterator[_Word]:
    """The encoded words: each ends at the next "?=", which must be in the same line."""
    close = line_end = -1
    pos = 0
    while head := _HEAD.search(value, pos):
        begin = head.end()
        if close < begin:  # else the one that was found for a head before this one
            close = value.find("?=", begin)
        if close < 0:
            return
        if line_end < begin:
            line_end = value.find("\n", begin)
            line_end = len(value) if line_end < 0 else line_end
        if line_end < close:
            pos = head.start() + 1
            continue
        yield _Word(head.start(), close + 2, head[1].lower(), head[2], value[begin:close])
        pos = close + 2


def _payload(encoding: str, text: str) -> bytes:
    """The bytes of an encoded word. ValueError when they cannot be had."""
    if encoding in "bB":
        text = text.rstrip("=")
        return a2b_base64(text + "=" * (-len(text) % 4))
    return header_decode(text).encode("latin-1")


def _text_codec(charset: str) -> str | None:
    """Python's name of a charset; None for one that is unknown, or whose codec is not for texts."""
    codec = find_codec(charset)
    if codec is None:
        return None
    try:
        b"a".decode(codec.name, "replace")  # not b"": no codec is looked up for it
    except (LookupError, ValueError):
        return None
    return codec.name


class _Decoder:
    """Gathers the decoded text. Words of one charset are joined before: a character may be split between them."""

    def __init__(self) -> None:
        self.out: list[str] = []
        self._codec = ""
        self._data: list[bytes] = []

    def add(self, codec: str, data: bytes) -> None:
        if codec != self._codec:
            self.flush()
        self._codec = codec
        self._data.append(data)

    def flush(self) -> None:
        if self._data:
            self.out.append(b"".join(self._data).decode(self._codec, "replace"))
        self._codec, self._data = "", []


def decode_words(value: str) -> str:
    """`value` with its encoded words decoded, each that can be; white space between two of them goes (section 6.2).

    A value with no encoded word comes back untouched; else it is unfolded too, and white space before it goes.
    """
    if next(_words(value), None) is None:
        return value
    last_fold = _LINE_END.search(value, len(value.rstrip()))
    value = _FOLD.sub(" ", value[: last_fold.start()] if last_fold else value).lstrip()
    decoder = _Decoder()
    end = 0
    is_after_word = False
    for word in _words(value):
        between = value[end : word.start]
        end = word.end
        try:
            if not word.charset.isprintable():
                raise ValueError("a charset with control characters in its name")
            data = _payload(word.encoding, word.text)
            codec = _text_codec(word.charset)
            plain = data.decode("ascii") if codec is None else ""  # ASCII can be read whatever the charset
        except (ValueError, Base64Error):
            decoder.flush()
            decoder.out += [between, value[word.start : word.end]]
            is_after_word = False
            continue
        if not (is_after_word and (not between or between.isspace())):
            decoder.flush()
            decoder.out.append(between)
        if codec is None:
            decoder.flush()
            decoder.out.append(plain)
        else:
            decoder.add(codec, data)
        is_after_word = True
    decoder.flush()
    decoder.out.append(value[end:])
    return "".join(decoder.out)
