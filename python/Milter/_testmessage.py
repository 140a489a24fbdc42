"""The message in a test: cut into what an MTA sends step by step, and changed as the filter asks."""

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
    """`head` are the headers with the empty line that ends them, `body` what follows: bytes as they were read."""

    __test__ = False

    head: bytes
    body: bytes
    parsed: MimeMessage

    @classmethod
    def read(cls, data: bytes) -> Self:
        """Cut `data` where the headers end. A first line as in a mailbox file ("From ...") is left out."""
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
        """Name and value of each header, as an MTA sends them: no space before a value, lines joined by LF."""
        for match in _FIELD.finditer(self.head):
            yield match[1].decode(), match[2].replace(b"\r\n", b"\n").removesuffix(b"\r")


def change_header(message: MimeMessage, field: str, index: int, value: str | None) -> None:
    """Change the `index`-th header of this name, counted from 1; None or "" removes it, beyond the last it is added."""
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
