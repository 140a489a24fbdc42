"""A filter that gives its work to processes, forked or spawned: for work that keeps a processor busy.

python examples/processes.py unix:/tmp/processes.sock fork|spawn
"""

import multiprocessing
import os
import sys
from concurrent.futures import ProcessPoolExecutor

from pymilter import CONTINUE, Base, Outcome, run

pool: ProcessPoolExecutor


def score(body: bytes) -> tuple[int, int]:
    """What stands here for hard work: the process that did it, and its result."""
    return os.getpid(), sum(body) % 1000


class Score(Base):
    """Adds X-Score to each message."""

    def __init__(self) -> None:
        super().__init__()
        self.chunks: list[bytes] = []

    def envfrom(self, mailfrom: str, *params: str) -> Outcome:
        """Forget the message before."""
        self.chunks.clear()
        return CONTINUE

    def body(self, chunk: bytes) -> Outcome:
        """Gather."""
        self.chunks.append(chunk)
        return CONTINUE

    def eom(self) -> Outcome:
        """Ask a process, and wait for it."""
        worker, result = pool.submit(score, b"".join(self.chunks)).result(timeout=60)
        self.addheader("X-Score", f"{result} {'elsewhere' if worker != os.getpid() else 'here'}")
        return CONTINUE


if __name__ == "__main__":
    with ProcessPoolExecutor(2, multiprocessing.get_context(sys.argv[2])) as pool:
        run(Score, sys.argv[1])
