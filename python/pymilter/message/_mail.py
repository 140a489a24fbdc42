"""`Message.email`: the message as `pymilter.mime` reads it, and how changes there become changes of the message."""

from __future__ import annotations

from typing import TYPE_CHECKING

from pymilter.message._field import checked_raw
from pymilter.message._grant import Grant
from pymilter.message._source import Parsed, fields_of

if TYPE_CHECKING:
    from pymilter.message._headers import Headers
    from pymilter.mime import MimeMessage


class Mail:
    """A `MimeMessage` of a message, and which of its header fields a program has changed."""

    def __init__(self, data: bytes, grant: Grant) -> None:
        from pymilter.message._guarded import Guard, guarded_message  # loads pymilter.mime

        self._guard = Guard(grant)
        self.message: MimeMessage = guarded_message(data, self._guard)

    @property
    def has_header_changes(self) -> bool:
        """True if a header field was changed since the last time."""
        return bool(self._guard.changed)

    def take_header_changes(self, headers: Headers) -> None:
        """Carry the header fields that were changed since the last time over to `headers`."""
        self._take_fields(headers, Parsed(self.message.as_bytes(), "", ()))

    def take_changes(self, headers: Headers) -> bytes | None:
        """Carry what was changed since the last time over to `headers`; return the new body, None if it is the same."""
        if not self._guard.changed and not self.message.ismodified():
            return None
        written = Parsed(self.message.as_bytes(), "", ())
        self._take_fields(headers, written)
        return written.body

    def replace(self) -> None:
        """Another body takes the place of this message: every change of it raises MilterError from now on."""
        self._guard.is_replaced = True

    def _take_fields(self, headers: Headers, written: Parsed) -> None:
        names = set(self._guard.changed)
        self._guard.changed.clear()
        fields = list(zip(*fields_of(written.header), strict=True))
        for name in names:
            _match(headers, name, [field for field in fields if field[0].lower() == name])


def _match(headers: Headers, name: str, wanted: list[tuple[str, str]]) -> None:
    """Let the fields of one name be those of `wanted`, with no change to those at both ends that are alike."""
    present = headers.all(name)
    while present and wanted and present[0]._raw == wanted[0][1]:
        del present[0], wanted[0]
    while present and wanted and present[-1]._raw == wanted[-1][1]:
        del present[-1], wanted[-1]
    for field, (written, raw) in zip(present, wanted, strict=False):
        field._set(checked_raw(written, raw))
    for field in present[len(wanted) :]:
        field.delete()
    for written, raw in wanted[len(present) :]:
        headers._insert(None, written, checked_raw(written, raw))
