"""Takes a message's bytes apart into a tree of spans: no byte is copied, and none is left out.

It finds the headers and parts that the stdlib's parser finds, so that `walk` gives the same, but it keeps where each
thing lies. Where mail clients see more than that parser does, so does this one: blanks before a header's colon (RFC
5322, 4.5), a boundary with 8-bit characters or a fold in it, and a message/rfc822 that is encoded.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass, field
from email import errors
from email.policy import compat32
from typing import Literal

from ._decode import decode_transfer, is_uuencode
from ._limits import Limits, TooComplexDefect
from ._params import Content, read_content

EOL = re.compile(rb"\r\n|\r|\n")
NEWLINE = re.compile(r"\r\n?")
_TEXT_LINE = re.compile(r"[^\n]*\n|[^\n]+")

_FIELD = re.compile(rb"[!-9;-~]+[ \t]*:[^\r\n]*+(?:(?>\r\n|\r|\n)[ \t][^\r\n]*+)*+(?:\r\n|\r|\n|\Z)")
# Lines that the stdlib's parser skips between headers: "From ", a colon without a name, a continuation of nothing.
_JUNK = re.compile(rb"(?:(?:From |[: \t])[^\r\n]*+(?:\r\n|\r|\n|\Z))++")
_MARKER_END = re.compile(rb"(--)?[ \t]*+(?:\r\n|\r|\n|\Z)")
_AFTER_MARKER = frozenset([b"", b"-", b" ", b"\t", b"\r", b"\n"])
_BLOCK_END = re.compile(rb"(?>\r\n|\r|\n)(?=[\r\n])")

Span = tuple[int, int]
Kind = Literal["leaf", "multipart", "message", "status"]


_PLAIN = Content("text/plain", None, "")


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
    header_end: int = 0
    body: int = 0
    """Where the body starts: behind the empty line, or at header_end when there is none."""
    default_type: str = "text/plain"
    content: Content = _PLAIN
    unixfrom: str | None = None
    kind: Kind = "leaf"
    parts: list[Piece] = field(default_factory=list, repr=False)
    leads: list[int] = field(default_factory=list)
    """Of each part of a multipart: where its delimiter line starts."""
    close: Span | None = None
    """The closing delimiter of a multipart, without what follows the second "--"."""
    inline: bool = True
    """Whether the parts' data is this data; False when it was decoded from base64."""
    defects: list[errors.MessageDefect] = field(default_factory=list)
    too_complex: bool = False


def split(data: bytes, limits: Limits) -> Piece:
    """Take a whole message apart. Never raises for its content."""
    return _Splitter(limits, len(data)).entity(data, 0, len(data), "text/plain", 1)


def source_text(data: bytes) -> str:
    """Return source bytes as the email package has texts: ASCII with surrogateescape, every line end an LF."""
    text = data.decode("ascii", "surrogateescape")
    return NEWLINE.sub("\n", text) if "\r" in text else text


