"""Makes messages from the other readings that mail clients may have of a part."""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator
from typing import NamedTuple

from ._decode import decode_transfer, other_decodings, uu_files
from ._delimiters import part_marks
from ._limits import Limits, UnreadableError
from ._message import MimeMessage
from ._params import content_types, encodings, read_content
from ._piece import EMPTY_LINE, EOL, FIELD, Piece, Span, parse_field, stray_texts
from ._sniff import head_of, is_html, is_message, is_tnef
from ._split import split
from ._tnef import tnef_files

#: All readings together may be this many times as long as the message, ...
_READINGS = 16
#: ... or have this many bytes, if that is more.
_AT_LEAST = 1 << 20

_BLANK_LINE = re.compile(rb"(?:\r\n|\r|\n)[ \t]++(?=\r\n|\r|\n)")
_BARE_CR = re.compile(rb"\r(?!\n)")
_LINES_OF_FIELD = re.compile(rb"(?:\A|(?<=[\r\n]))" + FIELD.pattern)
_DASHES = re.compile(rb"(?:\A|[\r\n])--")
_TNEF_TYPES = ("application/ms-tnef", "application/vnd.ms-tnef")

Fields = list[tuple[str, str]]


class Reading(NamedTuple):
    """Another entity that some client sees in a part, or in place of it."""

    data: bytes
    same_body: bool = False
    """Whether it is the part's own body, read as another type."""


class Budget:
    """Limits the work on readings: a sender can cause more of it than any honest message needs."""

    def __init__(self, size: int) -> None:
        self._left = max(_READINGS * size, _AT_LEAST)

    def take(self, size: int) -> None:
        """Count bytes that are about to be read. Raises UnreadableError if the limit is exceeded."""
        self._left -= size
        if self._left < 0:
            raise UnreadableError("too much to read")


def whole_readings(msg: MimeMessage) -> Iterator[Reading]:
    """Yield the message as read by clients for which a CR alone does not end a line, if that makes a difference."""
    data = msg.source.data if msg.source and msg.is_pristine() else msg.as_bytes()
    if not _BARE_CR.search(data):
        return
    pieces = [split(data, Limits())]
    while pieces:
        piece = pieces.pop()
        if _BARE_CR.search(piece.data, piece.start, piece.body) or any(
            mark.sign == b"\r" for boundary in piece.content.boundaries for mark in part_marks(piece, boundary)
        ):
            yield Reading(_BARE_CR.sub(b" ", data))
            return
        pieces += piece.parts


def other_readings(msg: MimeMessage, by_content: bool) -> Iterator[Reading]:
    """Yield what other clients may see in a part, or in place of it; with `by_content` also what its content shows."""
    piece = _piece_of(msg)
    is_leaf = piece.kind == "leaf"
    for number, (fields, body) in enumerate(_headers(piece)):
        types = _types(fields, piece.default_type)
        codings = _encodings(fields)
        own = "" if not is_leaf and piece.inline else codings[0]
        if by_content and is_leaf and not number:
            types += [kind for kind in _content_types(piece, codings[0]) if kind not in types]
        for kind in types:
            composite = kind.startswith(("multipart/", "message/"))
            for coding in dict.fromkeys([*codings, ""]) if composite else codings:
                if number == 0 and kind == types[0] and coding == own:
                    continue
                if composite and not _may_have_parts(piece, body, coding):
                    continue
                content = piece.data[body : piece.end]
                if composite:
                    yield from _composite(piece, fields, kind, decode_transfer(content, coding))
                else:
                    same = number == 0 and is_leaf and coding == own
                    yield Reading(_entity(fields, kind, coding, content), same)
            if not composite and is_leaf:
                for coding in codings:
                    for decoded in other_decodings(piece.data[body : piece.end], coding):
                        yield Reading(_entity(fields, kind, "binary", decoded))
    if is_leaf:
        yield from _files(msg, piece, by_content)
    for begin, end in piece.hidden:
        yield Reading(piece.within[begin:end])
    yield from _other_boundaries(piece)


def _piece_of(msg: MimeMessage) -> Piece:
    source = msg.source
    if source and msg.has_source_header() and (msg.has_source_body() or msg.has_source_parts()):
        return source  # changes that the program made in the parts are not the sender's tricks
    return split(msg.as_bytes(), Limits())


def _headers(piece: Piece) -> Iterator[tuple[Fields, int]]:
    """Yield the header fields and the start of the body, first as read, then for each other possible header end."""
    yield piece.fields, piece.body
    data = piece.data
    if piece.first_bare is not None:
        if piece.first_bare < piece.header_end:
            yield _fields_before(piece, piece.first_bare), piece.first_bare
        empty = EMPTY_LINE.search(data, piece.header_end, piece.end) if piece.body == piece.header_end else None
        if empty:
            more = [parse_field(match.group()) for match in _LINES_OF_FIELD.finditer(data, piece.body, empty.end())]
            line_end = EOL.match(data, empty.end())
            yield [*piece.fields, *more], line_end.end() if line_end else empty.end()
    if blank := _BLANK_LINE.search(data, piece.start, piece.header_end):
        line_end = EOL.match(data, blank.end())
        yield _fields_before(piece, blank.start()), line_end.end() if line_end else blank.end()


