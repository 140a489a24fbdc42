"""Writes a message, with the source's bytes for everything that was not changed."""

from __future__ import annotations

import io
import secrets
import time
from collections.abc import Callable
from email.generator import BytesGenerator
from email.message import Message

from ._decode import charset_codec, decode_transfer, encode_transfer, is_uuencode, known_encoding
from ._params import read_content
from ._piece import EOL, Piece
from ._reuse import can_reuse_body, needs_boundary, new_boundary
from ._sink import Sink, body_line_end, line_end
from ._source import SourceMessage
from ._write_header import write_header

#: A line that begins with one of these is a delimiter.
Marks = tuple[bytes, ...]


def write_message(msg: SourceMessage, write: Callable[[bytes], object], unixfrom: bool) -> None:
    """Write a whole message through `write`, which gets bytes; with `unixfrom` a "From " line comes first."""
    sink = Sink(write)
    if unixfrom and not (msg.source and msg.source.unixfrom is not None):
        eol = line_end(msg.source, b"\n")
        line = msg.get_unixfrom() or f"From nobody {time.ctime()}"
        sink.text(line.encode("ascii", "surrogateescape") + eol)
    _entity(msg, sink, b"\n")
    sink.flush()


def message_bytes(msg: SourceMessage, unixfrom: bool) -> bytes:
    """Return a whole message; if nothing was changed, the source itself."""
    chunks: list[bytes] = []
    write_message(msg, chunks.append, unixfrom)
    return chunks[0] if len(chunks) == 1 else b"".join(chunks)


def _entity(msg: Message, sink: Sink, eol: bytes, marks: Marks = ()) -> None:
    """Write an entity. Lines that begin with one of `marks` are delimiters of the multiparts around it."""
    if not isinstance(msg, SourceMessage):
        sink.text(_foreign(msg, eol))
        return
    piece = msg.source
    if piece and msg.is_pristine():
        sink.span(piece.data, piece.start, piece.end)
        return
    _complete_header(msg, piece)
    _hide_marks(msg, marks)
    write_header(msg, piece, sink, line_end(piece, eol))
    _body(msg, piece, sink, body_line_end(piece, eol), marks)


def _complete_header(msg: SourceMessage, piece: Piece | None) -> None:
    """Add to the header what the new body needs."""
    if needs_boundary(msg, piece):
        if msg.get_content_maintype() != "multipart":
            msg.set_type("multipart/mixed")
        if msg.get_boundary() is None:
            msg.set_boundary(make_boundary(msg.get_payload()))
    elif (
        piece
        and not piece.inline
        and is_uuencode(msg.transfer_encoding())  # we read uuencode, but do not write it
        and not can_reuse_body(msg)
    ):
        msg.replace_header("Content-Transfer-Encoding", "base64")

    elif piece and piece.kind == "multipart" and msg.is_multipart() and not msg.has_source_parts():
        own = {id(part) for part in msg.source_parts()}
        mark = b"--" + piece.boundary
        if any(id(part) not in own and mark in _part_bytes(part, b"\n", (mark,)) for part in msg.get_payload()):
            msg.set_boundary(make_boundary(msg.get_payload()))


def _hide_marks(msg: SourceMessage, marks: Marks) -> None:
    """Encode a new text if one of its lines looks like a delimiter: it would hide the parts after it."""
    if not marks or msg.has_source_body() or isinstance(msg.new_body(), list):
        return
    data = msg.payload_bytes()
    if not any(line.startswith(marks) for line in EOL.split(data)):
        return
    coding = known_encoding(msg.transfer_encoding())
    data = decode_transfer(data, coding)
    coding = "base64" if coding == "base64" or is_uuencode(coding) or b"\0" in data else "quoted-printable"
    del msg["content-transfer-encoding"]
    msg["Content-Transfer-Encoding"] = coding
    msg.set_payload_bytes(encode_transfer(data, coding, msg.line_end()))


def _foreign(msg: Message, eol: bytes) -> bytes:
    """Return the bytes of a message of another class, such as MIMEText, that a program attached."""
    out = io.BytesIO()
    policy = msg.policy.clone(linesep=eol.decode())
    BytesGenerator(out, mangle_from_=False, policy=policy).flatten(msg)
    return out.getvalue()


def _body(msg: SourceMessage, piece: Piece | None, sink: Sink, eol: bytes, marks: Marks) -> None:
    body = msg.new_body()
    if isinstance(body, list):
        if not piece or piece.inline:
            _parts(msg, piece, body, sink, eol, marks)
        elif can_reuse_body(msg):
            sink.span(piece.data, piece.body, piece.end)
        else:
            chunks: list[bytes] = []
            inner = Sink(chunks.append)
            _parts(msg, piece, body, inner, eol, ())
            inner.flush()
            sink.text(encode_transfer(b"".join(chunks), msg.transfer_encoding(), eol))
    elif isinstance(body, bytes):
        sink.text(body)
    elif body is not None:
        sink.text(_text(msg, body, eol))
    elif piece and msg.has_source_body():
        sink.span(piece.data, piece.body, piece.end)


