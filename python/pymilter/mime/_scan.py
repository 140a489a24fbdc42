"""Finds the value of a parameter in a header, in each way that some mail client reads it."""

from __future__ import annotations

import re
from collections.abc import Iterator
from urllib.parse import unquote_to_bytes

from ._decode import decode_text

#: Honest mail has no more parameters of one name than this in a header; a long name in pieces has about 20.
_MOST = 64
#: No file system allows longer names. Longer values are cut in the middle, so that the readings stay small.
_LONGEST = 2000

_COMMENT_MARKS = re.compile(r'\\.|["()]', re.DOTALL)
_QUOTED = re.compile(r'"((?:[^"\\]|\\.)*+)("?)', re.DOTALL)
_TO_QUOTE = re.compile(r'"([^"]*+)')
_TO_SEMICOLON = re.compile(r"[^;]*+")
_TO_BLANK = re.compile(r"[^\s;]*+")
_TOKEN = re.compile(r'[^\s;,()"<>]*+')
_ESCAPED = re.compile(r"\\(.)", re.DOTALL)
_EXTENDED = re.compile(r"([^']*+)'[^']*+'(.*)", re.DOTALL)


def parameter(name: str) -> re.Pattern[str]:
    """Return a pattern for a parameter's name and its equals sign; `name` may be a pattern itself."""
    return re.compile(rf"(?<![A-Za-z0-9_.%+-])(?:{name})(?:\*([0-9]{{0,9}})(\*?))?\s*+=\s*+", re.IGNORECASE)


def without_comments(text: str) -> str:
    """Return a header's value without its comments (RFC 5322, 3.2.2). A comment that is never closed stays."""
    if "(" not in text:
        return text
    kept, begin, depth, quoted = [], 0, 0, False
    for mark in _COMMENT_MARKS.finditer(text):
        sign = mark.group()
        if sign == '"' and not depth:
            quoted = not quoted
        elif sign == "(" and not quoted:
            if not depth:
                kept.append(text[begin : mark.start()])
                begin = mark.start()
            depth += 1
        elif sign == ")" and depth:
            depth -= 1
            if not depth:
                begin = mark.end()
    return " ".join([*kept, text[begin:]])


def value_readings(value: str, name: re.Pattern[str]) -> list[str] | None:
    """Return the values that clients may read for the parameter `name`, each once; None if there are too many."""
    found: dict[str, None] = {}
    for text in dict.fromkeys((value, without_comments(value))):
        pieces: list[tuple[int, str]] = []
        for count, match in enumerate(name.finditer(text)):
            if count == _MOST:
                return None
            readings = dict.fromkeys(_at(text, match.end()))
            if not match.group(1):  # a piece of a value is not a value
                found |= readings
            if match.group(1) is not None:  # name*=, name*0=, name*0*= (RFC 2231)
                pieces.append((int(match.group(1) or 0), next(iter(readings), "")))
        for order in (pieces, sorted(pieces, key=lambda piece: piece[0])):
            joined = _cut("".join(text for _, text in order))
            found |= dict.fromkeys((joined, _decode(joined)))
    for text in list(found):
        if "%" in text:
            found[_decode(text)] = None
    found.pop("", None)
    return list(found)


def _at(text: str, pos: int) -> Iterator[str]:
    """Yield the readings of the value that starts at `pos`, the most common first."""
    if quoted := _QUOTED.match(text, pos):
        inner = quoted.group(1)
        yield _cut(_ESCAPED.sub(r"\1", inner))
        yield _cut(inner)
        yield _cut(_TO_QUOTE.match(text, pos).group(1))  # type: ignore[union-attr]
        if rest := _of(_TO_SEMICOLON, text, quoted.end()).strip().replace('"', ""):
            yield _cut(_ESCAPED.sub(r"\1", inner) + rest)
        if quoted.group(2):
            return
    whole = _of(_TO_SEMICOLON, text, pos).strip()
    yield _cut(whole.replace('"', ""))
    yield _cut(_of(_TO_BLANK, text, pos).replace('"', ""))
    yield _cut(_of(_TOKEN, text, pos))


def _of(pattern: re.Pattern[str], text: str, pos: int) -> str:
    match = pattern.match(text, pos)
    return match.group() if match else ""


def _cut(text: str) -> str:
    return text if len(text) <= _LONGEST else text[: _LONGEST // 2] + text[-_LONGEST // 2 :]


def _decode(text: str) -> str:
    """Decode CHARSET'LANGUAGE'TEXT of RFC 2231, or only the percent signs."""
    extended = _EXTENDED.match(text)
    charset, coded = extended.groups() if extended else ("utf-8", text)
    return decode_text(unquote_to_bytes(coded.encode("utf-8", "surrogateescape")), charset or "utf-8")
