"""Runs filter classes in the test's own process: real libmilter, started once, behind a factory that tests change.

The other files of this package judge a filter and share no code with it; this one runs it.
"""

from __future__ import annotations

import atexit
import email.message
import os
import threading
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import ExitStack, contextmanager
from types import TracebackType
from typing import Any, Final, Self

from pymilter._class.base import Base
from pymilter._class.faults import check_factory
from pymilter._core import current_context
from pymilter._process.process import PROCESS
from pymilter._run import Server
from pymilter.errors import MilterError

from ._address import temporary_socket
from ._agreement import Negotiation
from ._client import Client
from ._constants import VERSION, Action, Command, Protocol
from ._delivery import Mta
from ._errors import ClientError
from ._response import Response
from ._result import Result
from ._wire import Text

TIMEOUT: Final = 3600.0
"""Seconds: long enough for somebody who looks around at a breakpoint in a handler."""


class Session:
    """A filter class, or another factory, that serves in this process for the length of a `with`.

    `session` makes it, and the arguments are those of `session`.
    """

    def __init__(self, factory: Callable[[], Base], *, raises: bool = True, timeout: float = TIMEOUT) -> None:
        check_factory(factory)
        self._factory = factory
        self._raises = raises
        self._timeout = timeout
        self._filters: list[Base] = []
        self._failures: list[BaseException] = []
        self._told = 0  # how many of the failures have been raised
        self._clients: list[SessionClient] = []

    def __enter__(self) -> Self:
        _run_of_this_process()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        try:
            for client in self._clients:
                if not client.closed:
                    client.quit_quietly()
        finally:
            _run_of_this_process().forget(self)
            if error is None:
                self.raise_failure()

    @property
    def address(self) -> str:
        """The socket, in libmilter's notation.

        Connect with `client()`: the connection of another client belongs to no session.
        """
        return _run_of_this_process().address

    @property
    def filters(self) -> Sequence[Base]:
        """The objects that the factory has made, one for each connection, in their order."""
        return tuple(self._filters)

    @property
    def filter(self) -> Any:
        """The object of the last connection, of the class that was given.

        Raises:
            LookupError: there was no connection yet.
        """
        if not self._filters:
            raise LookupError("there was no connection yet, so the factory has made no filter")
        return self._filters[-1]

    @property
    def failures(self) -> Sequence[BaseException]:
        """The exceptions of handlers and of the factory, in their order; with `raises` the test got them too."""
        return tuple(self._failures)

    def client(
        self,
        *,
        timeout: float | None = None,
        actions: Action = Action.ALL,
        protocol: Protocol = Protocol.ALL,
        macros: Mapping[str, Text] | None = None,
    ) -> Client:
        """Connect, as an MTA would, for a test step by step, or of several messages on one connection.

        It is a `Client` whose methods raise what a handler has raised meanwhile. What a handler raises in a step that
        is not answered is raised at the next step, or at the end.

        Args:
            timeout: how many seconds each operation may take; by default that of the session.
            actions: what the MTA grants.
            protocol: what the MTA offers.
            macros: values by name, as in `Client`.
        """
        client = SessionClient(
            self,
            self.address,
            timeout=self._timeout if timeout is None else timeout,
            actions=actions,
            protocol=protocol,
            macros=macros,
        )
        self._clients.append(client)
        return client

    def send(
        self,
        message: bytes | email.message.Message,
        sender: Text = "<sender@example.com>",
        recipients: Sequence[Text] = ("<recipient@example.net>",),
        *,
        macros: Mapping[str, Text] | None = None,
        hostname: Text = "client.example.com",
        client_address: Text | None = "192.0.2.1",
        helo: Text | None = None,
        mta: Mta = "postfix",
    ) -> Result:
        """Play one message on a connection of its own, as an MTA would, and return what became of it.

        The arguments are those of `send_message`. Raises what a handler raised, and what `send_message` raises.
        """
        with self.client(macros=macros) as client:
            return client.play(
                message, sender, recipients, hostname=hostname, address=client_address, helo=helo, mta=mta
            )

    def raise_failure(self) -> None:
        """Raise what a handler or the factory has raised, unless the test has got it already or `raises` is false."""
        if self._raises and self._told < len(self._failures):
            self._told = len(self._failures)
            raise self._failures[-1]

    def make(self) -> Base:
        """Make the object of a connection; called by libmilter's thread."""
        made = self._factory()
        self._filters.append(made)
        return made

    def note(self, failure: BaseException) -> None:
        """Note what was raised; called by libmilter's threads."""
        self._failures.append(failure)


