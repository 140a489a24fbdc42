"""Takes the bytes of a message apart into a tree of spans: no byte is copied, and none is left out.

It finds the same headers and parts as the stdlib's parser, so that `walk` gives the same result, but it remembers their
places. It also finds what mail clients find and that parser does not: blanks before a header's colon (RFC 5322, 4.5), a
boundary with 8-bit characters or a fold in it, and an encoded message/rfc822.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from email import errors

from ._decode import decode_transfer, is_uuencode
from ._delimiters import Mark, before_line_end, find_marks, hidden_spans
from ._limits import AmbiguousDefect, Limits
from ._params import read_content
from ._piece import EMPTY_LINE, EOL, FIELD, LINE, Piece, Span, give_up, parse_field, source_text, stray_texts

# Lines that the stdlib's parser skips between headers: "From ", a colon without a name, a continuation of nothing.
_JUNK = re.compile(rb"(?:(?:From |[: \t])[^\r\n]*+(?:\r\n|\r|\n|\Z))++")
_CONTENT_FIELD = re.compile(rb"(?:(?<=[\r\n])|\A)content-[!-9;-~]*+[ \t]*+:", re.IGNORECASE)
_DASHED_LINE = re.compile(rb"[\r\n]--")
_DASHES = re.compile(rb"(?:\A|[\r\n])--[^\s]|(?:\A|[\r\n])--(?:[\r\n]|\Z)")
#: A multipart with more possible boundaries than this is not taken apart.
_MOST_BOUNDARIES = 8


def split(data: bytes, limits: Limits) -> Piece:
    """Take a whole message apart. No content makes it raise."""
    return _Splitter(limits, len(data)).entity(data, 0, len(data), "text/plain", 1)


class _Splitter:
    """Splits one message, and stops at the limits."""

    def __init__(self, limits: Limits, size: int) -> None:
        self._depth = limits.depth
        self._parts = limits.parts
        self._fields = limits.fields
        self._decoded = limits.decoded * size

    def entity(self, data: bytes, start: int, end: int, default_type: str, depth: int) -> Piece:
        piece = Piece(data, start, end, default_type=default_type)
        self._header(piece)
        piece.content = read_content(piece.fields, default_type, stray_texts(piece))
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
                    reads_on = _last_content_field(piece, pos)
                if pos >= reads_on or not (match := LINE.match(data, pos, end)):
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
        marks: list[Mark] = []
        for _ in self._bodies(piece):
            for boundary in boundaries:
                marks = find_marks(piece, boundary)
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
        """Set `within` to the body, then to the decoded body: RFC 2045 forbids this, but some clients decode."""
        piece.within, piece.inside, piece.inline = piece.data, (piece.body, piece.end), True
        yield
        if piece.content.encoding:
            self._decoded -= piece.end - piece.body
            if self._decoded < 0:
                give_up(piece, "too much to decode")
                return
            # A delimiter must follow a line end, and may be in the first line.
            piece.within = b"\n" + decode_transfer(piece.data[piece.body : piece.end], piece.content.encoding)
            piece.inside, piece.inline = (1, len(piece.within)), False
            yield

    def _found(self, piece: Piece, boundary: bytes, marks: list[Mark], depth: int) -> None:
        """Make the parts between the delimiters."""
        groups: list[Span] = []  # first delimiter line's start, last one's end
        ends: list[int] = []  # where the part behind each group ends
        others: list[Mark] = []
        for mark in marks:
            if mark.kind == "near" or piece.close:
                others.append(mark)
                continue
            if groups and groups[-1][1] == mark.start:
                # another one right after it: part of the same delimiter, as in the stdlib
                groups[-1] = (groups[-1][0], mark.line_end)
                continue
            if groups and len(ends) < len(groups):
                ends.append(before_line_end(piece.within, mark.start))
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
            piece.hidden = hidden_spans(piece, marks, others)

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
        """Split a message/delivery-status: groups of fields with an empty line between them (RFC 3464, 2.1)."""
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


def _last_content_field(piece: Piece, pos: int) -> int:
    """Return where the last Content- field before the next empty line starts; 0 if there is none.

    Some mail clients continue reading after a line that is not a field. This matters only if such a field follows. A
    line like a delimiter ends the header of a multipart, and a header without any field yet.
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


def _is_encoded(piece: Piece) -> bool:
    """Return whether a message/* part is really encoded: RFC 2046 forbids it, but mail clients decode it."""
    if piece.content.encoding == "base64":
        # A colon is not a base64 digit: this is a plain message, and the header of the part is wrong.
        return not FIELD.match(piece.data, piece.body, piece.end)
    if piece.content.encoding == "quoted-printable":
        return piece.data.find(b"=", piece.body, piece.end) >= 0
    return is_uuencode(piece.content.encoding)