class _Splitter:
    """Splits one message, and counts what it has found against the limits."""

    def __init__(self, limits: Limits, size: int) -> None:
        self._depth = limits.depth
        self._parts = limits.parts
        self._fields = limits.fields
        self._decoded = limits.decoded * size

    def entity(self, data: bytes, start: int, end: int, default_type: str, depth: int) -> Piece:
        piece = Piece(data, start, end, default_type=default_type)
        self._header(piece)
        piece.content = read_content(piece.fields, default_type)
        main = piece.content.type.partition("/")[0]
        if piece.too_complex or main not in ("multipart", "message"):
            return piece
        if depth >= self._depth:
            _give_up(piece, f"nested deeper than {self._depth}")
        elif piece.content.type == "message/delivery-status":
            self._status(piece, depth)
        elif main == "message":
            self._message(piece, depth)
        else:
            self._multipart(piece, depth)
        return piece

    def _header(self, piece: Piece) -> None:
        data, pos, end = piece.data, piece.start, piece.end
        while pos < end:
            if match := _FIELD.match(data, pos, end):
                if not self._fields:
                    _give_up(piece, "too many header fields")
                    break
                self._fields -= 1
                piece.fields.append(_field(match.group()))
                piece.spans.append(match.span())
            elif match := _JUNK.match(data, pos, end):
                piece.junk.append(match.span())
                if pos == piece.start and match.group().startswith(b"From "):
                    piece.unixfrom = source_text(EOL.split(match.group(), maxsplit=1)[0])
                else:
                    piece.defects.append(errors.InvalidHeaderDefect("not a header field"))
            else:
                break
            pos = match.end()
        piece.header_end = piece.body = pos
        if pos < end:
            if separator := EOL.match(data, pos, end):
                piece.body = separator.end()
            else:
                piece.defects.append(errors.MissingHeaderBodySeparatorDefect())

    def _multipart(self, piece: Piece, depth: int) -> None:
        if not piece.content.boundary:
            piece.defects.append(errors.NoBoundaryInMultipartDefect())
            return
        groups: list[Span] = []  # first delimiter line's start, last one's end
        ends: list[int] = []  # where the part behind each group ends
        for start, stop, line_end, closes in _delimiters(piece, piece.content.boundary):
            if groups and groups[-1][1] == start:  # another one right behind: the same delimiter, as the stdlib has it
                groups[-1] = (groups[-1][0], line_end)
                continue
            if groups:
                ends.append(_before_line_end(piece.data, start))
            if closes:
                piece.close = (start, stop)
                break
            groups.append((start, line_end))
            if len(groups) > self._parts:
                _give_up(piece, "too many parts")
                return
        if not groups:
            piece.close = None
            piece.defects.append(errors.StartBoundaryNotFoundDefect())
            return
        if piece.close is None:
            ends.append(piece.end)
            piece.defects.append(errors.CloseBoundaryNotFoundDefect())
        self._parts -= len(groups)
        piece.kind = "multipart"
        piece.leads = [lead for lead, _ in groups]
        default = "message/rfc822" if piece.content.type == "multipart/digest" else "text/plain"
        for (_, begin), stop in zip(groups, ends, strict=True):
            piece.parts.append(self.entity(piece.data, begin, stop, default, depth + 1))

    def _message(self, piece: Piece, depth: int) -> None:
        data, start, end = piece.data, piece.body, piece.end
        if _is_encoded(piece):
            self._decoded -= end - start
            if self._decoded < 0:
                _give_up(piece, "too much to decode")
                return
            data = decode_transfer(data[start:end], piece.content.encoding)
            start, end = 0, len(data)
            piece.inline = False
        if self._parts < 1:
            _give_up(piece, "too many parts")
            return
        self._parts -= 1
        piece.kind = "message"
        piece.parts.append(self.entity(data, start, end, "text/plain", depth + 1))

    def _status(self, piece: Piece, depth: int) -> None:
        """message/delivery-status: groups of fields with an empty line between them (RFC 3464, 2.1)."""
        data, pos, end = piece.data, piece.body, piece.end
        blocks: list[Span] = []
        while pos < end or not blocks:
            blank = None if EOL.match(data, pos, end) else _BLOCK_END.search(data, pos, end)
            stop = pos if EOL.match(data, pos, end) else blank.end() if blank else end
            blocks.append((pos, stop))
            if len(blocks) > self._parts:
                _give_up(piece, "too many parts")
                return
            line_end = EOL.match(data, stop, end)
            if not line_end:
                break
            pos = line_end.end()
        self._parts -= len(blocks)
        piece.kind = "status"
        piece.parts = [self.entity(data, start, stop, "text/plain", depth + 1) for start, stop in blocks]


def _field(raw: bytes) -> tuple[str, str]:
    name, value = compat32.header_source_parse(_TEXT_LINE.findall(source_text(raw)))
    return name.rstrip(" \t"), value


def _delimiters(piece: Piece, boundary: bytes) -> Iterator[tuple[int, int, int, bool]]:
    """Yield each delimiter line: its start, the end of its marker, the line's end, and whether it is a closing one."""
    data, end = piece.data, piece.end
    size = 2 + len(boundary)
    starts = _line_starts(data, b"\n--" + boundary, piece.body - 1, end)
    if old := _line_starts(data, b"\r--" + boundary, piece.body - 1, end):
        starts = sorted(starts + old)
    for start in starts:
        stop = start + size
        if match := _MARKER_END.match(data, stop, end):
            yield start, match.end(1) if match.group(1) else stop, match.end(), bool(match.group(1))


def _line_starts(data: bytes, mark: bytes, pos: int, end: int) -> list[int]:
    """Find lines that start with a mark, which begins with a line end: a multipart has one before its body."""
    found = []
    size = len(mark)
    pos = data.find(mark, pos, end)
    while pos >= 0:
        if data[pos + size : pos + size + 1] in _AFTER_MARKER:
            found.append(pos + 1)
        pos = data.find(mark, pos + 1, end)
    return found


def _before_line_end(data: bytes, pos: int) -> int:
    return pos - 2 if data[pos - 2 : pos] == b"\r\n" else pos - 1


def _is_encoded(piece: Piece) -> bool:
    """Tell whether a message/* part is really encoded, as RFC 2046 forbids and mail clients decode."""
    if piece.content.encoding == "base64":
        # A colon is no base64 digit: then it is a message whose header lies.
        return not _FIELD.match(piece.data, piece.body, piece.end)
    if piece.content.encoding == "quoted-printable":
        return piece.data.find(b"=", piece.body, piece.end) >= 0
    return is_uuencode(piece.content.encoding)


def _give_up(piece: Piece, why: str) -> None:
    piece.too_complex = True
    piece.defects.append(TooComplexDefect(why))
