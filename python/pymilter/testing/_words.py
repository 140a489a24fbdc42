"""Describes answers and edits in words, a line each. Text from the peer is not cleaned: print it through `clean`."""

from __future__ import annotations

from typing import Final

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

from ._constants import Verdict
from ._response import Response

LEGEND: Final = {
    Verdict.NOT_SENT: "not sent: the filter asked the MTA to leave this step out, or to send no more of its kind",
    Verdict.NO_REPLY: "no reply: the filter gets this step, and the MTA does not wait for an answer",
}
"""The meaning of the two verdicts that are not answers of a filter."""


def edit_text(edit: Edit) -> str:
    """An edit."""
    match edit:
        case AddHeader(name, value):
            return f"add header       {name}: {value}"
        case InsertHeader(index, name, value):
            return f"insert header    at {index}, {name}: {value}"
        case ChangeHeader(index, name, ""):
            return f"delete header    {name}, number {index}"
        case ChangeHeader(index, name, value):
            return f"change header    {name}, number {index}, to: {value}"
        case ChangeFrom(address, params):
            return f"change sender    {address} {params or ''}".rstrip()
        case AddRecipient(address, params):
            return f"add recipient    {address} {params or ''}".rstrip()
        case DeleteRecipient(address):
            return f"delete recipient {address}"
        case ReplaceBody(data):
            return f"replace body     {len(data)} bytes"
        case Quarantine(reason):
            return f"quarantine       {reason}"


def reply_text(response: Response) -> str:
    """The SMTP reply that the filter chose, its lines joined by " / "; "" if it chose none."""
    return "" if response.reply is None else str(response.reply).replace("\n", " / ")


def count(number: int, thing: str) -> str:
    """A number of things: "1 edit", "2 edits"."""
    return f"{number} {thing}{'' if number == 1 else 's'}"
