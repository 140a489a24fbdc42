"""A mail server with a filter before it and a sink behind it, and messages sent through all three."""

from __future__ import annotations

import uuid
from collections.abc import Sequence
from dataclasses import dataclass, field

from pymilter.testing import FilterProcess
from support.mta import Held, Mta
from support.sink import Delivery, Sink

# Without Date and From the mail servers would add them.
_TOP = (
    b"Message-ID: <%b@client.example>\r\nDate: Mon, 2 Mar 2026 10:00:00 +0000\r\nFrom: Somebody <from@example.org>\r\n"
)


@dataclass(frozen=True)
class Message:
    """A message to be sent: its bytes hold ``token``, which no other message has, in the field Message-ID."""

    fields: bytes = b"Subject: a test\r\nX-Multi: one\r\nX-Multi: two\r\nX-Multi: three\r\nX-Single: only\r\n"
    body: bytes = b"the first line\r\n..a line with dots\r\n\r\nthe last line\r\n"
    token: str = field(default_factory=lambda: uuid.uuid4().hex)

    def __bytes__(self) -> bytes:
        return _TOP % self.token.encode() + self.fields + b"\r\n" + self.body


@dataclass(frozen=True)
class Rig:
    """The mail server ``mta``, which asks ``filter`` and delivers to ``sink``."""

    mta: Mta
    sink: Sink
    filter: FilterProcess

    def send(
        self, wish: str, message: Message, to: Sequence[str] = ("<first@example.net>",), options: Sequence[str] = ()
    ) -> dict[str, tuple[int, bytes]]:
        """Send ``message`` from ``<wish@example.org>`` and return the recipients that were refused, with the replies.

        Raises what ``smtplib.SMTP.sendmail`` raises when the server refuses the message.
        """
        with self.mta.client() as client:
            return client.sendmail(f"<{wish}@example.org>", list(to), bytes(message), list(options))

    def deliver(self, wish: str, message: Message, to: Sequence[str] = ("<first@example.net>",)) -> Delivery:
        """Send ``message`` and return it as it reached the sink, which must be in one transaction."""
        assert self.send(wish, message, to) == {}
        self.sink.wait(message.token)
        return self.delivered(message)

    def delivered(self, message: Message) -> Delivery:
        """Return the one delivery of ``message``, once the server has nothing left to do."""
        self.mta.settle()
        (delivery,) = self.sink.deliveries(message.token)
        return delivery

    def undelivered(self, message: Message) -> bool:
        """Whether nothing of ``message`` has reached the sink once the server has nothing left to deliver."""
        self.mta.settle()
        return not self.sink.deliveries(message.token)

    def held_from(self, sender: str) -> list[Held]:
        """Return the quarantined messages whose envelope sender is ``sender``."""
        return [held for held in self.mta.held() if held.sender == sender]
