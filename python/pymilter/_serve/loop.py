"""libmilter's loop beside the calling thread: signals, draining, and the end of it at exit and in forked processes."""

import _thread
import logging
import math
import signal
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Final

from pymilter import _core
from pymilter._process.forked import ending_children
from pymilter._process.own_file import OwnFile
from pymilter._process.process import EXIT_GRACE, PROCESS
from pymilter._serve.address import Address, bound_address
from pymilter._serve.hooks import NO_HOOKS, Hook, Hooks, call_hook
from pymilter._serve.listener import Listener
from pymilter._serve.systemd import notify, notify_reloading
from pymilter.errors import MilterError

logger = logging.getLogger("pymilter")

# Python replaces our C handlers when signal.signal() is called while a filter runs beside the main thread: mostly while
# the program starts, so it is looked at often then.
RENEW_EVERY: Final = 0.5
RENEW_EVERY_AT_START: Final = 0.01
STARTING: Final = 5.0

# A signal lets messages that are under way go on for this long.
SIGNAL_GRACE: Final = 5.0
# At the end, messages that are left, and those that began too late, have this long to ask for their TEMPFAIL.
TEMPFAIL_TIME: Final = 1.0
LOOK_EVERY: Final = 0.005


class RunningLoop:
    """libmilter's loop for one filter, from its listening socket to its end."""

    def __init__(
        self,
        service: _core.Service,
        *,
        noreply_over_tcp: bool = True,
        signal_grace: float = SIGNAL_GRACE,
        hooks: Hooks = NO_HOOKS,
    ) -> None:
        self._service = service
        self._hooks = hooks
        self._noreply_over_tcp = noreply_over_tcp
        self._signal_grace = signal_grace
        self._grace = 0.0
        self._for_connections = False
        self._until = math.inf  # when the grace that is being given ends
        self._refusing: Callable[[], None] | None = None
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
    def address(self) -> Address:
        """Where it listens. Raises MilterError before start()."""
        if self._address is None:
            raise MilterError("the filter has not been started")
        return self._address

    @contextmanager
    def starting(self, *, signals: bool) -> Iterator[None]:
        """Around the opening of the socket and start(): who sees the socket may send the first signal."""
        with PROCESS.starting:
            if PROCESS.running is not None:
                # Before anything is touched that belongs to the filter that runs: its signals, its socket.
                raise MilterError("a filter is registered already: there is one filter in a process")
            PROCESS.begun = self
            self._is_starting = True
            if signals:
                # Python runs handlers in the main thread. Where that starts the filter, they must not interrupt it
                # before somebody stops the filter again; where it does something else, they need not wait.
                self._service.watch_signals(hold=_is_main_thread(), reloads=self._hooks.on_reload is not None)
            try:
                with ending_children():
                    yield
            except BaseException:
                self._service.leave_signals()
                if not self._has_begun:
                    PROCESS.begun = None
                raise
            finally:
                self._is_starting = False

    @property
    def is_starting(self) -> bool:
        """Whether it is within starting()."""
        return self._is_starting

    def start(self, listener: Listener) -> None:
        """Serve `listener`, which the caller may close afterwards. Within starting()."""
        listener.keep_from_children()
        self._file = listener.file
        self._mask = signal.pthread_sigmask(signal.SIG_BLOCK, [])
        self._address = bound_address(listener)
        call_hook("on_start", self._hooks.on_start)
        try:
            # All that handlers may ask for is there before the first one can run: a client may be waiting.
            PROCESS.running = self
            self._has_begun = True
            warning = self._service.start(
                listener.fileno(),
                no_reply_over_tcp=self._noreply_over_tcp,
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
        """Wait for the end or for a reason to end. In a forked child, return at once."""
        with ending_children():
            self._wait()

    def _wait(self) -> None:
        is_main = _is_main_thread()
        started = time.monotonic() + STARTING
        while True:
            renew_every = RENEW_EVERY_AT_START if time.monotonic() < started else RENEW_EVERY
            event, number = self._service.wait(None if is_main else renew_every)
            if self._is_of_parent:
                return
            if event in (_core.EVENT_NOTHING, _core.EVENT_INTERRUPTED):
                continue
            if number == signal.SIGHUP and self._hooks.on_reload is not None:
                self._reload(self._hooks.on_reload)
                continue
            if number is not None:
                self._grace = max(self._grace, self._signal_grace)
                logger.info("stopping on %s", signal.Signals(number).name)
            elif event == _core.EVENT_ENDED and not self._is_finishing and self._service.finish() == 0:
                # libmilter has a thread that takes these signals too, and does not tell which one it was.
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

    def request_stop(
        self, grace: float = 0.0, for_connections: bool = False, refusing: Callable[[], None] | None = None
    ) -> None:
        """Make wait() return, and give finish() its grace: for messages or for whole connections. From any thread.

        `refusing` is called, in finish(), when no new connection is taken any more. Waiting for connections gives way,
        when it has begun too, to a later request that is for messages.
        """
        if self._is_of_parent:
            return
        self._refusing = refusing or self._refusing
        if self._for_connections and not for_connections:
            self._grace = grace
            self._until = min(self._until, time.monotonic() + grace)
        else:
            self._grace = max(self._grace, grace)
        self._for_connections = for_connections
        self._service.request_stop()

    def finish(self, grace: float | None = None) -> int:
        """Stop libmilter's loop; the second time nothing happens. Returns what smfi_main returned.

        Messages that are under way go on for `grace` seconds: by default what request_stop() was told, or what signals
        are to give.
        """
        with PROCESS.starting:
            pass  # a handler may stop the filter while another thread is still starting it
        with self._finishing, ending_children():
            if self._result is None and PROCESS.running is self:
                self._is_finishing = True
                try:
                    self._drain(self._grace if grace is None else grace)
                finally:
                    if left := _core.messages_under_way():
                        logger.warning("%d messages are under way at the end, and may get no answer", left)
                    self._remove_socket()
                    self._result = self._service.finish()
                    PROCESS.running = None
                    logger.info("stopped listening on %s", self.address)
                    self._call_on_stop()
            return self._result or 0

    def _remove_socket(self) -> None:
        # While it still listens: once it does not, another filter may put its own there.
        if self._file is not None:
            self._file.remove()
            self._file = None

    def _call_on_stop(self) -> None:
        if self._hooks.on_stop is None or self._is_of_parent:
            return
        until = time.monotonic() + EXIT_GRACE
        while _core.counters()["in_flight"] > _core.is_in_callback() and time.monotonic() < until:
            time.sleep(LOOK_EVERY)
        call_hook("on_stop", self._hooks.on_stop)

    def leave_to_parent(self) -> None:
        """In the child of a fork: the filter is the parent's."""
        self._is_of_parent = True
        self._finishing = threading.RLock()  # a thread that is not here may have held it
        if _core.is_in_callback():
            # libmilter's threads have signals blocked, but here this thread is the only one to take them.
            signal.pthread_sigmask(signal.SIG_SETMASK, self._mask)
        self._service.disown_in_child()

    def _drain(self, grace: float) -> None:
        if grace <= 0:
            return
        self._remove_socket()
        self._service.stop_accepting()
        if self._refusing is not None:
            self._refusing()
        if not self._is_quiet_within(grace):
            logger.warning("%d messages are still under way after %g s: TEMPFAIL", _core.messages_under_way(), grace)
            _core.end_messages()
            self._service.answer_tempfail()
        # No message begins any more.
        until = time.monotonic() + TEMPFAIL_TIME
        while _core.messages_under_way() + _core.messages_too_late() > 0 and time.monotonic() < until:
            time.sleep(LOOK_EVERY)

    def _is_quiet_within(self, seconds: float) -> bool:
        """Wait until nothing that is to be waited for is or can get under way; false when that takes too long."""
        self._until = time.monotonic() + seconds
        while (self._for_connections and self._service.open_connections() > 0) or not _core.end_messages_when_none():
            if time.monotonic() >= self._until:
                return False
            time.sleep(LOOK_EVERY)
        return True


def _is_main_thread() -> bool:
    return threading.current_thread() is threading.main_thread()
