"""What became of a message that was played to a filter."""

from __future__ import annotations

from dataclasses import dataclass

from pymilter.message._edits import Edit

from ._constants import Command, Verdict
from ._delivery import Delivered
from ._message import Envelope
from ._response import Response, SmtpReply


@dataclass(frozen=True, slots=True)
class Step:
    """One step of a transcript."""

    command: Command
    text: str
    """What was sent to the filter, in readable form."""
    response: Response


@dataclass(frozen=True, slots=True)
class Refusal:
    """A recipient that was refused, and the reply to RCPT."""

    recipient: str
    reply: SmtpReply


@dataclass(frozen=True, slots=True)
class Result:
    """What became of one message."""

    transcript: tuple[Step, ...]
    """Every step in order, including those that were not sent."""
    verdict: Verdict
    """ACCEPT, REJECT, TEMPFAIL, DISCARD, CONN_FAIL or SHUTDOWN. REJECT also if every recipient was refused."""
    decided_at: Command
    """The step whose answer decided: EOM if the message reached its end, RCPT if every recipient was refused."""
    reply: SmtpReply
    """The last reply that the SMTP client got: to the refused command, or to the end of the message."""
    accepted: tuple[str, ...]
    """The recipients that were accepted at RCPT."""
    refused: tuple[Refusal, ...]
    """The recipients that were refused at RCPT."""
    edits: tuple[Edit, ...]
    """The edits that the filter asked for."""
    envelope: Envelope
    """Sender and recipients after the edits; no recipients if the message is not delivered."""
    original: bytes
    """The message as it was given to `play`."""
    message: bytes
    """The message after the edits, with the line ends of the original; the original if it is not delivered.

    Without edits it equals the original, except for what Postfix itself changes: Postfix cuts a header field of more
    than 60,000 bytes, replaces a CR without LF by a space, and turns a first line "From ..." into X-Mailbox-Line.
    """
    queue_id: str
    """The queue id that the filter could see as macro `i`."""

    @property
    def delivered(self) -> bool:
        """True if the MTA delivers the message, or holds it (see `quarantine`)."""
        return self.verdict is Verdict.ACCEPT

    @property
    def changed(self) -> bool:
        """True if the delivered message differs from the original in any byte."""
        return self.message != self.original

    @property
    def sender(self) -> str:
        """The envelope sender after the edits."""
        return self.envelope.sender

    @property
    def recipients(self) -> tuple[str, ...]:
        """The envelope recipients after the edits."""
        return self.envelope.recipients

    @property
    def quarantine(self) -> str | None:
        """Why the message is held, or None."""
        return self.envelope.quarantine

    @property
    def headers(self) -> tuple[tuple[str, str], ...]:
        """The header fields after the edits: name and value, lines joined by LF, without the space after the colon."""
        return Delivered(self.envelope, self.message).headers

    @property
    def body(self) -> bytes:
        """The body after the edits."""
        return Delivered(self.envelope, self.message).body
