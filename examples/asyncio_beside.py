"""A filter beside an asyncio loop: handlers hand coroutines to a loop in another thread and wait for the result.

python examples/asyncio_beside.py unix:/tmp/asyncio.sock
"""

import argparse
import asyncio
import threading

from pymilter import CONTINUE, Base, Outcome, Reject, run

loop = asyncio.new_event_loop()


async def look_up(sender: str) -> bool:
    """What stands here for a query that an asyncio library makes."""
    await asyncio.sleep(0)
    return sender == "<spam@example.com>"


class Lookup(Base):
    """Refuses listed senders."""

    def envfrom(self, mailfrom: str, *params: str) -> Outcome:
        """Wait in libmilter's thread while the loop serves all connections."""
        listed = asyncio.run_coroutine_threadsafe(look_up(mailfrom), loop).result(timeout=10)
        return Reject(550, "5.7.1", "listed") if listed else CONTINUE


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("socket", help="where to listen")
    options = parser.parse_args()
    thread = threading.Thread(target=loop.run_forever)
    thread.start()
    try:
        run(Lookup, options.socket)
    finally:
        loop.call_soon_threadsafe(loop.stop)
        thread.join()
        loop.close()
