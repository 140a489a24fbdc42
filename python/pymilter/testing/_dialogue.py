"""One filter on one channel: the negotiation, and each step sent and its answer awaited as the two have agreed."""

from __future__ import annotations

import time
from collections.abc import Mapping

from ._agreement import Answer, Negotiation, exists, is_answered, is_wanted, step_name
from ._channel import Channel
from ._constants import Action, Command, Protocol, Verdict
from ._errors import FilterGone, FilterTimeout, NotGranted, ProtocolError
from ._macros import Macros
from ._response import Response
from ._wire import PROGRESS, Text, describe, offer, packet, read_agreement


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
        """What was agreed. Raises ProtocolError before the negotiation."""
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
        if not force and (self._skipped is command or not exists(command, agreed.version)):
            return Response(command, Verdict.NOT_SENT)
        self._skipped = None
        self.check_quiet(command)
        data = self.macros.packet(command, macros)
        if not force and not is_wanted(command, agreed):
            self._waiting_macros += data
            # Postfix's smtpd sends them only with its next command, but flushes at DATA, where cleanup takes over.
            if command is Command.DATA:
                self._send_with_macros(b"", command)
            return Response(command, Verdict.NOT_SENT)
        return self.exchange(command, payload, data)

    def exchange(self, command: Command, payload: bytes, macros: bytes = b"") -> Response:
        """Send a packet as it is, `macros` before it in one write, and wait for the answer if the filter gives one."""
        self._send_with_macros(macros + packet(command, payload), command)
        agreed = self.negotiation
        return self._answer(command, agreed) if is_answered(command, agreed) else Response(command, Verdict.NO_REPLY)

    def _answer(self, command: Command, agreed: Negotiation) -> Response:
        what = step_name(command)
        answer = Answer(command, agreed)
        deadline = self.channel.deadline()
        latest = max(deadline, time.monotonic() + self.progress_timeout)
        while True:
            try:
                code, payload = self.channel.receive(what, deadline)
            except FilterTimeout:
                if not answer.progress or time.monotonic() < latest:
                    raise
                raise FilterTimeout(
                    f"the filter asked for more time at {what} {answer.progress} times,"
                    f" and gave no answer within {self.progress_timeout:g} s"
                ) from None
            if (response := answer.take(code, payload)) is not None:
                return response
            if code == PROGRESS:
                deadline = min(self.channel.deadline(), latest)

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
