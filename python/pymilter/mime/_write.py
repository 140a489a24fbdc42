"""Writes a message: the source's own bytes for all that was not changed, new bytes for the rest."""

from __future__ import annotations

import io
import re
import secrets
import time
from collections import defaultdict
from collections.abc import Callable
from email.errors import MessageError
from email.generator import BytesGenerator
from email.header import Header
from email.message import Message
from email.policy import Policy
from typing import TYPE_CHECKING, Any

from ._decode import charset_codec, encode_transfer, is_uuencode
from ._params import read_content
from ._split import EOL, Piece

if TYPE_CHECKING:
    from ._source import SourceMessage

_BARE_NEWLINE = re.compile(rb"((?>\r\n|\r|\n))(?![ \t]|\Z)")
_STRUCTURED = frozenset({"content-type", "content-disposition"})
_FOLDS = re.compile(r"[\r\n]+[ \t]*")


class Sink:
    """Joins neighbouring spans of the source, so that an untouched stretch goes out in one write."""

    def __init__(self, write: Callable[[bytes], object]) -> None:
        self._write = write
        self._data = b""
        self._start = self._end = 0
        self.last = b""
        """The last byte written."""

    def span(self, data: bytes, start: int, end: int) -> None:
        """Write data[start:end]."""
        if start >= end:
            return
        if data is self._data and start == self._end:
            self._end = end
        else:
            self.flush()
            self._data, self._start, self._end = data, start, end
        self.last = data[end - 1 : end]

    def text(self, data: bytes) -> None:
        """Write new bytes."""
        if data:
            self.flush()
            self._write(data)
            self.last = data[-1:]

    def flush(self) -> None:
        """Write what is still held."""
        if self._start < self._end:
            whole = self._start == 0 and self._end == len(self._data)
            self._write(self._data if whole else self._data[self._start : self._end])
        self._data, self._start, self._end = b"", 0, 0


def write_message(msg: SourceMessage, write: Callable[[bytes], object], unixfrom: bool = False) -> None:
    """Write a whole message through `write`, which is called with bytes; `unixfrom` asks for a "From " line first."""
    sink = Sink(write)
    if unixfrom and not (msg.source and msg.source.unixfrom is not None):
        eol = _line_end(msg.source, b"\n")
        line = msg.get_unixfrom() or f"From nobody {time.ctime()}"
        sink.text(line.encode("ascii", "surrogateescape") + eol)
    _entity(msg, sink, b"\n")
    sink.flush()


def message_bytes(msg: SourceMessage, unixfrom: bool = False) -> bytes:
    """Return a whole message; the source itself when nothing was changed."""
    chunks: list[bytes] = []
    write_message(msg, chunks.append, unixfrom)
    return chunks[0] if len(chunks) == 1 else b"".join(chunks)


def _entity(msg: Message, sink: Sink, eol: bytes) -> None:
    from ._source import SourceMessage

    if not isinstance(msg, SourceMessage):
        sink.text(_foreign(msg, eol))
        return
    piece = msg.source
    if piece and msg.is_pristine():
        sink.span(piece.data, piece.start, piece.end)
        return
    _complete_header(msg, piece)
    _header(msg, piece, sink, _line_end(piece, eol))
    _body(msg, piece, sink, body_line_end(piece, eol))


def _complete_header(msg: SourceMessage, piece: Piece | None) -> None:
    """Put into the header what the body needs there."""
    if _needs_boundary(msg, piece):
        if msg.get_content_maintype() != "multipart":
            msg.set_type("multipart/mixed")
        if msg.get_boundary() is None:
            msg.set_boundary(make_boundary(msg.get_payload()))
    elif (
        piece
        and not piece.inline
        and is_uuencode(msg.transfer_encoding())  # which is read, but not written
        and msg.has_source_parts()
        and not _is_pristine(msg.get_payload(0))
    ):
        msg.replace_header("Content-Transfer-Encoding", "base64")


