"""Writes a header, with the source's bytes for each field that is still there."""

from __future__ import annotations

import itertools
import math
import re
from collections import defaultdict
from email.errors import MessageError
from email.header import Header
from email.policy import Policy
from typing import Any

from ._piece import Piece
from ._sink import Sink
from ._source import SourceMessage

_BARE_NEWLINE = re.compile(rb"((?>\r\n|\r|\n))(?![ \t]|\Z)")
_STRUCTURED = frozenset({"content-type", "content-disposition"})


def write_header(msg: SourceMessage, piece: Piece | None, sink: Sink, eol: bytes) -> None:
    """Write the header, and the empty line after it if the source has one or the body needs one."""
    if piece and msg.has_source_header():
        sink.span(piece.data, piece.start, piece.header_end)
    else:
        _changed_header(msg, piece, sink, eol)
    if piece and piece.body > piece.header_end:
        _end_line(msg, piece, sink, eol)
        sink.span(piece.data, piece.header_end, piece.body)
    elif not piece or msg.has_new_body():
        _end_line(msg, piece, sink, eol)
        sink.text(eol)


def _end_line(msg: SourceMessage, piece: Piece | None, sink: Sink, eol: bytes) -> None:
    """End the last header line, which has no line end if the source ends there."""
    if sink.last not in (b"\r", b"\n") and (msg.keys() or (piece and piece.junk)):
        sink.text(eol)


def _changed_header(msg: SourceMessage, piece: Piece | None, sink: Sink, eol: bytes) -> None:
    """Write the present fields, those of the source with the source's bytes, and stray lines where they were."""
    policy = msg.policy.clone(linesep=eol.decode())
    begun = False
    for line in _header_lines(msg, piece):
        if begun and sink.last not in (b"\r", b"\n"):
            sink.text(eol)
        if piece and isinstance(line[0], int):
            sink.span(piece.data, *line)
        else:
            name, value = line
            sink.text(fold(name, value, policy, eol))
        begun = True


def _header_lines(msg: SourceMessage, piece: Piece | None) -> list[Any]:
    """Return the header's lines in order, each a span of the source or a pair of name and value."""
    lines: list[Any] = list(msg.raw_items())
    if not piece:
        return lines
    spans = defaultdict(list)
    for item, span in zip(reversed(piece.fields), reversed(piece.spans), strict=True):
        spans[item].append(span)
    for at, (name, value) in enumerate(lines):
        left = spans.get((name, value)) if isinstance(value, str) else None
        if left:
            lines[at] = left.pop()
    ordered: list[Any] = []
    junk = piece.junk[::-1]
    # A stray line stays after the field that it followed, and before any new one: it could be read as its fold.
    following = list(itertools.accumulate(reversed([_start(line) for line in lines]), min))[::-1]
    for line, start in zip(lines, following, strict=True):
        while junk and junk[-1][0] < start:
            ordered.append(junk.pop())
        ordered.append(line)
    return [*ordered, *reversed(junk)]


def _start(line: tuple[Any, Any]) -> float:
    """Return where a line of the source starts; infinity for a new line."""
    return line[0] if isinstance(line[0], int) else math.inf


def fold(name: str, value: object, policy: Policy, eol: bytes) -> bytes:
    """Return the lines of a new field. A newline in the value starts a folded line: a value cannot end its field."""
    if isinstance(value, str):
        value = value.rstrip("\r\n")
        if name.lower() in _STRUCTURED and not value.isascii():  # an encoded word would hide the parameters
            value = value.encode("utf-8", "surrogateescape").decode("ascii", "surrogateescape")
    try:
        folded = policy.fold_binary(name, value)  # type: ignore[arg-type]
    except (MessageError, ValueError, LookupError):
        # The stdlib refuses some values, such as one with a line in it that looks like another header.
        text = " ".join(str(value).split()).encode("utf-8", "surrogateescape").decode("utf-8", "replace")
        folded = f"{name}: {Header(text, header_name=name).encode(linesep=eol.decode())}".encode() + eol
    return _BARE_NEWLINE.sub(rb"\1 ", folded)
