"""The place of an entity (message or part) in the bytes it was read from, and what its header says."""

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
#: Lines before an empty line are not searched for parameters if they are longer than this in total.
_LONGEST_STRAY = 10_000

Span = tuple[int, int]
Kind = Literal["leaf"] | Literal["multipart"] | Literal["message"] | Literal["status"]


@dataclass(slots=True)
class Piece:
    """One entity, and its place in `data`."""

    data: bytes = field(repr=False)
    start: int
    end: int
    fields: list[tuple[str, str]] = field(default_factory=list)
    """Names and values in the form of the email package: text with surrogateescape, folds as LF and blank."""
    spans: list[Span] = field(default_factory=list)
    """The place of each field, including its line end."""
    junk: list[Span] = field(default_factory=list)
    """The places of lines between the header fields that are not fields."""
    first_bare: int | None = None
    """Where the first such line starts: some clients take it for the start of the body. None if there is none."""
    header_end: int = 0
    body: int = 0
    """Where the body starts: after the empty line, or at header_end if there is none."""
    default_type: str = "text/plain"
    content: Content = _PLAIN
    unixfrom: str | None = None
    kind: Kind = "leaf"
    parts: list[Piece] = field(default_factory=list, repr=False)
    boundary: bytes = b""
    """The boundary with which the parts of a multipart were found."""
    leads: list[int] = field(default_factory=list)
    """Where the delimiter line of each part of a multipart starts."""
    close: Span | None = None
    """The closing delimiter of a multipart, up to the second "--"."""
    hidden: list[Span] = field(default_factory=list)
    """What some clients take for further parts: text after a line that is almost a delimiter, or after the last one."""
    within: bytes = field(default=b"", repr=False)
    """The bytes that contain the parts: `data`, or the decoded body if the body was encoded."""
    inside: Span = (0, 0)
    """The place of the body in `within`."""
    inline: bool = True
    """Whether `within` is `data`; False if the body was decoded."""
    defects: list[errors.MessageDefect] = field(default_factory=list)
    too_complex: bool = False


def source_text(data: bytes) -> str:
    """Return source bytes as text in the form of the email package: ASCII with surrogateescape, LF as line ends."""
    text = data.decode("ascii", "surrogateescape")
    return _NEWLINE.sub("\n", text) if "\r" in text else text


def parse_field(raw: bytes) -> tuple[str, str]:
    """Return the name and the value of a header field, in the form of the email package."""
    name, value = compat32.header_source_parse(_TEXT_LINE.findall(source_text(raw)))
    return name.rstrip(" \t"), value


def stray_texts(piece: Piece) -> list[bytes]:
    """Return the lines in and after the header that are not fields: clients may find parameters of fields there.

    The lines are in it twice, if there are any: as one text, and with a semicolon at the end of each.
    """
    data = piece.data
    lines = [data[begin:stop] for begin, stop in piece.junk]
    lines += [
        data[begin:stop] for (name, _), (begin, stop) in zip(piece.fields, piece.spans, strict=True) if "=" in name
    ]
    if piece.fields and piece.first_bare == piece.header_end:
        empty = EMPTY_LINE.search(data, piece.header_end, min(piece.end, piece.header_end + _LONGEST_STRAY))
        lines.append(data[piece.header_end : empty.start()] if empty else b"")
    text = b"".join(lines)
    return [text, EOL.sub(b";", text)] if text else []


def give_up(piece: Piece, why: str, defect: type[errors.MessageDefect] = TooComplexDefect) -> None:
    """Mark an entity as too complex or ambiguous to be taken apart."""
    piece.too_complex = True
    piece.defects.append(defect(why))
