"""Writes what `trace` follows to screen and recording, in a process of its own: no mail waits for a terminal."""

from __future__ import annotations

import os
import signal
import struct
import threading
from collections.abc import Callable, Iterator
from contextlib import suppress
from typing import IO, Final

from .dialogue import Dialogues
from .output import Failure, Output
from .relay import Event, Side, What

_MOST_WAITING: Final = 64 * 1024 * 1024
"""Bytes that may wait to be written; then the connections wait too."""
_PAUSE: Final = 0.02
"""Seconds between two batches: handing over each event by itself would be in the way of the connections."""
_NICENESS: Final = 10
"""The connections go first."""
_BATCH: Final = 1024 * 1024
_HEAD: Final = struct.Struct("!dQBBI")
_WHATS: Final = tuple(What)
_SIDES: Final = tuple(Side)
_NUMBERS: Final = {kind: number for kinds in (_WHATS, _SIDES) for number, kind in enumerate(kinds)}


class WriterProcess:
    """A child that writes events. Make it before any thread, since it is forked.

    Args:
        write: what the child does with the events; it returns the child's exit status.
        when_ended: called in this process when the child has ended before `finish`.
    """

    def __init__(self, write: Callable[[Iterator[list[Event]]], int], when_ended: Callable[[], None]) -> None:
        self._when_ended = when_ended
        self._waiting: list[bytes] = []
        self._size = 0
        self._has_ended = False
        self._changed = threading.Condition()
        self._over = threading.Event()
        receiver, self._pipe = os.pipe()
        self._pid = os.fork()
        if self._pid == 0:
            os.close(self._pipe)
            _be_the_child(receiver, write)
        os.close(receiver)
        self._thread = threading.Thread(target=self._hand_over, name="hand over", daemon=True)
        self._thread.start()

    def note(self, event: Event) -> None:
        """Take an event, from any thread; if too much has not been written yet, wait until it is."""
        head = _HEAD.pack(event.when, event.connection, _NUMBERS[event.what], _NUMBERS[event.side], len(event.data))
        with self._changed:
            while self._size > _MOST_WAITING and not self._has_ended:
                self._changed.wait()
            self._waiting += (head, event.data)
            self._size += len(head) + len(event.data)

    def finish(self) -> int:
        """Let the child write what is left, and return its exit status."""
        self._over.set()
        self._thread.join()
        _, status = os.waitpid(self._pid, 0)
        return 0 if status == 0 else 1

    def _hand_over(self) -> None:
        try:
            is_over = False
            while not is_over:
                is_over = self._over.wait(_PAUSE)
                with self._changed:
                    parts, self._waiting, self._size = self._waiting, [], 0
                    self._changed.notify_all()
                left = memoryview(b"".join(parts))
                while left:
                    left = left[os.write(self._pipe, left) :]
        except BrokenPipeError:
            self._when_ended()
        finally:
            with self._changed:
                self._has_ended = True
                self._changed.notify_all()
            os.close(self._pipe)


def _be_the_child(receiver: int, write: Callable[[Iterator[list[Event]]], int]) -> None:
    status = 1
    try:
        # Ctrl-C is for the whole foreground; the end of the pipe ends the child, when all is written.
        signal.signal(signal.SIGINT, signal.SIG_IGN)
        signal.signal(signal.SIGTERM, signal.SIG_IGN)
        with suppress(OSError):
            os.nice(_NICENESS)
        status = write(_batches(receiver))
    finally:
        os._exit(status)


def _batches(receiver: int) -> Iterator[list[Event]]:
    buffer = b""
    while piece := os.read(receiver, _BATCH):
        buffer += piece
        batch: list[Event] = []
        position = 0
        while len(buffer) - position >= _HEAD.size:
            when, connection, what, side, size = _HEAD.unpack_from(buffer, position)
            start, end = position + _HEAD.size, position + _HEAD.size + size
            if end > len(buffer):
                break
            batch.append(Event(when, connection, _WHATS[what], _SIDES[side], buffer[start:end]))
            position = end
        buffer = buffer[position:]
        yield batch


def write_events(
    batches: Iterator[list[Event]], dialogues: Dialogues, output: Output, shows: bool, recording: IO[str] | None
) -> int:
    """Write events to the screen and to the recording, if there are to be these, until neither takes them any more.

    What cannot be written is told once, and the other goes on. Returns 1 then, else 0.
    """
    status = 0
    for batch in batches:
        shown: list[str] | None = [] if shows else None
        recorded: list[str] | None = None if recording is None else []
        for event in batch:
            dialogues.follow(event, shown, recorded)
        if shown:
            try:
                output.lines(shown)
                output.flush()
            except Failure as error:
                output.complain(str(error))
                status = 1
            shows = not output.is_closed
        if recording is not None and recorded:
            try:
                recording.writelines(f"{line}\n" for line in recorded)
                recording.flush()
            except OSError as error:
                output.complain(f"cannot write {recording.name}: {error.strerror}; the recording is not complete")
                recording, status = None, 1
        if not shows and recording is None:
            break
    return status