def _is_pristine(part: Message) -> bool:
    from ._source import SourceMessage

    return isinstance(part, SourceMessage) and part.is_pristine()


def _needs_boundary(msg: SourceMessage, piece: Piece | None) -> bool:
    """Tell whether the parts are a program's own, to be written as a multipart."""
    if not isinstance(msg.new_body(), list) or msg.get_content_maintype() == "message":
        return False
    return not piece or piece.kind == "leaf" or (piece.kind != "multipart" and not msg.has_source_parts())


def _foreign(msg: Message, eol: bytes) -> bytes:
    """A message of another class, such as MIMEText, that a program attached."""
    out = io.BytesIO()
    policy = msg.policy.clone(linesep=eol.decode())
    BytesGenerator(out, mangle_from_=False, policy=policy).flatten(msg)
    return out.getvalue()


def _line_end(piece: Piece | None, default: bytes) -> bytes:
    if not piece:
        return default
    found = EOL.search(piece.data, piece.start, piece.body) or EOL.search(piece.data, piece.start, piece.end)
    return found.group() if found else default


def body_line_end(piece: Piece | None, default: bytes) -> bytes:
    """Return the line end that a source has in its body, or else in its header, or else `default`."""
    found = EOL.search(piece.data, piece.body, piece.end) if piece else None
    return found.group() if found else _line_end(piece, default)


def _header(msg: SourceMessage, piece: Piece | None, sink: Sink, eol: bytes) -> None:
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
    """End the last header line, which lacks its line end when the source ends there."""
    if sink.last not in (b"\r", b"\n") and (msg.keys() or (piece and piece.junk)):
        sink.text(eol)


def _changed_header(msg: SourceMessage, piece: Piece | None, sink: Sink, eol: bytes) -> None:
    """Write the fields as they are now, those of the source with the source's bytes, other lines where they were."""
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
    """Return the header's lines in order: spans of the source, and pairs of name and value."""
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
    kept = [at for at, line in enumerate(lines) if isinstance(line[0], int)]
    last = kept[-1] + 1 if kept else 0
    ordered: list[Any] = []
    junk = piece.junk[::-1]
    for line in lines[:last]:
        while junk and isinstance(line[0], int) and junk[-1][0] < line[0]:
            ordered.append(junk.pop())
        ordered.append(line)
    return [*ordered, *reversed(junk), *lines[last:]]


def fold(name: str, value: object, policy: Policy, eol: bytes) -> bytes:
    """Return a new field's lines. A value cannot end its field: what follows a newline in it becomes a folded line."""
    if isinstance(value, str):
        value = value.rstrip("\r\n")
        if name.lower() in _STRUCTURED and not value.isascii():  # an encoded word would hide the parameters
            value = value.encode("utf-8", "surrogateescape").decode("ascii", "surrogateescape")
    try:
        folded = policy.fold_binary(name, value)  # type: ignore[arg-type]
    except (MessageError, ValueError, LookupError):
        # The stdlib refuses some values, such as surrogates beside other non-ASCII characters.
        text = _FOLDS.sub(" ", str(value)).encode("utf-8", "surrogateescape").decode("utf-8", "replace")
        folded = f"{name}: {Header(text, header_name=name).encode(linesep=eol.decode())}".encode() + eol
    return _BARE_NEWLINE.sub(rb"\1 ", folded)


def _body(msg: SourceMessage, piece: Piece | None, sink: Sink, eol: bytes) -> None:
    body = msg.new_body()
    if isinstance(body, list):
        if piece and piece.kind != "leaf" and msg.has_source_parts():
            _same_parts(msg, piece, body, sink, eol)
        else:
            _other_parts(msg, piece, body, sink, eol)
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


