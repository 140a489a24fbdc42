"""MessageFilters as people write them: mypy --strict and pyright's strict mode must find nothing. Never imported."""

from __future__ import annotations

from typing import assert_type

import pymilter
from pymilter import (
    ACCEPT,
    CONTINUE,
    Address,
    Connection,
    Envelope,
    Field,
    Headers,
    Hostaddr,
    Message,
    MessageFilter,
    Outcome,
    Recipient,
    Reject,
    TempFail,
    chain,
    message_filter,
    mime,
)
from pymilter.message import Peer, Recipients, Tls


class Gateway(MessageFilter, limit=50_000_000, exceeded=TempFail(452, "4.3.4", "too large"), macros=["{x}"]):
    """All that a class may override."""

    def connect(self, hostname: str, family: int, hostaddr: Hostaddr) -> Outcome:
        assert_type(self.connection, Connection)
        return CONTINUE

    def hello(self, hostname: str) -> None:
        self.connection.values["hello"] = hostname

    def mail(self, envelope: Envelope) -> Outcome:
        return Reject(550, "5.7.1", "go away") if envelope.sender.domain == "spam.example" else CONTINUE

    def recipient(self, recipient: Recipient, envelope: Envelope) -> Outcome:
        assert_type(recipient.local, str)
        assert_type(recipient.ascii_domain, str)
        assert_type(recipient.params, tuple[str, ...])
        assert_type(recipient.is_accepted, bool)
        return CONTINUE

    def message(self, message: Message) -> Outcome:
        for field in message.headers.all("Authentication-Results"):
            assert_type(field, Field)
            field.delete()
        message.headers.prepend("Authentication-Results", "mx.example.net; none")
        message.headers["Subject"].text = "[EXTERNAL] " + message.headers["Subject"].text
        message.headers["X-One"].value = "1"
        del message.headers["X-Two"]
        message.recipients.add("archive@example.net")
        message.recipients.remove(Address("a@example.net"))
        message.body += b"footer\n"
        message.sender = "bounces@example.net"
        message.envelope.sender = Address("bounces@example.net", ["RET=HDRS"])
        message.quarantine("held")
        message.progress()
        return CONTINUE


class NoVerdict(MessageFilter, body=False):
    """A filter that lets everything through says so."""

    def message(self, message: Message) -> None:
        message.headers.append("X-Seen", "1")


@message_filter
def gate(message: Message) -> Outcome:
    """A function."""
    return ACCEPT


@message_filter(headers=False, header_limit=100_000, in_memory=0)
def other_gate(message: Message) -> None:
    """A function, with keywords."""


both = chain(Gateway, gate, other_gate)
assert_type(both, type[MessageFilter])
assert_type(gate, type[MessageFilter])


def names(message: Message) -> None:
    """Each attribute has a type."""
    assert_type(message.headers, Headers)
    assert_type(message.headers.get("X"), Field | None)
    assert_type(message.headers.append("X", "1"), Field)
    assert_type(message.headers["X"].raw, bytes)
    assert_type([field.name for field in message.headers], list[str])
    assert_type("X" in message.headers, bool)
    assert_type(message.recipients, Recipients)
    assert_type([one.address for one in message.recipients], list[str])
    assert_type(message.sender, Address)
    assert_type(message.body, bytes)
    assert_type(message.body_view, memoryview)
    assert_type(message.email, mime.MimeMessage)
    assert_type(message.as_bytes(), bytes)
    assert_type(message.queue_id, str | None)
    assert_type(message.connection.peer, Peer)
    assert_type(message.connection.peer.ip, str | None)
    assert_type(message.connection.tls, Tls | None)
    assert_type(message.connection.login, str | None)
    assert_type(message.macro("{x}"), str | None)
    assert_type(message.envelope.smtputf8, bool)


def tested() -> None:
    """A test of a filter needs no process."""
    message = Message.parse(b"X: 1\r\n\r\n", sender="a@example.org", recipients=["b@example.net"])
    Gateway().message(message)
    assert message.edits
    pymilter.run(both, "inet:8890@127.0.0.1", workers=2)
