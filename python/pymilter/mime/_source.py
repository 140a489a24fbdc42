"""A message that remembers its source: which of its headers, parts and texts are still as they were read."""

from __future__ import annotations

import dataclasses
import enum
import re
from email.message import Message
from typing import Any, Self, cast

from ._decode import decode_text, decode_transfer
from ._lenient import LenientMessage
from ._limits import Limits
from ._piece import EOL, Piece, source_text
from ._sink import body_line_end
from ._split import split

_LIMITS = Limits()
_LAST_LINE_END = re.compile(r"\n\Z")


class _Source(enum.Enum):
    """Placeholder for a text that has not changed; it is read from the source when needed."""

    TEXT = "source"


class SourceMessage(LenientMessage):
    """An `email.message.Message` that can be compared with the bytes it was read from.

    `_payload`, `preamble` and `epilogue`, in which the email package keeps texts, are read from the source when needed,
    so the source is in memory once, however deeply the parts are nested. Changes are not recorded. They are found by
    comparing the fields and parts with those of the source, so it does not matter which method made them.
    """

    source: Piece | None = None
    """The place of the message in the bytes it was read from; None for a message made by a program."""
    too_complex: bool = False
    """Whether parts or fields were left in the payload because there are too many of them (see `Limits`)."""
    modified: bool = False
    """Set by the methods that change something; programs may set it too."""

    _body: object
    _margins: dict[str, str | None]
    _source_parts: tuple[Message, ...] = ()

    @classmethod
    def from_bytes(cls, data: bytes, limits: Limits = _LIMITS) -> Self:
        """Read a message. No content makes it raise."""
        return cls._of_piece(split(data, limits))

    @classmethod
    def _of_piece(cls, piece: Piece) -> Self:
        msg = cls()
        msg.source = piece
        msg._headers = list(piece.fields)
        msg.defects = piece.defects
        msg.too_complex = piece.too_complex
        msg.set_default_type(piece.default_type)
        if piece.unixfrom is not None:
            msg.set_unixfrom(piece.unixfrom)
        msg._margins = {}
        if piece.kind == "leaf":
            msg._body = _Source.TEXT
        else:
            parts = [cls._of_piece(part) for part in piece.parts]
            msg._source_parts = tuple(parts)
            msg._body = parts
        return msg

    # -- what the email package's own methods read and write

    @property
    def _payload(self) -> object:
        if self._body is _Source.TEXT and self.source:
            return source_text(self.source.data[self.source.body : self.source.end])
        return source_text(self._body) if isinstance(self._body, bytes) else self._body

    @_payload.setter
    def _payload(self, value: object) -> None:
        self._body = value

    @property
    def preamble(self) -> str | None:
        """The text before the first part; None if there is none."""
        return self._margin("preamble")

    @preamble.setter
    def preamble(self, value: str | None) -> None:
        self._set_margin("preamble", value)

    @property
    def epilogue(self) -> str | None:
        """The text after the last part; None if there is none."""
        return self._margin("epilogue")

    @epilogue.setter
    def epilogue(self, value: str | None) -> None:
        self._set_margin("epilogue", value)

    def _margin(self, name: str) -> str | None:
        if name in self._margins:
            return self._margins[name]
        piece = self.source
        if not piece or piece.kind != "multipart":
            return None
        if name == "preamble":
            text = source_text(piece.within[piece.inside[0] : piece.leads[0]])
            return _LAST_LINE_END.sub("", text) if text else None
        if not piece.close:
            return None
        line_end = EOL.search(piece.within, piece.close[1], piece.inside[1])
        return source_text(piece.within[line_end.end() : piece.inside[1]]) if line_end else None

    def _set_margin(self, name: str, value: str | None) -> None:
        if "_margins" not in self.__dict__:
            self._margins = {}
        self._margins[name] = value

    # -- what has not changed

    def source_parts(self) -> tuple[Message, ...]:
        """Return the parts as they were read."""
        return self._source_parts

    def has_source_header(self) -> bool:
        """Return whether all header fields are those of the source, in the same order."""
        return self.source is not None and self._headers == self.source.fields

    def has_source_body(self) -> bool:
        """Return whether the body is a text, and unchanged."""
        return self._body is _Source.TEXT

    def has_source_parts(self) -> bool:
        """Return whether the parts are those that were read, in the same order. Each of them may have changed."""
        body = self._body
        return (
            isinstance(body, list)
            and bool(self._source_parts)
            and len(body) == len(self._source_parts)
            and all(part is source for part, source in zip(body, self._source_parts, strict=True))
        )

    def has_source_preamble(self) -> bool:
        """Return whether the preamble is unchanged."""
        return "preamble" not in self._margins

    def has_source_epilogue(self) -> bool:
        """Return whether the epilogue is unchanged."""
        return "epilogue" not in self._margins

    def has_source_margins(self) -> bool:
        """Return whether both the preamble and the epilogue are unchanged."""
        return not self._margins

    def drop_stray_lines(self) -> None:
        """Leave the lines of the header that are not fields out when writing: some clients read parameters there."""
        if self.source:
            self.source = dataclasses.replace(self.source, junk=[], unixfrom=None, first_bare=None)

    def is_pristine(self) -> bool:
        """Return whether nothing in the message or its parts differs from the source."""
        return self.has_source_header() and self._has_pristine_body()

    def _has_pristine_body(self) -> bool:
        if self._body is _Source.TEXT:
            return True
        return (
            self.has_source_parts()
            and self.has_source_margins()
            and all(cast(SourceMessage, part).is_pristine() for part in self._source_parts)
        )

    def new_body(self) -> list[Message] | str | bytes | None:
        """Return the list of parts, or the text or bytes that a program set as the body; None for an unchanged text."""
        body = self._body
        return body if isinstance(body, list | str | bytes) else None

    def has_new_body(self) -> bool:
        """Return whether a new body needs an empty line before it."""
        body = self._body
        if isinstance(body, list):
            if self.source and self.source.kind == "multipart":
                return False  # a delimiter is no header field
            return not self.has_source_parts() or not cast(SourceMessage, self._source_parts[0]).is_pristine()
        return isinstance(body, str | bytes) and bool(body)

    # -- reading

    def is_multipart(self) -> bool:
        """Return whether the payload is a list of parts."""
        return isinstance(self._body, list)

    def payload_bytes(self) -> bytes:
        """Return the body's bytes, still in their transfer encoding; b"" for a list of parts."""
        if self._body is _Source.TEXT and self.source:
            return self.source.data[self.source.body : self.source.end]
        if isinstance(self._body, bytes):
            return self._body
        if not isinstance(self._body, str):
            return b""
        try:
            return self._body.encode("ascii", "surrogateescape")
        except UnicodeEncodeError:
            return self._body.encode("utf-8", "surrogateescape")

    def set_payload_bytes(self, data: bytes) -> None:
        """Set the body to bytes in the transfer encoding of the header; they are written exactly as they are."""
        self.modified = True
        self._body = data

    def set_body_text(self, text: str) -> None:
        """Set the body to a text in the transfer encoding of the header; it is written with the message's line ends."""
        self.modified = True
        super().set_payload(text)

    def line_end(self) -> bytes:
        """Return the line end of the body in the source, or that of the header; LF if there is neither."""
        return body_line_end(self.source, b"\n")

    def get_payload(self, i: int | None = None, decode: bool = False) -> Any:
        """Return the payload: the list of parts, or a text, whose line ends are LF.

        Args:
            i: return the i-th part alone.
            decode: return the text's bytes, decoded from their transfer encoding, exactly as in the source; None for a
                list of parts.

        Raises:
            IndexError: there is no i-th part.
            TypeError: `i` is given for a message without parts.
        """
        body = self._body
        if isinstance(body, list):
            return None if decode else body if i is None else body[i]
        if body is None:
            return None
        if decode:
            return decode_transfer(self.payload_bytes(), self.transfer_encoding())
        if i is not None:
            raise TypeError(f"payload {i} of a message without parts, whose content type is {self.get_content_type()}")
        text = str(self._payload)
        try:
            text.encode("utf-8")
        except UnicodeEncodeError:
            return decode_text(text.encode("utf-8", "surrogateescape"), self.get_content_charset())
        return text
