"""A filter that this process serves, from the opening of its socket to its end at exit and in forked processes."""

import _thread
import logging
import signal
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Final

from pymilter import _core
from pymilter._process.own_file import OwnFile
from pymilter._process.process import EXIT_GRACE, PROCESS
from pymilter._serve.address import Address, bound_address
from pymilter._serve.drain import Drain, wait_for_handlers
from pymilter._serve.hooks import Hook, call_hook
from pymilter._serve.listener import Listener
from pymilter._serve.settings import Settings
from pymilter._serve.systemd import notify, notify_reloading
from pymilter.errors import MilterError

logger = logging.getLogger("pymilter")

# signal.signal() replaces our C handlers if the program calls it while a filter runs beside the main thread. Programs
# do so mostly at their start, so the handlers are checked more often then. In seconds.
RENEW_EVERY: Final = 0.5
RENEW_EVERY_AT_START: Final = 0.01
STARTING: Final = 5.0


class Serving:
    """A filter while it is served, wherever its socket comes from; see `Server`."""

    def __init__(self, service: _core.Service, settings: Settings) -> None:
        self._service = service
        self._settings = settings
        # Workers are replaced instead: SIGHUP is for their supervisor.
        self._on_reload = settings.on_reload if settings.workers == 0 else None
        self._drain = Drain(service)
        self._finishing = threading.RLock()  # a signal handler may call stop() within stop()
        self._result: int | None = None
        self._address: Address | None = None
        self._file: OwnFile | None = None
        self._mask: set[int] = set()
        self._is_starting = False
        self._has_begun = False
        self._is_finishing = False
        self._is_of_parent = False  # in a forked child

    @property
    def address(self) -> str:
        """The address at which the filter listens, in libmilter's notation. Raises MilterError before start()."""
        if self._address is None:
            raise MilterError("the filter has not been started")
        return str(self._address)

    @contextmanager
    def _starting(self, *, signals: bool) -> Iterator[None]:
        """For the opening of the socket and _serve(): as soon as the socket can be seen, the first signal may come."""
        with PROCESS.starting:
            if PROCESS.running is not None:
                # Before anything is touched that belongs to the filter that runs: its signals, its socket.
                raise MilterError("a filter is registered already: there is one filter in a process")
            PROCESS.begun = self
            self._is_starting = True
            if signals:
                # Python runs handlers in the main thread. If that starts the filter, they must not interrupt it before
                # somebody stops the filter again; if it does something else, they need not wait.
                self._service.watch_signals(hold=_is_main_thread(), reloads=self._on_reload is not None)
            try:
                with PROCESS.forks.ending_children():
                    yield
            except BaseException:
                self._service.leave_signals()
                if not self._has_begun:
                    PROCESS.begun = None
                raise
            finally:
                self._is_starting = False

    def _serve(self, listener: Listener, timeout: int | None) -> None:
        """Begin to serve `listener`, which the caller may close afterwards; within _starting()."""
        listener.keep_from_children()
        self._service.register(timeout=timeout)
        self._file = listener.file
        self._mask = signal.pthread_sigmask(signal.SIG_BLOCK, [])
        self._address = bound_address(listener)
        call_hook("on_start", self._settings.on_start)
        try:
            # A client may be waiting: everything that handlers may ask for is set before the first one can run.
            PROCESS.running = self
            self._has_begun = True
            warning = self._service.start(
                listener.fileno(),
                no_reply_over_tcp=self._settings.noreply_over_tcp,
                log_connections=logger.isEnabledFor(logging.DEBUG),
            )
        except BaseException:
            PROCESS.running = None
            self._call_on_stop()
            raise
        if warning:
            logger.warning("%s", warning)
        logger.info("listening on %s", self._address)

    def wait(self) -> None:
        """Wait until stop() is called, a signal came or libmilter ended. Python's signal handlers run meanwhile.

        In a forked child it returns at once: the filter is the parent's.
        """
        with PROCESS.forks.ending_children():
            self._wait()

    def _wait(self) -> None:
        is_main = _is_main_thread()
        started = time.monotonic() + STARTING
        is_reload_due = False
        while True:
            renew_every = RENEW_EVERY_AT_START if time.monotonic() < started else RENEW_EVERY
            # SIGTERM may have come together with SIGHUP, after it in the order of their numbers. It then wins.
            event, number = self._service.wait(0.0 if is_reload_due else None if is_main else renew_every)
            if self._is_of_parent:
                return
            if event == _core.EVENT_NOTHING and is_reload_due and self._on_reload is not None:
                is_reload_due = False
                self._reload(self._on_reload)
                continue
            if event in (_core.EVENT_NOTHING, _core.EVENT_INTERRUPTED):
                continue
            if number == signal.SIGHUP and self._on_reload is not None:
                is_reload_due = True
                continue
            if number is not None:
                self._drain.extend(self._settings.grace)
                logger.info("stopping on %s", signal.Signals(number).name)
            elif event == _core.EVENT_ENDED and not self._is_finishing and self._service.finish() == 0:
                # libmilter has a thread that takes these signals too, and does not report which one it was.
                logger.info("stopping on a signal that libmilter has taken")
                _thread.interrupt_main(signal.SIGTERM)
            elif event == _core.EVENT_STOP_REQUESTED:
                logger.info("stopping on request")
            return

    def _reload(self, on_reload: Hook) -> None:
        logger.info("reloading on SIGHUP")
        notify_reloading()
        status = "reloaded"
        try:
            call_hook("on_reload", on_reload)
        except KeyboardInterrupt:
            raise  # SIGINT came meanwhile, and is to end the filter
        except BaseException as error:
            logger.exception("the reload failed, and the filter serves as before: on_reload raised")
            status = f"the reload failed: {type(error).__name__}"
        notify("READY=1", f"STATUS={status}")

    def request_stop(self, grace: float = 0.0) -> None:
        """Make wait() return, and give finish() its `grace` in seconds; from any thread and handler, more than once."""
        self._request_stop(grace)

    def _request_stop(
        self, grace: float, *, for_connections: bool = False, refusing: Callable[[], None] | None = None
    ) -> None:
        if not self._is_of_parent:
            self._drain.ask(grace, for_connections, refusing)
            self._service.request_stop()

    def stop(self, grace: float = 0.0) -> None:
        """Stop serving and remove a unix socket; from any thread, more than once.

        No new connection is taken. In a handler, and while the filter starts (in `on_start`), stop() only asks for the
        stop and returns at once.

        Args:
            grace: How many seconds messages that are under way may go on; those left then get TEMPFAIL.

        Raises:
            MilterError: libmilter's loop had ended with a failure.
        """
        if _core.is_in_callback() or self._is_starting:
            threading.Thread(target=self._finish, args=(grace,), name="pymilter stop").start()
        else:
            self._check(self._finish(grace))

    def finish(self) -> None:
        """Stop after wait(), with the grace that its reason gives. Raises MilterError as stop() does."""
        self._check(self._finish())

    def _finish(self, grace: float | None = None) -> int:
        """Stop with `grace`, or with the one that was asked for, and return what smfi_main returned.

        A second call has no effect.
        """
        with PROCESS.starting:
            pass  # a handler may stop the filter while another thread is still starting it
        with self._finishing, PROCESS.forks.ending_children():
            if self._result is None and PROCESS.running is self:
                self._is_finishing = True
                try:
                    seconds = self._drain.grace if grace is None else grace
                    if seconds > 0:
                        self._remove_socket()
                        self._drain.run(seconds)
                finally:
                    if left := _core.messages_under_way():
                        logger.warning("%d messages are under way at the end, and may get no answer", left)
                    self._remove_socket()
                    self._result = self._service.finish()
                    PROCESS.running = None
                    logger.info("stopped listening on %s", self.address)
                    self._call_on_stop()
            return self._result or 0

    def _check(self, result: int) -> None:
        if result != 0:
            raise MilterError("libmilter's loop ended with a failure: syslog has its reason")

    def _remove_socket(self) -> None:
        # While it still listens: once it does not, another filter may put its own there.
        if self._file is not None:
            self._file.remove()
            self._file = None

    def _call_on_stop(self) -> None:
        if self._settings.on_stop is not None and not self._is_of_parent:
            wait_for_handlers(EXIT_GRACE)
            call_hook("on_stop", self._settings.on_stop)

    def _leave_to_parent(self) -> None:
        """In the child of a fork: the filter is the parent's."""
        self._is_of_parent = True
        self._finishing = threading.RLock()  # a thread that is not here may have held it
        if _core.is_in_callback():
            # libmilter's threads have signals blocked, but here this thread is the only one to take them.
            signal.pthread_sigmask(signal.SIG_SETMASK, self._mask)
        self._service.disown_in_child()


def _is_main_thread() -> bool:
    return threading.current_thread() is threading.main_thread()
