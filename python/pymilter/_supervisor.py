"""Many processes on one socket: the supervisor opens it and keeps workers, which run the same program again."""

import logging
import select
import signal
import socket
import subprocess
import threading
import time
from types import FrameType
from typing import Final

from pymilter._child import Child
from pymilter._sockets import discard_listener
from pymilter._systemd import notify, notify_reloading, watchdog
from pymilter.errors import MilterError

logger = logging.getLogger("pymilter")

# A worker that ended sooner than this after its start has failed; after so many such in a row there is no hope.
QUICK: Final = 2.0
HOPELESS: Final = 6
FIRST_PAUSE: Final = 0.1
LONGEST_PAUSE: Final = 10.0
# Beyond their grace, workers get this long to end before they are killed.
KILL_AFTER: Final = 8.0


class Supervisor:
    """Keeps `count` workers serving `listener`, in the main thread of a process that serves nothing itself."""

    def __init__(self, listener: socket.socket, count: int, *, grace: float) -> None:
        if threading.current_thread() is not threading.main_thread():
            raise MilterError("workers are kept by the main thread: call run() there")
        self._listener = listener
        self._count = count
        self._grace = grace
        self._children: list[Child] = []
        self._to_replace: list[Child] = []
        self._failures = 0
        self._next_start = 0.0
        self._signals: list[int] = []
        self._reader, self._writer = socket.socketpair()
        self._reader.setblocking(False)
        self._writer.setblocking(False)

    def run(self) -> None:
        """Until SIGTERM or SIGINT: then all workers stop. SIGHUP replaces them. Raises MilterError if none can live."""
        numbers = (signal.SIGTERM, signal.SIGINT, signal.SIGHUP, signal.SIGCHLD)
        earlier = {number: signal.signal(number, self._note) for number in numbers}
        earlier_wakeup = signal.set_wakeup_fd(self._writer.fileno(), warn_on_full_buffer=False)
        try:
            with watchdog():
                self._keep()
        finally:
            notify("STOPPING=1")
            self._stop_all()
            signal.set_wakeup_fd(earlier_wakeup)
            for number, handler in earlier.items():
                signal.signal(number, handler)
            self._reader.close()
            self._writer.close()
        if signal.SIGINT in self._signals:
            raise KeyboardInterrupt

    def _note(self, number: int, frame: FrameType | None) -> None:
        if number != signal.SIGCHLD:
            self._signals.append(number)

    def _keep(self) -> None:
        was_ready = False
        while not {signal.SIGTERM, signal.SIGINT} & set(self._signals):
            if signal.SIGHUP in self._signals:
                self._signals.remove(signal.SIGHUP)
                logger.info("replacing %d workers", self._count)
                notify_reloading()
                was_ready = False
                self._to_replace = [child for child in self._children if child.is_wanted]
            self._start_missing()
            self._wait(self._pause())
            self._replace()
            self._reap()
            if not was_ready and self._is_complete() and not self._to_replace:
                was_ready = True
                logger.info("%d workers serve", self._count)
                notify("READY=1")

    def _wanted(self) -> list[Child]:
        return [child for child in self._children if child.is_wanted]

    def _is_complete(self) -> bool:
        return sum(child.is_ready for child in self._wanted()) >= self._count

    def _start_missing(self) -> None:
        # One more than usual while they are replaced: a worker goes only when another is there for it.
        goal = self._count + (1 if self._to_replace else 0)
        while len(self._wanted()) < goal and time.monotonic() >= self._next_start:
            child = Child(self._listener)
            self._children.append(child)
            logger.info("worker %d starts", child.pid)

    def _pause(self) -> float | None:
        goal = self._count + (1 if self._to_replace else 0)
        return max(0.0, self._next_start - time.monotonic()) if len(self._wanted()) < goal else None

    def _wait(self, seconds: float | None) -> None:
        starting = {child.ready: child for child in self._children if child.ready >= 0}
        readable, _, _ = select.select([self._reader.fileno(), *starting], [], [], seconds)
        for source in readable:
            if source == self._reader.fileno():
                self._reader.recv(4096)
            else:
                starting[source].read_ready()

    def _replace(self) -> None:
        while self._to_replace and len([child for child in self._wanted() if child.is_ready]) > self._count:
            child = self._to_replace.pop(0)
            logger.info("worker %d retires", child.pid)
            child.retire()

    def _reap(self) -> None:
        for child in [child for child in self._children if child.process.poll() is not None]:
            self._children.remove(child)
            if child in self._to_replace:
                self._to_replace.remove(child)
            was_wanted, lived = child.is_wanted, time.monotonic() - child.started
            child.close()
            log = logger.error if was_wanted else logger.info
            log("worker %d ended with status %d", child.pid, child.process.returncode)
            if was_wanted:
                self._count_failure(child, lived)

    def _count_failure(self, child: Child, lived: float) -> None:
        self._failures = self._failures + 1 if lived < QUICK or not child.is_ready else 0
        if self._failures >= HOPELESS:
            raise MilterError(
                f"{HOPELESS} workers in a row ended at once, the last with status {child.process.returncode}"
            )
        if self._failures:
            self._next_start = time.monotonic() + min(LONGEST_PAUSE, FIRST_PAUSE * 2 ** (self._failures - 1))

    def _stop_all(self) -> None:
        for child in self._children:
            child.stop()
        # The MTA is refused while they end; else its connections would wait here for nobody.
        discard_listener(self._listener)
        deadline = time.monotonic() + self._grace + KILL_AFTER
        for child in self._children:
            try:
                child.process.wait(max(0.0, deadline - time.monotonic()))
            except subprocess.TimeoutExpired:
                logger.error("worker %d does not end: killed", child.pid)
                child.process.kill()
                child.process.wait()
            child.close()
        self._children.clear()
