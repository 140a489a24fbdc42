"""SIGTERM in the first moments of a filter, many times from one warm process: starts.py FOLDER COUNT; prints faults."""

from __future__ import annotations

import os
import random
import select
import signal
import sys
import time
from pathlib import Path

from pymilter import Base, run

# The longest delay in seconds: from before the socket is open to long after it is served.
LONGEST = 0.012
# libmilter by itself would notice after 5 s.
SOON = 4.0


def fault_of(process: int, address: Path) -> str:
    """Send the signal at some moment, and see how it ends."""
    until = time.monotonic() + random.random() * LONGEST
    while time.monotonic() < until:
        pass  # a sleep would be too coarse
    os.kill(process, signal.SIGTERM)
    handle = os.pidfd_open(process)
    is_late = not select.select([handle], [], [], SOON)[0]
    os.close(handle)
    if is_late:
        os.kill(process, signal.SIGKILL)
    _, status = os.waitpid(process, 0)
    if is_late:
        return "it did not end soon"
    if address.exists():
        return "its socket is there"
    code = os.waitstatus_to_exitcode(status)
    return "" if code in (0, -signal.SIGTERM) else f"status {code}"


def main(folder: str, count: str) -> None:
    """Run the starts one after another."""
    for number in range(int(count)):
        address = Path(folder) / f"s{number}"
        is_there, there = os.pipe()
        process = os.fork()
        if process == 0:
            os.write(there, b"1")
            run(Base, f"unix:{address}")
            return
        os.close(there)
        os.read(is_there, 1)
        os.close(is_there)
        if fault := fault_of(process, address):
            print(f"start {number}: {fault}", flush=True)


if __name__ == "__main__":
    main(*sys.argv[1:])
