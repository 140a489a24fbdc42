"""The MTA's side of a milter connection, one method for each step of an SMTP session."""

from __future__ import annotations

import email.message
import os
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from types import TracebackType

from ._address import Address
from ._channel import Channel
from ._constants import CHUNK_SIZE, VERSION, Action, Command, Family, Protocol, Stage, Verdict
from ._errors import FilterGone, FilterTimeout, NotGranted, ProtocolError
from ._macros import Macros
from ._play import Result, play
from ._response import Edit, Response
from ._wire import (
    EDIT_ACTIONS,
    PROGRESS,
    REPLY_CODE,
    VERDICTS,
    Text,
    describe,
    offer,
    packet,
    read_agreement,
    read_edit,
    read_reply_code,
    strings,
    to_bytes,
    to_str,
)

MAX_PROGRESS = 1000
"""How often a filter may ask for more time in one step: each time restarts the deadline, and a test must end."""

_LEFT_OUT = {
    Command.CONNECT: Protocol.NOCONNECT,
    Command.HELO: Protocol.NOHELO,
    Command.MAIL: Protocol.NOMAIL,
    Command.RCPT: Protocol.NORCPT,
    Command.DATA: Protocol.NODATA,
    Command.UNKNOWN: Protocol.NOUNKNOWN,
    Command.HEADER: Protocol.NOHDRS,
    Command.EOH: Protocol.NOEOH,
    Command.BODY: Protocol.NOBODY,
}
_UNANSWERED = {
    Command.CONNECT: Protocol.NR_CONN,
    Command.HELO: Protocol.NR_HELO,
    Command.MAIL: Protocol.NR_MAIL,
    Command.RCPT: Protocol.NR_RCPT,
    Command.DATA: Protocol.NR_DATA,
    Command.UNKNOWN: Protocol.NR_UNKN,
    Command.HEADER: Protocol.NR_HDR,
    Command.EOH: Protocol.NR_EOH,
    Command.BODY: Protocol.NR_BODY,
}


@dataclass(frozen=True, slots=True)
class Negotiation:
    """What the client offered and what the filter made of it."""

    version: int
    """The protocol version that the filter answered with."""
    actions: Action
    """What the filter may do: exactly these edits are accepted from it."""
    protocol: Protocol
    """Steps left out (NO*), steps not answered (NR_*), and extras that the filter asked for."""
    macro_lists: Mapping[Stage, tuple[str, ...]] = field(default_factory=dict)
    """The macros that the filter asked for (smfi_setsymlist). A stage it did not name is absent."""
    offered_version: int = VERSION
    offered_actions: Action = Action.ALL
    offered_protocol: Protocol = Protocol.ALL


