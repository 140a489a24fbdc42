"""Random messages, and random things that a filter does to each with the methods of `pymilter.message.Message`."""

from __future__ import annotations

import random
from dataclasses import dataclass
from typing import Any

from pymilter.message import Message

TOKEN = "X-Token"
"""A field that no edit touches; a message without any field has its token in the body."""

Step = list[Any]
"""One thing that a filter does, for JSON: the name of it, and its arguments."""

_OF_MESSAGES = [
    "To",
    "Cc",
    "Subject",
    "Received",
    "Reply-To",
    "Comments",
    "X-A",
    "X-B",
    "x-a",
    "Authentication-Results",
]
_OF_EDITS = [*_OF_MESSAGES, "X-New", "received", "Content-Type", "List-Id"]
_OF_ADDRESSES = ("from", "to", "cc", "reply-to")
_BODIES = ["", "one\r\n", "a\r\n\r\n..b\r\n", "\0\r\n", "\xe9\xff\r\n", ".\r\n", "x" * 900 + "\r\n"]
_NEW_BODIES = [*_BODIES, "no line end", "bare\nLF\n", "\n", "\r\r\n\n", ("y" * 900 + "\n") * 80, "a\rb\r\n"]


@dataclass(frozen=True)
class Case:
    """A message as it is sent, and what a filter does to it."""

    seed: str
    token: str
    message: bytes
    steps: tuple[Step, ...]

    @property
    def sender(self) -> str:
        return f"{self.token}@example.org"

    recipients = ("a@example.net", "b@example.net")


def random_case(seed: str, token: str) -> Case:
    """The case of this seed: always the same."""
    source = random.Random(seed)
    kind = source.random()
    if kind < 0.05:
        return Case(seed, token, f"\r\n{token}\r\nno header\r\n".encode(), tuple(_steps(source, has_body=False)))
    fields = [
        ("Date", "Mon, 2 Mar 2026 10:00:00 +0000"),
        ("From", "Some <from@example.org>"),
        ("Message-ID", "<m@host>"),
    ]
    fields += [(name, value(source, name)) for name in source.choices(_OF_MESSAGES, k=source.randrange(9))]
    if kind < 0.08:
        fields += [("X-Many", str(number)) for number in range(1000)]
    fields.append((TOKEN, token))
    source.shuffle(fields)
    space = source.choice([" ", " ", " ", "", "  ", "\t"])
    header = "".join(f"{name}:{_space(space, name) if text else ''}{text}\n" for name, text in fields)
    header = header.replace("\n", "\r\n")
    body = source.choice(_BODIES).encode("latin-1")
    return Case(seed, token, header.encode() + b"\r\n" + body, tuple(_steps(source)))


def value(source: random.Random, name: str) -> str:
    """Return a value that no mail server rewrites, as Sendmail rewrites lists of addresses."""
    digit = source.randrange(10)
    if name.lower() in _OF_ADDRESSES:
        return f"s{digit}@example.org"
    if name.lower() == "content-type":
        return "text/plain"
    return source.choice([f"v{digit}", "two\n lines", "tab\n\tfold", "Gr\xfc\xdfe", "", f"x; a={digit}"])


def _space(space: str, name: str) -> str:
    """Return the white space after the colon: Sendmail rewrites fields with addresses, with one space."""
    return " " if name.lower() in _OF_ADDRESSES else space


def play(message: Message, steps: tuple[Step, ...]) -> None:
    """Apply the steps to a message. A step that names a field by its place means one of those present."""
    for name, *arguments in steps:
        match name:
            case "append" | "prepend" | "replace":
                getattr(message.headers, name)(*arguments)
            case "before" | "after":
                place, field, text = arguments
                if field_at := _at(message, place):
                    getattr(message.headers, f"insert_{name}")(field_at, field, text)
            case "delete":
                if field_at := _at(message, arguments[0]):
                    field_at.delete()
            case "value" | "text":
                if field_at := _at(message, arguments[0]):
                    addresses = field_at.name.lower() in _OF_ADDRESSES
                    setattr(field_at, name, "new@example.org" if addresses else arguments[1])
            case "delete all":
                del message.headers[arguments[0]]
            case "body":
                message.body = arguments[0].encode("latin-1")
            case "email":
                message.email.append_text(arguments[0])
            case "add":
                message.recipients.add(*arguments)
            case "remove":
                message.recipients.discard(arguments[0])
            case "sender":
                message.sender = arguments[0]
            case _:
                raise AssertionError(name)


def _at(message: Message, place: float) -> Any:
    fields = [field for field in message.headers if field.name not in (TOKEN, "Date", "Message-ID")]
    return fields[int(place * len(fields))] if fields else None


def _steps(source: random.Random, *, has_body: bool = True) -> list[Step]:
    steps = [_step(source) for _ in range(source.randrange(12))]
    if has_body and source.random() < 0.3:
        steps.append(["body", source.choice(_NEW_BODIES)])
    if has_body and source.random() < 0.1:
        steps.append(["email", "-- \nappended\n"])
    return steps


def _step(source: random.Random) -> Step:
    name = source.choice(_OF_EDITS)
    text = value(source, name)
    place = source.random()
    kind = source.choice(
        ["append", "prepend", "replace", "before", "after", "delete", "value", "text", "delete all", "rcpt", "sender"]
    )
    match kind:
        case "before" | "after":
            return [kind, place, name, text]
        case "delete":
            return [kind, place]
        case "delete all":
            return [kind, source.choice([name, "X-Many"])]
        case "value" | "text":
            return [kind, place, text]
        case "rcpt":
            address = f"{source.choice('abcA')}@example.net"
            return source.choice([["add", address], ["add", address], ["remove", "a@example.net"]])
        case "sender":
            return [kind, source.choice(["changed@example.org", "", "<x.y@example.com>"])]
        case _:
            return [kind, name, text]
