"""Where the parts of a message come from: what libmilter gave, gathered in C++, or a message in a test."""

from __future__ import annotations

import re
from collections.abc import Iterable, Sequence
from typing import Final, Protocol

_LINE_END: Final = re.compile(rb"\r?\n")
_HEADER: Final = re.compile(rb"(?:[\x21-\x39\x3b-\x7e]+[ \t]*+:[^\n]*+(?:\n|\Z)(?:[ \t][^\n]*+(?:\n|\Z))*+)*+")
_NEXT_FIELD: Final = re.compile(rb"\n(?![ \t])")


class Source(Protocol):
    """A message as it came, before any edit."""

    def sender(self) -> Sequence[str]:
        """The address as it stood in MAIL, and its ESMTP parameters."""

    def recipients(self) -> Sequence[tuple[bool, Sequence[str]]]:
        """For each recipient whether it was accepted, its address as it stood in RCPT, and its ESMTP parameters."""

    def header(self) -> bytes:
        """For each field its name and what follows the colon, folds as LF and white space, each ended by NUL."""

    def recipient_count(self) -> int:
        """How many recipients there are."""

    def field_count(self) -> int:
        """How many header fields there are."""

    def body(self) -> bytes | memoryview:
        """The body; a view if it is in a file."""


class Parsed:
    """A message in bytes, with an envelope: what a test gives."""

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
        self._header = text[:end].removesuffix(b"\n")
        body = text[end:].removeprefix(b"\n")
        self._body = with_line_ends(body)

    def sender(self) -> Sequence[str]:
        return (self._sender,)

    def recipients(self) -> Sequence[tuple[bool, Sequence[str]]]:
        return [(True, (recipient,)) for recipient in self._recipients]

    def header(self) -> bytes:
        parts = []
        for field in _NEXT_FIELD.split(self._header) if self._header else ():
            name, _, value = field.partition(b":")
            # A NUL ends the value in every MTA.
            parts += [name.rstrip(b" \t"), value.partition(b"\0")[0]]
        return b"".join(part + b"\0" for part in parts)

    def recipient_count(self) -> int:
        return len(self._recipients)

    def field_count(self) -> int:
        return self.header().count(b"\0") // 2

    def body(self) -> bytes | memoryview:
        return self._body


def fields_of(source: Source) -> tuple[list[str], list[str]]:
    """The names of the header fields, and for each what follows its colon; bytes that are not UTF-8 are surrogates."""
    parts = source.header().decode("utf-8", "surrogateescape").split("\0")
    return parts[:-1:2], parts[1::2]


def with_line_ends(body: bytes) -> bytes:
    """The body as an MTA passes it on: each line, the last one too, ends in CRLF."""
    lines = _LINE_END.sub(b"\r\n", body)
    return lines if not lines or lines.endswith(b"\n") else lines + b"\r\n"
