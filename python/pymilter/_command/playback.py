"""Plays one recorded connection to a filter, and compares its answers with the recorded ones."""

from __future__ import annotations

import struct
from collections import deque
from collections.abc import Iterator
from typing import Final, NamedTuple

from pymilter.message._edits import AddHeader, ChangeHeader, Edit, InsertHeader, ReplaceBody
from pymilter.testing._agreement import Answer, Negotiation, exists, is_answered, is_wanted
from pymilter.testing._connection import Connection
from pymilter.testing._constants import Action, Command, Protocol, Verdict
from pymilter.testing._errors import FilterGone, FilterTimeout, ProtocolError
from pymilter.testing._response import Response
from pymilter.testing._wire import packet, read_agreement, to_str
from pymilter.testing._words import edit_text, reply_text

from .ignored import Ignored
from .packets import flags_text, packet_text
from .recording import RecordedConnection
from .relay import Side

_GONE: Final = "no answer: the filter closed the connection"
_ENDS_MESSAGE: Final = frozenset({Command.ABORT, Command.MAIL, Command.QUIT, Command.QUIT_NC})


class Compared(NamedTuple):
    """One answer: what was recorded and what has come now, each in lines."""

    connection: int
    step: str
    recorded: list[str]
    now: list[str]

    @property
    def is_equal(self) -> bool:
        """True if there is no difference."""
        return self.recorded == self.now


class Playback:
    """One recorded connection, on a connection to the filter that has not negotiated yet."""

    def __init__(self, recorded: RecordedConnection, connection: Connection, ignored: Ignored) -> None:
        self._recorded = recorded
        self._connection = connection
        self._ignored = ignored
        self._packets = deque(recorded.packets)
        self._macros = b""
        self._skipped: Command | None = None
        self._is_decided = False
        """True from a final answer to the end of its message: what the recording has in between is not sent."""

    def run(self) -> Iterator[Compared]:
        """Play it, and yield each answer.

        Raises:
            ClientError: the connection cannot be played on, because of the filter or of the recording.
        """
        if not self._packets:
            return
        before, now = self._agreements()
        yield Compared(self._recorded.number, "negotiation", _agreement_lines(before), _agreement_lines(now))
        while self._packets:
            command, payload = self._next_command()
            was = self._recorded_answer(command, before)
            if command is Command.MACRO:
                self._macros += packet(command, payload)
            elif self._is_sent(command, now):
                is_lines = self._answer(command, payload)
                if was is not None and is_lines is not None:
                    text = packet_text(Side.MTA, command.value + payload)
                    yield Compared(self._recorded.number, f"{command.name} {text}".rstrip(), was, is_lines)
                if self._connection.closed:
                    return

    def _agreements(self) -> tuple[Negotiation, Negotiation]:
        """What was negotiated then, and now."""
        asked = self._packets.popleft()
        answer = self._packets.popleft() if self._packets else None
        code = Command.NEGOTIATE.value
        if asked.code != code or answer is None or answer.code != code or answer.side is not Side.FILTER:
            raise ProtocolError("the recording does not begin with a negotiation")
        try:
            version, actions, protocol = struct.unpack_from("!III", asked.payload)
        except struct.error:
            raise ProtocolError("the recording begins with an MTA's negotiation that is cut off") from None
        before = Negotiation(*read_agreement(answer.payload), version, Action(actions), Protocol(protocol))
        return before, self._connection.negotiate(version, Action(actions), Protocol(protocol))

    def _next_command(self) -> tuple[Command, bytes]:
        asked = self._packets.popleft()
        if asked.side is Side.FILTER:
            raise ProtocolError("the recording has an answer of the filter where the MTA had asked nothing")
        try:
            return Command(asked.code), asked.payload
        except ValueError:
            raise ProtocolError(f"the recording has the command {asked.code!r}, which does not exist") from None

    def _recorded_answer(self, command: Command, before: Negotiation) -> list[str] | None:
        """The lines of the recorded answer; None if there is none, because it was not waited for."""
        if not is_answered(command, before):
            return None
        answer = Answer(command, before)
        try:
            while self._packets and self._packets[0].side is Side.FILTER:
                _, code, payload = self._packets.popleft()
                if (response := answer.take(code, payload)) is not None:
                    return self._lines(response)
        except ProtocolError as error:
            while self._packets and self._packets[0].side is Side.FILTER:
                self._packets.popleft()
            return [str(error)]
        return [_GONE] if self._recorded.ended_by is Side.FILTER else None

    def _is_sent(self, command: Command, now: Negotiation) -> bool:
        """False if an MTA would not send this now, because of what the filter has negotiated or answered this time."""
        if command in _ENDS_MESSAGE:
            self._is_decided = False
        if self._is_decided or command is self._skipped:
            return False
        self._skipped = None
        return exists(command, now.version) and is_wanted(command, now)

    def _answer(self, command: Command, payload: bytes) -> list[str] | None:
        """Ask, and return the lines of the answer; None if the filter gives none at this step."""
        macros, self._macros = self._macros, b""
        try:
            response = self._connection.exchange(command, payload, macros)
        except FilterGone:
            self._connection.close()
            return [_GONE]
        except (FilterTimeout, ProtocolError) as error:
            self._connection.close()
            return [str(error)]
        if response.verdict is Verdict.NO_REPLY:
            return None
        if response.verdict is Verdict.SKIP:
            self._skipped = command
        elif not response.verdict.passes:
            if command in (Command.CONNECT, Command.HELO):
                self._connection.close()
            # A refused recipient, or an unknown command, does not end the message.
            goes_on = command is Command.UNKNOWN or (command is Command.RCPT and response.verdict.refuses)
            self._is_decided = not goes_on
        return self._lines(response)

    def _lines(self, response: Response) -> list[str]:
        """An answer in lines, without what may differ."""
        lines: list[str] = []
        body: bytes | None = None
        for edit in response.edits:
            if isinstance(edit, ReplaceBody):
                body = (body or b"") + edit.data
            else:
                lines += self._edit(edit).split("\n")
        if body is not None:
            lines += ["replace body", *(f"  {line}" for line in self._ignored.text(to_str(body)).split("\r\n"))]
        return [*lines, self._ignored.text(f"{response.verdict.value} {reply_text(response)}".rstrip())]

    def _edit(self, edit: Edit) -> str:
        match edit:
            case AddHeader(name, value):
                edit = AddHeader(name, self._ignored.value(name, value))
            case InsertHeader(index, name, value):
                edit = InsertHeader(index, name, self._ignored.value(name, value))
            case ChangeHeader(index, name, value) if value:
                edit = ChangeHeader(index, name, self._ignored.value(name, value))
            case _:
                return self._ignored.text(edit_text(edit))
        return edit_text(edit)


def _agreement_lines(agreed: Negotiation) -> list[str]:
    return [
        f"version {agreed.version}",
        f"actions {flags_text(Action, agreed.actions)}",
        f"protocol {flags_text(Protocol, agreed.protocol)}",
        *(f"macros at {stage.name}: {' '.join(names)}" for stage, names in sorted(agreed.macro_lists.items())),
    ]
