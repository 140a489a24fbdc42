"""The supervisor's side of the shared memory in which each worker publishes how many connections it has."""

import mmap
import os

from pymilter._core import BALANCE_SLOT


class Slot:
    """The part of the memory that belongs to one worker."""

    def __init__(self, slots: "Slots", number: int) -> None:
        self._slots = slots
        self._number = number

    @property
    def for_worker(self) -> tuple[int, int]:
        """The descriptor of the memory and the number of the slot, for the worker."""
        return self._slots.descriptor, self._number

    def give_back(self) -> None:
        """Free the slot: the worker takes no more connections."""
        self._slots.give_back(self._number)


class Slots:
    """The memory. C++ defines what is in a slot (cpp/core/balance/loads.hpp); a slot of zeros is free."""

    def __init__(self, workers: int) -> None:
        # During a reload there is one worker more; the other slots are for workers that hang and do not give up theirs.
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
        """Return a free slot for a new worker. None if all are taken: the worker then ignores the others' load."""
        return Slot(self, self._free.pop(0)) if self._free else None

    def give_back(self, number: int) -> None:
        """Clear a slot, and let another worker have it."""
        begin = number * BALANCE_SLOT
        self._memory[begin : begin + BALANCE_SLOT] = bytes(BALANCE_SLOT)
        self._free.append(number)

    def close(self) -> None:
        """Free the memory, after the last worker's end."""
        self._memory.close()
        os.close(self.descriptor)


def _open_memory() -> int:
    if hasattr(os, "memfd_create"):
        return os.memfd_create("pymilter")
    import tempfile  # Linux has memfd_create

    with tempfile.TemporaryFile() as file:
        return os.dup(file.fileno())
