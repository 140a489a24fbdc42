"""Plays a whole message to a filter as an MTA does: when to go on, when to stop, and what the edits result in."""

from __future__ import annotations

import email.message
from collections.abc import Mapping, Sequence
from dataclasses import replace

from ._constants import Command, Protocol, Verdict
from ._delivery import Mta, check_mta, edited_envelope, edited_message, taken_in
from ._message import Envelope, Message, bracketed
from ._response import Response, SmtpReply
from ._result import Refusal, Result, Step
from ._steps import Steps
from ._wire import Text, to_bytes, to_str

REPLIES = {
    Verdict.REJECT: SmtpReply(550, "5.7.1", ("Command rejected",)),
    Verdict.TEMPFAIL: SmtpReply(451, "4.7.1", ("Service unavailable - try again later",)),
    Verdict.CONN_FAIL: SmtpReply(451, "4.7.1", ("Service unavailable - try again later",)),
    Verdict.SHUTDOWN: SmtpReply(421, "4.7.0", ("Server closing connection",)),
}
"""The replies to the SMTP client if the filter chose none; the first two are those of Postfix."""

NO_RECIPIENTS = SmtpReply(554, "5.5.1", ("Error: no valid recipients",))


def check_play(recipients: Sequence[Text], mta: str) -> None:
    """Check arguments of `play` before there is a connection.

    Raises:
        TypeError: `recipients` is a single address.
        ValueError: `mta` is unknown.
    """
    check_mta(mta)
    if isinstance(recipients, str | bytes):
        raise TypeError(f"recipients must be a sequence of addresses, not the single {recipients!r}")


def play(
    client: Steps,
    message: bytes | email.message.Message,
    sender: Text,
    recipients: Sequence[Text],
    *,
    sender_params: Sequence[Text],
    rejected: Mapping[str, Text] | None,
    hostname: Text,
    address: Text | None,
    port: int,
    helo: Text | None,
    chunk_size: int,
    mta: Mta,
) -> Result:
    """Play one message as an MTA would; see `Client.play`.

    Raises:
        TypeError: `recipients` is a single address.
        ValueError: `mta` or `chunk_size` is invalid.
    """
    check_play(recipients, mta)
    if chunk_size < 1:
        raise ValueError(f"chunk_size must be at least 1, not {chunk_size}")
    original = message if isinstance(message, bytes) else message.as_bytes()
    envelope = Envelope(
        bracketed(to_str(to_bytes(sender))),
        tuple(bracketed(to_str(to_bytes(recipient))) for recipient in recipients),
        " ".join(to_str(to_bytes(param)) for param in sender_params),
    )
    refusals = {bracketed(recipient): reply for recipient, reply in (rejected or {}).items()}
    session = _Session(client, taken_in(original, mta), envelope, refusals, mta)
    last = session.greet(hostname, address, port, helo)
    if not _goes_on(last):
        client.hang_up()
    else:
        last = session.send_envelope(sender_params)
        if last.verdict.passes and session.accepted:
            last = session.send_content(chunk_size)
    return session.result(last, original)


