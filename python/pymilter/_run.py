"""Running a filter: the listening socket, libmilter's loop beside the calling thread, signals, and the end of it."""

import atexit
import logging
import signal
import socket as sockets
import threading
import time
from collections.abc import Callable
from pathlib import Path
from types import TracebackType
from typing import Final, Self

from pymilter import _core
from pymilter._base import Base, plan_of
from pymilter._constants import TEMPFAIL, Status
from pymilter._report import report_failure
from pymilter._sockets import (
    Address,
    bound_address,
    discard_listener,
    open_listener,
    parse_address,
    remove_socket,
)
from pymilter.errors import MilterError

logger = logging.getLogger("pymilter")

BACKLOG: Final = 128
# At exit, callbacks that are still inside get this long to end.
EXIT_GRACE: Final = 5.0
# Python replaces our C handlers when signal.signal() is called while a filter runs beside the main thread: mostly while
# the program starts, so it is looked at often then.
RENEW_EVERY: Final = 0.5
RENEW_EVERY_AT_START: Final = 0.01
STARTING: Final = 5.0

atexit.register(_core.shut_gate, EXIT_GRACE)


class Server:
    """A filter that serves one socket; a context manager that starts it and stops it.

    `factory` makes an object derived from `Base` for each connection: a class, a function or a lambda. `socket` is in
    libmilter's notation: inet:PORT@HOST (port 0: any free one), inet6:PORT@HOST, unix:PATH, local:PATH or a path.
    `timeout` is in seconds: how long libmilter waits for the MTA (7210 by default). `exception_policy` is what is
    answered when a handler fails: TEMPFAIL, REJECT, ACCEPT or CONTINUE. Over TCP, steps are left unanswered only where
    the connection can be kept from stalling; with `noreply_over_tcp` false, never.

    There is one run of libmilter in a process: a second raises MilterError. Raises ValueError for a bad argument and
    OSError, with errno and the address, when the socket cannot be opened.
    """

    def __init__(
        self,
        factory: Callable[[], Base],
        socket: str,
        *,
        name: str | None = None,
        timeout: int | None = None,
        exception_policy: Status = TEMPFAIL,
        backlog: int = BACKLOG,
        noreply_over_tcp: bool = True,
    ) -> None:
        if not callable(factory):
            raise TypeError(f"factory must be a class or a function that makes a Base, not {type(factory).__name__}")
        self._timeout = timeout
        self._backlog = backlog
        self._wanted_address = parse_address(socket)
        self._filter = _core.Filter(
            name=name if name is not None else getattr(factory, "__name__", "pymilter"),
            exception_policy=exception_policy,
            report=report_failure,
        )
        self._filter.use_methods(factory, plan_of)
        self._loop = RunningLoop(self._filter, noreply_over_tcp=noreply_over_tcp)

    @property
    def address(self) -> str:
        """Where it listens, in libmilter's notation. Raises MilterError before start()."""
        return str(self._loop.address)

    def start(self, *, signals: bool = False) -> None:
        """Open the socket and begin to serve it; with `signals`, SIGTERM, SIGHUP and SIGINT make wait() return."""
        listener = open_listener(self._wanted_address, backlog=self._backlog)
        with listener:
            try:
                self._filter.register(timeout=self._timeout)
                self._loop.start(listener, signals=signals)
            except BaseException:
                discard_listener(listener)
                raise

    def wait(self) -> None:
        """Wait until stop() is called, a signal came or libmilter ended. Python's signal handlers run meanwhile."""
        self._loop.wait()

    def request_stop(self) -> None:
        """Make wait() return; from any thread and from a handler, more than once if need be."""
        self._filter.request_stop()

    def stop(self) -> None:
        """Stop serving and remove a unix socket. Not from a handler: see request_stop()."""
        self._loop.finish()

    def __enter__(self) -> Self:
        self.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        self.stop()


class RunningLoop:
    """libmilter's loop for one filter, from its listening socket to its end."""

    running: "RunningLoop | None" = None

    def __init__(self, core_filter: _core.Filter, *, noreply_over_tcp: bool = True) -> None:
        self._filter = core_filter
        self._noreply_over_tcp = noreply_over_tcp
        self._address: Address | None = None
        self._inode = 0

    @property
    def address(self) -> Address:
        """Where it listens. Raises MilterError before start()."""
        if self._address is None:
            raise MilterError("the filter has not been started")
        return self._address

    def start(self, listener: sockets.socket, *, signals: bool) -> None:
        """Serve `listener`, which the caller may close afterwards."""
        address = bound_address(listener)
        if address.family == sockets.AF_UNIX:
            self._inode = Path(address.path).lstat().st_ino
        self._filter.start(listener.fileno(), signals=signals, mute_over_tcp=self._noreply_over_tcp)
        self._address = address
        RunningLoop.running = self
        logger.info("listening on %s", address)

    def wait(self) -> None:
        """Wait for the end or for a reason to end."""
        is_main = threading.current_thread() is threading.main_thread()
        started = time.monotonic() + STARTING
        while True:
            seconds = RENEW_EVERY_AT_START if time.monotonic() < started else RENEW_EVERY
            event = self._filter.wait(None if is_main else seconds)
            if event in (_core.EVENT_NOTHING, _core.EVENT_INTERRUPTED):
                continue
            if event > _core.EVENT_ENDED:
                logger.info("stopping on %s", signal.Signals(event - _core.EVENT_ENDED).name)
            return

    def request_stop(self) -> None:
        """Make wait() return; from any thread."""
        self._filter.request_stop()

    def finish(self) -> int:
        """Stop libmilter's loop; the second time nothing happens. Returns what smfi_main returned."""
        if RunningLoop.running is not self:
            return 0
        RunningLoop.running = None
        result = self._filter.finish()
        if self.address.family == sockets.AF_UNIX:
            remove_socket(self.address, self._inode)
        logger.info("stopped listening on %s", self.address)
        return result


def run(
    factory: Callable[[], Base],
    socket: str,
    *,
    name: str | None = None,
    timeout: int | None = None,
    exception_policy: Status = TEMPFAIL,
    backlog: int = BACKLOG,
    noreply_over_tcp: bool = True,
) -> None:
    """Serve a socket until SIGTERM, SIGHUP, SIGINT or stop(); then return, or raise KeyboardInterrupt after SIGINT.

    The arguments are those of `Server`. libmilter's loop runs in threads of its own, so that the program's signal
    handlers run as ever; those that are installed for the three signals run as well. A second signal of a kind ends the
    process at once.
    """
    server = Server(
        factory,
        socket,
        name=name,
        timeout=timeout,
        exception_policy=exception_policy,
        backlog=backlog,
        noreply_over_tcp=noreply_over_tcp,
    )
    server.start(signals=True)
    try:
        server.wait()
    finally:
        server.stop()


def stop() -> None:
    """Let the run() of this process return; from any thread and from a handler, any number of times."""
    if RunningLoop.running is not None:
        RunningLoop.running.request_stop()
