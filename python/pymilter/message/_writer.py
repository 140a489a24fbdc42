"""The differences between a message as it came and as a filter left it, as edits in an order that every MTA takes."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from operator import is_
from typing import TYPE_CHECKING, cast

from pymilter.errors import MilterError
from pymilter.message._address import in_brackets
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
from pymilter.message._envelope import Envelope, Recipients
from pymilter.message._header_edits import header_edits

if TYPE_CHECKING:
    from pymilter import Context
    from pymilter.message._message import Message


def edits_of(message: Message) -> Iterator[Edit]:
    """The edits: sender, recipients, header, body in one run, quarantine.

    Raises:
        MilterError: no recipient is left.
    """
    if message._envelope is not None:
        yield from _sender_edits(message._envelope)
    if message._recipients is not None:
        yield from _recipient_edits(message._recipients)
    if (headers := message._headers) is not None and message._grant.header_changed:
        present = headers._present()
        yield from header_edits(
            headers._originals or [],
            present,
            mta=message.connection.mta,
            leading_space=message._leading_space,
        )
    if (body := message._body) is not message._came_body and body != message._came_body:
        yield ReplaceBody(cast("bytes", body))
    if message._quarantine is not None:
        yield Quarantine(message._quarantine)


def send(edits: Iterable[Edit], context: Context) -> None:
    """Send edits to the MTA.

    Raises:
        MilterError: an edit could not be sent.
    """
    for edit in edits:
        match edit:
            case AddHeader(name, value):
                context.addheader(name, value)
            case InsertHeader(index, name, value):
                context.addheader(name, value, index)
            case ChangeHeader(index, name, value):
                context.chgheader(name, index, value)
            case ChangeFrom(address, params):
                context.chgfrom(address, params)
            case AddRecipient(address, params):
                context.addrcpt(address, params)
            case DeleteRecipient(address):
                context.delrcpt(address)
            case ReplaceBody(data):
                context.replacebody(data)
            case Quarantine(reason):
                context.quarantine(reason)


def _sender_edits(envelope: Envelope) -> Iterator[Edit]:
    if (sender := envelope._sender) is not None:
        original = envelope._original_sender()
        if sender.address != original.address or sender.params not in ((), original.params):
            yield ChangeFrom(in_brackets(sender), _joined(sender.params))


def _recipient_edits(recipients: Recipients) -> Iterator[Edit]:
    if recipients._originals is None:
        return
    present, originals = recipients._present(), recipients._originals
    if len(present) == len(originals) and all(map(is_, present, originals)):
        return
    if not present:
        raise MilterError("no recipient is left, so that the MTA would drop the message: return DISCARD for that")
    kept = {id(one) for one in present}
    removed = dict.fromkeys(in_brackets(one) for one in originals if id(one) not in kept)
    yield from map(DeleteRecipient, removed)
    came = {id(one) for one in originals}
    for one in present:
        # An MTA that has removed an address has removed each recipient of that name.
        if id(one) not in came or in_brackets(one) in removed:
            yield AddRecipient(in_brackets(one), _joined(one.params))


def _joined(params: tuple[str, ...]) -> str | None:
    return " ".join(params) if params else None
