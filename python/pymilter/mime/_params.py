"""Parameters of Content-Type and Content-Disposition, read in linear time and whatever their faults.

The stdlib's reader takes quadratic time on some of them in Python before 3.11.14, and raises on others.
"""

from __future__ import annotations

import re
from collections.abc import Iterable
from dataclasses import dataclass
from email.utils import decode_params
from email.utils import unquote as _unquote
from functools import lru_cache

from ._decode import decode_text, transfer_encoding

_MARKS = re.compile(r'\\"|"|;')
_FAULTS = (ValueError, LookupError, TypeError, AttributeError, OverflowError)

#: A parameter's value: text, or charset, language and text of RFC 2231.
ParamValue = str | tuple[str | None, str | None, str]


def _parseparam(s: str) -> list[str]:
    """Split a header value at the semicolons outside quotes; names in lower case, blanks around "=" dropped."""
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
    return list(_parse_params(value))


@lru_cache(maxsize=16)  # one message's header is asked for many things
def _parse_params(value: str) -> tuple[tuple[str, ParamValue], ...]:
    plain: list[tuple[str, str]] = []
    for piece in _parseparam(value):
        name, _, text = piece.partition("=")
        plain.append((name.strip(), text.strip()))
    try:
        return tuple(decode_params(plain))
    except _FAULTS:  # such as a part number of 5000 digits
        return tuple(plain)


def unquote(s: str) -> str:
    """Take the quotes, or the angle brackets, off a value."""
    return _unquote(s)


def _unquotevalue(value: ParamValue) -> ParamValue:
    """Take the quotes off a parameter's value, which may be the three parts of RFC 2231."""
    if isinstance(value, tuple):
        return value[0], value[1], _unquote(value[2])
    return _unquote(value)


def collapse(value: ParamValue) -> str:
    """Return a parameter's value as text, decoded from its RFC 2231 charset, without quotes. Never raises."""
    if isinstance(value, tuple):
        charset, _, text = value
        return _unquote(decode_text(text.encode("raw-unicode-escape"), charset) if charset else text)
    return _unquote(value)


@dataclass(frozen=True, slots=True)
class Content:
    """What a header says about its body: enough to find the parts."""

    type: str
    boundary: bytes | None
    encoding: str


def read_content(fields: Iterable[tuple[str, object]], default_type: str) -> Content:
    """Read the first Content-Type and Content-Transfer-Encoding field, as the email package does."""
    kind, boundary, encoding = default_type, None, ""
    seen = set()
    for name, value in fields:
        key = name.lower()
        if key in seen or key not in ("content-type", "content-transfer-encoding"):
            continue
        seen.add(key)
        text = str(value)
        if key == "content-transfer-encoding":
            encoding = transfer_encoding(text)
        else:
            kind = text.partition(";")[0].strip().lower()
            kind = kind if kind.count("/") == 1 else "text/plain"
            boundary = _boundary(text)
    return Content(kind, boundary, encoding)


def _boundary(value: str) -> bytes | None:
    # Latin-1 stands for the bytes: the boundary has to be found in the source, whatever its characters. Folds go.
    unfolded = value.replace("\r", "").replace("\n", "")
    params = parse_params(unfolded.encode("utf-8", "surrogateescape").decode("latin-1"))
    for name, text in params[1:]:
        if name.lower() == "boundary":
            plain = text[2] if isinstance(text, tuple) else text
            return _unquote(plain).rstrip(" \t\v\f").encode("latin-1", "replace") or None
    return None
