"""What a worker says on stderr until it serves: passed on as it comes, and its end kept as the reason of a failure."""

import contextlib
import os
import threading
from collections.abc import Iterator
from typing import Final

STDERR: Final = 2
# How much is kept, in bytes: the last line of a traceback is wanted.
KEPT: Final = 4096
# The longest reason, in characters.
LONGEST: Final = 300
# Processes that the worker has started may keep its stderr open: the reason is not waited for any longer.
PATIENCE: Final = 1.0
# Put in the place of a descriptor that there is none of.
NONE: Final = -1


class LastWords:
    """A pipe that stands in for the stderr of one worker, which goes back to the real one when it serves."""

    def __init__(self, reader: int, writer: int | None, real: int) -> None:
        self._reader = reader
        self.writer = writer
        self.real = real
        self._kept = b""
        self._thread: threading.Thread | None = None

    @classmethod
    @contextlib.contextmanager
    def opened(cls) -> Iterator["LastWords"]:
        """Around the start of the worker, which gets `writer` as stderr and `real` to go back to; then begin()."""
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
        words = cls(reader, writer, real)
        try:
            yield words
        finally:
            os.close(writer)
            os.close(real)
            if words._thread is None:
                os.close(reader)

    def begin(self) -> None:
        """Pass on what is said, in a thread, until nobody can say any more."""
        if self._reader != NONE:
            thread = threading.Thread(target=self._pass_on, name="pymilter worker's stderr", daemon=True)
            thread.start()
            self._thread = thread

    def _pass_on(self) -> None:
        try:
            while said := os.read(self._reader, KEPT):
                self._kept = (self._kept + said)[-KEPT:]
                with contextlib.suppress(OSError):
                    os.write(STDERR, said)
        finally:
            os.close(self._reader)

    def last_line(self) -> str:
        """After the worker's end: the last line that is not empty, in printable characters; "" if there is none."""
        if self._thread is not None:
            self._thread.join(PATIENCE)
        lines = [line.strip() for line in self._kept.decode(errors="backslashreplace").splitlines()]
        last = next(filter(None, reversed(lines)), "")[:LONGEST]
        return last if last.isprintable() else ascii(last)[1:-1]
