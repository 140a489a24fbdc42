"""What MTA and filter have agreed on: which steps are sent, which are answered, and what an answer may hold."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field

from pymilter.message._edits import Edit

from ._constants import VERSION, Action, Command, Protocol, Stage, Verdict
from ._errors import NotGranted, ProtocolError
from ._response import Response
from ._wire import EDIT_ACTIONS, PROGRESS, REPLY_CODE, VERDICTS, describe, read_edit, read_reply_code

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


def is_wanted(command: Command, agreed: Negotiation) -> bool:
    """False if the filter asked the MTA not to send this command (SMFIP_NO*)."""
    return not agreed.protocol & _LEFT_OUT.get(command, Protocol.NONE)


def is_answered(command: Command, agreed: Negotiation) -> bool:
    """True if the MTA waits for the filter's answer to this command: it is a step without SMFIP_NR_*."""
    if command is Command.EOM:
        return True
    return command in _UNANSWERED and not agreed.protocol & _UNANSWERED[command]


def exists(command: Command, version: int) -> bool:
    """True if the version of the protocol has this command."""
    return version >= {Command.DATA: 4, Command.UNKNOWN: 3}.get(command, 0)


class Answer:
    """Collects the packets of a filter's answer to one command: progress, edits, and the verdict that ends it."""

    def __init__(self, command: Command, agreed: Negotiation) -> None:
        self.progress = 0
        """How many times the filter has asked for more time."""
        self._command = command
        self._agreed = agreed
        self._edits: list[Edit] = []

    def take(self, code: bytes, payload: bytes) -> Response | None:
        """Read one packet, and return the whole answer if it ends there.

        Raises:
            ProtocolError: the packet is not allowed in this answer.
        """
        what = step_name(self._command)
        if code in VERDICTS:
            if payload:
                raise ProtocolError(f"the filter answered {what} with {describe(code)} and data: {payload[:64]!r}")
            verdict = VERDICTS[code]
            if verdict is Verdict.SKIP and Protocol.SKIP not in self._agreed.protocol:
                raise NotGranted(f"the filter answered {what} with SKIP, which was not negotiated")
            return Response(self._command, verdict, None, tuple(self._edits), self.progress)
        if code == REPLY_CODE:
            reply = read_reply_code(payload)
            verdict = Verdict.REJECT if reply.code >= 500 else Verdict.TEMPFAIL
            return Response(self._command, verdict, reply, tuple(self._edits), self.progress)
        if code == PROGRESS:
            self.progress += 1
        elif code in EDIT_ACTIONS and self._command is Command.EOM:
            edit = read_edit(code, payload)
            if not EDIT_ACTIONS[code] & self._agreed.actions:
                raise NotGranted(f"the filter sent {edit}, but {EDIT_ACTIONS[code]!r} was not granted to it")
            self._edits.append(edit)
        else:
            raise ProtocolError(
                f"the filter answered {what} with {describe(code)}; allowed are {_allowed(self._command)}"
            )
        return None


def step_name(command: Command | bytes) -> str:
    """A command for an error text."""
    return command.name if isinstance(command, Command) else f"packet {command!r}"


def _allowed(command: Command) -> str:
    codes = [*VERDICTS, REPLY_CODE, PROGRESS, *(EDIT_ACTIONS if command is Command.EOM else ())]
    return ", ".join(describe(code) for code in codes)
