"""The worker's side of the line: what it inherits from its supervisor, and how it listens to orders."""

import contextlib
import os
import select
import socket
import threading
from collections.abc import Callable
from typing import Final

from pymilter._observe.counts import own_text
from pymilter._observe.traceback import headline
from pymilter._process.inheritance import VARIABLE, Inheritance
from pymilter._process.process import PROCESS
from pymilter._serve.listener import Listener

# The supervisor's orders, one byte each: take no new connections and end with the last one; stop, which the end of the
# line means too; report your numbers.
RETIRE: Final = b"r"
STOP: Final = b"s"
ASK: Final = b"?"
# The worker's reports, each a line of a word and the numbers: it serves; it is retiring and takes no more connections;
# it wants to be replaced; its run() ends; nothing but the numbers, on request.
SERVES: Final = "serves"
REFUSES: Final = "refuses"
SPENT: Final = "spent"
ENDS: Final = "ends"
COUNTS: Final = "counts"
# And two without numbers: it has come to run(); run() raises the exception that is named after the word.
BEGINS: Final = "begins"
FAILS: Final = "fails"
# The longest reason for the end of a worker, in characters.
LONGEST: Final = 300
# A worker checks at this interval whether it should be replaced, in seconds.
LOOK_EVERY: Final = 1.0
STDERR: Final = 2
# The connections of a retiring worker may last this many seconds.
RETIRE_GRACE: Final = 300.0


class Worker:
    """What a worker process has inherited from its supervisor."""

    def __init__(self, inheritance: Inheritance) -> None:
        self._has = inheritance
        self._line = socket.socket(fileno=inheritance.line)
        self._telling = threading.Lock()
        PROCESS.not_for_children.add(self)

    @classmethod
    def of_this_process(cls) -> "Worker | None":
        """Return the worker, or None without a supervisor. Processes that a worker starts are not workers."""
        inheritance = PROCESS.inheritance
        if inheritance is None or os.environ.pop(VARIABLE, None) is None:
            return None
        for descriptor in inheritance.descriptors():
            os.set_inheritable(descriptor, False)
        return cls(inheritance)

    def listener(self) -> Listener:
        """The socket to serve."""
        return Listener(fileno=self._has.listener)

    def join_balance(self, use: Callable[[int, int], None]) -> None:
        """Call `use` with the shared memory and this worker's slot, by which the workers balance their connections."""
        if self._has.memory is not None:
            use(self._has.memory, self._has.slot)
            os.close(self._has.memory)

    def watch(self, stop: Callable[[bool], None], is_spent: Callable[[], bool] | None = None) -> None:
        """Report that this worker serves, and call `stop` when it is to end; with True if it has been replaced.

        `is_spent` is called every second; once it is true, the worker asks to be replaced.
        """
        if self._has.stderr >= 0:
            # Until now the supervisor has forwarded stderr, so that it can report why a worker cannot start.
            os.dup2(self._has.stderr, STDERR)
            os.close(self._has.stderr)
        self.tell(SERVES)
        listening = threading.Thread(target=self._listen, args=(stop, is_spent), name="pymilter life line", daemon=True)
        listening.start()

    def tell(self, word: str = COUNTS) -> None:
        """Send `word` and the numbers of this process to the supervisor, if it still lives."""
        self._send(f"{word} {own_text()}")

    def tell_beginning(self) -> None:
        """Report that the program has come to run()."""
        self._send(BEGINS)

    def tell_failure(self, error: BaseException) -> None:
        """Report the exception with which run() ends."""
        self._send(f"{FAILS} {headline(error)[:LONGEST]}")

    def leave_to_parent(self) -> None:
        """In the child of a fork: the line is the parent's."""
        self._telling = threading.Lock()  # a thread that is not here may have held it
        self._line.close()

    def _send(self, text: str) -> None:
        with self._telling, contextlib.suppress(OSError):
            self._line.sendall(f"{text}\n".encode())

    def _listen(self, stop: Callable[[bool], None], is_spent: Callable[[], bool] | None) -> None:
        with contextlib.suppress(OSError):
            while True:
                if is_spent is not None and not select.select([self._line], [], [], LOOK_EVERY)[0]:
                    if is_spent():
                        self.tell(SPENT)
                        is_spent = None
                    continue
                if not (words := self._line.recv(4096)):
                    break
                if ASK in words:
                    self.tell()
                if RETIRE in words:
                    stop(True)
                if STOP in words:
                    stop(False)
        stop(False)
