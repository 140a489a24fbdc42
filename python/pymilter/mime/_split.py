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
from typing import Literal, NamedTuple

from ._decode import decode_transfer, is_uuencode
from ._limits import AmbiguousDefect, Limits, TooComplexDefect
from ._params import Content, read_content

EOL = re.compile(rb"\r\n|\r|\n")
NEWLINE = re.compile(r"\r\n?")
_TEXT_LINE = re.compile(r"[^\n]*\n|[^\n]+")

FIELD = re.compile(rb"[!-9;-~]+[ \t]*:[^\r\n]*+(?:(?>\r\n|\r|\n)[ \t][^\r\n]*+)*+(?:\r\n|\r|\n|\Z)")
# Lines that the stdlib's parser skips between headers: "From ", a colon without a name, a continuation of nothing.
_JUNK = re.compile(rb"(?:(?:From |[: \t])[^\r\n]*+(?:\r\n|\r|\n|\Z))++")
_MARKER_END = re.compile(rb"(--)?[ \t]*+(?:\r\n|\r|\n|\Z)")
_LINE = re.compile(rb"[^\r\n]*+(?:\r\n|\r|\n|\Z)")
_CONTENT_FIELD = re.compile(rb"(?:(?<=[\r\n])|\A)content-[!-9;-~]*+[ \t]*+:", re.IGNORECASE)
_DASHED_LINE = re.compile(rb"[\r\n]--")
_DASHES = re.compile(rb"(?:\A|[\r\n])--[^\s]|(?:\A|[\r\n])--(?:[\r\n]|\Z)")
EMPTY_LINE = re.compile(rb"(?>\r\n|\r|\n)(?=[\r\n])")

Span = tuple[int, int]
Kind = Literal["leaf"] | Literal["multipart"] | Literal["message"] | Literal["status"]


