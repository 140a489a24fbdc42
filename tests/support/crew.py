"""A supervisor and its workers for a test: their program, and ways to question them."""

from __future__ import annotations

import contextlib
import os
import signal
import sys
import textwrap
from collections.abc import Callable, Iterator, Mapping
from pathlib import Path

from pymilter.testing import Client, FilterProcess
from support.wire import eventually, free_address

_PROGRAM = """
    import logging, os, signal, sys, time
    from pathlib import Path
    import pymilter
    from pymilter import *
    logging.basicConfig(level=logging.INFO, format="%(created).6f:%(message)s")
    REPLY = "{reply}"
    class Filter(Base):
        def hello(self, hostname):
            return Reject(550, "5.7.1", f"{{os.getpid()}} {{REPLY}}")
        def envfrom(self, *args):
            return CONTINUE
    {before}
    run(Filter, sys.argv[1], pid_file=sys.argv[2], {options})
    {after}
"""


class Name:
    """Something whose repr() is a name in the program."""

    def __init__(self, name: str) -> None:
        self._name = name

    def __repr__(self) -> str:
        return self._name


class Crew:
    """A supervisor and its workers: run() with `options`, and lines of source `before` and `after` it."""

    def __init__(
        self,
        folder: Path,
        address: str,
        before: str = "",
        after: str = "",
        env: Mapping[str, str] | None = None,
        python: Path | None = None,
        **options: object,
    ) -> None:
        self.program = folder / "program.py"
        self.pid_file = folder / "pid"
        self._parts = {"before": textwrap.dedent(before), "after": after}
        self._options = ", ".join(f"{name}={value!r}" for name, value in options.items())
        self.count = options.get("workers", 0)
        self.write("old")
        self.process = FilterProcess(
            [python or sys.executable, self.program, address, self.pid_file], address, timeout=20, env=env
        )

    def write(self, reply: str, before: str | None = None) -> None:
        """Write the program, whose filter replies `reply`, with other lines `before` if given."""
        if before is not None:
            self._parts["before"] = textwrap.dedent(before)
        self.program.write_text(textwrap.dedent(_PROGRAM).format(reply=reply, options=self._options, **self._parts))

    def wait_for(self, text: str, times: int = 1) -> None:
        """Wait until the log has `text` this many times."""
        eventually(lambda: self.process.stderr, lambda said: said.count(text) >= times)

    def wait_until_it_serves(self, times: int = 1) -> None:
        """Wait until all workers serve, for the first time or again after replacements."""
        self.wait_for(f"{self.count} workers serve" if self.count else "listening on", times)

    def log(self, text: str) -> list[float]:
        """Return the times at which lines with `text` were logged, in seconds."""
        lines = [line for line in self.process.stderr.splitlines() if text in line]
        return [float(line.partition(":")[0]) for line in lines if line[0].isdigit()]

    def ask(self) -> tuple[int, str]:
        """Return the number of the process that serves a connection, and the reply of its code."""
        with Client(self.process.address) as client:
            client.connect()
            reply = client.helo().text
        number, _, word = str(reply).partition(" ")
        return int(number), word

    def pids(self) -> set[int]:
        """Return the process numbers of the workers."""
        children = Path(f"/proc/{self.process.pid}/task/{self.process.pid}/children").read_text()
        return set(map(int, children.split()))


@contextlib.contextmanager
def serving(
    folder: Path,
    kind: str = "unix",
    *,
    before: str = "",
    after: str = "",
    env: Mapping[str, str] | None = None,
    python: Path | None = None,
    **options: object,
) -> Iterator[Crew]:
    """A crew that serves; see `Crew`."""
    with free_address(kind) as address:
        crew = Crew(folder, address, before, after, env, python, **options)
        with crew.process:
            crew.wait_until_it_serves()
            yield crew


def freeze(pid: int) -> None:
    """Send SIGSTOP, and wait until all threads have stopped, which takes a moment."""
    os.kill(pid, signal.SIGSTOP)
    tasks = Path(f"/proc/{pid}/task")
    eventually(
        lambda: {(task / "stat").read_text().rpartition(")")[2].split()[0] for task in tasks.iterdir()}, {"T"}.__eq__
    )


def is_alive(pid: int) -> bool:
    """Whether a process is running; a zombie is not."""
    try:
        return Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0] != "Z"
    except FileNotFoundError:
        return False


def gone(pids: set[int]) -> Callable[[], bool]:
    """Return a function that reports whether none of the processes is alive."""
    return lambda: not any(map(is_alive, pids))
