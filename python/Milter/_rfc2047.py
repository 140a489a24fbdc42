"""Owns reading a header value as people wrote it: encoded words (RFC 2047) and "Name <address>" (RFC 5322 3.4)."""

import email.utils
import re
from binascii import Error as Base64Error
from binascii import a2b_base64
from collections.abc import Callable
from email.quoprimime import header_decode
from functools import partial

_WORD = re.compile(r"=\?([^?*\s]*)(?:\*[^?]*)?\?([bBqQ])\?(.*?)\?=")
_LAST_FOLD = re.compile(r"[\r\n]\s*\Z")
_FOLD = re.compile(r"[\r\n]+[ \t]*")


def _payload(encoding: str, text: str) -> bytes:
    """The bytes of an encoded word. ValueError when they cannot be had."""
    if encoding in "bB":
        text = text.rstrip("=")
        return a2b_base64(text + "=" * (-len(text) % 4))
    return header_decode(text).encode("latin-1")


def _text(charset: str, data: bytes) -> str:
    """Decode, or raise ValueError."""
    try:
        return data.decode(charset, "replace")
    except LookupError:
        return data.decode("ascii")


def decode_words(value: str) -> str:
    """`value` with its encoded words decoded, each that can be; white space between two of them goes (section 6.2).

    A value with no encoded word comes back untouched; else it is unfolded too, and white space before it goes.
    """
    if not _WORD.search(value):
        return value
    value = _FOLD.sub(" ", _LAST_FOLD.sub("", value)).lstrip()
    out: list[str] = []
    end = 0
    charset, data = "", b""  # neighbours of one character set: a character may be split between them

    def flush() -> None:
        nonlocal charset, data
        if charset:
            out.append(data.decode(charset, "replace"))
        charset, data = "", b""

    after_word = False
    for word in _WORD.finditer(value):
        between = value[end : word.start()]
        end = word.end()
        try:
            name, bytes_ = word[1].lower(), _payload(word[2], word[3])
            text = _text(name, bytes_)
        except (ValueError, Base64Error):
            flush()
            out += [between, word[0]]
            after_word = False
            continue
        if not (after_word and (not between or between.isspace())):
            flush()
            out.append(between)
        if name != charset:
            flush()
        if _known(name):
            charset, data = name, data + bytes_
        else:
            out.append(text)
        after_word = True
    flush()
    out.append(value[end:])
    return "".join(out)


def _known(charset: str) -> bool:
    try:
        b"a".decode(charset, "replace")  # not b"": no codec is looked up for it
    except (LookupError, ValueError):
        return False
    return True


# Since CPython 3.11.10, 3.12.4 and 3.13 the default refuses "a@x, b@y" whole; classic programs get the first of them.
_parse: Callable[[str], tuple[str, str]] = (
    partial(email.utils.parseaddr, strict=False)
    if hasattr(email.utils, "supports_strict_parsing")
    else email.utils.parseaddr
)

_ROUTE = re.compile(r'<\s*@[^:<>"]*:')
_QUOTED = re.compile(r'"(?:[^"\\]|\\.)*"', re.DOTALL)
_COMMENT = re.compile(r"\((?:[^()\\]|\\.)*\)", re.DOTALL)


def _blank(text: str, pattern: re.Pattern[str]) -> str:
    return pattern.sub(lambda found: "\0" * len(found[0]), text)


def parse_mailbox(text: str) -> tuple[str, str]:
    """(name, address) of the first mailbox, without decoding; ('', '') when there is none."""
    plain = _blank(text, _QUOTED)
    while (shorter := _blank(plain, _COMMENT)) != plain:
        plain = shorter
    start = plain.find("<")
    if start < 0:
        return _parse(text)
    bracketed = _ROUTE.sub("<", text[start:], count=1)
    name, address = _parse(text[:start] + bracketed)
    inside = _parse(bracketed)[1]
    if address == inside or not plain.rstrip("\0 \t\r\n").endswith(">"):
        return name, address
    # Unquoted specials in the name made the parser take a part of it for the address.
    phrase = re.sub(r'\\(.)|"', r"\1", text[:start])
    return " ".join(phrase.split()), inside
