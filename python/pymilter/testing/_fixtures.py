"""The classes behind the pytest plugin's fixtures: filters that run until a test ends, and checks of their logs."""

from __future__ import annotations

import contextlib
import logging
import os
import sys
from collections.abc import Callable, Iterator, Mapping, Sequence
from pathlib import Path
from types import TracebackType
from typing import Any, Self

from pymilter._class.base import Base
from pymilter._core import current_context

from ._address import temporary_socket
from ._client import Client
from ._process import FilterProcess
from ._result import Result
from ._send import send_message
from ._session import Session, session


class MilterFixture:
    """Runs filter classes in this process, each until the test ends: the fixture `milter`."""

    def __init__(self) -> None:
        self._stack = contextlib.ExitStack()
        self._sessions: list[Session] = []
        self._errors = _Errors()
        self._allows_errors = False

    def __enter__(self) -> Self:
        self._stack.enter_context(self._errors.watching())
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        self._stack.__exit__(kind, error, traceback)
        raised = [failure for session in self._sessions for failure in session.failures]
        left = self._errors.left(raised)
        if error is None and left and not self._allows_errors:
            __tracebackhide__ = True
            raise AssertionError("the filter logged errors:\n" + "\n".join(left))

    def __call__(self, factory: Callable[[], Base], *, raises: bool = True) -> Session:
        """Begin a session that lasts until the test ends.

        Args:
            factory: what `pymilter.run` takes: a class, or a function that makes an object.
            raises: False to look at the answer to a handler's exception, in place of that exception.
        """
        begun = self._stack.enter_context(session(factory, raises=raises))
        self._sessions.append(begun)
        return begun

    def allow_errors(self) -> None:
        """Accept whatever the filter logs."""
        self._allows_errors = True


class MilterProcessFixture:
    """Runs filter programs, each until the test ends: the fixture `milter_process`."""

    def __init__(self) -> None:
        self._stack = contextlib.ExitStack()
        self._allows_errors = False

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        self._stack.__exit__(kind, error, traceback)

    def __call__(
        self,
        program: str | os.PathLike[str] | Sequence[str],
        *,
        address: str | None = None,
        timeout: float = 10.0,
        env: Mapping[str, str] | None = None,
        cwd: str | os.PathLike[str] | None = None,
    ) -> RunningProgram:
        """Start a program, and wait until it listens.

        Args:
            program: the file of a Python program that takes the address of its socket as its argument; or a command,
                of whose words "{address}" becomes the address.
            address: the socket that the program will listen on; by default a unix socket in a new folder.
            timeout: how many seconds it may take until it listens, and until it has stopped.
            env: variables set in addition to this process's own.
            cwd: the folder in which it runs.

        Raises:
            FilterFailed: it did not listen.
        """
        where = self._stack.enter_context(temporary_socket()) if address is None else address
        argv = [sys.executable, os.fspath(program), where] if isinstance(program, str | os.PathLike) else list(program)
        argv = [word.replace("{address}", where) for word in argv]
        process = FilterProcess(argv, where, timeout=timeout, env=env, cwd=cwd)
        self._stack.enter_context(self._checked(process))
        return RunningProgram(process)

    def allow_errors(self) -> None:
        """Accept whatever the programs write, and any exit status."""
        self._allows_errors = True

    @contextlib.contextmanager
    def _checked(self, process: FilterProcess) -> Iterator[None]:
        __tracebackhide__ = True
        with process:
            yield
        if self._allows_errors:
            return
        if process.returncode != 0:
            raise AssertionError(f"{_shown(process)} ended with status {process.returncode}:\n{process.stderr}")
        if "Traceback (most recent call last)" in process.stderr:
            raise AssertionError(f"{_shown(process)} wrote a traceback:\n{process.stderr}")


class RunningProgram:
    """A program that runs, and the messages for it."""

    def __init__(self, process: FilterProcess) -> None:
        self.process = process
        """The process: its number, what it wrote, its signals."""

    @property
    def address(self) -> str:
        """The socket, in libmilter's notation."""
        return self.process.address

    def client(self, **options: Any) -> Client:
        """Connect, as an MTA would. The options are those of `pymilter.testing.Client`."""
        return Client(self.address, **options)

    def send(self, message: bytes, *envelope: Any, **options: Any) -> Result:
        """Play one message, as an MTA would. The arguments are those of `pymilter.testing.send_message`."""
        return send_message(self.address, message, *envelope, **options)


class _Errors(logging.Handler):
    """Keeps what is logged as ERROR within callbacks, and by pymilter itself."""

    def __init__(self) -> None:
        super().__init__(logging.ERROR)
        self._records: list[logging.LogRecord] = []

    @contextlib.contextmanager
    def watching(self) -> Iterator[None]:
        root = logging.getLogger()
        root.addHandler(self)
        try:
            yield
        finally:
            root.removeHandler(self)

    def emit(self, record: logging.LogRecord) -> None:
        if current_context() is not None or record.name.partition(".")[0] == "pymilter":
            self._records.append(record)

    def left(self, raised: Sequence[BaseException]) -> list[str]:
        """Return what was logged, except for the exceptions that were raised in the test."""
        return [
            f"{record.name}: {record.getMessage()}"
            for record in self._records
            if record.exc_info is None or not any(record.exc_info[1] is failure for failure in raised)
        ]


def _shown(process: FilterProcess) -> str:
    return Path(process.argv[-2] if len(process.argv) > 1 else process.argv[0]).name
