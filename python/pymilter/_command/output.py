"""What a subcommand prints: to a terminal or a pipe, which may be closed or full before it is done."""

from __future__ import annotations

import os
import sys
from collections.abc import Callable, Iterable
from contextlib import suppress
from typing import TextIO

from pymilter.testing._paint import Screen, clean


class Failure(Exception):  # noqa: N818 - it says what happened
    """A subcommand cannot go on; the text says why, and `status` is its exit status: 2 for wrong arguments."""

    def __init__(self, text: str, status: int = 1) -> None:
        super().__init__(text)
        self.status = status


class Output:
    """Prints lines to stdout, and complaints to stderr under the name of the program."""

    def __init__(self, program: str, out: TextIO) -> None:
        self.program = program
        self.screen = Screen.of(out)
        self.is_closed = False
        """True once nobody reads the output any more."""
        self._out = out

    def lines(self, lines: Iterable[str]) -> None:
        """Print lines; if nobody reads them any more, they are dropped silently.

        Raises:
            Failure: they cannot be written, because the disk is full for example.
        """
        if self.is_closed:
            return
        text = "".join(f"{line}\n" for line in lines)
        self._do(lambda: self._out.write(text))

    def flush(self) -> None:
        """Let the reader have what was printed so far."""
        if not self.is_closed:
            self._do(self._out.flush)

    def complain(self, text: str) -> None:
        """Print a complaint to stderr, which may have several lines."""
        with suppress(Failure):  # it comes up again at the end
            self.flush()
        with suppress(OSError):
            shown = "\n".join(clean(line) for line in text.split("\n"))
            print(f"{self.program}: {shown}", file=sys.stderr, flush=True)

    def finish(self, status: int) -> int:
        """Write what is left, and return the exit status: `status`, or 1 if that failed."""
        try:
            self.flush()
        except Failure as error:
            self.complain(str(error))
            return status or 1
        return status

    def _do(self, write: Callable[[], object]) -> None:
        try:
            write()
        except BrokenPipeError:
            self.give_up()
        except OSError as error:
            self.give_up()
            raise Failure(f"cannot write the output: {error.strerror}") from None

    def give_up(self) -> None:
        """Print nothing more; what is left in the buffer goes nowhere, so that Python's own flush does not fail."""
        self.is_closed = True
        with suppress(OSError, ValueError):
            os.dup2(os.open(os.devnull, os.O_WRONLY), self._out.fileno())