def _text(msg: SourceMessage, text: str, eol: bytes) -> bytes:
    try:
        data = text.encode("ascii", "surrogateescape")
    except UnicodeEncodeError:
        try:
            data = text.encode(charset_codec(msg.get_content_charset()) or "utf-8", "surrogateescape")
        except ValueError:
            data = text.encode("utf-8", "surrogatepass")
    if msg.transfer_encoding() == "binary":
        return data
    return EOL.sub(eol, data)


def _parts(msg: SourceMessage, piece: Piece | None, parts: list[Message], sink: Sink, eol: bytes, marks: Marks) -> None:
    if piece and piece.kind != "leaf" and msg.has_source_parts():
        _same_parts(msg, piece, parts, sink, eol, marks)
    else:
        _other_parts(msg, piece, parts, sink, eol, marks)


def _same_parts(msg: SourceMessage, piece: Piece, parts: list[Message], sink: Sink, eol: bytes, marks: Marks) -> None:
    """Write the source's parts, some of them changed. The text between them stays, unless the boundary is new."""
    boundary = new_boundary(msg, piece)
    if piece.kind == "multipart" and (boundary or not msg.has_source_margins()):
        _multipart(msg, piece, parts, boundary, sink, eol, marks)
        return
    pos, end = piece.inside
    if piece.kind == "multipart":
        marks = (*marks, b"--" + piece.boundary)
    for part, source in zip(parts, piece.parts, strict=True):
        sink.span(piece.within, pos, source.start)
        _entity(part, sink, eol, marks)
        pos = source.end
    sink.span(piece.within, pos, end)


def _other_parts(
    msg: SourceMessage, piece: Piece | None, parts: list[Message], sink: Sink, eol: bytes, marks: Marks
) -> None:
    """Write parts that were added, removed or moved."""
    if piece and piece.kind == "multipart":
        _multipart(msg, piece, parts, new_boundary(msg, piece), sink, eol, marks)
        return
    kind = msg.get_content_type()
    if kind == "message/delivery-status":
        for number, part in enumerate(parts):
            block = _part_bytes(part, eol).rstrip(b"\r\n")
            sink.text((eol if number else b"") + block + eol)
    elif kind.startswith("message/"):
        for part in parts:
            _entity(part, sink, eol, marks)
    else:
        boundary = next(iter(read_content(msg.raw_items(), msg.get_default_type()).boundaries), None)
        _multipart(msg, None, parts, boundary, sink, eol, marks)


def _multipart(
    msg: SourceMessage,
    piece: Piece | None,
    parts: list[Message],
    boundary: bytes | None,
    sink: Sink,
    eol: bytes,
    marks: Marks,
) -> None:
    """Write a multipart in which at least one delimiter or margin is new."""
    own = {id(part): number for number, part in enumerate(msg.source_parts())}
    mark = b"--" + (boundary or (piece and piece.boundary) or b"")
    if piece and msg.has_source_preamble():
        sink.span(piece.within, piece.inside[0], piece.leads[0])
    elif msg.preamble:
        sink.text(_text(msg, msg.preamble, eol) + eol)
    for number, part in enumerate(parts):
        if number:
            sink.text(eol)
        at = own.get(id(part))
        if piece and at is not None and not boundary:
            sink.span(piece.within, piece.leads[at], piece.parts[at].start)
        else:
            sink.text(mark + eol)
        _entity(part, sink, eol, (*marks, mark))
    if not parts:
        sink.text(mark + eol)
    if piece and piece.close:
        start, stop = piece.close
        sink.text(eol)
        if boundary:
            sink.text(mark + b"--")
        else:
            sink.span(piece.within, start, stop)
        if msg.has_source_epilogue():
            sink.span(piece.within, stop, piece.inside[1])
            return
    elif piece and parts and own.get(id(parts[-1])) == len(own) - 1 and msg.has_source_epilogue():
        return  # the source has no closing delimiter, and its last part is still the last
    else:
        sink.text(eol + mark + b"--")
    sink.text(eol + _text(msg, msg.epilogue or "", eol))


def _part_bytes(part: Message, eol: bytes, marks: Marks = ()) -> bytes:
    chunks: list[bytes] = []
    sink = Sink(chunks.append)
    _entity(part, sink, eol, marks)
    sink.flush()
    return b"".join(chunks)


def make_boundary(parts: list[Message]) -> str:
    """Return a boundary that occurs in none of the parts."""
    while True:
        boundary = f"==============={secrets.randbits(64):020d}=="
        if not any(boundary.encode() in _part_bytes(part, b"\n") for part in parts):
            return boundary
