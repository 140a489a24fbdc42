"""One round of the soak: a filter, good and hostile clients, kills and reloads, and what must hold at the end."""

from __future__ import annotations

import json
import os
import random
import signal
import subprocess
import sys
import tempfile
import threading
import time
from collections import Counter
from collections.abc import Callable
from types import TracebackType
from typing import IO, Any, Self

from pymilter.testing import free_port, temporary_socket
from soak.watch import Sample, children, look, slope, zombies

SAMPLE_EVERY = 0.5
CLIENTS = 6
START = 15.0
END = 30.0
# Of the resident memory. A leak of one object a message, 100 bytes, would show as 100 KiB.
MOST_SLOPE = 20.0
# The line through so few messages tells of malloc's arenas more than of a leak.
FEWEST_MESSAGES = 20_000
# A worker that has been there as long as another: caches, arenas, threads.
MOST_RESIDENT = 60_000
# libmilter keeps threads of its pool for the next connections.
POOL = 16


class Program:
    """A part of the soak in a process of its own; its lines of JSON are taken as they come."""

    def __init__(self, *words: str, errors: IO[bytes] | None = None) -> None:
        self.lines: list[Any] = []
        self.process = subprocess.Popen(
            [sys.executable, "-m", *words], stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=errors
        )
        self._reader = threading.Thread(target=self._read)
        self._reader.start()

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.process.kill()
        self.wait()

    def _read(self) -> None:
        assert self.process.stdout is not None
        for line in self.process.stdout:
            self.lines.append(json.loads(line))

    def finish(self) -> int:
        """Close its stdin, and wait for its end."""
        assert self.process.stdin is not None
        self.process.stdin.close()
        return self.wait()

    def wait(self) -> int:
        """Its status; it is killed when it does not end."""
        try:
            status = self.process.wait(END + 60)
        except subprocess.TimeoutExpired:
            self.process.kill()
            status = self.process.wait()
        self._reader.join()
        return status