def session(factory: Callable[[], Base], *, raises: bool = True, timeout: float = TIMEOUT) -> Session:
    r"""Run a filter class in this process, for the length of a `with`, and talk to it as an MTA does.

        with session(Gate) as gate:
            result = gate.send(b"Subject: hello\r\n\r\ntext\r\n")
            assert result.verdict is Verdict.ACCEPT
            assert gate.filter.count == 1

    It is real libmilter, in threads of this process, so breakpoints, monkeypatch, coverage and caplog see the handlers.
    libmilter is started at the first session and serves all of them, one after another or side by side. A handler's
    exception is logged and answered by the exception policy, TEMPFAIL, as in production; then it is raised in the test.

    Options of `run` such as `workers`, signals and the end of a process need a `FilterProcess`.

    Args:
        factory: what `run` takes: a class derived from `Base` or `MessageFilter`, or a function that makes an object.
        raises: False to look at the answer in place of the exception, which is in `Session.failures` then.
        timeout: how many seconds a handler may take.

    Raises:
        TypeError: `factory` is none, or the class has a handler that cannot be called.
        MilterError: another filter runs in this process, or the process was forked after a session.
    """
    return Session(factory, raises=raises, timeout=timeout)


class SessionClient(Client):
    """The `Client` of a session."""

    def __init__(self, session: Session, address: str, **options: Any) -> None:
        self._session = session
        super().__init__(address, **options)

    def negotiate(
        self, version: int = VERSION, actions: Action = Action.ALL, protocol: Protocol = Protocol.ALL
    ) -> Negotiation:
        """Negotiate, so that the factory of this session makes the object."""
        with _run_of_this_process().next_is(self._session), self._failures_first():
            return super().negotiate(version, actions, protocol)

    def quit(self) -> None:
        """End the connection, as in `Client`."""
        with self._failures_first():
            super().quit()

    def hang_up(self) -> None:
        """Close the connection, as in `Client`."""
        with self._failures_first():
            super().hang_up()

    def quit_quietly(self) -> None:
        """End the connection at the end of a session, and ignore what that raises."""
        try:
            super().quit()
        except ClientError:
            self.close()

    def _step(self, command: Command, payload: bytes, macros: Mapping[str, Text] | None, force: bool) -> Response:
        with self._failures_first():
            return super()._step(command, payload, macros, force)

    @contextmanager
    def _failures_first(self) -> Iterator[None]:
        """Raise the exception of a handler rather than the client error that it caused."""
        try:
            yield
        finally:
            self._session.raise_failure()


class _Run:
    """The one run of libmilter for the sessions of this process."""

    def __init__(self) -> None:
        self._process = os.getpid()
        self._opening = threading.Lock()  # one connection is negotiated at a time, so that its session is known
        self._next: Session | None = None
        self._sessions: dict[int, Session] = {}  # by the id of the connection
        with ExitStack() as stack:
            self._server = Server(self._make, stack.enter_context(temporary_socket()), name="pymilter.testing")
            self._server.start()
            self._folder = stack.pop_all()
        PROCESS.failure_hooks.append(self._note)
        atexit.register(self._end)

    @property
    def address(self) -> str:
        return self._server.address

    def check_process(self) -> None:
        if os.getpid() != self._process:
            raise MilterError("this process was forked after a session: libmilter runs in the process of before only")

    @contextmanager
    def next_is(self, session: Session) -> Iterator[None]:
        """During the block, the next connection belongs to this session."""
        with self._opening:
            self._next = session
            try:
                yield
            finally:
                self._next = None

    def forget(self, session: Session) -> None:
        self._sessions = {number: other for number, other in self._sessions.items() if other is not session}

    def _make(self) -> Base:
        session, context = self._next, current_context()
        if session is None or context is None:
            raise MilterError("this connection belongs to no session: connect with Session.client()")
        self._sessions[context.id] = session
        return session.make()

    def _note(self, failure: BaseException) -> None:
        context = current_context()
        session = None if context is None else self._sessions.get(context.id)
        if session is not None:
            session.note(failure)

    def _end(self) -> None:
        if os.getpid() == self._process:
            self._server.stop()
            self._folder.close()


def _run_of_this_process() -> _Run:
    run = PROCESS.only(_Run)
    run.check_process()
    return run
