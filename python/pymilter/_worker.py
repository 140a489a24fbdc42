"""A worker's own side: what it has from its supervisor, and listening to its word; in the worker's process."""

import os
import threading
from collections.abc import Callable
from typing import Final

from pymilter._inherited import InheritedSocket

# Tells a worker its descriptors: the listening socket, where it says that it is ready, and the supervisor's life line.
VARIABLE: Final = "PYMILTER_WORKER"
# On the life line: no new connections, end when the last is closed. The end of the line: stop.
RETIRE: Final = b"r"
# How long the connections of a worker that has been replaced may last, in seconds.
RETIRE_GRACE: Final = 300.0


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
