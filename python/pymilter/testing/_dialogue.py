"""The rules of the protocol: what was agreed, what is sent, which answers are awaited, and which are allowed."""

from __future__ import annotations

import time
from collections.abc import Mapping
from dataclasses import dataclass, field

from pymilter.message._edits import Edit

from ._channel import Channel
from ._constants import VERSION, Action, Command, Protocol, Stage, Verdict
from ._errors import FilterGone, FilterTimeout, NotGranted, ProtocolError
from ._macros import Macros
from ._response import Response
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
)

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
    """The options that the client offered and the filter accepted."""

    version: int
    """The protocol version that the filter answered with."""
    actions: Action
    """The edits that the filter may make; no others are accepted."""
    protocol: Protocol
    """Steps left out (NO*), steps not answered (NR_*), and extras that the filter asked for."""
    macro_lists: Mapping[Stage, tuple[str, ...]] = field(default_factory=dict)
    """The macros that the filter asked for (smfi_setsymlist). A stage it did not name is absent."""
    offered_version: int = VERSION
    offered_actions: Action = Action.ALL
    offered_protocol: Protocol = Protocol.ALL


class Dialogue:
    """One filter on one channel, from the negotiation on."""

    def __init__(self, channel: Channel, macros: Macros, progress_timeout: float) -> None:
        self.channel = channel
        self.macros = macros
        self.progress_timeout = progress_timeout
        self._negotiation: Negotiation | None = None
        self._skipped: Command | None = None
        self._waiting_macros = b""  # of steps that were not sent

    @property
    def negotiation(self) -> Negotiation:
        """What was agreed, or ProtocolError if nothing was yet."""
        if self._negotiation is None:
            raise ProtocolError("nothing was negotiated with the filter yet")
        return self._negotiation

    def send(self, command: Command | bytes, payload: bytes = b"") -> None:
        """Send one packet, whatever the state."""
        self.channel.send(packet(command, payload), step_name(command))

    def _send_with_macros(self, data: bytes, command: Command) -> None:
        data, self._waiting_macros = self._waiting_macros + data, b""
        if data:
            self.channel.send(data, step_name(command))

    def notify(self, command: Command) -> None:
        """Send a command that ends a message or the connection, and has no answer."""
        self.check_quiet(command)
        self._send_with_macros(packet(command), command)
        self.macros.set(i=None)
        self._skipped = None

    def negotiate(self, version: int, actions: Action, protocol: Protocol) -> Negotiation:
        """Offer options and read the filter's answer."""
        what = "the negotiation"
        self.send(Command.NEGOTIATE, offer(version, actions, protocol))
        code, payload = self.channel.receive(what)
        if code != Command.NEGOTIATE.value:
            raise ProtocolError(f"the filter answered {what} with {describe(code)}; only b'O' (negotiation) is allowed")
        theirs, their_actions, their_protocol, lists = read_agreement(payload)
        if theirs > version:
            raise ProtocolError(f"the filter answered with protocol version {theirs}; {version} was offered")
        if extra := int(their_actions) & ~int(actions):
            raise NotGranted(f"the filter asks for actions that were not offered: {Action(extra)!r}")
        if extra := int(their_protocol) & ~int(protocol):
            raise NotGranted(f"the filter asks for protocol options that were not offered: {Protocol(extra)!r}")
        agreed = Negotiation(theirs, their_actions, their_protocol, lists, version, actions, protocol)
        self._negotiation = agreed
        self.macros.ask(lists)
        return agreed

    def step(self, command: Command, payload: bytes, macros: Mapping[str, Text] | None, force: bool) -> Response:
        """Send macros and command in one write, and wait for the answer if there is one."""
        response = self._exchange(command, payload, macros, force)
        if response.verdict is Verdict.SKIP:
            self._skipped = command
        if command is Command.EOM:
            self.macros.set(i=None)
        return response

    def _exchange(self, command: Command, payload: bytes, macros: Mapping[str, Text] | None, force: bool) -> Response:
        agreed = self.negotiation
        if not force and (self._skipped is command or not _exists(command, agreed.version)):
            return Response(command, Verdict.NOT_SENT)
        self._skipped = None
        self.check_quiet(command)
        data = self.macros.packet(command, macros)
        sent = force or not agreed.protocol & _LEFT_OUT.get(command, Protocol.NONE)
        if not sent:
            self._waiting_macros += data
            # Postfix's smtpd sends them only with its next command, but flushes at DATA, where cleanup takes over.
            if command is Command.DATA:
                self._send_with_macros(b"", command)
            return Response(command, Verdict.NOT_SENT)
        self._send_with_macros(data + packet(command, payload), command)
        if agreed.protocol & _UNANSWERED.get(command, Protocol.NONE):
            return Response(command, Verdict.NO_REPLY)
        return self._answer(command, agreed)

    def _answer(self, command: Command, agreed: Negotiation) -> Response:
        what = step_name(command)
        edits: list[Edit] = []
        progress = 0
        deadline = self.channel.deadline()
        latest = max(deadline, time.monotonic() + self.progress_timeout)
        while True:
            try:
                code, payload = self.channel.receive(what, deadline)
            except FilterTimeout:
                if not progress or time.monotonic() < latest:
                    raise
                raise FilterTimeout(
                    f"the filter asked for more time at {what} {progress} times,"
                    f" and gave no answer within {self.progress_timeout:g} s"
                ) from None
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
                deadline = min(self.channel.deadline(), latest)
            elif code in EDIT_ACTIONS and command is Command.EOM:
                edit = read_edit(code, payload)
                if not EDIT_ACTIONS[code] & agreed.actions:
                    raise NotGranted(f"the filter sent {edit}, but {EDIT_ACTIONS[code]!r} was not granted to it")
                edits.append(edit)
            else:
                raise ProtocolError(
                    f"the filter answered {what} with {describe(code)}; allowed are {_allowed(command)}"
                )

    def check_quiet(self, command: Command) -> None:
        """Raise if the filter sent something unasked, such as a reply to a no-reply step, or has gone."""
        if self.channel.closed or not self.channel.pending():
            return
        what = step_name(command)
        if self.channel.at_end(what):
            raise FilterGone(f"the filter closed the connection before {what}")
        code, _ = self.channel.receive(what)
        raise ProtocolError(
            f"the filter sent {describe(code)} before {what}, when nothing had been asked of it"
            " (perhaps a reply to a step that it had negotiated as no-reply)"
        )


def step_name(command: Command | bytes) -> str:
    """A command for an error text."""
    return command.name if isinstance(command, Command) else f"packet {command!r}"


def _allowed(command: Command) -> str:
    codes = [*VERDICTS, REPLY_CODE, PROGRESS, *(EDIT_ACTIONS if command is Command.EOM else ())]
    return ", ".join(describe(code) for code in codes)


def _exists(command: Command, version: int) -> bool:
    return version >= {Command.DATA: 4, Command.UNKNOWN: 3}.get(command, 0)
