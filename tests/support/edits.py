"""Random messages with random lists of edits, each made from a seed; for models of what mail servers deliver."""

from __future__ import annotations

import random
from dataclasses import dataclass

from pymilter.testing import (
    AddHeader,
    AddRecipient,
    ChangeFrom,
    ChangeHeader,
    DeleteRecipient,
    Edit,
    Envelope,
    InsertHeader,
    Quarantine,
    ReplaceBody,
)

TOKEN = "X-Token"
"""A field that every message has and no edit touches; it identifies a delivery."""

_OF_MESSAGES = ["To", "Cc", "Subject", "Received", "Reply-To", "Comments", "X-A", "X-B", "x-a"]
_OF_EDITS = [*_OF_MESSAGES, "From", "Date", "date", "Message-ID", "MESSAGE-ID", "received", "Content-Type", "X-New"]
_RECIPIENTS = [f"<{local}@example.net>" for local in "abcAxX"]
_BODY_PIECES = ["a", "b\r\n", "\n", "\r", "\r\n", ".", ".\r\n", "\0", "\xe9", "x" * 100]


@dataclass(frozen=True)
class Case:
    """A message, its envelope, and what a filter does to it."""

    seed: str
    message: bytes
    envelope: Envelope
    edits: tuple[Edit, ...]

    @property
    def token(self) -> str:
        """The value of the field X-Token, and the local part of the sender."""
        return self.envelope.sender.strip("<>").partition("@")[0]


def random_case(seed: str, token: str, *, complete: bool = True) -> Case:
    """The case of this seed: always the same.

    Args:
        complete: False to leave out Date, From and Message-ID now and then.
    """
    source = random.Random(seed)
    top = [("Date", "Mon, 2 Mar 2026 10:00:00 +0000"), ("From", "Some <from@example.org>"), ("Message-ID", "<m@host>")]
    fields = [field for field in top if complete or source.random() < 0.8]
    fields += [(name, _value(source, name)) for name in source.choices(_OF_MESSAGES, k=source.randrange(7))]
    fields.append((TOKEN, token))
    source.shuffle(fields)
    header = "".join(f"{name}: {value}\n" for name, value in fields).replace("\n", "\r\n")
    body = source.choice([b"", b"one\r\n", b"a\r\n\r\n..b\r\n"])
    envelope = Envelope(f"<{token}@example.org>", ("<a@example.net>", "<b@example.net>"), "RET=HDRS ENVID=a")
    return Case(seed, header.encode() + b"\r\n" + body, envelope, tuple(_edits(source)))


def as_call(edit: Edit) -> list[str | int]:
    """The method of `Base` that makes this edit, and its arguments; for JSON, so that bytes are Latin-1."""
    match edit:
        case AddHeader(name, value):
            return ["addheader", name, value]
        case InsertHeader(index, name, value):
            return ["addheader", name, value, index]
        case ChangeHeader(index, name, value):
            return ["chgheader", name, index, value]
        case AddRecipient(address, params):
            return ["addrcpt", address] if params is None else ["addrcpt", address, params]
        case DeleteRecipient(address):
            return ["delrcpt", address]
        case ChangeFrom(address, params):
            return ["chgfrom", address] if params is None else ["chgfrom", address, params]
        case ReplaceBody(data):
            return ["replacebody", data.decode("latin-1")]
        case Quarantine(reason):
            return ["quarantine", reason]


def _edits(source: random.Random) -> list[Edit]:
    edits = [_edit(source) for _ in range(source.randrange(1, 12))]
    if source.random() < 0.3:
        pieces = ["".join(source.choices(_BODY_PIECES, k=source.randrange(6))) for _ in range(source.randrange(1, 3))]
        edits += [ReplaceBody(piece.encode("latin-1")) for piece in pieces]
    return edits


def _edit(source: random.Random) -> Edit:
    name, number = source.choice(_OF_EDITS), source.randrange(4)
    kind = source.choice(["add", "add", "insert", "insert", "change", "change", "delete", "delete", "rcpt", "rcpt", ""])
    match kind:
        case "add":
            return AddHeader(name, _value(source, name)) if number else AddHeader("X-A", "")
        case "insert":
            return InsertHeader(source.choice([0, 1, 2, 3, 5, 8, 12, 18, 30]), name, _value(source, name))
        case "change":
            return ChangeHeader(number, name, _value(source, name))
        case "delete":
            return ChangeHeader(number, name, "")
        case "rcpt":
            recipient = source.choice(_RECIPIENTS)
            params = source.choice([None, None, "NOTIFY=NEVER"])
            return AddRecipient(recipient, params) if number > 1 else DeleteRecipient(recipient)
        case _:
            return ChangeFrom(source.choice(["<new@example.org>", "<>"]), source.choice([None, "RET=FULL", "ENVID=b"]))


def _value(source: random.Random, name: str) -> str:
    """Return a value that no mail server rewrites, as Sendmail rewrites lists of addresses."""
    digit = source.randrange(10)
    match name.lower():
        case "from" | "to" | "cc" | "reply-to":
            return f"s{digit}@example.org"
        case "date":
            return f"Mon, 2 Mar 2026 10:00:0{digit} +0000"
        case "message-id":
            return f"<m{digit}@example.org>"
        case "content-type":
            return "text/plain"
        case _:
            return source.choice([f"v{digit}", "two\n lines", "tab\n\tfold", " lead"])
