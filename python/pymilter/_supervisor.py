"""Many processes on one socket: the supervisor opens it and keeps workers, which run the same program again."""

import contextlib
import logging
import select
import signal
import socket
import subprocess
import threading
import time
from collections.abc import Iterator
from types import FrameType
from typing import Final

from pymilter._child import Child
from pymilter._shares import Shares
from pymilter._sockets import discard_listener
from pymilter._stats import stats_of_text
from pymilter._systemd import notify, notify_reloading, watchdog
from pymilter._tally import Tally
from pymilter._worker import REFUSES, SERVES
from pymilter.errors import MilterError

logger = logging.getLogger("pymilter")

# A worker that ended sooner than this after its start has failed; after so many such in a row there is no hope.
QUICK: Final = 2.0
HOPELESS: Final = 6
FIRST_PAUSE: Final = 0.1
LONGEST_PAUSE: Final = 10.0
# While workers that have been replaced live on, their deadlines are looked at so often.
LOOK_EVERY: Final = 1.0


class Supervisor:
    """Keeps `count` workers serving one socket, in the main thread of a process that serves nothing itself."""

    def __init__(self, count: int, *, grace: float) -> None:
        if threading.current_thread() is not threading.main_thread():
            raise MilterError("workers are kept by the main thread: call run() there")
        self._count = count
        self._grace = grace
        self._children: list[Child] = []
        self._shares = Shares(count) if count > 1 else None
        self._to_replace: list[Child] = []
        self._failures = 0
        self._next_start = 0.0
        self._signals: list[int] = []
        self._tally = Tally()
        self._reader, self._writer = socket.socketpair()
        self._reader.setblocking(False)
        self._writer.setblocking(False)

    @contextlib.contextmanager
    def taking_signals(self) -> Iterator[None]:
        """Around the opening of the socket and run(): raises KeyboardInterrupt at the end, when there was SIGINT."""
        numbers = (signal.SIGTERM, signal.SIGINT, signal.SIGHUP, signal.SIGCHLD)
        earlier = {number: signal.signal(number, self._note) for number in numbers}
        earlier_wakeup = signal.set_wakeup_fd(self._writer.fileno(), warn_on_full_buffer=False)
        try:
            yield
        finally:
            signal.set_wakeup_fd(earlier_wakeup)
            for number, handler in earlier.items():
                signal.signal(number, handler)
            self._reader.close()
            self._writer.close()
            if signal.SIGINT in self._signals:
                raise KeyboardInterrupt

    def run(self, listener: socket.socket) -> None:
        """Until SIGTERM or SIGINT: then all workers stop. SIGHUP replaces them. Raises MilterError if none can live."""
        Tally.of_this_process = self._tally
        try:
            with watchdog():
                self._keep(listener)
        finally:
            notify("STOPPING=1")
            self._stop_all(listener)
            if self._shares is not None:
                self._shares.close()

    def _note(self, number: int, frame: FrameType | None) -> None:
        if number != signal.SIGCHLD:
            self._signals.append(number)

    def _keep(self, listener: socket.socket) -> None:
        was_ready = False
        while not {signal.SIGTERM, signal.SIGINT} & set(self._signals):
            if signal.SIGHUP in self._signals:
                self._signals.remove(signal.SIGHUP)
                logger.info("replacing %d workers", self._count)
                notify_reloading()
                was_ready = False
                self._to_replace = self._wanted()
            self._start_missing(listener)
            self._wait(self._pause())
            self._replace()
            for child in self._children:
                if child.is_refusing:
                    child.give_up_share()
            self._kill_overdue()
            self._reap()
            if not was_ready and self._is_complete():
                was_ready = True
                logger.info("%d workers serve", self._count)
                notify("READY=1")

    def _wanted(self) -> list[Child]:
        return [child for child in self._children if child.is_wanted]

    def _ready(self) -> list[Child]:
        return [child for child in self._children if child.is_wanted and child.is_ready]

    def _is_complete(self) -> bool:
        is_replaced = not self._to_replace and not any(child.may_still_accept() for child in self._children)
        return is_replaced and len(self._ready()) >= self._count

    def _missing(self) -> int:
        # One more than usual while they are replaced: a worker goes only when another is there for it.
        return self._count + bool(self._to_replace) - len(self._wanted())

    def _start_missing(self, listener: socket.socket) -> None:
        while self._missing() > 0 and time.monotonic() >= self._next_start:
            child = Child(listener, self._hear, self._shares.take() if self._shares is not None else None)
            self._children.append(child)
            logger.info("worker %d starts", child.pid)

    def _pause(self) -> float | None:
        if self._missing() > 0:
            return max(0.0, self._next_start - time.monotonic())
        return None if len(self._wanted()) == len(self._children) else LOOK_EVERY

    def _wait(self, seconds: float | None) -> None:
        select.select([self._reader], [], [], seconds)
        with contextlib.suppress(BlockingIOError):
            self._reader.recv(4096)

    def _hear(self, child: Child, text: str) -> None:
        """What it tells, in its own thread here."""
        word, _, numbers = text.partition(" ")
        try:
            self._tally.take(child, stats_of_text(numbers))
        except (ValueError, KeyError, TypeError, AttributeError):
            # One that was killed has not finished its line; one that is of another version may count otherwise.
            logger.warning("worker %d tells numbers that cannot be read: %.80r", child.pid, text)
        if word in (SERVES, REFUSES):
            child.is_ready = True
            child.is_refusing = word == REFUSES
            with contextlib.suppress(BlockingIOError):
                self._writer.send(b"\0")

    def _replace(self) -> None:
        while self._to_replace and len(self._ready()) > self._count:
            child = self._to_replace.pop(0)
            logger.info("worker %d retires", child.pid)
            child.retire()

    def _kill_overdue(self) -> None:
        for child in self._children:
            if child.remaining() == 0.0:
                self._kill(child)

    def _kill(self, child: Child) -> None:
        logger.error("worker %d does not end: killed", child.pid)
        child.process.kill()
        child.process.wait()

    def _reap(self) -> None:
        for child in [child for child in self._children if child.process.poll() is not None]:
            if child in self._to_replace:
                self._to_replace.remove(child)
            was_wanted, lived = child.is_wanted, time.monotonic() - child.started
            self._bury(child)
            log = logger.error if was_wanted else logger.info
            log("worker %d ended with status %d", child.pid, child.process.returncode)
            if was_wanted:
                self._count_failure(child, lived)

    def _bury(self, child: Child) -> None:
        self._children.remove(child)
        child.close()
        self._tally.end(child)

    def _count_failure(self, child: Child, lived: float) -> None:
        self._failures = self._failures + 1 if lived < QUICK or not child.is_ready else 0
        if self._failures >= HOPELESS:
            raise MilterError(
                f"{HOPELESS} workers in a row ended at once, the last with status {child.process.returncode}"
            )
        if self._failures:
            self._next_start = time.monotonic() + min(LONGEST_PAUSE, FIRST_PAUSE * 2 ** (self._failures - 1))

    def _stop_all(self, listener: socket.socket) -> None:
        for child in self._children:
            child.stop(self._grace)
        # The MTA is refused while they end; else its connections would wait here for nobody.
        discard_listener(listener)
        for child in self._children.copy():
            try:
                child.process.wait(child.remaining())
            except subprocess.TimeoutExpired:
                self._kill(child)
            self._bury(child)
