"""A filter with threads of its own: one that writes a journal, and a pool that looks things up.

python examples/threads.py unix:/tmp/threads.sock
"""

import argparse
import queue
import threading
from concurrent.futures import ThreadPoolExecutor

from pymilter import CONTINUE, Base, Outcome, Reject, run

pool = ThreadPoolExecutor(4)
journal: "queue.SimpleQueue[str | None]" = queue.SimpleQueue()


def write_journal() -> None:
    """Print one line after the other, so that handlers never wait for it."""
    while (line := journal.get()) is not None:
        print(line, flush=True)


def is_listed(sender: str) -> bool:
    """What stands here for a slow look-up."""
    return sender == "<spam@example.com>"


class Journal(Base):
    """Refuses listed senders and notes all of them."""

    def envfrom(self, mailfrom: str, *params: str) -> Outcome:
        """Look up in the pool; libmilter's thread waits, others go on."""
        listed = pool.submit(is_listed, mailfrom).result(timeout=10)
        journal.put(f"{mailfrom} {'refused' if listed else 'passed'}")
        return Reject(550, "5.7.1", "listed") if listed else CONTINUE


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("socket", help="where to listen")
    options = parser.parse_args()
    writer = threading.Thread(target=write_journal)
    writer.start()
    try:
        run(Journal, options.socket)
    finally:
        journal.put(None)
        writer.join()
        pool.shutdown()
