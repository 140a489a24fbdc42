"""Decodes the encoded words (RFC 2047) in a header value, in time proportional to its length."""

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
    """Yield the encoded words. Each ends at the next "?=", which must be on the same line."""
    close = line_end = -1
    pos = 0
    while head := _HEAD.search(value, pos):
        begin = head.end()
        if close < begin:  # otherwise the "?=" found for an earlier head is still ahead
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
    """Return the bytes of an encoded word. Raises ValueError if they cannot be decoded."""
    if encoding in "bB":
        text = text.rstrip("=")
        return a2b_base64(text + "=" * (-len(text) % 4))
    return header_decode(text).encode("latin-1")


def _text_codec(charset: str) -> str | None:
    """Return Python's name of a charset; None if Python does not know it, or if its codec is not for texts."""
    codec = find_codec(charset)
    if codec is None:
        return None
    try:
        b"a".decode(codec.name, "replace")  # b"" would be decoded without looking up the codec
    except (LookupError, ValueError):
        return None
    return codec.name


class _Decoder:
    """Gathers the decoded text. Adjacent words in one charset are joined: they may share a character."""

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
    """Return `value` with each valid encoded word decoded, and no white space between two of them (section 6.2).

    A value without encoded words is returned unchanged. Any other is also unfolded, and loses the white space at its
    start and a line end at its end.
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
