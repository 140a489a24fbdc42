"""What Postfix or Sendmail delivers: a pure function of a message, its envelope and a filter's edits."""

from __future__ import annotations

import re
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, replace
from typing import Final, Literal, TypeAlias

from pymilter.message._edits import (
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

from ._errors import ProtocolError
from ._headers import EditedHeader, PostfixHeader, SendmailHeader
from ._message import Envelope, HeaderField, Message, bracketed, with_line_ends
from ._wire import to_bytes, to_str

Mta: TypeAlias = Literal["postfix"] | Literal["sendmail"]  # as stubtest sees one Literal with both
MTAS: Final = ("postfix", "sendmail")
"""The mail servers whose behaviour is modelled, as measured on Postfix 3.7 and Sendmail 8.17."""

_ROUTE = re.compile(r"<@[^:\"]*:")


@dataclass(frozen=True, slots=True)
class Delivered:
    """A message as the MTA delivers it, without the fields that the MTA itself adds, such as Received."""

    envelope: Envelope
    """Sender and recipients. A recipient is listed twice if the message is delivered to it twice."""
    message: bytes
    """The message, with the line ends of the original."""

    @property
    def headers(self) -> tuple[tuple[str, str], ...]:
        """The header fields: name and value, lines joined by LF, without the space after the colon."""
        return tuple((to_str(field.name), to_str(field.value())) for field in Message.parse(self.message).fields)

    @property
    def body(self) -> bytes:
        """The body."""
        return Message.parse(self.message).body


def apply_edits(
    message: bytes, envelope: Envelope, edits: Iterable[Edit], *, mta: Mta = "postfix", leading_space: bool = False
) -> Delivered:
    """Return what the MTA delivers after a filter's edits. This plays no message and needs no socket.

    Args:
        message: the message as an SMTP client sent it, with CRLF or LF as line ends.
        envelope: sender and accepted recipients before the edits.
        edits: the edits, in the order in which the filter sends them.
        mta: the mail server. The two place added fields differently, number fields differently after a deletion, and
            treat recipients that are present already differently.
        leading_space: values include the space after the colon (SMFIP_HDR_LEADSPC).

    Raises:
        ProtocolError: there are other edits between pieces of a new body, which Postfix refuses.
        ValueError: `mta` is unknown.
    """
    check_mta(mta)
    parts = taken_in(message, mta)
    wanted = list(edits)
    return Delivered(edited_envelope(envelope, wanted, mta), bytes(edited_message(parts, wanted, mta, leading_space)))


def check_mta(mta: str) -> None:
    """Raise ValueError for an unknown MTA."""
    if mta not in MTAS:
        raise ValueError(f"mta must be one of {', '.join(map(repr, MTAS))}, not {mta!r}")


def taken_in(message: bytes, mta: Mta) -> Message:
    """The message in parts, after the changes that the MTA makes before a filter sees it."""
    return Message.taken_in(message) if mta == "postfix" else Message.parse(message)


def edited_message(message: Message, edits: Sequence[Edit], mta: Mta, leading_space: bool = False) -> Message:
    """The message after the edits; `message` itself if no edit changes the header or the body."""
    header: EditedHeader = (PostfixHeader if mta == "postfix" else SendmailHeader)(message.fields)

    def field(name: str, value: str) -> HeaderField:
        made = message.new_field(to_bytes(name), to_bytes(value), leading_space)
        return made.cut() if mta == "postfix" else made

    touched = False
    for edit in edits:
        match edit:
            case AddHeader(name, value):
                header.add(field(name, value))
            case InsertHeader(index, name, value):
                header.insert(index, field(name, value))
            case ChangeHeader(index, name, ""):
                header.delete(index, to_bytes(name))
            case ChangeHeader(index, name, value):
                header.change(index, field(name, value))
            case _:
                continue
        touched = True
    body = _new_body(edits, mta)
    return message if body is None and not touched else message.joined(header.fields(), body)


def edited_envelope(envelope: Envelope, edits: Iterable[Edit], mta: Mta) -> Envelope:
    """The envelope after the edits."""
    recipients = [_routeless(one) for one in envelope.recipients]
    envelope = replace(envelope, sender=_routeless(envelope.sender))
    added: set[tuple[str, str]] = set()
    for edit in edits:
        match edit:
            case ChangeFrom(address, params):
                kept = _sender_params(envelope.sender_params, params, mta) if params else envelope.sender_params
                envelope = replace(envelope, sender=_routeless(address), sender_params=kept)
            case AddRecipient(address, params):
                recipient = _routeless(address)
                key = recipient.lower(), params or ""
                # Postfix looks for duplicates only among those that a filter added, whatever their case, with the same
                # parameters; a deletion, even one that finds nobody, makes it forget the address there.
                if key not in added if mta == "postfix" else recipient not in recipients:
                    recipients.append(recipient)
                    added.add(key)
            case DeleteRecipient(address):
                # Postfix finds nobody by an address with a source route, although it shows filters such addresses.
                removed = bracketed(address) if mta == "postfix" else _routeless(address)
                recipients = [one for one in recipients if one != removed]
                added = {key for key in added if key[0] != removed.lower()}
            case Quarantine(reason):
                envelope = replace(envelope, quarantine=reason)
            case _:
                pass
    return replace(envelope, recipients=tuple(recipients))


def _routeless(address: str) -> str:
    """The address in brackets and without a source route: <u@d> for <@a,@b:u@d>. Both servers deliver it so."""
    return _ROUTE.sub("<", bracketed(address))


def _sender_params(old: str, new: str, mta: Mta) -> str:
    """The sender's parameters after a change with parameters: Postfix takes RET and ENVID, Sendmail replaces all."""
    if mta == "sendmail":
        return new
    taken = [param for param in new.split() if _keyword(param) in ("RET", "ENVID")]
    replaced = {_keyword(param) for param in taken}
    return " ".join([param for param in old.split() if _keyword(param) not in replaced] + taken)


def _keyword(param: str) -> str:
    return param.partition("=")[0].upper()


def _new_body(edits: Iterable[Edit], mta: Mta) -> bytes | None:
    """The new body, with CRLF for each bare LF and at the end; None if the body was not replaced."""
    body: bytearray | None = None
    over = False
    for edit in edits:
        if not isinstance(edit, ReplaceBody):
            over = body is not None
        elif over and mta == "postfix":
            raise ProtocolError(
                "the filter sent pieces of a new body with other edits between them, which Postfix refuses"
            )
        else:
            body = bytearray() if body is None else body
            # Sendmail keeps a CR at the end of a piece for the next piece, and writes it twice if that is empty.
            doubled = mta == "sendmail" and not edit.data and body.endswith(b"\r")
            body += b"\r" if doubled else edit.data
    return None if body is None else with_line_ends(bytes(body))
