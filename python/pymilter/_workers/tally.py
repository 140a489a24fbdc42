"""What all workers together have done: the living are asked, the last word of those that have ended is kept."""

import threading
from typing import Final, Protocol

from pymilter._observe.stats import Stats, at_the_end, total

# A worker that hangs must not keep who asks: after so many seconds its last known numbers count.
ANSWER_WITHIN: Final = 1.0


class Asked(Protocol):
    """A worker, as far as it can be asked for its numbers: they come to Tally.take()."""

    def ask(self) -> None: ...


class Tally:
    """The numbers of a supervisor's workers; all methods from any thread."""

    def __init__(self) -> None:
        self._changed = threading.Condition()
        self._living: dict[Asked, Stats] = {}
        self._awaited: set[Asked] = set()
        self._ended = total(())

    def take(self, worker: Asked, stats: Stats) -> None:
        """What `worker` has just told."""
        with self._changed:
            self._living[worker] = stats
            self._awaited.discard(worker)
            self._changed.notify_all()

    def end(self, worker: Asked) -> None:
        """`worker` has ended: what it told last is all that there will be of it."""
        with self._changed:
            self._awaited.discard(worker)
            if (last := self._living.pop(worker, None)) is not None:
                self._ended = total((self._ended, at_the_end(last)))
            self._changed.notify_all()

    def ask(self) -> Stats:
        """The sums as they stand now."""
        with self._changed:
            for worker in self._living.keys() - self._awaited:
                self._awaited.add(worker)
                worker.ask()
            asked = set(self._awaited)
            self._changed.wait_for(lambda: not asked & self._awaited, ANSWER_WITHIN)
            return total((self._ended, *self._living.values()))
