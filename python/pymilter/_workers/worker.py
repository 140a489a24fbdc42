"""A worker's own side: what it has from its supervisor, and listening to its word; in the worker's process."""

import contextlib
import os
import select
import socket
import threading
from collections.abc import Callable
from typing import Final

from pymilter._observe.counts import own_text
from pymilter._process.inheritance import VARIABLE, Inheritance
from pymilter._process.process import PROCESS
from pymilter._serve.inherited import InheritedSocket

# What the supervisor says on the line, a byte each: no new connections, end when the last is closed; stop, as the end
# of the line says too; tell your numbers.
RETIRE: Final = b"r"
STOP: Final = b"s"
ASK: Final = b"?"
# What the worker says on it, each a word before its numbers as a line: that it serves; that it has retired and takes no
# more connections; that it wants to be replaced; nothing but the numbers, asked for or the last.
SERVES: Final = "serves"
REFUSES: Final = "refuses"
SPENT: Final = "spent"
COUNTS: Final = "counts"
# How often a worker looks whether it should be replaced, in seconds.
LOOK_EVERY: Final = 1.0
STDERR: Final = 2
# How long the connections of a worker that has been replaced may last, in seconds.
RETIRE_GRACE: Final = 300.0


class Worker:
    """What a worker process has from its supervisor."""

    def __init__(self, inheritance: Inheritance) -> None:
        self._has = inheritance
        self._line = socket.socket(fileno=inheritance.line)
        self._telling = threading.Lock()

    @classmethod
    def of_this_process(cls) -> "Worker | None":
        """None where there is no supervisor above. Processes that the worker starts are no workers."""
        inheritance = PROCESS.inheritance
        if inheritance is None or os.environ.pop(VARIABLE, None) is None:
            return None
        for descriptor in inheritance.descriptors():
            os.set_inheritable(descriptor, False)
        return cls(inheritance)

    def listener(self) -> InheritedSocket:
        """The socket to serve."""
        return InheritedSocket(fileno=self._has.listener)

    def use_share(self, use: Callable[[int, int], None]) -> None:
        """Give `use` the memory, and this worker's slot in it, by which it shares the connections with others."""
        if self._has.memory is not None:
            use(self._has.memory, self._has.slot)
            os.close(self._has.memory)

    def watch(self, stop: Callable[[bool], None], is_spent: Callable[[], bool] | None = None) -> None:
        """Say that it serves, and call `stop` when it shall end: with True when it has been replaced.

        Asks to be replaced when `is_spent` is true, which is looked at again and again.
        """
        if self._has.stderr >= 0:
            # Until here the supervisor has passed on what was said, to know why a worker cannot start.
            os.dup2(self._has.stderr, STDERR)
            os.close(self._has.stderr)
        self.tell(SERVES)
        listening = threading.Thread(target=self._listen, args=(stop, is_spent), name="pymilter life line", daemon=True)
        listening.start()

    def tell(self, word: str = COUNTS) -> None:
        """Tell the supervisor, where there is one still, `word` and what this process has done."""
        with self._telling, contextlib.suppress(OSError):
            self._line.sendall(f"{word} {own_text()}\n".encode())

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
