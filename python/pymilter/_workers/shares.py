"""The memory in which workers tell each other how many connections they have; in the supervisor."""

import mmap
import os
from typing import Final

from pymilter._core import BALANCE_SLOT

# A connection waits so long, in seconds, for a worker that has fewer than the one that could take it at once.
PATIENCE: Final = 0.01


class Slot:
    """One worker's part of the memory."""

    def __init__(self, shares: "Shares", number: int) -> None:
        self._shares = shares
        self._number = number

    @property
    def for_worker(self) -> tuple[int, int]:
        """What the worker must know: the descriptor of the memory, and the slot's number."""
        return self._shares.descriptor, self._number

    def give_back(self) -> None:
        """The worker takes no more connections."""
        self._shares.give_back(self._number)


class Shares:
    """The memory. C++ knows what is in a slot (cpp/core/balance/loads.hpp); where it is 0, nobody serves."""

    def __init__(self, workers: int) -> None:
        # One more serves while they are replaced; the rest is for such as hang and do not give up theirs.
        count = 2 * workers + 2
        self.descriptor = _open_memory()
        try:
            os.ftruncate(self.descriptor, count * BALANCE_SLOT)
            self._memory = mmap.mmap(self.descriptor, count * BALANCE_SLOT)
        except BaseException:
            os.close(self.descriptor)
            raise
        self._free = list(range(count))

    def take(self) -> Slot | None:
        """For a new worker. None when all are taken: it then serves without regard to the others."""
        return Slot(self, self._free.pop(0)) if self._free else None

    def give_back(self, number: int) -> None:
        """Clear a slot, and let another worker have it."""
        begin = number * BALANCE_SLOT
        self._memory[begin : begin + BALANCE_SLOT] = bytes(BALANCE_SLOT)
        self._free.append(number)

    def close(self) -> None:
        """After the last worker's end."""
        self._memory.close()
        os.close(self.descriptor)


def _open_memory() -> int:
    if hasattr(os, "memfd_create"):
        return os.memfd_create("pymilter")
    import tempfile  # Linux has memfd_create

    with tempfile.TemporaryFile() as file:
        return os.dup(file.fileno())
