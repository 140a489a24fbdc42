"""The list of living workers: starts them, receives their reports, and removes those that have ended."""

import itertools
import logging
import socket
from collections.abc import Callable
from typing import Final

from pymilter._observe.stats import stats_of_text
from pymilter._workers.child import Child
from pymilter._workers.slots import Slots
from pymilter._workers.tally import Tally
from pymilter._workers.worker import BEGINS, ENDS, FAILS, REFUSES, SERVES, SPENT

logger = logging.getLogger("pymilter")


class Crew:
    """The living workers of a supervisor. Only its main thread calls these methods.

    `wake` is called from other threads whenever a worker has reported something that the supervisor must act on.
    """

    def __init__(self, count: int, start_timeout: float, wake: Callable[[], None]) -> None:
        self._children: list[Child] = []
        self._slots = Slots(count) if count > 1 else None
        self._start_timeout = start_timeout
        self._wake = wake
        self.tally: Final = Tally()

    def wanted(self) -> list[Child]:
        """Return the workers that have no order to end."""
        return [child for child in self._children if child.is_wanted]

    def ready(self) -> list[Child]:
        """Return the wanted workers that serve."""
        return [child for child in self.wanted() if child.is_ready]

    def is_only_wanted(self) -> bool:
        """Whether no living worker has an order to end."""
        return len(self.wanted()) == len(self._children)

    def may_someone_else_accept(self) -> bool:
        """Whether a worker that has just been replaced may still take a connection."""
        return any(child.may_still_accept() for child in self._children)

    def remaining(self) -> float:
        """Return the seconds until the first deadline of a worker; infinite if none has one."""
        return min((child.remaining() for child in self._children), default=float("inf"))

    def start(self, listener: socket.socket) -> Child:
        """Start one more worker for `listener`. Raises OSError if the system refuses."""
        used = {child.number for child in self._children}
        number = next(number for number in itertools.count(1) if number not in used)
        slot = self._slots.take() if self._slots is not None else None
        try:
            child = Child(listener, self._hear, number, self._start_timeout, slot)
        except OSError:
            if slot is not None:
                slot.give_back()
            raise
        self._children.append(child)
        return child

    def give_up_slots(self) -> None:
        """Free the slots of workers that take no more connections."""
        for child in self._children:
            if child.is_refusing:
                child.give_up_slot()

    def stop(self, grace: float) -> None:
        """Let all workers stop as after SIGTERM, with `grace` in seconds."""
        for child in self._children:
            child.stop(grace)

    def kill_overdue(self) -> None:
        """Kill the workers whose deadline has passed."""
        for child in self._children:
            if child.remaining() == 0.0:
                child.kill()
                logger.error("worker %d does not %s: killed", child.pid, "come to serve" if child.is_late else "end")

    def kill_all(self) -> None:
        """Kill all workers."""
        for child in self._children:
            child.kill()

    def take_ended(self) -> list[Child]:
        """Remove the workers that have ended, and return them, once all their reports are counted."""
        ended = [child for child in self._children if child.process.poll() is not None]
        for child in ended:
            self._children.remove(child)
            child.close()
            self.tally.end(child)
        return ended

    def leave_to_parent(self) -> None:
        """In the child of a fork: the workers are the parent's, and must hear nothing from here."""
        self._children.clear()

    def close(self) -> None:
        """Free the shared memory, after the last worker's end."""
        if self._slots is not None:
            self._slots.close()

    def __len__(self) -> int:
        return len(self._children)

    def _hear(self, child: Child, text: str) -> None:
        """Handle one line that `child` has sent. The child's thread calls this."""
        word, _, rest = text.rstrip("\n").partition(" ")
        if word in (BEGINS, FAILS):
            child.has_begun = True
            child.failure = rest
            return
        try:
            self.tally.take(child, stats_of_text(rest))
        except (ValueError, KeyError, TypeError, AttributeError):
            # A killed worker may not have finished its line; a worker of another version may have other counters.
            logger.warning("worker %d tells numbers that cannot be read: %.80r", child.pid, text)
        child.is_over = child.is_over or word == ENDS
        if word in (SERVES, REFUSES, SPENT):
            child.is_ready = True
            child.is_refusing = child.is_refusing or word == REFUSES
            child.is_spent = child.is_spent or word == SPENT
            self._wake()
