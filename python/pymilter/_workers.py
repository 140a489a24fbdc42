"""Many processes on one socket: a supervisor opens it and keeps workers, which run the same program again."""

import contextlib
import logging
import os
import select
import signal
import socket
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from types import FrameType
from typing import Final

from pymilter._sockets import InheritedSocket
from pymilter._systemd import notify, notify_reloading, watchdog
from pymilter.errors import MilterError

logger = logging.getLogger("pymilter")

# Tells a worker its descriptors: the listening socket, where it says that it is ready, and the supervisor's life line.
VARIABLE: Final = "PYMILTER_WORKER"
# On the life line: no new connections, end when the last is closed. The end of the line: stop.
RETIRE: Final = b"r"
# How long the connections of a worker that has been replaced may last, in seconds.
RETIRE_GRACE: Final = 300.0
# A worker that ended sooner than this after its start has failed; after so many such in a row there is no hope.
QUICK: Final = 2.0
HOPELESS: Final = 6
FIRST_PAUSE: Final = 0.1
LONGEST_PAUSE: Final = 10.0
# Beyond their grace, workers get this long to end before they are killed.
KILL_AFTER: Final = 8.0

# The program may change these before it calls run().
_FOLDER: Final = os.getcwd()  # noqa: PTH109


class Worker:
    """What a worker process has from its supervisor."""

    def __init__(self, listener: int, ready: int, life_line: int) -> None:
        self._listener = listener
        self._ready = ready
        self._life_line = life_line

    @classmethod
    def of_this_process(cls) -> "Worker | None":
        """None where there is no supervisor above. Processes that the worker starts are no workers."""
        text = os.environ.pop(VARIABLE, None)
        if text is None:
            return None
        listener, ready, life_line = map(int, text.split(","))
        for descriptor in (listener, ready, life_line):
            os.set_inheritable(descriptor, False)
        return cls(listener, ready, life_line)

    def listener(self) -> InheritedSocket:
        """The socket to serve."""
        return InheritedSocket(fileno=self._listener)

    def watch(self, stop: Callable[[bool], None]) -> None:
        """Say that it serves, and call `stop` when it shall end: with True when it has been replaced."""
        os.write(self._ready, b"1")
        os.close(self._ready)

        def wait() -> None:
            while word := os.read(self._life_line, 1):
                stop(word == RETIRE)
            stop(False)

        threading.Thread(target=wait, name="pymilter life line", daemon=True).start()


class Child:
    """The supervisor's side of a worker."""

    def __init__(self, listener: socket.socket) -> None:
        self.started = time.monotonic()
        self.is_wanted = True
        self.is_ready = False
        self.ready, ready_there = os.pipe()
        life_line_there, self._life_line = os.pipe()
        passed = (listener.fileno(), ready_there, life_line_there)
        try:
            # A process group of its own: Ctrl-C at the terminal is for the supervisor, which passes it on.
            self.process = subprocess.Popen(
                [sys.executable, *sys.orig_argv[1:]],
                pass_fds=passed,
                cwd=_FOLDER,
                env={**os.environ, VARIABLE: ",".join(map(str, passed))},
                process_group=0,
            )
        finally:
            os.close(ready_there)
            os.close(life_line_there)

    @property
    def pid(self) -> int:
        """Its process number."""
        return self.process.pid

    def read_ready(self) -> None:
        """After `ready` has something to read: its word, or that it has ended."""
        self.is_ready = os.read(self.ready, 1) == b"1"
        os.close(self.ready)
        self.ready = -1

    def retire(self) -> None:
        """Let it take no more connections, and end with the last of those it has."""
        self.is_wanted = False
        with contextlib.suppress(BrokenPipeError):
            os.write(self._life_line, RETIRE)

    def stop(self) -> None:
        """Let it stop as SIGTERM would."""
        self.is_wanted = False
        if self._life_line >= 0:
            os.close(self._life_line)
            self._life_line = -1

    def close(self) -> None:
        """After its end."""
        self.stop()
        if self.ready >= 0:
            os.close(self.ready)
            self.ready = -1


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


@contextlib.contextmanager
def keep_pid_file(path: str | os.PathLike[str] | None) -> Iterator[None]:
    """A file with the number of this process, there meanwhile. Raises OSError when it cannot be written."""
    if path is None:
        yield
        return
    file, text = Path(path), f"{os.getpid()}\n"
    fresh = file.with_name(f"{file.name}.{os.getpid()}")
    try:
        fresh.write_text(text)
        fresh.replace(file)
        yield
    finally:
        fresh.unlink(missing_ok=True)
        with contextlib.suppress(OSError):
            if file.read_text() == text:
                file.unlink()
