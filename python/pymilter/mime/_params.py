"""Reads the parameters of Content-Type and Content-Disposition in linear time, however broken they are.

The stdlib needs quadratic time for some of them in Python before 3.11.14, and raises for others.
"""

from __future__ import annotations

import re
from collections.abc import Iterable
from dataclasses import dataclass
from email.utils import decode_params
from email.utils import unquote as _unquote
from functools import lru_cache

from ._decode import decode_text, known_encoding
from ._scan import parameter, value_readings, without_comments

_MARKS = re.compile(r'\\"|"|;')
_QUOTED = re.compile(r'"(?:[^"\\]|\\.)*+"', re.DOTALL)
_BOUNDARY = parameter("boundary")
_TYPE = re.compile(r"""([^\x00-\x20()<>@,;:\\"'/\[\]?=]+)["'\s]*+/["'\s]*+([^\x00-\x20()<>@,;:\\"'/\[\]?=]+)""")
_TOKENS = re.compile(r"""[^\x00-\x20()<>@,;:\\"'/\[\]?=]++""")
#: A type or an encoding is not searched for beyond this many characters.
_LONGEST_HEAD = 1000
_FAULTS = (ValueError, LookupError, TypeError, AttributeError, OverflowError)

#: Longer values are not cached: they would stay in memory after their message is gone.
_MOST_KEPT = 2000

#: A parameter's value: text, or charset, language and text of RFC 2231.
ParamValue = str | tuple[str | None, str | None, str]


def _parseparam(s: str) -> list[str]:
    """Split a header value at the semicolons outside quotes; make names lower case, and drop blanks around "="."""
    text = str(s)
    pieces = []
    begin = 0
    quoted = False
    for mark in _MARKS.finditer(text):
        if mark.group() == '"':
            quoted = not quoted
        elif mark.group() == ";" and not quoted:
            pieces.append(text[begin : mark.start()])
            begin = mark.end()
    pieces.append(text[begin:])
    return [_tidy(piece) for piece in pieces]


def _tidy(piece: str) -> str:
    name, equals, value = piece.partition("=")
    return f"{name.strip().lower()}={value.strip()}" if equals else piece.strip()


def parse_params(value: str) -> list[tuple[str, ParamValue]]:
    """Return a header value's parameters, the value itself first; RFC 2231 parts are joined and decoded."""
    parse = _kept_params if len(value) <= _MOST_KEPT else _parse_params
    return list(parse(value))


def _parse_params(value: str) -> tuple[tuple[str, ParamValue], ...]:
    plain: list[tuple[str, str]] = []
    for piece in _parseparam(value):
        name, _, text = piece.partition("=")
        quoted = _QUOTED.match(text.strip())  # a quoted string ends at its closing quote, whatever comes after it
        plain.append((name.strip(), quoted.group() if quoted else text.strip()))
    try:
        return tuple(decode_params(plain))
    except _FAULTS:  # such as a part number of 5000 digits
        return tuple(plain)


_kept_params = lru_cache(maxsize=16)(_parse_params)  # one header is read many times


def unquote(s: str) -> str:
    """Remove the quotes, or the angle brackets, around a value."""
    return _unquote(s)


def _unquotevalue(value: ParamValue) -> ParamValue:
    """Remove the quotes around a parameter's value, which may be the three parts of RFC 2231."""
    if isinstance(value, tuple):
        return value[0], value[1], _unquote(value[2])
    return _unquote(value)


def collapse(value: ParamValue) -> str:
    """Return a parameter's value as text, decoded from its RFC 2231 charset, without quotes. Never raises."""
    if isinstance(value, tuple):
        charset, _, text = value
        return _unquote(decode_text(text.encode("raw-unicode-escape"), charset) if charset else text)
    return _unquote(value)


def content_types(value: str) -> list[str]:
    """Return the content types that clients may read in a Content-Type field, in lower case, the best first."""
    heads = (without_comments(value).partition(";")[0], value.partition(";")[0])
    found = [f"{main}/{sub}".lower() for head in heads for main, sub in _TYPE.findall(head[:_LONGEST_HEAD])]
    return list(dict.fromkeys(found))


def transfer_encoding(value: object) -> str:
    """Return the name in a Content-Transfer-Encoding field in lower case, or ""."""
    words = _TOKENS.findall(without_comments(str(value or ""))[:_LONGEST_HEAD])
    return words[0].lower() if words else ""


def encodings(value: str) -> list[str]:
    """Return the encodings that clients may read in a Content-Transfer-Encoding, the best first; "" means none.

    A client that does not understand comments or quotes finds no encoding in a value that has them.
    """
    heads = (without_comments(value), value)
    words = [words for head in heads if (words := [word.lower() for word in _TOKENS.findall(head[:_LONGEST_HEAD])])]
    if not words:
        return [""]
    found = [known_encoding(words[0][0])]
    found += [encoding for head in words for word in head if (encoding := known_encoding(word))]
    if known_encoding(value.strip().lower()) != found[0]:
        found.append("")
    return list(dict.fromkeys(found))


@dataclass(frozen=True, slots=True)
class Content:
    """The fields of a header that are needed to find the parts."""

    type: str
    boundaries: tuple[bytes, ...]
    """The possible boundaries of a multipart, the best first."""
    encoding: str


def read_content(fields: Iterable[tuple[str, object]], default_type: str, junk: Iterable[bytes] = ()) -> Content:
    """Read Content-Type and Content-Transfer-Encoding.

    The first field of each counts, but a boundary may be in another one, or in `junk`: texts of the lines between the
    fields that are not fields.
    """
    kind, encoding = "", None
    values: list[str] = []
    for name, value in fields:
        key = name.lower()
        if key == "content-type":
            text = str(value)
            values.append(text)
            kind = kind or next(iter(content_types(text)), "text/plain")
        elif key == "content-transfer-encoding" and encoding is None:
            encoding = encodings(str(value))[0]
    kind = kind or default_type
    boundaries: tuple[bytes, ...] = ()
    if kind.startswith("multipart/"):
        texts = [value.encode("utf-8", "surrogateescape") for value in values]
        boundaries = _boundaries([*texts, *junk])
    return Content(kind, boundaries, encoding or "")


def _boundaries(values: Iterable[bytes]) -> tuple[bytes, ...]:
    # Latin-1 keeps every byte: the boundary must be found in the source whatever its characters. Folds are removed.
    found: list[str] = []
    for value in values:
        text = value.replace(b"\r", b"").replace(b"\n", b"").decode("latin-1")
        params = [text for name, text in parse_params(text)[1:] if name.lower() == "boundary"]
        found += [_unquote(text[2] if isinstance(text, tuple) else text) for text in params]
        found += value_readings(text, _BOUNDARY) or []
    found += [text.partition("\0")[0] for text in found if "\0" in text]
    plain = (text.rstrip(" \t\v\f").encode("latin-1", "replace") for text in found)
    return tuple(dict.fromkeys(boundary for boundary in plain if boundary))
