"""What /proc tells of the soaked filter, memory, descriptors, threads, zombies, and the line through its samples."""

from __future__ import annotations

import statistics
from collections.abc import Sequence
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path


@dataclass(frozen=True)
class Sample:
    """One process at one moment."""

    messages: int
    """How many messages the clients have seen answered so far."""
    resident: int
    """KiB."""
    descriptors: int
    threads: int


def look(pid: int, messages: int = 0) -> Sample | None:
    """How a process is now; None where it has gone."""
    folder = Path(f"/proc/{pid}")
    try:
        status = dict(line.split(":", 1) for line in (folder / "status").read_text().splitlines() if ":" in line)
        descriptors = len(list((folder / "fd").iterdir()))
        return Sample(messages, int(status["VmRSS"].split()[0]), descriptors, int(status["Threads"]))
    except (FileNotFoundError, ProcessLookupError, KeyError):  # a zombie has no VmRSS
        return None


def children(pid: int) -> list[int]:
    """The processes that `pid` has started; those that it has not taken the status of count."""
    found: list[int] = []
    for task in Path(f"/proc/{pid}/task").glob("*"):
        with suppress(FileNotFoundError, ProcessLookupError):  # a thread may have ended
            found += map(int, (task / "children").read_text().split())
    return found


def zombies(pid: int) -> set[int]:
    """The children of `pid` that have ended and that nobody has asked for yet."""
    return {child for child in children(pid) if state(child) == "Z"}


def state(pid: int) -> str:
    """Of a process, as ps has it: empty where there is none."""
    try:
        return Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0]
    except (FileNotFoundError, ProcessLookupError):
        return ""


def slope(samples: Sequence[Sample]) -> float:
    """KiB of resident memory for every 1,000 messages, by least squares over the second half of the samples."""
    half = samples[len(samples) // 2 :]
    if len({sample.messages for sample in half}) < 3:
        return 0.0
    line = statistics.linear_regression([sample.messages for sample in half], [sample.resident for sample in half])
    return line.slope * 1000
