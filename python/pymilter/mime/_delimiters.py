"""Finds the delimiter lines of a multipart, and lines that only some mail clients take for delimiters."""

from __future__ import annotations

import re
from typing import Literal, NamedTuple

from ._piece import LINE, Piece, Span

_MARKER_END = re.compile(rb"(--)?[ \t]*+(?:\r\n|\r|\n|\Z)")


class Mark(NamedTuple):
    """A line that begins like a delimiter."""

    start: int
    stop: int
    """The end of the boundary, or of the dashes after it."""
    line_end: int
    sign: bytes
    """The line end before it: b"\\r" for a CR alone, b"\\n" otherwise."""
    kind: Literal["part", "close", "near"]
    """"near" is a line with more text after the boundary: by RFC 2046 it is a delimiter all the same."""


def find_marks(piece: Piece, boundary: bytes) -> list[Mark]:
    """Find the lines of a multipart that begin with its boundary."""
    data, (begin, end) = piece.within, piece.inside
    found = []
    for sign in (b"\n", b"\r"):
        line_start = sign + b"--" + boundary
        pos = data.find(line_start, begin - 1, end)
        while pos >= 0:
            stop = pos + len(line_start)
            match = _MARKER_END.match(data, stop, end)
            if match and match.group(1):
                found.append(Mark(pos + 1, match.end(1), match.end(), sign, "close"))
            elif match:
                found.append(Mark(pos + 1, stop, match.end(), sign, "part"))
            else:
                line = LINE.match(data, stop, end)
                found.append(Mark(pos + 1, stop, line.end() if line else end, sign, "near"))
            pos = data.find(line_start, pos + 1, end)
    return sorted(found)


def part_marks(piece: Piece, boundary: bytes) -> list[Mark]:
    """Return the delimiters that would begin a part if the boundary of the multipart were `boundary`."""
    return [mark for mark in find_marks(piece, boundary) if mark.kind == "part"]


def hidden_spans(piece: Piece, marks: list[Mark], others: list[Mark]) -> list[Span]:
    """Return the text from each of `others` to the next mark, unless the line is a delimiter of a multipart inside."""
    known: set[int] = set()
    inner = list(piece.parts)
    while inner:
        part = inner.pop()
        if part.within is piece.within:
            known.update(part.leads)
            if part.close:
                known.add(part.close[0])
            inner += part.parts
    ends = {mark.start: following for mark, following in zip(marks, [m.start for m in marks[1:]], strict=False)}
    unknown = [mark for mark in others if mark.start not in known]
    return [(mark.line_end, ends.get(mark.start, piece.inside[1])) for mark in unknown]


def before_line_end(data: bytes, pos: int) -> int:
    return pos - 2 if data[pos - 2 : pos] == b"\r\n" else pos - 1
