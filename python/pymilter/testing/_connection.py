"""The MTA's connection to a filter: opened, negotiated, used packet by packet, and ended."""

from __future__ import annotations

import os
from collections.abc import Mapping, Sequence
from types import TracebackType
from typing import Self

from ._address import Address
from ._agreement import Negotiation
from ._channel import Channel, check_seconds
from ._constants import VERSION, Action, Command, Protocol, Stage
from ._dialogue import Dialogue
from ._errors import ProtocolError
from ._macros import Macros
from ._response import Response
from ._wire import Text, describe


class Connection:
    """The part of `Client` that does not depend on the message. The arguments are explained there."""

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
        self._connection_verdict: Response | None = None
        self._channel = Channel(Address.parse(address).connect(timeout), timeout)
        self._dialogue = Dialogue(self._channel, self._macros, most)
        if negotiate:
            try:
                self.negotiate(version, actions, protocol)
            except BaseException:
                self.close()
                raise

    def __enter__(self) -> Self:
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
        """The agreed options.

        Raises:
            ProtocolError: nothing has been negotiated yet.
        """
        return self._dialogue.negotiation

    @property
    def closed(self) -> bool:
        """True once this side has closed the connection."""
        return self._channel.closed

    @property
    def connection_verdict(self) -> Response | None:
        """The last answer to CONNECT or HELO, or None before them. A final answer holds for the whole connection."""
        return self._connection_verdict

    def negotiate(
        self, version: int = VERSION, actions: Action = Action.ALL, protocol: Protocol = Protocol.ALL
    ) -> Negotiation:
        """Offer options and read the filter's answer (SMFIC_OPTNEG).

        Raises:
            NotGranted: the filter asks for an action or a protocol option that was not offered.
        """
        return self._dialogue.negotiate(version, actions, protocol)

    def quit(self) -> None:
        """End the connection (SMFIC_QUIT) and wait until the filter has closed it too.

        After `helo`, SMFIC_ABORT is sent first, as by Postfix. With libmilter, the filter's close callback has returned
        when this method returns.
        """
        try:
            if self._connection_verdict is not None and self._connection_verdict.step is Command.HELO:
                self._dialogue.notify(Command.ABORT)
            self._dialogue.notify(Command.QUIT)
            self._await_end("QUIT")
        finally:
            self.close()

    def hang_up(self) -> None:
        """Close the connection without SMFIC_QUIT, as Postfix does after a final answer to CONNECT or HELO.

        It waits until the filter has closed its side too. On a closed connection it does nothing.
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
        """End this SMTP connection; continue with `connect`, which begins a new one on the same socket (SMFIC_QUIT_NC).

        libmilter accepts this only after `eom` or `unknown`. Elsewhere, as after `play`, libmilter ignores it.
        """
        self._dialogue.notify(Command.QUIT_NC)
        self._connection_verdict = None

    def close(self) -> None:
        """Close the connection at once, without SMFIC_QUIT. Never raises."""
        self._channel.close()

    def send(self, command: Command | bytes, payload: bytes = b"") -> None:
        """Send one packet, whatever the state. A bytes command is any one byte."""
        self._dialogue.send(command, payload)

    def exchange(self, command: Command, payload: bytes = b"", macros: bytes = b"") -> Response:
        """Send a packet as it is, with packets of `macros` before it, and wait for the answer if one was agreed on."""
        self._dialogue.check_quiet(command)
        return self._dialogue.exchange(command, payload, macros)

    def receive(self, what: str = "a packet") -> tuple[bytes, bytes]:
        """Wait for one packet, and return its command byte and its payload, unchecked. Errors call it `what`."""
        return self._channel.receive(what)

    def _await_end(self, what: str) -> None:
        if not self._channel.at_end(what):
            code, _ = self._channel.receive(what)
            raise ProtocolError(f"the filter answered {what} with {describe(code)}; nothing is allowed there")
