"""Writes what `trace` follows to screen and recording, in a process of its own: no mail waits for a terminal."""

from __future__ import annotations

import fcntl
import os
import select
import signal
import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from types import FrameType
from typing import IO, Final

from .dialogue import Dialogues
from .output import Failure, Output
from .relay import Event, read_events

_NICENESS: Final = 10
"""The connections go first."""
_PIPE_SIZE: Final = 1024 * 1024
_F_SETPIPE_SZ: Final[int | None] = getattr(fcntl, "F_SETPIPE_SZ", None)
_PATIENCE: Final = 2.0
"""Seconds that a terminal gets at the end to show what is left."""


class WriterProcess:
    """A child that writes the events which come through a pipe. Make it before any thread, since it is forked.

    Args:
        pipe: the end to which this process will write; the child closes its own copy.
        receiver: the end from which the child reads.
        write: what the child does with the events; it returns the child's exit status.
    """

    def __init__(self, pipe: int, receiver: int, write: Callable[[Iterator[list[Event]], Patience], int]) -> None:
        if _F_SETPIPE_SZ is not None:
            with suppress(OSError):  # more than the system allows: it wakes more often then
                fcntl.fcntl(pipe, _F_SETPIPE_SZ, _PIPE_SIZE)
        self._has_ended = False
        self._life, life = os.pipe()
        before = signal.pthread_sigmask(signal.SIG_BLOCK, {signal.SIGUSR1})
        self._pid = os.fork()
        if self._pid == 0:
            os.close(pipe)
            _be_the_child(receiver, write)
        signal.pthread_sigmask(signal.SIG_SETMASK, before)
        os.close(receiver)
        os.close(life)

    def wait(self) -> None:
        """Wait until the child ends by itself, because nothing takes its output any more."""
        select.select([self._life], [], [])

    def hasten(self) -> None:
        """From now on a screen that takes nothing is given up after some seconds, or with the next signal to end.

        The recording is not given up.
        """

        def hasten(_number: int, _frame: FrameType | None) -> None:
            if not self._has_ended:
                os.kill(self._pid, signal.SIGUSR1)

        for number in (signal.SIGINT, signal.SIGTERM):
            signal.signal(number, hasten)
        os.kill(self._pid, signal.SIGUSR1)

    def finish(self) -> int:
        """Let the child write what is left in the pipe, which has ended, and return its exit status."""
        self.wait()
        self._has_ended = True
        _, status = os.waitpid(self._pid, 0)
        return 0 if status == 0 else 1


class _StandsStillError(Exception):
    """The screen accepts no more output."""


class Patience:
    """How long the child waits for the screen: as long as it takes until SIGUSR1 comes, then some seconds."""

    def __init__(self) -> None:
        self._is_showing = self._is_ending = False
        signal.signal(signal.SIGUSR1, self._end)
        signal.signal(signal.SIGALRM, self._give_up)
        signal.pthread_sigmask(signal.SIG_UNBLOCK, {signal.SIGUSR1})

    @contextmanager
    def showing(self, output: Output) -> Iterator[None]:
        """Print within this block. A screen that does not accept the output gets nothing more."""
        try:
            self._is_showing = True
            if self._is_ending:
                signal.setitimer(signal.ITIMER_REAL, _PATIENCE)
            yield
            self._is_showing = False
        except _StandsStillError:
            output.give_up()
        finally:
            self._is_showing = False
            signal.setitimer(signal.ITIMER_REAL, 0)

    def _end(self, number: int, frame: FrameType | None) -> None:
        if self._is_ending:
            self._give_up(number, frame)
        self._is_ending = True
        if self._is_showing:
            signal.setitimer(signal.ITIMER_REAL, _PATIENCE)

    def _give_up(self, _number: int, _frame: FrameType | None) -> None:
        if self._is_showing:
            self._is_showing = False
            raise _StandsStillError


def _be_the_child(receiver: int, write: Callable[[Iterator[list[Event]], Patience], int]) -> None:
    status = 1
    try:
        # Ctrl-C is for the whole foreground; the end of the pipe ends the child, when all is written.
        signal.signal(signal.SIGINT, signal.SIG_IGN)
        signal.signal(signal.SIGTERM, signal.SIG_IGN)
        with suppress(OSError):
            os.nice(_NICENESS)
        status = write(read_events(receiver), Patience())
    except BaseException:
        sys.excepthook(*sys.exc_info())  # as for any program that fails
    finally:
        os._exit(status)


def write_events(
    batches: Iterator[list[Event]],
    dialogues: Dialogues,
    output: Output,
    patience: Patience,
    shows: bool,
    recording: IO[str] | None,
) -> int:
    """Write events to the screen and to the recording, if there are to be these, until neither takes them any more.

    If one of them fails, that is reported once, and the other goes on. Returns 1 if one failed, otherwise 0.
    """
    status = 0
    for batch in batches:
        shown: list[str] | None = [] if shows else None
        recorded: list[str] | None = None if recording is None else []
        for event in batch:
            dialogues.follow(event, shown, recorded)
        if recording is not None and recorded:
            try:
                recording.writelines(f"{line}\n" for line in recorded)
                recording.flush()
            except OSError as error:
                with patience.showing(output):
                    output.complain(f"cannot write {recording.name}: {error.strerror}; the recording is not complete")
                recording, status = None, 1
        if shown:
            try:
                with patience.showing(output):
                    output.lines(shown)
                    output.flush()
            except Failure as error:
                output.complain(str(error))
                status = 1
            shows = not output.is_closed
        if not shows and recording is None:
            break
    return status