_PLAIN = Content("text/plain", (), "")
#: More readings of one header than this are not tried.
_MOST_BOUNDARIES = 8
#: What stands before an empty line is no header any more when it is longer than this.
_LONGEST_STRAY = 10_000


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
        piece.content = read_content(piece.fields, default_type, stray_text(piece))
        piece.within, piece.inside = data, (piece.body, end)
        main = piece.content.type.partition("/")[0]
        if piece.too_complex or main not in ("multipart", "message"):
            return piece
        if depth >= self._depth:
            give_up(piece, f"nested deeper than {self._depth}")
        elif piece.content.type == "message/delivery-status":
            self._status(piece, depth)
        elif main == "message":
            self._message(piece, depth)
        else:
            self._multipart(piece, depth)
        return piece

    def _header(self, piece: Piece) -> None:
        data, pos, end = piece.data, piece.start, piece.end
        reads_on = 0
        while pos < end:
            if match := FIELD.match(data, pos, end):
                if not self._fields:
                    give_up(piece, "too many header fields")
                    break
                self._fields -= 1
                piece.fields.append(parse_field(match.group()))
                piece.spans.append(match.span())
            elif match := _JUNK.match(data, pos, end):
                piece.junk.append(match.span())
                if pos == piece.start and match.group().startswith(b"From "):
                    piece.unixfrom = source_text(EOL.split(match.group(), maxsplit=1)[0])
                else:
                    piece.defects.append(errors.InvalidHeaderDefect("not a header field"))
            else:
                if piece.first_bare is None and not EOL.match(data, pos, end):
                    piece.first_bare = pos
                    reads_on = _last_contentparse_field(piece, pos)
                if pos >= reads_on or not (match := _LINE.match(data, pos, end)):
                    break
                piece.junk.append(match.span())
                piece.defects.append(errors.InvalidHeaderDefect("not a header field"))
            pos = match.end()
        piece.header_end = piece.body = pos
        if pos < end:
            if separator := EOL.match(data, pos, end):
                piece.body = separator.end()
            else:
                piece.defects.append(errors.MissingHeaderBodySeparatorDefect())

    def _multipart(self, piece: Piece, depth: int) -> None:
        boundaries = piece.content.boundaries
        if len(boundaries) > _MOST_BOUNDARIES:
            give_up(piece, "too many boundaries", AmbiguousDefect)
            return
        marks: list[_Mark] = []
        for _ in self._bodies(piece):
            for boundary in boundaries:
                marks = _marks(piece, boundary)
                if any(mark.kind == "part" for mark in marks):
                    self._found(piece, boundary, marks, depth)
                    return
        piece.defects.append(
            errors.StartBoundaryNotFoundDefect() if boundaries else errors.NoBoundaryInMultipartDefect()
        )
        for _ in self._bodies(piece):
            if _DASHES.search(piece.within, piece.inside[0] - 1 if piece.inside[0] else 0, piece.inside[1]):
                give_up(piece, "the parts are not found", AmbiguousDefect)
                break
        piece.within, piece.inside, piece.inline = piece.data, (piece.body, piece.end), True

    def _bodies(self, piece: Piece) -> Iterator[None]:
        """Set `within` to the body as it is, then to what it decodes to: RFC 2045 forbids that, and some decode it."""
        piece.within, piece.inside, piece.inline = piece.data, (piece.body, piece.end), True
        yield
        if piece.content.encoding:
            self._decoded -= piece.end - piece.body
            if self._decoded < 0:
                give_up(piece, "too much to decode")
                return
            # A delimiter follows a line end, and the first one may be the first line.
            piece.within = b"\n" + decode_transfer(piece.data[piece.body : piece.end], piece.content.encoding)
            piece.inside, piece.inline = (1, len(piece.within)), False
            yield

    def _found(self, piece: Piece, boundary: bytes, marks: list[_Mark], depth: int) -> None:
        """Make the parts between the delimiters."""
        groups: list[Span] = []  # first delimiter line's start, last one's end
        ends: list[int] = []  # where the part behind each group ends
        others: list[_Mark] = []
        for mark in marks:
            if mark.kind == "near" or piece.close:
                others.append(mark)
                continue
            if groups and groups[-1][1] == mark.start:
                # another one right behind: the same delimiter, as the stdlib has it
                groups[-1] = (groups[-1][0], mark.line_end)
                continue
            if groups and len(ends) < len(groups):
                ends.append(_before_line_end(piece.within, mark.start))
            if mark.kind == "close":
                if groups:
                    piece.close = (mark.start, mark.stop)
                else:
                    others.append(mark)
                continue
            groups.append((mark.start, mark.line_end))
            if len(groups) > self._parts:
                give_up(piece, "too many parts")
                return
        if piece.close is None:
            ends.append(piece.inside[1])
            piece.defects.append(errors.CloseBoundaryNotFoundDefect())
        self._parts -= len(groups)
        piece.kind, piece.boundary = "multipart", boundary
        piece.leads = [lead for lead, _ in groups]
        default = "message/rfc822" if piece.content.type == "multipart/digest" else "text/plain"
        for (_, begin), stop in zip(groups, ends, strict=True):
            piece.parts.append(self.entity(piece.within, begin, stop, default, depth + 1))
        if others:
            piece.hidden = _hidden(piece, marks, others)

    def _message(self, piece: Piece, depth: int) -> None:
        data, start, end = piece.data, piece.body, piece.end
        if _is_encoded(piece):
            self._decoded -= end - start
            if self._decoded < 0:
                give_up(piece, "too much to decode")
                return
            data = decode_transfer(data[start:end], piece.content.encoding)
            start, end = 0, len(data)
            piece.within, piece.inside, piece.inline = data, (start, end), False
        if self._parts < 1:
            give_up(piece, "too many parts")
            return
        self._parts -= 1
        piece.kind = "message"
        piece.parts.append(self.entity(data, start, end, "text/plain", depth + 1))

    def _status(self, piece: Piece, depth: int) -> None:
        """message/delivery-status: groups of fields with an empty line between them (RFC 3464, 2.1)."""
        data, pos, end = piece.data, piece.body, piece.end
        blocks: list[Span] = []
        while pos < end or not blocks:
            blank = None if EOL.match(data, pos, end) else EMPTY_LINE.search(data, pos, end)
            stop = pos if EOL.match(data, pos, end) else blank.end() if blank else end
            blocks.append((pos, stop))
            if len(blocks) > self._parts:
                give_up(piece, "too many parts")
                return
            line_end = EOL.match(data, stop, end)
            if not line_end:
                break
            pos = line_end.end()
        self._parts -= len(blocks)
        piece.kind = "status"
        piece.parts = [self.entity(data, start, stop, "text/plain", depth + 1) for start, stop in blocks]


