"""The message in a test: split into the steps that an MTA sends, and changed as the filter asks."""

import re
from collections.abc import Iterator
from dataclasses import dataclass
from io import BytesIO
from typing import Self

from pymilter.mime import MimeMessage, message_from_file

_UNIX_FROM = re.compile(rb"From [^\n]*\n")
_FIELD = re.compile(rb"([!-9;-~]+)[ \t]*:[ \t]?((?:[^\n]*)(?:\n[ \t][^\n]*)*)(?:\n|\Z)")


@dataclass
class TestMessage:
    """A message as it was read: `head` is the headers and the empty line after them, `body` is the rest."""

    __test__ = False

    head: bytes
    body: bytes
    parsed: MimeMessage

    @classmethod
    def read(cls, data: bytes) -> Self:
        """Split `data` after the headers. A "From ..." line of a mailbox file at the start is dropped."""
        start = match.end() if (match := _UNIX_FROM.match(data)) else 0
        end = start
        while match := _FIELD.match(data, end):
            end = match.end()
        for line_end in (b"\r\n", b"\n"):
            if data.startswith(line_end, end):
                end += len(line_end)
                break
        return cls(data[start:end], data[end:], message_from_file(BytesIO(data[start:])))

    def fields(self) -> Iterator[tuple[str, bytes]]:
        """Yield name and value of each header as an MTA sends them: no leading space, folds with LF."""
        for match in _FIELD.finditer(self.head):
            yield match[1].decode(), match[2].replace(b"\r\n", b"\n").removesuffix(b"\r")


def change_header(message: MimeMessage, field: str, index: int, value: str | None) -> None:
    """Change, remove or add a header.

    Args:
        message: The message to change.
        field: The name of the header.
        index: Which header of this name, counted from 1. Beyond the last one, a header is added.
        value: The new value; None or "" removes the header.
    """
    values = message.get_all(field, [])
    at = max(index, 1) - 1
    if at >= len(values):
        if value:
            message[field] = value
        return
    if len(values) == 1 and value:
        message.replace_header(field, value)
        return
    values[at : at + 1] = [value] if value else []
    del message[field]
    for kept in values:
        message[field] = kept
