"""The supervisor's side of one worker: its process, the line to it, and why it ended."""

import contextlib
import errno
import math
import os
import signal
import socket
import subprocess
import sys
import threading
import time
from collections.abc import Callable
from typing import Final

from pymilter._process.inheritance import VARIABLE, Inheritance
from pymilter._process.process import PROCESS
from pymilter._workers.last_words import LastWords
from pymilter._workers.slots import Slot
from pymilter._workers.worker import ASK, RETIRE, RETIRE_GRACE, STOP
from pymilter.errors import MilterError

# A worker that has not ended this many seconds after its grace is killed.
KILL_AFTER: Final = 8.0
# A retiring worker reports when it takes no more connections. The supervisor waits for that report this many seconds.
REFUSAL_TIME: Final = 5.0


def check_program() -> None:
    """Raise MilterError if the program cannot be run again: it was read from standard input, or typed."""
    if PROCESS.program in ("", "-"):
        raise MilterError(
            "workers= starts this program again in each worker, and what was read from standard input cannot be read"
            " again: put the program into a file"
        )


class Child:
    """A worker process, as the main thread of the supervisor sees it.

    A thread of its own passes each line that the worker sends to `hear`. `number` is unique among the living workers.
    The worker must serve within `start_timeout` seconds.
    The worker gives up its `slot` when it takes no more connections.

    Raises:
        OSError: the process cannot be started.
    """

    def __init__(
        self,
        listener: socket.socket,
        hear: Callable[["Child", str], None],
        number: int,
        start_timeout: float,
        slot: Slot | None = None,
    ) -> None:
        self._started = time.monotonic()
        self.number = number
        self.start_timeout = start_timeout
        self.is_wanted = True
        self.is_ready = False
        self.is_refusing = False
        self.is_spent = False
        self.is_late = False
        self.is_over = False
        self.has_begun = False
        self.failure = ""
        self._is_killed = False
        self._retired = -math.inf
        self._deadline = math.inf
        self._hear = hear
        self._slot = slot
        self._line, there = socket.socketpair()
        with there, LastWords.opened() as words:
            memory, slot_number = slot.for_worker if slot is not None else (None, 0)
            inheritance = Inheritance(listener.fileno(), there.fileno(), words.real, number, memory, slot_number)
            try:
                # A process group of its own: Ctrl-C at the terminal is for the supervisor, which passes it on.
                self.process = subprocess.Popen(
                    [sys.executable, *sys.orig_argv[1:]],
                    stderr=words.writer,
                    pass_fds=inheritance.descriptors(),
                    cwd=PROCESS.folder,
                    env={**os.environ, VARIABLE: str(inheritance)},
                    process_group=0,
                )
            except BaseException:
                self._line.close()
                raise
            self._words = words
            self._listening = threading.Thread(target=self._listen, name=f"pymilter worker {self.pid}", daemon=True)
            try:
                words.begin()
                self._listening.start()
            except RuntimeError as error:
                self.process.kill()
                self.process.wait()
                self._line.close()
                raise OSError(errno.EAGAIN, f"no thread to listen to it: {error}") from error

    @property
    def pid(self) -> int:
        """The process number of the worker."""
        return self.process.pid

    def reason(self) -> str:
        """Return how the worker ended, and what is known of the cause. Call this after close()."""
        status = self.process.returncode
        how = f"with status {status}{_signal_name(status)}"
        if self.failure:
            return f"{how}: {self.failure}"
        if self.is_ready:
            if self.is_over:
                return f"{how} after run() had returned" if status != 0 else how
            return f"{how} while it served or stopped"
        said = self._words.last_line()
        if self.is_late:
            how = f"{how}: it did not serve within {self.start_timeout:g} s"
            return f"{how}; the last it said: {said}" if said else f"{how}, and said nothing on stderr"
        if said and status > 0:
            return f"{how}: {said}"
        how = f"{how} before it {'served' if self.has_begun else 'came to run()'}"
        return f"{how}; the last it said: {said}" if said else f"{how}, and nothing on stderr says why"

    def is_lost(self) -> bool:
        """Whether the worker ended in another way than it was ordered to. Call this after its end."""
        return self.is_wanted or not (self._is_killed or self.process.returncode in (0, -signal.SIGTERM))

    def ask(self) -> None:
        """Ask the worker for its numbers. Any thread may call this."""
        self._say(ASK)

    def retire(self) -> None:
        """Let the worker take no more connections, and end with the last connection that it has."""
        self.is_wanted = False
        self._retired = time.monotonic()
        self._deadline = self._retired + RETIRE_GRACE + KILL_AFTER
        self._say(RETIRE)

    def stop(self, grace: float) -> None:
        """Let the worker stop as after SIGTERM, with `grace` in seconds."""
        self.is_wanted = False
        self._deadline = time.monotonic() + grace + KILL_AFTER
        self._say(STOP)
        if not self.is_ready:
            self.process.terminate()  # it may not read the line for a long time

    def give_up(self) -> None:
        """End a worker that does not serve yet, and so has nothing to lose."""
        self.is_wanted = False
        self._deadline = time.monotonic() + KILL_AFTER
        self.process.terminate()

    def may_still_accept(self) -> bool:
        """Whether the worker was just told to retire and has not yet reported that it takes no more connections."""
        return not self.is_refusing and time.monotonic() < self._retired + REFUSAL_TIME

    def give_up_slot(self) -> None:
        """Free the slot of a worker that takes no more connections. A second call does nothing."""
        if self._slot is not None:
            self._slot.give_back()
            self._slot = None

    def remaining(self) -> float:
        """Return the seconds until the worker must serve, or must have ended; infinite if it has no deadline."""
        is_starting = self.is_wanted and not self.is_ready
        deadline = self._started + self.start_timeout if is_starting else self._deadline
        return max(0.0, deadline - time.monotonic())

    def lived(self) -> float:
        """Return the seconds since the worker was started."""
        return time.monotonic() - self._started

    def kill(self) -> None:
        """Kill the worker. It counts as late if it was wanted and did not serve yet."""
        self.is_late = self.is_wanted and not self.is_ready
        self._is_killed = True
        self.process.kill()
        self.process.wait()

    def close(self) -> None:
        """Close the line after the worker's end, once `hear` has had all that the worker sent."""
        # A process that the worker forked may still hold the other end of the line.
        with contextlib.suppress(OSError):
            self._line.shutdown(socket.SHUT_RDWR)
        self._listening.join()
        self._line.close()
        self.give_up_slot()

    def _say(self, word: bytes) -> None:
        with contextlib.suppress(OSError):
            self._line.send(word, socket.MSG_DONTWAIT)

    def _listen(self) -> None:
        with self._line.makefile("r") as lines, contextlib.suppress(OSError):
            for text in lines:
                self._hear(self, text)


def _signal_name(status: int) -> str:
    """Return the name of the signal that ended a process with this status, in parentheses; "" if none did."""
    if status >= 0:
        return ""
    try:
        return f" ({signal.Signals(-status).name})"
    except ValueError:  # a real-time signal
        return ""
