"""Running a filter: the listening socket, libmilter's loop beside the calling thread, signals, and the end of it."""

import _thread
import atexit
import logging
import os
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

# A signal lets messages that are under way go on for this long.
SIGNAL_GRACE: Final = 5.0
# At the deadline, what is left has this long to ask for its TEMPFAIL.
TEMPFAIL_TIME: Final = 1.0
LOOK_EVERY: Final = 0.005


class Server:
    """A filter that serves one socket; a context manager that starts it and stops it.

    `factory` makes an object derived from `Base` for each connection: a class, a function or a lambda. `socket` is in
    libmilter's notation: inet:PORT@HOST (port 0: any free one), inet6:PORT@HOST, unix:PATH, local:PATH or a path.
    `timeout` is in seconds: how long libmilter waits for the MTA (7210 by default). `exception_policy` is what is
    answered when a handler fails: TEMPFAIL, REJECT, ACCEPT or CONTINUE. `grace` is in seconds: how long messages that
    are under way may go on after SIGTERM or SIGHUP. Over TCP, steps are left unanswered only where
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
        grace: float = SIGNAL_GRACE,
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
        self._loop = RunningLoop(self._filter, noreply_over_tcp=noreply_over_tcp, signal_grace=grace)

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
        self._loop.request_stop()

    def stop(self, grace: float = 0.0) -> None:
        """Stop serving and remove a unix socket; from any thread, more than once.

        No new connection is taken. Messages that are under way go on for at most `grace` seconds; what is left then
        gets TEMPFAIL. From a handler, stop() only asks and returns at once. Raises MilterError when libmilter's loop
        had ended with a failure.
        """
        if _core.is_in_callback():
            threading.Thread(target=self._loop.finish, args=(grace,), name="pymilter stop").start()
        else:
            self._finish(grace)

    def finish(self) -> None:
        """After wait(): stop, with the grace that its reason gives. Raises MilterError as stop() does."""
        self._finish(None)

    def _finish(self, grace: float | None) -> None:
        if self._loop.finish(grace) != 0:
            raise MilterError("libmilter's loop ended with a failure: syslog has its reason")

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

    def __init__(
        self, core_filter: _core.Filter, *, noreply_over_tcp: bool = True, signal_grace: float = SIGNAL_GRACE
    ) -> None:
        self._filter = core_filter
        self._noreply_over_tcp = noreply_over_tcp
        self._signal_grace = signal_grace
        self._grace = 0.0
        self._finishing = threading.RLock()  # a signal handler may call stop() within stop()
        self._result: int | None = None
        self._address: Address | None = None
        self._inode = 0
        self._mask: set[int] = set()

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
        self._mask = signal.pthread_sigmask(signal.SIG_BLOCK, [])
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
                self._grace = max(self._grace, self._signal_grace)
                logger.info("stopping on %s", signal.Signals(event - _core.EVENT_ENDED).name)
            elif event == _core.EVENT_ENDED and self._filter.finish() == 0:
                # libmilter has a thread that takes these signals too, and does not tell which one it was.
                logger.info("stopping on a signal that libmilter has taken")
                _thread.interrupt_main(signal.SIGTERM)
            return

    def request_stop(self, grace: float = 0.0) -> None:
        """Make wait() return, and give finish() its grace; from any thread."""
        self._grace = max(self._grace, grace)
        self._filter.request_stop()

    def finish(self, grace: float | None = None) -> int:
        """Stop libmilter's loop; the second time nothing happens. Returns what smfi_main returned.

        Messages that are under way go on for `grace` seconds: by default what request_stop() was told, or what signals
        are to give.
        """
        with self._finishing:
            if self._result is None and RunningLoop.running is self:
                try:
                    self._drain(self._grace if grace is None else grace)
                finally:
                    self._result = self._filter.finish()
                    RunningLoop.running = None
                    if self.address.family == sockets.AF_UNIX:
                        remove_socket(self.address, self._inode)
                    logger.info("stopped listening on %s", self.address)
            return self._result or 0

    def leave_to_parent(self) -> None:
        """In the child of a fork: the filter is the parent's."""
        RunningLoop.running = None
        if _core.is_in_callback():
            # libmilter's threads have signals blocked, but here this thread is the only one to take them.
            signal.pthread_sigmask(signal.SIG_SETMASK, self._mask)
        self._filter.abandon()

    def _drain(self, grace: float) -> None:
        if grace <= 0:
            return
        self._filter.refuse()
        if _is_quiet_within(grace):
            return
        logger.warning("%d messages are still under way after %g s: TEMPFAIL", _core.messages_under_way(), grace)
        self._filter.answer_no_more()
        _is_quiet_within(TEMPFAIL_TIME)


def _is_quiet_within(seconds: float) -> bool:
    """Wait until no message is under way; false when that takes too long."""
    deadline = time.monotonic() + seconds
    while _core.messages_under_way() > 0:
        if time.monotonic() >= deadline:
            return False
        time.sleep(LOOK_EVERY)
    return True


def run(
    factory: Callable[[], Base],
    socket: str,
    *,
    name: str | None = None,
    timeout: int | None = None,
    exception_policy: Status = TEMPFAIL,
    backlog: int = BACKLOG,
    noreply_over_tcp: bool = True,
    grace: float = SIGNAL_GRACE,
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
        grace=grace,
    )
    server.start(signals=True)
    try:
        server.wait()
    finally:
        server.finish()


def stop(grace: float = 0.0) -> None:
    """Let the run() of this process return; from any thread and from a handler, any number of times.

    No new connection is taken. Messages that are under way go on for at most `grace` seconds; what is left then gets
    TEMPFAIL.
    """
    if RunningLoop.running is not None:
        RunningLoop.running.request_stop(grace)


def _end() -> None:
    """At exit: no callback may meet a dead interpreter, and no socket is left behind."""
    if RunningLoop.running is not None:
        RunningLoop.running.finish(0.0)
    _core.shut_gate(EXIT_GRACE)


def _leave_to_parent() -> None:
    if RunningLoop.running is not None:
        RunningLoop.running.leave_to_parent()


atexit.register(_end)
os.register_at_fork(after_in_child=_leave_to_parent)
