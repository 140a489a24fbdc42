"""Asks several slow services at the same time, on one asyncio loop that all connections share.

python slow_scanner.py unix:/run/gate/gate.sock HOST:PORT [HOST:PORT...]
"""

import asyncio
import concurrent.futures
import sys
import threading

import pymilter
from pymilter import CONTINUE, Message, Outcome, Reject, TempFail

SCANNERS = [address.rpartition(":")[::2] for address in sys.argv[2:]]
loop = asyncio.new_event_loop()


@pymilter.message_filter
def scanned(message: Message) -> Outcome:
    work = asyncio.run_coroutine_threadsafe(ask_all(message.as_bytes()), loop)
    while True:
        try:
            verdicts = work.result(timeout=10)
        except concurrent.futures.TimeoutError:
            if work.done():
                return TempFail(451, "4.7.1", "A scanner did not answer, try again later")
            message.progress()  # still at it: the mail server starts its clock anew
        else:
            return Reject(550, "5.7.1", "A scanner does not like this") if "bad" in verdicts else CONTINUE


async def ask_all(data: bytes) -> list[str]:
    """Return what each scanner says. Raises TimeoutError after two minutes, and OSError."""
    async with asyncio.timeout(120):
        return await asyncio.gather(*(ask(host, int(port), data) for host, port in SCANNERS))


async def ask(host: str, port: int, data: bytes) -> str:
    """Send a message to a scanner, and return the line that it answers with."""
    reader, writer = await asyncio.open_connection(host, port)
    try:
        writer.write(data)
        writer.write_eof()
        return (await reader.readline()).decode().strip()
    finally:
        writer.close()


if __name__ == "__main__":
    thread = threading.Thread(target=loop.run_forever)
    thread.start()
    try:
        pymilter.run(scanned, sys.argv[1])
    finally:
        loop.call_soon_threadsafe(loop.stop)
        thread.join()