class Round:
    """`seconds` of load on a filter with `workers`, or in one process, over a socket of the `kind` unix or inet."""

    def __init__(self, workers: int, kind: str, seconds: float, seed: int) -> None:
        self.workers = workers
        self.kind = kind
        self._seconds = seconds
        self._source = random.Random(seed)
        self._seed = seed
        self._deeds: Counter[str] = Counter()
        self._samples: list[Sample] = []
        self._most = Sample(0, 0, 0, 0)
        self._zombies: set[int] = set()
        self.faults: list[str] = []

    def run(self) -> None:
        """All of it; what does not hold is in `faults` afterwards."""
        with temporary_socket() as path, tempfile.TemporaryFile() as self._errors:
            address = path if self.kind == "unix" else f"inet:{free_port()}@127.0.0.1"
            with Program("soak.filter", address, str(self.workers), errors=self._errors) as self._filter:
                self._soak(address)

    def _said(self) -> str:
        return os.pread(self._errors.fileno(), 1 << 24, 0).decode(errors="replace")

    def _soak(self, address: str) -> None:
        pid = self._filter.process.pid
        ready = f"{self.workers} workers serve" if self.workers else "listening on"
        if not self._becomes(lambda: ready in self._said(), START):
            self.faults.append(f"the filter has not started: {self._said()}")
            return
        before = self._look_at_all()
        with (
            Program("soak.good", address, f"{self._seed}g", str(CLIENTS)) as good,
            Program("soak.hostile", address, f"{self._seed}h") as hostile,
        ):
            self._watch(pid, good)
            self._need(hostile.finish() == 0, "the hostile clients failed")
            self._need(good.finish() == 0, "the good clients failed")
        self._look_afterwards(before)
        self._report(good, hostile)
        begun = time.monotonic()
        self._filter.process.terminate()
        status = self._filter.wait()
        print(f"  stopped within {time.monotonic() - begun:.2f} s with status {status}")
        self._need(status == 0, f"the filter ended with status {status}")
        for made_and_freed in self._filter.lines:
            made, freed = made_and_freed
            self._need(made == freed, f"{made} connections were made, {freed} freed")
        self._need(len(self._filter.lines) >= max(1, self.workers), "not all workers told their connections")
        said = [line for line in self._said().splitlines() if " ERROR " in line and " status -9" not in line]
        self._need(not said and "Traceback" not in self._said(), f"the filter said: {said[:5]}")

    def _watch(self, pid: int, good: Program) -> None:
        end = time.monotonic() + self._seconds
        next_deed = time.monotonic() + 2
        earlier: set[int] = set()
        while (now := time.monotonic()) < end:
            sample = look(pid, answered(good))
            if sample is None:
                self.faults.append(f"the filter is gone: {self._said()[-2000:]}")
                return
            self._samples.append(sample)
            for worker in filter(None, map(look, children(pid))):
                self._most = max(self._most, worker, key=lambda found: found.resident)
            # Its status may be taken just now; one that is there at two looks stays.
            self._zombies |= earlier & (earlier := zombies(pid))
            if self.workers and now >= next_deed:
                self._disturb(pid)
                next_deed = now + self._source.uniform(2, 6)
            time.sleep(SAMPLE_EVERY)

    def _disturb(self, pid: int) -> None:
        if self._source.random() < 0.5 and (workers := children(pid)):
            os.kill(self._source.choice(workers), signal.SIGKILL)
            self._deeds["workers killed"] += 1
        else:
            os.kill(pid, signal.SIGHUP)
            self._deeds["reloads"] += 1

    def _look_at_all(self) -> list[Sample]:
        pid = self._filter.process.pid
        return [found for found in map(look, [pid, *children(pid)]) if found is not None]

    def _look_afterwards(self, before: list[Sample]) -> None:
        """When all clients have gone, the same processes are there, and no more descriptors than before."""

        def are_flat() -> bool:
            now = self._look_at_all()
            return (
                len(now) == len(before)
                and max(found.descriptors for found in now) <= max(found.descriptors for found in before)
                and max(found.threads for found in now) <= max(found.threads for found in before) + POOL
            )

        self._need(self._becomes(are_flat, END), f"not as before: {self._look_at_all()}, before {before}")
        now = self._look_at_all()
        self._need(not zombies(self._filter.process.pid) and not self._zombies, f"zombies: {self._zombies}")
        print(f"{self.workers} workers, {self.kind}" if self.workers else f"one process, {self.kind}")
        for name in ("descriptors", "threads", "resident"):
            values = [[getattr(found, name) for found in found_at] for found_at in (before, now)]
            print(f"  {name}: {values[0]} before, {values[1]} after")

    def _report(self, good: Program, hostile: Program) -> None:
        last = good.lines[-1]
        counts = Counter[str](last["counts"])
        deeds = Counter[str](hostile.lines[-1]) + self._deeds
        messages, grows = counts["right"], slope(self._samples)
        print(f"  right answers: {messages}, wrong: {counts['wrong']}, broken off: {counts['cut']}")
        print(f"  of which {', '.join(f'{name} {counts[name]}' for name in sorted(counts))}")
        print(f"  hostile: {', '.join(f'{name} {deeds[name]}' for name in sorted(deeds))}")
        what = "of the supervisor" if self.workers else "of the filter"
        print(f"  memory {what}: {grows:+.1f} KiB per 1,000 messages, limit {MOST_SLOPE}")
        if self.workers:
            print(f"  largest worker: {self._most.resident} KiB, limit {MOST_RESIDENT}")
            self._need(self._most.resident < MOST_RESIDENT, "a worker has grown")
        self._need(counts["wrong"] == 0, f"wrong answers: {last['wrong']}")
        self._need(messages > 0, "no message was answered")
        self._need(self.workers > 0 or counts["cut"] == 0, f"broken off, and nobody was killed: {last['cut']}")
        self._need(messages < FEWEST_MESSAGES or grows < MOST_SLOPE, f"memory grows: {grows:+.1f}")

    def _need(self, holds: bool, fault: str) -> None:
        if not holds:
            self.faults.append(fault)

    @staticmethod
    def _becomes(holds: Callable[[], bool], seconds: float) -> bool:
        deadline = time.monotonic() + seconds
        while not holds():
            if time.monotonic() > deadline:
                return False
            time.sleep(0.05)
        return True


def answered(good: Program) -> int:
    """How many messages have got their answer so far."""
    return Counter[str](good.lines[-1]["counts"])["right"] if good.lines else 0
