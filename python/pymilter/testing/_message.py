"""A message as an MTA holds it: taken apart without losing a byte, and put together again; and its envelope."""

from __future__ import annotations

import re
from collections.abc import Iterable
from dataclasses import dataclass, replace

_FIELD = re.compile(rb"([\x21-\x39\x3b-\x7e]+)[ \t]*:")
_LINE = re.compile(rb"[^\n]*\n|[^\n]+")
_BARE_LF = re.compile(rb"(?<!\r)\n")
_CRS_AT_END = re.compile(rb"\r+\n")
_STRAY_CR = re.compile(rb"\r(?!\n)")
_MAILBOX_LINE = re.compile(rb">*From ")
_MOST_IN_HEADER = 60_000
"""Postfix cuts a longer header field, because a milter packet has 64 KB at most."""


@dataclass(frozen=True, slots=True)
class HeaderField:
    """One header field: its name, and all its bytes with the line end."""

    name: bytes
    raw: bytes

    def value(self, leading_space: bool = False) -> bytes:
        """The value as an MTA gives it to a filter: lines joined by LF, one space after the colon taken away.

        Args:
            leading_space: keep that space (SMFIP_HDR_LEADSPC).
        """
        value = self.raw.partition(b":")[2].removesuffix(b"\n").removesuffix(b"\r").replace(b"\r\n", b"\n")
        value = value.partition(b"\0")[0]  # a C string in every MTA
        return value if leading_space else value.removeprefix(b" ")

    def cut(self) -> HeaderField:
        """The field as Postfix passes it on: one of more than 60,000 bytes is cut, before a line if one is near."""
        text = self.raw.removesuffix(b"\n").removesuffix(b"\r").replace(b"\r\n", b"\n")
        if len(text) <= _MOST_IN_HEADER:
            return self
        end = text.rfind(b"\n", 0, _MOST_IN_HEADER + 1)
        kept = text[: end if end + 1 > 0.9 * _MOST_IN_HEADER else _MOST_IN_HEADER]
        eol = b"\n" if b"\r\n" not in self.raw else b"\r\n"
        return HeaderField(self.name, kept.replace(b"\n", eol) + eol)


@dataclass(frozen=True, slots=True)
class Message:
    """A message in parts; `bytes(message)` puts them together again, byte for byte."""

    fields: tuple[HeaderField, ...]
    separator: bytes
    """The empty line after the header, or nothing if there is none."""
    body: bytes
    eol: bytes
    """The line end that the message uses, CRLF or LF: what is added to it gets the same."""

    @classmethod
    def parse(cls, data: bytes) -> Message:
        """Take a message apart; the header ends, as in Postfix, at the first line that can be no part of it."""
        first, newline, _ = data.partition(b"\n")
        eol = b"\n" if newline and not first.endswith(b"\r") else b"\r\n"
        fields: list[HeaderField] = []
        position = 0
        while position < len(data):
            match = _LINE.match(data, position)
            assert match is not None
            line = match[0]
            if line in (b"\r\n", b"\n"):
                return cls(tuple(fields), line, data[match.end() :], eol)
            start = _FIELD.match(line)
            if line[:1] in (b" ", b"\t") and fields:
                fields[-1] = HeaderField(fields[-1].name, fields[-1].raw + line)
            elif start is not None:
                fields.append(HeaderField(start[1], line))
            else:
                break
            position = match.end()
        return cls(tuple(fields), b"", data[position:], eol)

    @classmethod
    def taken_in(cls, data: bytes) -> Message:
        """The message as Postfix keeps it.

        A line "From ..." at the top becomes a field, several CR before an LF are one, any other CR is a space, and a
        field that is too long is cut.
        """
        if _MAILBOX_LINE.match(data):
            data = b"X-Mailbox-Line: " + data
        message = cls.parse(_STRAY_CR.sub(b" ", _CRS_AT_END.sub(b"\r\n", data)))
        return replace(message, fields=tuple(field.cut() for field in message.fields))

    def __bytes__(self) -> bytes:
        return b"".join((*(field.raw for field in self.fields), self.separator, self.body))

    @property
    def wire_body(self) -> bytes:
        """The body as it goes to the filter: each line ends in CRLF, as after SMTP, whatever the message has."""
        return with_line_ends(self.body)

    def new_field(self, name: bytes, value: bytes, leading_space: bool = False) -> HeaderField:
        """A field with this value, lines joined by LF or CRLF, in the line ends of this message.

        Args:
            leading_space: the value brings its own space after the colon (SMFIP_HDR_LEADSPC).
        """
        text = value.replace(b"\r\n", b"\n").replace(b"\n", self.eol)
        return HeaderField(name, name + (b":" if leading_space else b": ") + text + self.eol)

    def joined(self, fields: Iterable[HeaderField], new_body: bytes | None) -> Message:
        """The message with these fields, and with a new body if there is one.

        An incomplete message gets the line ends that it lacked.
        """
        body = self.body
        if new_body is not None:
            body = new_body.replace(b"\r\n", b"\n") if self.eol == b"\n" else new_body
        separator = self.separator or (self.eol if body else b"")
        closed = [
            field if field.raw.endswith(b"\n") else HeaderField(field.name, field.raw + self.eol) for field in fields
        ]
        return Message(tuple(closed), separator, body, self.eol)


@dataclass(frozen=True, slots=True)
class Envelope:
    """Sender and recipients of a message, in angle brackets as in SMTP."""

    sender: str
    recipients: tuple[str, ...]
    sender_params: str = ""
    """The sender's ESMTP parameters, separated by spaces."""
    quarantine: str | None = None
    """Why the message is held, or None if it is not."""


def with_line_ends(body: bytes) -> bytes:
    """The body with CRLF for each bare LF and at the end."""
    lines = _BARE_LF.sub(b"\r\n", body)
    return lines if not lines or lines.endswith(b"\n") else lines + b"\r\n"


def bracketed(address: str) -> str:
    """`address` in angle brackets."""
    return address if address.startswith("<") and address.endswith(">") else f"<{address}>"
