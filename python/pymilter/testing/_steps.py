"""The events of an SMTP session: each is a method that sends it to the filter and returns the answer."""

from __future__ import annotations

from collections.abc import Mapping

from ._connection import Connection
from ._constants import CHUNK_SIZE, Command, Family, Protocol, Verdict
from ._response import Response
from ._wire import Text, strings, to_bytes, to_str


class Steps(Connection):
    """A connection that reports an SMTP session to the filter, one step at a time."""

    _messages = 0
    _first_recipient: Text | None = None

    @property
    def server_name(self) -> str:
        """The MTA's host name, macro `j`."""
        return self._macros.value("j")

    @property
    def queue_id(self) -> str:
        """The queue id of this message, macro `i`; as by Postfix, it is sent after the first accepted recipient."""
        return f"{self._messages:010X}"

    def connect(
        self,
        hostname: Text = "client.example.com",
        address: Text | None = "192.0.2.1",
        port: int = 49152,
        *,
        family: Family | None = None,
        macros: Mapping[str, Text] | None = None,
        force: bool = False,
    ) -> Response:
        """An SMTP client connected (SMFIC_CONNECT).

        Args:
            hostname: its verified name, or "[192.0.2.1]" if it has none.
            address: an IPv4 or IPv6 address, the path of a unix socket, or None if it is not known.
            family: by default the family that `address` looks like.
        """
        text = "" if address is None else to_str(to_bytes(address))
        if family is None:
            family = _family(text)
        payload = strings([hostname]) + family.value
        if family is not Family.UNKNOWN:
            wire_port = 0 if family is Family.UNIX else port
            payload += wire_port.to_bytes(2, "big") + strings([text])
        name = to_str(to_bytes(hostname))
        verified = not name.startswith("[")
        name = name if verified else "unknown"
        self._macros.set(
            _=f"{name} [{text or 'unknown'}]",
            client_name=name,
            client_ptr=name,
            client_addr=text or "unknown",
            client_port=str(port if family in (Family.INET, Family.INET6) else 0),
            client_connections="1",
            client_resolve="OK" if verified else "FAIL",
        )
        return self._step(Command.CONNECT, payload, macros, force)

    def helo(
        self, hostname: Text = "client.example.com", *, macros: Mapping[str, Text] | None = None, force: bool = False
    ) -> Response:
        """HELO or EHLO (SMFIC_HELO)."""
        return self._step(Command.HELO, strings([hostname]), macros, force)

    def mail(
        self, sender: Text, *params: Text, macros: Mapping[str, Text] | None = None, force: bool = False
    ) -> Response:
        """MAIL FROM (SMFIC_MAIL): the sender in angle brackets, then ESMTP parameters such as "SIZE=1000"."""
        self.begin_message()
        address, host = _mailbox(sender)
        self._macros.set(mail_addr=address, mail_host=host, mail_mailer="smtp")
        return self._step(Command.MAIL, strings([sender, *params]), macros, force)

    def rcpt(
        self,
        recipient: Text,
        *params: Text,
        rejected: Text | None = None,
        macros: Mapping[str, Text] | None = None,
        force: bool = False,
    ) -> Response:
        """RCPT TO (SMFIC_RCPT): the recipient in angle brackets, then ESMTP parameters.

        Args:
            rejected: the reply ("550 5.1.1 no such user") with which the MTA itself refused this recipient. It is
                sent only if the filter asked for such recipients (SMFIP_RCPT_REJ), with {rcpt_mailer} = "error".
        """
        address, host = _mailbox(recipient)
        if rejected is None:
            self._macros.set(rcpt_addr=address, rcpt_host=host, rcpt_mailer="smtp")
        else:
            if not force and Protocol.RCPT_REJ not in self.negotiation.protocol:
                return Response(Command.RCPT, Verdict.NOT_SENT)
            code, _, rest = to_str(to_bytes(rejected)).partition(" ")
            status, _, _ = rest.partition(" ")
            self._macros.set(rcpt_addr=f"{code} {rest}", rcpt_host=status, rcpt_mailer="error")
        response = self._step(Command.RCPT, strings([recipient, *params]), macros, force)
        if rejected is None and not response.verdict.refuses:
            self._macros.set(i=self.queue_id)
            if self._first_recipient is None:
                self._first_recipient = recipient
        return response

    def data(self, *, macros: Mapping[str, Text] | None = None, force: bool = False) -> Response:
        """DATA (SMFIC_DATA)."""
        if self._first_recipient is not None:  # Postfix sends the macros of the first recipient here again
            address, host = _mailbox(self._first_recipient)
            self._macros.set(rcpt_addr=address, rcpt_host=host, rcpt_mailer="smtp")
        return self._step(Command.DATA, b"", macros, force)

    def unknown(self, command: Text, *, macros: Mapping[str, Text] | None = None, force: bool = False) -> Response:
        """An SMTP command that the MTA does not support (SMFIC_UNKNOWN)."""
        return self._step(Command.UNKNOWN, strings([command]), macros, force)

    def header(
        self, name: Text, value: Text, *, macros: Mapping[str, Text] | None = None, force: bool = False
    ) -> Response:
        """One header field (SMFIC_HEADER), with the value as it is sent: lines joined by LF."""
        return self._step(Command.HEADER, strings([name, value]), macros, force)

    def eoh(self, *, macros: Mapping[str, Text] | None = None, force: bool = False) -> Response:
        """End of the header (SMFIC_EOH)."""
        return self._step(Command.EOH, b"", macros, force)

    def body(
        self,
        data: bytes,
        *,
        chunk_size: int = CHUNK_SIZE,
        macros: Mapping[str, Text] | None = None,
        force: bool = False,
    ) -> Response:
        """The body, or a piece of it, in packets of at most `chunk_size` bytes (SMFIC_BODY).

        For an empty body nothing is sent. After an answer other than CONTINUE, the rest is not sent.

        Returns:
            The response to the last chunk that was sent.

        Raises:
            ValueError: `chunk_size` is less than 1.
        """
        if chunk_size < 1:
            raise ValueError(f"chunk_size must be at least 1, not {chunk_size}")
        response = Response(Command.BODY, Verdict.NOT_SENT)
        for start in range(0, len(data), chunk_size):
            response = self._step(Command.BODY, data[start : start + chunk_size], macros, force)
            if response.verdict not in (Verdict.CONTINUE, Verdict.NO_REPLY):
                break
        return response

    def eom(self, data: bytes = b"", *, macros: Mapping[str, Text] | None = None) -> Response:
        """End of the message (SMFIC_BODYEOB), optionally with a last piece of body. Its response has the edits."""
        return self._step(Command.EOM, data, macros, False)

    def abort(self) -> None:
        """End the message, as after RSET (SMFIC_ABORT). There is no answer, and the session continues.

        Postfix also sends this after the end of each message. libmilter then calls the filter's abort callback only if
        the filter does not want MAIL, because of the order of libmilter's states.
        """
        self._dialogue.notify(Command.ABORT)

    def begin_message(self) -> None:
        """Begin the next message, with a new `queue_id`. `mail` calls this."""
        self._messages += 1
        self._first_recipient = None
        self._macros.set(i=None, rcpt_addr=None, rcpt_host=None, rcpt_mailer=None)

    def _step(self, command: Command, payload: bytes, macros: Mapping[str, Text] | None, force: bool) -> Response:
        response = self._dialogue.step(command, payload, macros, force)
        if command in (Command.CONNECT, Command.HELO):
            self._connection_verdict = response
        return response


def _family(address: str) -> Family:
    if not address:
        return Family.UNKNOWN
    if address.startswith("/"):
        return Family.UNIX
    return Family.INET6 if ":" in address else Family.INET


def _mailbox(path: Text) -> tuple[str, str]:
    """Address and host for macros: without a source route, and in lower case, in which Postfix looks them up."""
    address = to_str(to_bytes(path)).removeprefix("<").removesuffix(">")
    if address.startswith("@"):
        address = address.partition(":")[2]
    address = address.casefold()
    return address, address.rpartition("@")[2]
