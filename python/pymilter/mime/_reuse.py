"""Decides what can be copied from the source when a message is written: its body, and its boundary."""

from __future__ import annotations

from email.message import Message

from ._params import read_content
from ._piece import Piece
from ._source import SourceMessage


def can_reuse_body(msg: SourceMessage) -> bool:
    """Return whether the body can be copied from the source."""
    return (
        msg.has_source_parts()
        and msg.has_source_margins()
        and all(_is_pristine(part) for part in msg.source_parts())
        and not (msg.source and new_boundary(msg, msg.source))
    )


def needs_boundary(msg: SourceMessage, piece: Piece | None) -> bool:
    """Return whether a program put a list of parts into an entity that was not a multipart."""
    if not isinstance(msg.new_body(), list) or msg.get_content_maintype() == "message":
        return False
    return not piece or (piece.kind != "multipart" and not msg.has_source_parts())


def new_boundary(msg: SourceMessage, piece: Piece) -> bytes | None:
    """Return the boundary that the header names now, if it is not the one of the source; otherwise None."""
    if msg.has_source_header():
        return None
    boundaries = read_content(msg.raw_items(), msg.get_default_type()).boundaries
    known = piece.content.boundaries
    return boundaries[0] if boundaries and boundaries[0] != piece.boundary and boundaries != known else None


def _is_pristine(part: Message) -> bool:
    return isinstance(part, SourceMessage) and part.is_pristine()
