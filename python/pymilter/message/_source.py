"""The message before any edit: as gathered in C++ from libmilter, or as a test gives it."""

from __future__ import annotations

import re
from collections.abc import Iterable, Sequence
from typing import Final, Protocol

_LINE_END: Final = re.compile(rb"\r?\n")
_HEADER: Final = re.compile(rb"(?:[\x21-\x39\x3b-\x7e]+[ \t]*+:[^\n]*+(?:\n|\Z)(?:[ \t][^\n]*+(?:\n|\Z))*+)*+")
_NEXT_FIELD: Final = re.compile(rb"\n(?![ \t])")


class Source(Protocol):
    """The envelope as it came. It is read when somebody looks, and outlives the message."""

    def sender(self) -> Sequence[str]:
        """Return the address as it stood in MAIL, and its ESMTP parameters."""

    def recipients(self) -> Sequence[tuple[bool, Sequence[str]]]:
        """Return for each recipient whether it was accepted, its address as it stood in RCPT, and its parameters."""


class Parsed:
    """A message that a test gives as bytes, with an envelope."""

    def __init__(self, data: bytes, sender: str, recipients: Iterable[str]) -> None:
        if not isinstance(data, bytes | bytearray | memoryview):
            raise TypeError(f"data is a {type(data).__name__}: a message is bytes")
        if isinstance(recipients, str):
            raise TypeError("recipients is a str: give a list of addresses")
        self._sender = sender
        self._recipients = tuple(recipients)
        text = _LINE_END.sub(b"\n", bytes(data))
        match = _HEADER.match(text)
        end = match.end() if match else 0
        header = text[:end].removesuffix(b"\n")
        parts = []
        for field in _NEXT_FIELD.split(header) if header else ():
            name, _, value = field.partition(b":")
            # A NUL ends the value in every MTA.
            parts += [name.rstrip(b" \t"), value.partition(b"\0")[0]]
        self.header = b"".join(part + b"\0" for part in parts)
        self.field_count = len(parts) // 2
        body = text[end:].removeprefix(b"\n")
        self.body = with_line_ends(body)

    def sender(self) -> Sequence[str]:
        return (self._sender,)

    def recipients(self) -> Sequence[tuple[bool, Sequence[str]]]:
        return [(True, (recipient,)) for recipient in self._recipients]


def fields_of(header: bytes) -> tuple[list[str], list[str]]:
    """Return the names of the header fields, and what follows the colon of each; surrogates stand for invalid UTF-8.

    `header` has both for each field, each ended by NUL; a fold is LF and a blank.
    """
    parts = header.decode("utf-8", "surrogateescape").split("\0")
    return parts[:-1:2], parts[1::2]


def with_line_ends(body: bytes) -> bytes:
    """Return the body as an MTA passes it on: each line ends in CRLF, the last one too."""
    lines = _LINE_END.sub(b"\r\n", body)
    return lines if not lines or lines.endswith(b"\n") else lines + b"\r\n"
