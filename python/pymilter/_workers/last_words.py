"""Forwards what a worker writes to stderr until it serves, and keeps the last line as the reason of a failure."""

import contextlib
import os
import select
import threading
from collections.abc import Iterator
from typing import Final

from pymilter._workers.worker import LONGEST as LONGEST
from pymilter._workers.worker import STDERR as STDERR

# Number of bytes kept: enough for the last line of a traceback.
KEPT: Final = 4096
# More bytes than a pipe holds: one read takes all that is in it.
ALL: Final = 1 << 20
# Stands for a missing descriptor.
NONE: Final = -1


class LastWords:
    """A pipe in place of the stderr of one worker, until the worker serves and switches back to the real one."""

    def __init__(self, reader: int, writer: int | None, real: int) -> None:
        self._reader = reader
        self.writer = writer
        self.real = real
        self._kept = b""
        self._reading = threading.Lock()
        self._thread: threading.Thread | None = None

    @classmethod
    @contextlib.contextmanager
    def opened(cls) -> Iterator["LastWords"]:
        """Open the pipe to start a worker with: `writer` becomes its stderr, and it inherits `real` to switch back."""
        try:
            real = os.dup(STDERR)
        except OSError:  # this process has no stderr, so the worker gets none either
            yield cls(NONE, None, NONE)
            return
        try:
            reader, writer = os.pipe()
        except OSError:
            os.close(real)
            raise
        os.set_blocking(reader, False)
        words = cls(reader, writer, real)
        try:
            yield words
        finally:
            os.close(writer)
            os.close(real)
            if words._thread is None:
                os.close(reader)

    def begin(self) -> None:
        """Start the thread that forwards the output until all writers have closed the pipe."""
        if self._reader != NONE:
            thread = threading.Thread(target=self._pass_on, name="pymilter worker's stderr", daemon=True)
            thread.start()
            self._thread = thread

    def _pass_on(self) -> None:
        waiting = select.poll()
        waiting.register(self._reader, select.POLLIN)
        is_open = True
        while is_open:
            waiting.poll()
            is_open = self._take()
        with self._reading:
            os.close(self._reader)
            self._reader = NONE

    def _take(self) -> bool:
        """Forward and keep what is in the pipe now. Returns false if no more can come."""
        with self._reading:
            if self._reader == NONE:
                return False
            try:
                said = os.read(self._reader, ALL)
            except BlockingIOError:  # another thread has taken it
                return True
            self._kept = (self._kept + said)[-KEPT:]
            with contextlib.suppress(OSError):
                os.write(STDERR, said)
            return said != b""

    def last_line(self) -> str:
        """Return the last non-empty line in printable characters, or "". Call this after the worker's end."""
        # What the worker wrote is in the pipe, even if the thread has not come to it. The end of the pipe is not waited
        # for: processes that the worker started may keep it open.
        self._take()
        lines = [line.strip() for line in self._kept.decode(errors="backslashreplace").splitlines()]
        last = next(filter(None, reversed(lines)), "")[:LONGEST]
        return last if last.isprintable() else ascii(last)[1:-1]
