"""Exits while handlers run, many from one warm process: exits.py FOLDER COUNT WORK END; prints what went wrong.

For each exit the process forks a child that serves, and exits like any program while a handler is running.
"""

from __future__ import annotations

import contextlib
import logging
import os
import select
import sys
import threading
import time
from pathlib import Path

from pymilter import CONTINUE, REJECT, Base, Outcome, Server
from pymilter.testing import Client, ClientError

CLIENTS = 3
DEADLINE = 20.0


def work(kind: str) -> None:
    """Do what a handler does while the interpreter exits: sleep, run Python, or take and release the GIL."""
    match kind:
        case "asleep":
            time.sleep(0.03)
        case "busy":
            sum(range(300_000))
        case "in_and_out":
            for _ in range(1000):
                time.sleep(0)


def serve(address: str, ready: int, kind: str, end: str) -> None:
    """Serve, in the fork; `end` is the way in which the main thread leaves."""
    inside = threading.Semaphore(0)

    class Filter(Base):
        def connect(self, hostname: str, family: int, hostaddr: object) -> Outcome:
            return CONTINUE

        def hello(self, hostname: str) -> Outcome:
            inside.release()
            work(kind)
            return REJECT

    server = Server(Filter, address)
    server.start()
    os.write(ready, b"1")
    inside.acquire()
    if end == "stop":
        server.stop()
    if end == "exit":
        sys.exit(0)


def end_of(process: int, address: str) -> str:
    """Keep handlers busy, wait for the end, and return what was wrong with it."""
    clients = [Client(f"unix:{address}") for _ in range(CLIENTS)]
    try:
        for client in clients:
            client.connect()
        for client in clients:
            # The process may have answered the first, and be gone, before the last has asked.
            with contextlib.suppress(ClientError):
                client.send(b"H", b"h\0")
        handle = os.pidfd_open(process)
        try:
            if not select.select([handle], [], [], DEADLINE)[0]:
                return "it hangs"
        finally:
            os.close(handle)
    finally:
        for client in clients:
            client.close()
    return "its socket is there" if Path(address).exists() else ""


def main(folder: str, count: str, kind: str, end: str) -> None:
    """Run the exits one after another."""
    # A callback that came too late and got TEMPFAIL is logged as a warning; it is not a fault.
    errors = logging.StreamHandler()
    errors.setLevel(logging.ERROR)
    logging.getLogger("pymilter").addHandler(errors)
    for number in range(int(count)):
        address = f"{folder}/s{number}"
        is_ready, ready = os.pipe()
        process = os.fork()
        if process == 0:
            os.close(is_ready)
            serve(f"unix:{address}", ready, kind, end)
            return
        os.close(ready)
        fault = end_of(process, address) if os.read(is_ready, 1) else "it has not begun"
        os.close(is_ready)
        if fault == "it hangs":
            print(f"exit {number}: {fault}", flush=True)
            os.kill(process, 9)
        _, status = os.waitpid(process, 0)
        if fault or status != 0:
            print(f"exit {number}: {fault} status {os.waitstatus_to_exitcode(status)}", flush=True)


if __name__ == "__main__":
    main(*sys.argv[1:])
