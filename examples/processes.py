"""A filter that gives its work to processes, forked or spawned: for work that keeps a processor busy.

python examples/processes.py unix:/tmp/processes.sock fork|spawn
"""

import argparse
import multiprocessing
import os
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
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("socket", help="where to listen")
    parser.add_argument("method", choices=["fork", "spawn"], help="how to start the processes")
    options = parser.parse_args()
    with ProcessPoolExecutor(2, multiprocessing.get_context(options.method)) as pool:
        run(Score, options.socket)