def _fields_before(piece: Piece, pos: int) -> Fields:
    spans: Iterable[Span] = (span for span in piece.spans if span[0] < pos)
    return [parse_field(piece.data[begin : min(end, pos)]) for begin, end in spans]


def _types(fields: Fields, default: str) -> list[str]:
    values = [value for name, value in fields if name.lower() == "content-type"]
    types = [kind for value in values for kind in content_types(value) or ["text/plain"]] or [default]
    if "application/xhtml+xml" in types:  # shown as a page
        types.append("text/html")
    return list(dict.fromkeys(types))


def _encodings(fields: Fields) -> list[str]:
    values = [value for name, value in fields if name.lower() == "content-transfer-encoding"]
    return list(dict.fromkeys(coding for value in values for coding in encodings(value))) or [""]


def _content_types(piece: Piece, coding: str) -> Iterator[str]:
    head = head_of(piece.data[piece.body : piece.end], coding)
    if is_html(head):
        yield "text/html"
    if is_message(head):
        yield "message/rfc822"


def _may_have_parts(piece: Piece, body: int, coding: str) -> bool:
    """Return whether the body, decoded from `coding`, could contain parts or a message."""
    data = piece.data[body : piece.end]
    data = decode_transfer(data, coding) if coding else data
    return _DASHES.search(data) is not None or FIELD.match(data) is not None


def _composite(piece: Piece, fields: Fields, kind: str, content: bytes) -> Iterator[Reading]:
    """Yield a message, or a multipart once for each boundary that it may have."""
    boundaries: list[bytes] = []
    if kind.startswith("multipart/"):
        values = [(name, value) for name, value in fields if name.lower() == "content-type"]
        known = read_content([("Content-Type", kind), *values], kind, stray_texts(piece)).boundaries
        boundaries = [boundary for boundary in known if b"--" + boundary in content]
    others = [(name, value) for name, value in fields if name.lower() != "content-type"]
    for parameter in [_boundary(boundary) for boundary in boundaries] or [""]:
        yield Reading(_entity([("Content-Type", kind + parameter), *others], kind, "", content))


def _boundary(boundary: bytes) -> str:
    text = boundary.replace(b"\\", b"\\\\").replace(b'"', b'\\"')
    return '; boundary="' + text.decode("utf-8", "surrogateescape") + '"'


def _entity(fields: Fields, kind: str, coding: str, body: bytes) -> bytes:
    """Return an entity with a header that all clients read alike."""
    lines = [b"Content-Transfer-Encoding: " + coding.encode() + b"\n"] if coding else []
    rest = ""
    for name, value in fields:
        text = value.replace("\r", " ").replace("\n", " ")
        key = name.lower()
        if key == "content-type":
            rest = rest or text.partition(";")[2]
        elif key != "content-transfer-encoding":
            lines.append(f"{name}: {text.strip()}\n".encode("utf-8", "surrogateescape"))
    parameters = f";{rest}" if rest.strip() else ""
    lines.insert(0, f"Content-Type: {kind}{parameters}\n".encode("utf-8", "surrogateescape"))
    return b"".join(lines) + b"\n" + body


def _other_boundaries(piece: Piece) -> Iterator[Reading]:
    """Yield a multipart again for each other boundary that has delimiters in it."""
    for boundary in piece.content.boundaries if piece.kind == "multipart" else ():
        if boundary != piece.boundary and part_marks(piece, boundary):
            begin, end = piece.inside
            field = ("Content-Type", piece.content.type + _boundary(boundary))
            yield Reading(_entity([field], piece.content.type, "", piece.within[begin:end]))


def _files(msg: MimeMessage, piece: Piece, by_content: bool) -> Iterator[Reading]:
    """Yield the files in a text (uuencode) or in a winmail.dat."""
    coding = _encodings(piece.fields)[0]
    body = piece.data[piece.body : piece.end]
    types = _types(piece.fields, piece.default_type)
    if any(kind.startswith("text/") for kind in types):
        for name, content in uu_files(decode_transfer(body, coding)):
            yield Reading(_file(name.decode("utf-8", "surrogateescape"), content))
    names = [str(name).lower() for _, name in msg.getnames()]
    if (
        any(kind in _TNEF_TYPES for kind in types)
        or "winmail.dat" in names
        or (by_content and is_tnef(head_of(body, coding)))
    ):
        for title, kind, content in tnef_files(decode_transfer(body, coding)):
            yield Reading(_file(title, content, kind))


def _file(name: str, content: bytes, kind: str = "application/octet-stream") -> bytes:
    escaped = name.replace("\\", "\\\\").replace('"', '\\"').replace("\r", " ").replace("\n", " ")
    field = f'Content-Type: {kind}; name="{escaped}"\nContent-Transfer-Encoding: binary\n\n'
    return field.encode("utf-8", "surrogateescape") + content
