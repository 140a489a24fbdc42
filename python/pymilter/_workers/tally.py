"""Sums what all workers have done: asks the living ones, and keeps the last report of those that have ended."""

import threading
from typing import Final, Protocol

from pymilter._observe.stats import Stats, at_the_end, total

# A worker that hangs must not delay whoever asks: after this many seconds its last known numbers are used.
ANSWER_WITHIN: Final = 1.0


class Asked(Protocol):
    """A worker that can be asked for its numbers; the answer goes to Tally.take()."""

    def ask(self) -> None: ...


class Tally:
    """The numbers of a supervisor's workers. Any thread may call the methods."""

    def __init__(self) -> None:
        self._changed = threading.Condition()
        self._living: dict[Asked, Stats] = {}
        self._awaited: set[Asked] = set()
        self._ended = total(())

    def take(self, worker: Asked, stats: Stats) -> None:
        """Store what `worker` has just reported."""
        with self._changed:
            self._living[worker] = stats
            self._awaited.discard(worker)
            self._changed.notify_all()

    def end(self, worker: Asked) -> None:
        """Add the last report of `worker`, which has ended, to the sums."""
        with self._changed:
            self._awaited.discard(worker)
            if (last := self._living.pop(worker, None)) is not None:
                self._ended = total((self._ended, at_the_end(last)))
            self._changed.notify_all()

    def ask(self) -> Stats:
        """Return the current sums."""
        with self._changed:
            for worker in self._living.keys() - self._awaited:
                self._awaited.add(worker)
                worker.ask()
            asked = set(self._awaited)
            self._changed.wait_for(lambda: not asked & self._awaited, ANSWER_WITHIN)
            return total((self._ended, *self._living.values()))
