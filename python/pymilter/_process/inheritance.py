"""What a worker process gets from its supervisor, as numbers in one environment variable."""

import os
from typing import Final, NamedTuple, Self

VARIABLE: Final = "PYMILTER_WORKER"


class Inheritance(NamedTuple):
    """The numbers that a supervisor passes to a worker; as text they are separated by commas."""

    listener: int
    """The descriptor of the listening socket."""
    line: int
    """The descriptor of the line to the supervisor."""
    stderr: int
    """The descriptor of the real stderr, which the worker takes once it serves; -1 if it has that already."""
    number: int
    """The worker's number, from 1."""
    memory: int | None = None
    """The descriptor of the memory by which workers share the connections."""
    slot: int = 0
    """The worker's slot in that memory."""

    def __str__(self) -> str:
        return ",".join(map(str, self if self.memory is not None else self[:4]))

    @classmethod
    def of_environment(cls) -> Self | None:
        """Read what the supervisor has written; None if this process was not started by one."""
        text = os.environ.get(VARIABLE)
        return None if text is None else cls(*map(int, text.split(",")))

    def descriptors(self) -> list[int]:
        """The descriptors that the worker must inherit."""
        wanted = (self.listener, self.line, self.stderr, self.memory)
        return [descriptor for descriptor in wanted if descriptor is not None and descriptor >= 0]
