"""A message as an MTA holds it: taken apart without losing a byte, given to a filter, and changed by its edits."""

from __future__ import annotations

import re
from collections.abc import Iterable
from dataclasses import dataclass, replace

from ._errors import ProtocolError
from ._response import (
    AddHeader,
    AddRecipient,
    ChangeFrom,
    ChangeHeader,
    DeleteRecipient,
    Edit,
    InsertHeader,
    Quarantine,
    ReplaceBody,
)
from ._wire import to_bytes

_FIELD = re.compile(rb"([\x21-\x39\x3b-\x7e]+)[ \t]*:")
_LINE = re.compile(rb"[^\n]*\n|[^\n]+")
_BARE_LF = re.compile(rb"(?<!\r)\n")


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

    def __bytes__(self) -> bytes:
        return b"".join((*(field.raw for field in self.fields), self.separator, self.body))

    @property
    def wire_body(self) -> bytes:
        """The body as it goes to the filter: with CRLF, also if the message was read from a file with LF."""
        return _BARE_LF.sub(b"\r\n", self.body) if self.eol == b"\n" else self.body

    def edited(self, edits: Iterable[Edit], leading_space: bool = False) -> Message:
        """The message after a filter's edits, in the order in which they came, as Postfix applies them.

        A header index counts the fields as they are at that moment, edits before it included.

        Args:
            leading_space: values bring their own space after the colon (SMFIP_HDR_LEADSPC).

        Raises:
            ProtocolError: the body is replaced in more than one run; Postfix refuses that.
        """
        fields = list(self.fields)
        body: list[bytes] = []
        body_over = touched = False
        for edit in edits:
            if isinstance(edit, ReplaceBody):
                if body_over:
                    raise ProtocolError(
                        "the filter sent pieces of a new body with other edits between them, which Postfix refuses"
                    )
                body.append(edit.data)
                touched = True
                continue
            body_over = bool(body)
            match edit:
                case AddHeader(name, value):
                    fields.append(self._field(name, value, leading_space))
                case InsertHeader(index, name, value):
                    fields.insert(index, self._field(name, value, leading_space))
                case ChangeHeader(index, name, value):
                    self._change(fields, edit, leading_space)
                case _:
                    continue
            touched = True
        if not touched:
            return self
        return self._joined(fields, b"".join(body) if body else None)

    def _change(self, fields: list[HeaderField], edit: ChangeHeader, leading_space: bool) -> None:
        wanted = to_bytes(edit.name).lower()
        places = [place for place, field in enumerate(fields) if field.name.lower() == wanted]
        number = max(edit.index, 1)
        if number > len(places):
            if edit.value:
                fields.append(self._field(edit.name, edit.value, leading_space))
        elif edit.value:
            fields[places[number - 1]] = self._field(edit.name, edit.value, leading_space)
        else:
            del fields[places[number - 1]]

    def _field(self, name: str, value: str, leading_space: bool) -> HeaderField:
        text = to_bytes(value).replace(b"\r\n", b"\n").replace(b"\n", self.eol)
        space = b"" if leading_space else b" "
        return HeaderField(to_bytes(name), to_bytes(name) + b":" + space + text + self.eol)

    def _joined(self, fields: list[HeaderField], new_body: bytes | None) -> Message:
        """The parts with the line ends between them that an incomplete message lacked."""
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

    def edited(self, edits: Iterable[Edit]) -> Envelope:
        """The envelope after a filter's edits, in the order in which they came."""
        result = self
        for edit in edits:
            match edit:
                case ChangeFrom(address, params):
                    result = replace(result, sender=bracketed(address), sender_params=params or "")
                case AddRecipient(address, _):
                    if bracketed(address) not in result.recipients:
                        result = replace(result, recipients=(*result.recipients, bracketed(address)))
                case DeleteRecipient(address):
                    rest = tuple(one for one in result.recipients if one != bracketed(address))
                    result = replace(result, recipients=rest)
                case Quarantine(reason):
                    result = replace(result, quarantine=reason)
                case _:
                    pass
        return result


def bracketed(address: str) -> str:
    """`address` in angle brackets."""
    return address if address.startswith("<") and address.endswith(">") else f"<{address}>"
