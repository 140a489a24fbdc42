"""A worker's own side: what it has from its supervisor, and listening to its word; in the worker's process."""

import contextlib
import os
import socket
import threading
from collections.abc import Callable
from typing import ClassVar, Final

from pymilter._inherited import InheritedSocket
from pymilter._stats import own_text

# Tells a worker its descriptors: the listening socket, the line to its supervisor and, where it shares the connections
# with others, the memory for that with the number of its slot.
VARIABLE: Final = "PYMILTER_WORKER"
# What the supervisor says on the line, a byte each: no new connections, end when the last is closed; stop, as the end
# of the line says too; tell your numbers.
RETIRE: Final = b"r"
STOP: Final = b"s"
ASK: Final = b"?"
# What the worker says on it, each a word before its numbers as a line: that it serves; that it has retired and takes no
# more connections; nothing but the numbers, asked for or the last.
SERVES: Final = "serves"
REFUSES: Final = "refuses"
COUNTS: Final = "counts"
# How long the connections of a worker that has been replaced may last, in seconds.
RETIRE_GRACE: Final = 300.0


class Worker:
    """What a worker process has from its supervisor."""

    _is_here: ClassVar = False

    def __init__(self, listener: int, line: int, memory: int | None = None, slot: int = 0) -> None:
        self._listener = listener
        self._line = socket.socket(fileno=line)
        self._memory = memory
        self._slot = slot
        self._telling = threading.Lock()

    @classmethod
    def of_this_process(cls) -> "Worker | None":
        """None where there is no supervisor above. Processes that the worker starts are no workers."""
        text = os.environ.pop(VARIABLE, None)
        if text is None:
            return None
        numbers = [int(number) for number in text.split(",")]
        for descriptor in numbers[:3]:
            os.set_inheritable(descriptor, False)
        cls._is_here = True
        return cls(*numbers)

    @classmethod
    def is_here(cls) -> bool:
        """Whether this process has a supervisor above, from its start to its end."""
        return cls._is_here or VARIABLE in os.environ

    def listener(self) -> InheritedSocket:
        """The socket to serve."""
        return InheritedSocket(fileno=self._listener)

    def use_share(self, use: Callable[[int, int], None]) -> None:
        """Give `use` the memory, and this worker's slot in it, by which it shares the connections with others."""
        if self._memory is not None:
            use(self._memory, self._slot)
            os.close(self._memory)

    def watch(self, stop: Callable[[bool], None]) -> None:
        """Say that it serves, and call `stop` when it shall end: with True when it has been replaced."""
        self.tell(SERVES)
        threading.Thread(target=self._listen, args=(stop,), name="pymilter life line", daemon=True).start()

    def tell(self, word: str = COUNTS) -> None:
        """Tell the supervisor, where there is one still, `word` and what this process has done."""
        with self._telling, contextlib.suppress(OSError):
            self._line.sendall(f"{word} {own_text()}\n".encode())

    def _listen(self, stop: Callable[[bool], None]) -> None:
        with contextlib.suppress(OSError):
            while words := self._line.recv(4096):
                if ASK in words:
                    self.tell()
                if RETIRE in words:
                    stop(True)
                if STOP in words:
                    stop(False)
        stop(False)


def is_worker() -> bool:
    """Whether this process is one of run()'s `workers`, which run the program again, and not the one that starts them.

    For what the program does before run() and only one of them may: `if not pymilter.is_worker(): open_port()`.
    """
    return Worker.is_here()