class Client:
    """A connection to a filter, as an MTA makes it.

    The constructor connects and negotiates. Each step method sends its macros and its command in one write, with
    Nagle's algorithm on, as Postfix does, waits for the answer where the filter gives one, and returns a `Response`.
    A step that was negotiated away is not sent (its macros are, as Postfix does), unless `force=True` is given.
    The client does not stop after a refusal: `play` does that, as an MTA would.

    Text arguments are str (UTF-8 with surrogateescape) or bytes; each step takes `macros`, sent in addition to those
    of its stage.

    Args:
        address: `unix:/path`, `local:/path`, a path, `inet:port@host` or `inet6:port@host`.
        timeout: the deadline of each operation, in seconds; smfi_progress restarts it.
        version, actions, protocol: the offer; the defaults are Postfix 3.7's.
        macros: values by name, with or without braces. A macro is sent at the stages whose list has its name.
        macro_lists: the names for a stage, in place of `DEFAULT_MACRO_LISTS`; what the filter asks for goes before.
        negotiate: False to leave out the negotiation, for `negotiate` or `send` to do by hand.

    Raises:
        FilterUnreachable, FilterTimeout, FilterGone, ProtocolError: as each operation of this class.
    """

    def __init__(
        self,
        address: str | os.PathLike[str],
        *,
        timeout: float = 10.0,
        version: int = VERSION,
        actions: Action = Action.ALL,
        protocol: Protocol = Protocol.ALL,
        macros: Mapping[str, Text] | None = None,
        macro_lists: Mapping[Stage, Sequence[str]] | None = None,
        negotiate: bool = True,
    ) -> None:
        self._macros = Macros(macros, macro_lists)
        self._messages = 0
        self._skipped: Command | None = None
        self._negotiation: Negotiation | None = None
        self._connection_verdict: Response | None = None
        self._channel = Channel(Address.parse(address).connect(timeout), timeout)
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
        if self._negotiation is None:
            raise ProtocolError("nothing was negotiated with the filter yet")
        return self._negotiation

    @property
    def closed(self) -> bool:
        """True once the connection was ended from this side."""
        return self._channel.closed

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
        what = "the negotiation"
        self.send(Command.NEGOTIATE, offer(version, actions, protocol))
        code, payload = self._channel.receive(what)
        if code != Command.NEGOTIATE.value:
            raise ProtocolError(f"the filter answered {what} with {describe(code)}; only b'O' (negotiation) is allowed")
        theirs, their_actions, their_protocol, lists = read_agreement(payload)
        if theirs > version:
            raise ProtocolError(f"the filter answered with protocol version {theirs}; {version} was offered")
        for asked, offered, kind in (
            (their_actions, actions, "actions"),
            (their_protocol, protocol, "protocol options"),
        ):
            if asked & ~offered:
                raise NotGranted(f"the filter asks for {kind} that were not offered: {asked & ~offered!r}")
        agreed = Negotiation(theirs, their_actions, their_protocol, lists, version, actions, protocol)
        self._negotiation = agreed
        self._macros.ask(lists)
        return agreed

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
        self._macros.set(
            _=f"{name} [{text or 'unknown'}]",
            client_name=name,
            client_ptr=name,
            client_addr=text or "unknown",
            client_port=str(port if family in (Family.INET, Family.INET6) else 0),
            client_connections="1",
            client_resolve="OK",
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
        self._messages += 1
        address, host = _mailbox(sender)
        self._macros.set(i=None, mail_addr=address, mail_host=host, mail_mailer="smtp")
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
        return response

    def data(self, *, macros: Mapping[str, Text] | None = None, force: bool = False) -> Response:
        """DATA (SMFIC_DATA)."""
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
        """End the message before its end, as after RSET (SMFIC_ABORT). There is no answer; the session goes on."""
        self._check_quiet(Command.ABORT)
        self.send(Command.ABORT)
        self._macros.set(i=None)
        self._skipped = None

    def quit(self) -> None:
        """End the connection (SMFIC_QUIT) and wait until the filter has closed it too.

        With libmilter the filter's close callback has then returned.
        """
        self._check_quiet(Command.QUIT)
        try:
            self.send(Command.QUIT)
            if not self._channel.at_end("QUIT"):
                code, _ = self._channel.receive("QUIT")
                raise ProtocolError(f"the filter answered QUIT with {describe(code)}; nothing is allowed there")
        finally:
            self.close()

    def quit_nc(self) -> None:
        """End this SMTP connection, a new one follows on the same socket (SMFIC_QUIT_NC): go on with `connect`.

        libmilter takes it only after the end of a message or after `unknown`; anywhere else it ignores it.
        """
        self._check_quiet(Command.QUIT_NC)
        self.send(Command.QUIT_NC)
        self._connection_verdict = None
        self._macros.set(i=None)
        self._skipped = None

    def close(self) -> None:
        """Close the connection without a word, as Postfix does after a refusal at connect. Never fails."""
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
        )

    # -- by hand -------------------------------------------------------------------------------------------------

    def send(self, command: Command | bytes, payload: bytes = b"") -> None:
        """Send one packet, whatever the state; a bytes command is one byte of your choice."""
        self._channel.send(packet(command, payload), _name(command))

    def receive(self) -> tuple[bytes, bytes]:
        """Wait for one packet: its command byte and its payload, unchecked."""
        return self._channel.receive("a packet")

    # -- how a step goes -----------------------------------------------------------------------------------------

    def _step(self, command: Command, payload: bytes, macros: Mapping[str, Text] | None, force: bool) -> Response:
        response = self._exchange(command, payload, macros, force)
        if response.verdict is Verdict.SKIP:
            self._skipped = command
        if command in (Command.CONNECT, Command.HELO):
            self._connection_verdict = response
        if command is Command.EOM:
            self._macros.set(i=None)
        return response

    def _exchange(self, command: Command, payload: bytes, macros: Mapping[str, Text] | None, force: bool) -> Response:
        agreed = self.negotiation
        if not force and (self._skipped is command or not _exists(command, agreed.version)):
            return Response(command, Verdict.NOT_SENT)
        self._skipped = None
        self._check_quiet(command)
        data = self._macros.packet(command, macros)
        sent = force or not agreed.protocol & _LEFT_OUT.get(command, Protocol.NONE)
        if sent:
            data += packet(command, payload)
        if data:
            self._channel.send(data, _name(command))
        if not sent:
            return Response(command, Verdict.NOT_SENT)
        if agreed.protocol & _UNANSWERED.get(command, Protocol.NONE):
            return Response(command, Verdict.NO_REPLY)
        return self._answer(command, agreed)

    def _answer(self, command: Command, agreed: Negotiation) -> Response:
        what = _name(command)
        edits: list[Edit] = []
        progress = 0
        deadline = self._channel.deadline()
        while True:
            code, payload = self._channel.receive(what, deadline)
            if code in VERDICTS:
                if payload:
                    raise ProtocolError(f"the filter answered {what} with {describe(code)} and data: {payload[:64]!r}")
                verdict = VERDICTS[code]
                if verdict is Verdict.SKIP and Protocol.SKIP not in agreed.protocol:
                    raise NotGranted(f"the filter answered {what} with SKIP, which was not negotiated")
                return Response(command, verdict, None, tuple(edits), progress)
            if code == REPLY_CODE:
                reply = read_reply_code(payload)
                verdict = Verdict.REJECT if reply.code >= 500 else Verdict.TEMPFAIL
                return Response(command, verdict, reply, tuple(edits), progress)
            if code == PROGRESS:
                progress += 1
                if progress > MAX_PROGRESS:
                    raise FilterTimeout(f"the filter asked for more time at {what} more than {MAX_PROGRESS} times")
                deadline = self._channel.deadline()
            elif code in EDIT_ACTIONS and command is Command.EOM:
                edit = read_edit(code, payload)
                if not EDIT_ACTIONS[code] & agreed.actions:
                    raise NotGranted(f"the filter sent {edit}, but {EDIT_ACTIONS[code]!r} was not granted to it")
                edits.append(edit)
            else:
                raise ProtocolError(
                    f"the filter answered {what} with {describe(code)}; allowed are {_allowed(command)}"
                )

    def _check_quiet(self, command: Command) -> None:
        """A filter may speak only when it is asked: tell of a reply to a no-reply step, or of a filter that died."""
        if self.closed or not self._channel.pending():
            return
        what = _name(command)
        if self._channel.at_end(what):
            raise FilterGone(f"the filter closed the connection before {what}")
        code, _ = self._channel.receive(what)
        raise ProtocolError(
            f"the filter sent {describe(code)} before {what}, when nothing had been asked of it"
            " (perhaps a reply to a step that it had negotiated as no-reply)"
        )


def _name(command: Command | bytes) -> str:
    return command.name if isinstance(command, Command) else f"packet {command!r}"


def _allowed(command: Command) -> str:
    codes = [*VERDICTS, REPLY_CODE, PROGRESS, *(EDIT_ACTIONS if command is Command.EOM else ())]
    return ", ".join(describe(code) for code in codes)


def _exists(command: Command, version: int) -> bool:
    return version >= {Command.DATA: 4, Command.UNKNOWN: 3}.get(command, 0)


def _family(address: str) -> Family:
    if not address:
        return Family.UNKNOWN
    if address.startswith("/"):
        return Family.UNIX
    return Family.INET6 if ":" in address else Family.INET


def _mailbox(path: Text) -> tuple[str, str]:
    address = to_str(to_bytes(path)).removeprefix("<").removesuffix(">")
    return address, address.rpartition("@")[2]
