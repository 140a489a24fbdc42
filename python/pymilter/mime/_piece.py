"""A piece of a message: where an entity (message or part) lies in the bytes it was read from, and what is in it."""

from __future__ import annotations

import re
from dataclasses import dataclass, field
from email import errors
from email.policy import compat32
from typing import Literal

from ._limits import TooComplexDefect
from ._params import Content

EOL = re.compile(rb"\r\n|\r|\n")
FIELD = re.compile(rb"[!-9;-~]+[ \t]*:[^\r\n]*+(?:(?>\r\n|\r|\n)[ \t][^\r\n]*+)*+(?:\r\n|\r|\n|\Z)")
LINE = re.compile(rb"[^\r\n]*+(?:\r\n|\r|\n|\Z)")
EMPTY_LINE = re.compile(rb"(?>\r\n|\r|\n)(?=[\r\n])")
_NEWLINE = re.compile(r"\r\n?")
_TEXT_LINE = re.compile(r"[^\n]*\n|[^\n]+")
_PLAIN = Content("text/plain", (), "")
#: What stands before an empty line is no header any more when it is longer than this.
_LONGEST_STRAY = 10_000

Span = tuple[int, int]
Kind = Literal["leaf"] | Literal["multipart"] | Literal["message"] | Literal["status"]


@dataclass(slots=True)
class Piece:
    """One entity (message or part): where it lies in `data`, and what is in it."""

    data: bytes = field(repr=False)
    start: int
    end: int
    fields: list[tuple[str, str]] = field(default_factory=list)
    """Names and values as the email package has them: text with surrogateescape, folds as LF and blank."""
    spans: list[Span] = field(default_factory=list)
    """Of each field, with its line end."""
    junk: list[Span] = field(default_factory=list)
    """Lines among the header fields that are none."""
    first_bare: int | None = None
    """Where the first such line is: for some clients the body starts there. None when there is none."""
    header_end: int = 0
    body: int = 0
    """Where the body starts: behind the empty line, or at header_end when there is none."""
    default_type: str = "text/plain"
    content: Content = _PLAIN
    unixfrom: str | None = None
    kind: Kind = "leaf"
    parts: list[Piece] = field(default_factory=list, repr=False)
    boundary: bytes = b""
    """The boundary that the parts of a multipart were found by."""
    leads: list[int] = field(default_factory=list)
    """Of each part of a multipart: where its delimiter line starts."""
    close: Span | None = None
    """The closing delimiter of a multipart, without what follows the second "--"."""
    hidden: list[Span] = field(default_factory=list)
    """What may be a part of a multipart as well: it follows a line that nearly is a delimiter, or is one too late."""
    within: bytes = field(default=b"", repr=False)
    """The bytes that the parts lie in: `data`, or what its body decodes to when the parts were encoded."""
    inside: Span = (0, 0)
    """Where in `within` the body is."""
    inline: bool = True
    """Whether `within` is `data`; False when the body was decoded."""
    defects: list[errors.MessageDefect] = field(default_factory=list)
    too_complex: bool = False


def source_text(data: bytes) -> str:
    """Return source bytes as the email package has texts: ASCII with surrogateescape, every line end an LF."""
    text = data.decode("ascii", "surrogateescape")
    return _NEWLINE.sub("\n", text) if "\r" in text else text


def parse_field(raw: bytes) -> tuple[str, str]:
    name, value = compat32.header_source_parse(_TEXT_LINE.findall(source_text(raw)))
    return name.rstrip(" \t"), value


def stray_text(piece: Piece) -> bytes:
    """Return the lines at the header that are none of its fields, where clients may find parameters of those."""
    data = piece.data
    lines = [data[begin:stop] for begin, stop in piece.junk]
    lines += [
        data[begin:stop] for (name, _), (begin, stop) in zip(piece.fields, piece.spans, strict=True) if "=" in name
    ]
    if piece.fields and piece.first_bare == piece.header_end:
        empty = EMPTY_LINE.search(data, piece.header_end, min(piece.end, piece.header_end + _LONGEST_STRAY))
        lines.append(data[piece.header_end : empty.start()] if empty else b"")
    return b"".join(lines)


def give_up(piece: Piece, why: str, defect: type[errors.MessageDefect] = TooComplexDefect) -> None:
    """Mark an entity as one that was not taken apart."""
    piece.too_complex = True
    piece.defects.append(defect(why))
