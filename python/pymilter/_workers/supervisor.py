"""Many processes on one socket: the supervisor opens it and keeps workers, which run the same program again."""

import contextlib
import logging
import math
import select
import signal
import socket
import threading
import time
from collections.abc import Iterator
from types import FrameType
from typing import Any, Final

from pymilter._process.process import PROCESS
from pymilter._serve.listener import Listener
from pymilter._serve.settings import Settings
from pymilter._serve.systemd import notify, notify_reloading, watchdog
from pymilter._workers.child import Child, check_program
from pymilter._workers.crew import Crew
from pymilter.errors import MilterError

logger = logging.getLogger("pymilter")

# A worker that ends within this many seconds after its start has failed. After HOPELESS failures in a row a reload is
# given up, or the service if nobody serves.
QUICK: Final = 2.0
HOPELESS: Final = 6
FIRST_PAUSE: Final = 0.1
LONGEST_PAUSE: Final = 10.0
# While there are retiring workers, their deadlines are checked at this interval, in seconds.
LOOK_EVERY: Final = 1.0

ENDING: Final = (signal.SIGTERM, signal.SIGINT)


class Supervisor:
    """Keeps workers serving one socket. It runs in the main thread of a process that serves nothing itself.

    Raises MilterError in another thread, and if the program cannot be run again.
    """

    def __init__(self, settings: Settings) -> None:
        if threading.current_thread() is not threading.main_thread():
            raise MilterError("workers are kept by the main thread: call run() there")
        check_program()
        self._count = settings.workers
        self._grace = settings.grace
        self._to_replace: list[Child] = []
        self._is_reloading = False
        self._is_announced = False
        self._failures = 0
        self._next_start = 0.0
        self._signals: list[int] = []
        self._earlier: dict[int, Any] = {}  # handlers by signal
        self._earlier_wakeup = -1
        self._is_of_parent = False  # in a forked child
        self._reader, self._writer = socket.socketpair()
        self._reader.setblocking(False)
        self._writer.setblocking(False)
        self._crew = Crew(settings.workers, settings.start_timeout, self._wake)

    @contextlib.contextmanager
    def taking_signals(self) -> Iterator[None]:
        """Handle signals from the opening of the socket to the end of run(). After SIGINT, raises KeyboardInterrupt."""
        numbers = (*ENDING, signal.SIGHUP, signal.SIGCHLD)
        # Set before anybody can ask this process for its numbers: they are the sums over its workers.
        PROCESS.ask_workers = self._crew.tally.ask
        PROCESS.not_for_children.add(self)
        self._earlier = {number: signal.signal(number, self._note) for number in numbers}
        self._earlier_wakeup = signal.set_wakeup_fd(self._writer.fileno(), warn_on_full_buffer=False)
        try:
            yield
        finally:
            self._give_signals_back()
            self._reader.close()
            self._writer.close()
            if signal.SIGINT in self._signals:
                raise KeyboardInterrupt

    def run(self, listener: Listener) -> None:
        """Keep the workers until SIGTERM or SIGINT, which stop them; a second of these signals kills them.

        SIGHUP replaces them. Raises MilterError if nobody serves and none can be started.
        """
        with PROCESS.forks.ending_children():
            try:
                with watchdog(), PROCESS.forks.ending_children():
                    self._keep(listener)
            finally:
                notify("STOPPING=1")
                self._stop_all(listener)
                self._crew.close()

    def leave_to_parent(self) -> None:
        """In the child of a fork: signals are the child's own, and the workers are none of its business."""
        self._is_of_parent = True
        self._give_signals_back()
        self._crew.leave_to_parent()
        PROCESS.ask_workers = None

    def _give_signals_back(self) -> None:
        signal.set_wakeup_fd(self._earlier_wakeup)
        for number, handler in self._earlier.items():
            signal.signal(number, handler)

    def _note(self, number: int, frame: FrameType | None) -> None:
        if number != signal.SIGCHLD:
            self._signals.append(number)

    def _keep(self, listener: Listener) -> None:
        while not self._is_of_parent and not set(ENDING) & set(self._signals):
            if signal.SIGHUP in self._signals:
                self._begin_reload()
            self._note_spent()
            self._start_missing(listener)
            self._wait(self._pause())
            self._replace()
            self._crew.give_up_slots()
            self._crew.kill_overdue()
            self._reap()
            if not self._is_announced and not self._is_of_parent and self._is_complete():
                self._is_announced = True
                self._is_reloading = False
                logger.info("%d workers serve", self._count)
                notify("READY=1", f"STATUS={self._count} workers serve")

    def _begin_reload(self) -> None:
        while signal.SIGHUP in self._signals:
            self._signals.remove(signal.SIGHUP)
        logger.info("replacing %d workers", self._count)
        notify_reloading()
        self._is_reloading = True
        self._is_announced = False
        self._failures = 0
        self._next_start = 0.0
        for child in self._crew.wanted():
            if not child.is_ready:
                child.give_up()  # it may have read the old program
        self._to_replace = self._crew.wanted()

    def _give_up_reload(self, reason: str) -> None:
        text = f"the reload failed: {reason}"
        logger.error("%s; %d workers serve as before, and the next SIGHUP tries again", text, len(self._crew.ready()))
        notify("READY=1", f"STATUS={text}")
        self._is_reloading = False
        self._is_announced = True
        self._to_replace = [child for child in self._to_replace if child.is_spent]

    def _note_spent(self) -> None:
        for child in self._crew.ready():
            if child.is_spent and child not in self._to_replace:
                logger.info("worker %d has done its part: it is replaced", child.pid)
                self._to_replace.append(child)

    def _is_complete(self) -> bool:
        is_replaced = not self._to_replace and not self._crew.may_someone_else_accept()
        return is_replaced and len(self._crew.ready()) >= self._count

    def _missing(self) -> int:
        # During a reload there is one more than usual: a worker goes only when its successor serves.
        # A child that was forked just now keeps no workers.
        return 0 if self._is_of_parent else self._count + bool(self._to_replace) - len(self._crew.wanted())

    def _start_missing(self, listener: Listener) -> None:
        while self._missing() > 0 and time.monotonic() >= self._next_start:
            try:
                child = self._crew.start(listener)
            except OSError as error:
                logger.error("a worker cannot be started: %s", error)
                self._count_failure(f"could not be started: {error}")
                continue
            logger.info("worker %d starts", child.pid)

    def _pause(self) -> float | None:
        """Return how many seconds there is nothing to do, unless a signal or a worker wakes this thread."""
        seconds = self._crew.remaining()
        if self._missing() > 0:
            seconds = min(seconds, max(0.0, self._next_start - time.monotonic()))
        if not self._crew.is_only_wanted():
            seconds = min(seconds, LOOK_EVERY)
        return None if seconds == math.inf else seconds

    def _wake(self) -> None:
        with contextlib.suppress(BlockingIOError):
            self._writer.send(b"\0")

    def _wait(self, seconds: float | None) -> None:
        select.select([self._reader], [], [], seconds)
        with contextlib.suppress(BlockingIOError):
            self._reader.recv(4096)

    def _replace(self) -> None:
        while self._to_replace and len(self._crew.ready()) > self._count:
            child = self._to_replace.pop(0)
            logger.info("worker %d retires", child.pid)
            child.retire()

    def _reap(self) -> None:
        ended = self._crew.take_ended()
        for child in ended:
            if child in self._to_replace:
                self._to_replace.remove(child)
            _log_end(child)
        for child in ended:
            if not child.is_wanted:
                continue
            if child.is_late:  # another one would hang too, and the operator has waited long enough
                self._fail("a", f"worker ended {child.reason()}")
            elif child.lived() < QUICK or not child.is_ready:
                self._count_failure(child.reason())
            else:
                self._failures = 0

    def _count_failure(self, reason: str) -> None:
        self._failures += 1
        if self._failures >= HOPELESS:
            self._fail(str(self._failures), f"workers in a row ended at once, the last {reason}")
        # Bounded, so that many failures do not overflow a float.
        doublings = min(self._failures - 1, HOPELESS * 2)
        self._next_start = time.monotonic() + min(LONGEST_PAUSE, FIRST_PAUSE * 2**doublings)

    def _fail(self, number: str, what: str) -> None:
        """Give up the service if nobody serves, otherwise the reload if there is one."""
        if not self._crew.ready():
            raise MilterError(f"{number} {what}")
        if self._is_reloading:
            self._give_up_reload(f"{number} new {what}")

    def _stop_all(self, listener: Listener) -> None:
        self._crew.stop(self._grace)
        # From now on the MTA cannot connect; otherwise its connections would wait for a worker that never comes.
        listener.discard()
        while len(self._crew) > 0:
            self._wait(self._crew.remaining())
            if sum(number in ENDING for number in self._signals) > 1:
                logger.warning("a second signal: %d workers are killed", len(self._crew))
                self._crew.kill_all()
            self._crew.kill_overdue()
            for child in self._crew.take_ended():
                _log_end(child)


def _log_end(child: Child) -> None:
    logger.log(logging.ERROR if child.is_lost() else logging.INFO, "worker %d ended %s", child.pid, child.reason())