def _same_parts(msg: SourceMessage, piece: Piece, parts: list[Message], sink: Sink, eol: bytes) -> None:
    """The source's parts, some of them changed: what lies between them stays, but for a new boundary."""
    boundary = _new_boundary(msg, piece)
    if not piece.inline:
        if _is_pristine(parts[0]):
            sink.span(piece.data, piece.body, piece.end)
        else:
            sink.text(encode_transfer(_part_bytes(parts[0], eol), msg.transfer_encoding(), eol))
        return
    if piece.kind == "multipart" and (boundary or not msg.has_source_margins()):
        _multipart(msg, piece, parts, boundary, sink, eol)
        return
    pos = piece.body
    for part, source in zip(parts, piece.parts, strict=True):
        sink.span(piece.data, pos, source.start)
        _entity(part, sink, eol)
        pos = source.end
    sink.span(piece.data, pos, piece.end)


def _other_parts(msg: SourceMessage, piece: Piece | None, parts: list[Message], sink: Sink, eol: bytes) -> None:
    """Parts that were added, taken away or moved."""
    if piece and piece.kind == "multipart":
        _multipart(msg, piece, parts, _new_boundary(msg, piece), sink, eol)
        return
    kind = msg.get_content_type()
    if kind == "message/delivery-status":
        for number, part in enumerate(parts):
            block = _part_bytes(part, eol).rstrip(b"\r\n")
            sink.text((eol if number else b"") + block + eol)
    elif kind.startswith("message/"):
        for part in parts:
            _entity(part, sink, eol)
    else:
        boundary = read_content(msg.raw_items(), msg.get_default_type()).boundary
        _multipart(msg, None, parts, boundary, sink, eol)


def _new_boundary(msg: SourceMessage, piece: Piece) -> bytes | None:
    """Return the boundary to write when the header now names another one than the source uses."""
    if msg.has_source_header():
        return None
    content = read_content(msg.raw_items(), msg.get_default_type())
    same = content.boundary == piece.content.boundary or not content.type.startswith("multipart/")
    return None if same else content.boundary


def _multipart(
    msg: SourceMessage, piece: Piece | None, parts: list[Message], boundary: bytes | None, sink: Sink, eol: bytes
) -> None:
    """A multipart with at least one delimiter to write anew."""
    own = {id(part): number for number, part in enumerate(msg.source_parts())}
    mark = b"--" + (boundary or (piece and piece.content.boundary) or b"")
    if piece and msg.has_source_preamble():
        sink.span(piece.data, piece.body, piece.leads[0])
    elif msg.preamble:
        sink.text(_text(msg, msg.preamble, eol) + eol)
    for number, part in enumerate(parts):
        if number:
            sink.text(eol)
        at = own.get(id(part))
        if piece and at is not None and not boundary:
            sink.span(piece.data, piece.leads[at], piece.parts[at].start)
        else:
            sink.text(mark + eol)
        _entity(part, sink, eol)
    if not parts:
        sink.text(mark + eol)
    if piece and piece.close:
        start, stop = piece.close
        sink.text(eol)
        if boundary:
            sink.text(mark + b"--")
        else:
            sink.span(piece.data, start, stop)
        if msg.has_source_epilogue():
            sink.span(piece.data, stop, piece.end)
            return
    elif piece and parts and own.get(id(parts[-1])) == len(own) - 1 and msg.has_source_epilogue():
        return  # the source has no closing delimiter, and still ends as it did
    else:
        sink.text(eol + mark + b"--")
    sink.text(eol + _text(msg, msg.epilogue or "", eol))


def _part_bytes(part: Message, eol: bytes) -> bytes:
    chunks: list[bytes] = []
    sink = Sink(chunks.append)
    _entity(part, sink, eol)
    sink.flush()
    return b"".join(chunks)


def make_boundary(parts: list[Message]) -> str:
    """Return a boundary that is in none of the parts."""
    while True:
        boundary = f"==============={secrets.randbits(64):020d}=="
        if not any(boundary.encode() in _part_bytes(part, b"\n") for part in parts):
            return boundary