def parse_field(raw: bytes) -> tuple[str, str]:
    name, value = compat32.header_source_parse(_TEXT_LINE.findall(source_text(raw)))
    return name.rstrip(" \t"), value


def _last_contentparse_field(piece: Piece, pos: int) -> int:
    """Return where the last Content- field starts before the next empty line; 0 when there is none.

    Mail clients read on behind a line that is no field; where no such field follows, it makes no difference to them.
    What looks like a delimiter ends the header of a multipart, and one that has no field yet.
    """
    data, end = piece.data, piece.end
    if blank := EMPTY_LINE.search(data, pos, end):
        end = blank.end()
    if not piece.fields or any(
        name.lower() == "content-type" and "multipart" in value.lower() for name, value in piece.fields
    ):
        dashes = _DASHED_LINE.search(data, pos - 1 if pos else 0, end)
        end = dashes.start() if dashes else end
    return max((match.start() for match in _CONTENT_FIELD.finditer(data, pos, end)), default=0)


class _Mark(NamedTuple):
    """A line that begins as a delimiter does."""

    start: int
    stop: int
    """The end of what marks it: the boundary, or the dashes behind it."""
    line_end: int
    sign: bytes
    """The line end before it: b"\\r" where a CR stands alone, b"\\n" otherwise."""
    kind: Literal["part", "close", "near"]
    """"near" is for a line that goes on otherwise than a delimiter does: by RFC 2046 it is one all the same."""


def _marks(piece: Piece, boundary: bytes) -> list[_Mark]:
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
                found.append(_Mark(pos + 1, match.end(1), match.end(), sign, "close"))
            elif match:
                found.append(_Mark(pos + 1, stop, match.end(), sign, "part"))
            else:
                line = _LINE.match(data, stop, end)
                found.append(_Mark(pos + 1, stop, line.end() if line else end, sign, "near"))
            pos = data.find(line_start, pos + 1, end)
    return sorted(found)


def part_marks(piece: Piece, boundary: bytes) -> list[_Mark]:
    """Return the delimiters of a multipart with parts behind them, if its boundary were `boundary`."""
    return [mark for mark in _marks(piece, boundary) if mark.kind == "part"]


def _hidden(piece: Piece, marks: list[_Mark], others: list[_Mark]) -> list[Span]:
    """Return what lies behind each of `others` up to the next mark, but for the delimiters of multiparts inside."""
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


def _before_line_end(data: bytes, pos: int) -> int:
    return pos - 2 if data[pos - 2 : pos] == b"\r\n" else pos - 1


def _is_encoded(piece: Piece) -> bool:
    """Tell whether a message/* part is really encoded, as RFC 2046 forbids and mail clients decode."""
    if piece.content.encoding == "base64":
        # A colon is no base64 digit: then it is a message whose header lies.
        return not FIELD.match(piece.data, piece.body, piece.end)
    if piece.content.encoding == "quoted-printable":
        return piece.data.find(b"=", piece.body, piece.end) >= 0
    return is_uuencode(piece.content.encoding)


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
