"""The MTA's side of a milter connection, one method for each step of an SMTP session."""

from __future__ import annotations

import email.message
import os
from collections.abc import Mapping, Sequence
from types import TracebackType

from ._address import Address
from ._channel import Channel, check_seconds
from ._constants import CHUNK_SIZE, VERSION, Action, Command, Family, Protocol, Stage, Verdict
from ._delivery import Mta
from ._dialogue import Dialogue, Negotiation
from ._errors import ProtocolError
from ._macros import Macros
from ._play import Result, play
from ._response import Response
from ._wire import Text, describe, strings, to_bytes, to_str


class Client:
    """A connection to a filter, as an MTA makes it.

    The constructor connects and negotiates. Each step method sends its macros and its command in one write, with
    Nagle's algorithm on, as Postfix does, waits for the answer where the filter gives one, and returns a `Response`.
    A step that was negotiated away is not sent (its macros are, as Postfix does), unless `force=True` is given.
    The client does not stop after a refusal: `play` does that, as an MTA would. Nor does it mind the order of steps:
    libmilter ignores a command out of its order (a body without `eoh`, say), which ends in a FilterTimeout.

    Text arguments are str (UTF-8 with surrogateescape) or bytes; each step takes `macros`, sent in addition to those
    of its stage.

    Args:
        address: `unix:/path`, `local:/path`, a path, `inet:port@host` or `inet6:port@host`.
        timeout: the deadline of each operation, in seconds; smfi_progress restarts it.
        progress_timeout: how many seconds a step may take in all, however often the filter asks for more time with
            smfi_progress; by default five times `timeout`.
        version, actions, protocol: the offer; the defaults are Postfix 3.7's.
        macros: values by name, with or without braces. A macro is sent at the stages whose list has its name.
        macro_lists: the names for a stage, in place of `DEFAULT_MACRO_LISTS`; what the filter asks for goes before.
        negotiate: False to leave out the negotiation, for `negotiate` or `send` to do by hand.

    Raises:
        FilterUnreachable, FilterTimeout, FilterGone, ProtocolError: as each operation of this class.
        ValueError: a timeout is not a number of seconds above 0.
    """

    def __init__(
        self,
        address: str | os.PathLike[str],
        *,
        timeout: float = 10.0,
        progress_timeout: float | None = None,
        version: int = VERSION,
        actions: Action = Action.ALL,
        protocol: Protocol = Protocol.ALL,
        macros: Mapping[str, Text] | None = None,
        macro_lists: Mapping[Stage, Sequence[str]] | None = None,
        negotiate: bool = True,
    ) -> None:
        check_seconds("timeout", timeout)
        most = 5 * timeout if progress_timeout is None else progress_timeout
        check_seconds("progress_timeout", most)
        self._macros = Macros(macros, macro_lists)
        self._messages = 0
        self._first_recipient: Text | None = None
        self._connection_verdict: Response | None = None
        self._channel = Channel(Address.parse(address).connect(timeout), timeout)
        self._dialogue = Dialogue(self._channel, self._macros, most)
        if negotiate:
            try:
                self.negotiate(version, actions, protocol)
            except BaseException:
                self.close()
                raise

    def __enter__(self) -> Client:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        try:
            if error is None and not self.closed:
                self.quit()
        finally:
            self.close()

    @property
    def negotiation(self) -> Negotiation:
        """What was agreed.

        Raises:
            ProtocolError: nothing was negotiated yet.
        """
        return self._dialogue.negotiation

    @property
    def closed(self) -> bool:
        """True once the connection was ended from this side."""
        return self._channel.closed

    @property
    def server_name(self) -> str:
        """The MTA's host name, macro `j`."""
        return self._macros.value("j")

    @property
    def queue_id(self) -> str:
        """The queue id of this message, macro `i`; sent, as by Postfix, from the first accepted recipient on."""
        return f"{self._messages:010X}"

    @property
    def connection_verdict(self) -> Response | None:
        """The last answer to CONNECT or HELO, or None before them. A final one holds for the whole connection."""
        return self._connection_verdict

    # -- the session ---------------------------------------------------------------------------------------------

    def negotiate(
        self, version: int = VERSION, actions: Action = Action.ALL, protocol: Protocol = Protocol.ALL
    ) -> Negotiation:
        """Offer options and take the filter's answer (SMFIC_OPTNEG).

        Raises:
            NotGranted: the filter asks for an action or a protocol option that was not offered.
        """
        return self._dialogue.negotiate(version, actions, protocol)

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
            family: by default what `address` looks like.
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
        if self._first_recipient is not None:  # Postfix names it here again
            address, host = _mailbox(self._first_recipient)
            self._macros.set(rcpt_addr=address, rcpt_host=host, rcpt_mailer="smtp")
        return self._step(Command.DATA, b"", macros, force)

    def unknown(self, command: Text, *, macros: Mapping[str, Text] | None = None, force: bool = False) -> Response:
        """An SMTP command that the MTA does not know (SMFIC_UNKNOWN)."""
        return self._step(Command.UNKNOWN, strings([command]), macros, force)

    def header(
        self, name: Text, value: Text, *, macros: Mapping[str, Text] | None = None, force: bool = False
    ) -> Response:
        """One header field (SMFIC_HEADER), the value as it goes over the wire: lines joined by LF."""
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

        An empty body sends nothing. The rest is not sent after an answer other than CONTINUE.

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
        """End of the message (SMFIC_BODYEOB), perhaps with a last piece of body: the step that brings the edits."""
        return self._step(Command.EOM, data, macros, False)

    def abort(self) -> None:
        """End the message, as after RSET (SMFIC_ABORT). There is no answer; the session goes on.

        Postfix says it after the end of each message, too. libmilter then calls the filter's abort callback only if the
        filter does not take MAIL, because of the order of its states.
        """
        self._dialogue.notify(Command.ABORT)

    def quit(self) -> None:
        """End the connection (SMFIC_QUIT) and wait until the filter has closed it too.

        After `helo` SMFIC_ABORT goes before it, as with Postfix. With libmilter the filter's close callback has
        returned when this returns.
        """
        try:
            if self._connection_verdict is not None and self._connection_verdict.step is Command.HELO:
                self._dialogue.notify(Command.ABORT)
            self._dialogue.notify(Command.QUIT)
            self._await_end("QUIT")
        finally:
            self.close()

    def hang_up(self) -> None:
        """Close the connection without a word, as Postfix does at once after a final answer to CONNECT or HELO.

        It waits until the filter has closed it too; after an earlier end of the connection it does nothing.
        """
        if self.closed:
            return
        try:
            self._dialogue.check_quiet(Command.QUIT)
            self._channel.end()
            self._await_end("the end of the connection")
        finally:
            self.close()

    def quit_nc(self) -> None:
        """End this SMTP connection, a new one follows on the same socket (SMFIC_QUIT_NC): go on with `connect`.

        libmilter takes it only after `eom` or `unknown`; anywhere else, so after `play` too, it ignores it.
        """
        self._dialogue.notify(Command.QUIT_NC)
        self._connection_verdict = None

    def close(self) -> None:
        """Close the connection without a word, at once. Never fails."""
        self._channel.close()

    def play(
        self,
        message: bytes | email.message.Message,
        sender: Text = "<sender@example.com>",
        recipients: Sequence[Text] = ("<recipient@example.net>",),
        *,
        sender_params: Sequence[Text] = (),
        rejected: Mapping[str, Text] | None = None,
        hostname: Text = "client.example.com",
        address: Text | None = "192.0.2.1",
        port: int = 49152,
        helo: Text | None = None,
        chunk_size: int = CHUNK_SIZE,
        mta: Mta = "postfix",
    ) -> Result:
        """Play one message as an MTA would: stop where it stops, and give what became of the message.

        CONNECT and HELO are sent with the first message only; more messages may follow on the same connection.

        Args:
            message: the whole message, with CRLF or LF (the filter always gets CRLF in the body).
            sender, recipients: addresses; angle brackets are added where they are missing.
            sender_params: ESMTP parameters of MAIL.
            rejected: recipients that the MTA itself refuses, and its replies ("550 5.1.1 no such user").
            hostname, address, port: the SMTP client, as in `connect`.
            helo: the HELO name; by default `hostname`.
            chunk_size: the most bytes in one body packet.
            mta: whose habits decide what becomes of the edits, "postfix" or "sendmail"; see `apply_edits`.

        Raises:
            ProtocolError: also if the edits are such that Postfix refuses them.
        """
        return play(
            self,
            message,
            sender,
            recipients,
            sender_params=sender_params,
            rejected=rejected,
            hostname=hostname,
            address=address,
            port=port,
            helo=helo,
            chunk_size=chunk_size,
            mta=mta,
        )

    def begin_message(self) -> None:
        """Count one more message for `queue_id`; `mail` does it."""
        self._messages += 1
        self._first_recipient = None
        self._macros.set(i=None, rcpt_addr=None, rcpt_host=None, rcpt_mailer=None)

    # -- by hand -------------------------------------------------------------------------------------------------

    def send(self, command: Command | bytes, payload: bytes = b"") -> None:
        """Send one packet, whatever the state; a bytes command is one byte of your choice."""
        self._dialogue.send(command, payload)

    def receive(self) -> tuple[bytes, bytes]:
        """Wait for one packet: its command byte and its payload, unchecked."""
        return self._channel.receive("a packet")

    def _await_end(self, what: str) -> None:
        if not self._channel.at_end(what):
            code, _ = self._channel.receive(what)
            raise ProtocolError(f"the filter answered {what} with {describe(code)}; nothing is allowed there")

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
    """Address and host as macros have them: without a source route, and in lower case as Postfix looks them up."""
    address = to_str(to_bytes(path)).removeprefix("<").removesuffix(">")
    if address.startswith("@"):
        address = address.partition(":")[2]
    address = address.casefold()
    return address, address.rpartition("@")[2]
