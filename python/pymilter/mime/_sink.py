"""Joins the pieces of a message that is being written, and finds its line ends."""

from __future__ import annotations

from collections.abc import Callable

from ._piece import EOL, Piece


class Sink:
    """Joins adjacent spans of the source, so that unchanged text is written in one call."""

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
        """Write the span that is still waiting."""
        if self._start < self._end:
            whole = self._start == 0 and self._end == len(self._data)
            self._write(self._data if whole else self._data[self._start : self._end])
        self._data, self._start, self._end = b"", 0, 0


def line_end(piece: Piece | None, default: bytes) -> bytes:
    """Return the first line end of a source's header, or else of its body, or else `default`."""
    if not piece:
        return default
    found = EOL.search(piece.data, piece.start, piece.body) or EOL.search(piece.data, piece.start, piece.end)
    return found.group() if found else default


def body_line_end(piece: Piece | None, default: bytes) -> bytes:
    """Return the first line end of a source's body, or else of its header, or else `default`."""
    found = EOL.search(piece.data, piece.body, piece.end) if piece else None
    return found.group() if found else line_end(piece, default)