class _Session:
    """One message in progress. Each part returns the last response, after which an MTA stops or continues."""

    def __init__(
        self, client: Steps, message: Message, envelope: Envelope, rejected: Mapping[str, Text], mta: Mta
    ) -> None:
        self.client = client
        self.message = message
        self.envelope = envelope
        self.rejected = rejected
        self.mta = mta
        self.transcript: list[Step] = []
        self.accepted: list[str] = []
        self.refused: list[Refusal] = []

    def note(self, text: str, response: Response) -> Response:
        self.transcript.append(Step(response.step, text, response))
        return response

    def greet(self, hostname: Text, address: Text | None, port: int, helo: Text | None) -> Response:
        """Send CONNECT and HELO, once a connection. A final answer to them holds for all its messages."""
        response = self.client.connection_verdict
        if response is None or _ends_session(response):  # on an ended connection the client raises
            where = "unknown address" if address is None else to_str(to_bytes(address))
            text = f"{to_str(to_bytes(hostname))} [{where}]"
            response = self.note(text, self.client.connect(hostname, address, port))
        if response.step is Command.CONNECT and _goes_on(response):
            name = hostname if helo is None else helo
            response = self.note(to_str(to_bytes(name)), self.client.helo(name))
        return response

    def send_envelope(self, sender_params: Sequence[Text]) -> Response:
        """Send MAIL and each RCPT."""
        sender, params = self.envelope.sender, self.envelope.sender_params
        last = self.note(f"{sender} {params}".rstrip(), self.client.mail(sender, *sender_params))
        if not last.verdict.passes:
            return last
        for recipient in self.envelope.recipients:
            if recipient in self.rejected:
                text = to_str(to_bytes(self.rejected[recipient]))
                reply = SmtpReply.parse(text)
                self.note(f"{recipient} (refused by the MTA)", self.client.rcpt(recipient, rejected=text))
                self.refused.append(Refusal(recipient, reply))
                continue
            response = self.note(recipient, self.client.rcpt(recipient))
            if response.verdict.refuses:
                self.refused.append(Refusal(recipient, _reply(response)))
                if _ends_session(response):
                    return response
                continue
            self.accepted.append(recipient)
            last = response
            if not response.verdict.passes:
                return response
        return last

    def send_content(self, chunk_size: int) -> Response:
        """Send DATA, the header, the body and the end of the message."""
        client = self.client
        leading_space = Protocol.HDR_LEADSPC in client.negotiation.protocol
        last = self.note("", client.data())
        if not last.verdict.passes:
            return last
        for field in self.message.fields:
            value = field.value(leading_space)
            text = f"{to_str(field.name)}: {to_str(value.removeprefix(b' '))}"
            last = self.note(text, client.header(field.name, value))
            if not last.verdict.passes:
                return last
        last = self.note("", client.eoh())
        if not last.verdict.passes:
            return last
        body = self.message.wire_body
        for start in range(0, len(body), chunk_size):
            chunk = body[start : start + chunk_size]
            last = self.note(f"{len(chunk)} bytes", client.body(chunk, chunk_size=chunk_size))
            if not last.verdict.passes:
                return last
        return self.note("", client.eom())

    def result(self, last: Response, original: bytes) -> Result:
        """Sum up, and leave the connection ready for the next message."""
        began = any(step.command is Command.MAIL for step in self.transcript)
        if not began:
            self.client.begin_message()
        verdict = last.verdict if last.verdict.refuses or last.verdict in _FINAL else Verdict.ACCEPT
        decided_at = last.step
        reply = SmtpReply(250, "2.0.0", (f"Ok: queued as {self.client.queue_id}",))
        if verdict.refuses:
            reply = _reply(last)
        elif not last.verdict.passes:
            self.pass_rest()
        if not verdict.refuses and not self.accepted:
            verdict, decided_at, reply = Verdict.REJECT, Command.RCPT, NO_RECIPIENTS
        if began:
            self.client.abort()  # Postfix sends ABORT after the end of each message
        if _ends_session(last):
            if last.step is Command.CONNECT:
                # Postfix greets with this reply, not with that of the filter.
                reply = SmtpReply(421, "", (f"{self.client.server_name} Service unavailable - try again later",))
            if not self.client.closed:
                self.client.quit()
        envelope, message = Envelope(self.envelope.sender, (), self.envelope.sender_params), original
        if verdict is Verdict.ACCEPT:
            leading_space = Protocol.HDR_LEADSPC in self.client.negotiation.protocol
            envelope = edited_envelope(replace(envelope, recipients=tuple(self.accepted)), last.edits, self.mta)
            message = bytes(edited_message(self.message, last.edits, self.mta, leading_space))
        return Result(
            tuple(self.transcript),
            verdict,
            decided_at,
            reply,
            tuple(self.accepted),
            tuple(self.refused),
            last.edits,
            envelope,
            original,
            message,
            self.client.queue_id,
        )

    def pass_rest(self) -> None:
        """Let the MTA alone decide about the recipients after the filter's final answer."""
        seen = {*self.accepted, *(refusal.recipient for refusal in self.refused)}
        for recipient in self.envelope.recipients:
            if recipient in seen:
                continue
            if recipient in self.rejected:
                self.refused.append(Refusal(recipient, SmtpReply.parse(to_str(to_bytes(self.rejected[recipient])))))
            else:
                self.accepted.append(recipient)


_FINAL = frozenset({Verdict.ACCEPT, Verdict.DISCARD})


def _goes_on(response: Response) -> bool:
    """True if the MTA continues after this answer to CONNECT or HELO; Postfix ignores DISCARD there."""
    return response.verdict.passes or response.verdict is Verdict.DISCARD


def _ends_session(response: Response) -> bool:
    """True if the MTA sends 421 to the SMTP client and hangs up."""
    return response.verdict is Verdict.SHUTDOWN or response.code == 421


def _reply(response: Response) -> SmtpReply:
    return response.reply or REPLIES[response.verdict]
