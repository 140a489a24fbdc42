"""The supervisor's side of one worker: its process and the pipes to it; in the supervisor's main thread."""

import contextlib
import os
import socket
import subprocess
import sys
import time
from typing import Final

from pymilter._worker import RETIRE, VARIABLE

# The program may change these before it calls run().
_FOLDER: Final = os.getcwd()  # noqa: PTH109


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
