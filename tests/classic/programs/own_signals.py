"""Keeps its own signal handler in the main thread, and runs the filter beside it."""
# mypy: ignore-errors
# As classic programs are written: without types, for both versions.

import signal
import sys
import threading

import Milter


def handler(number, frame):
    print("handler", flush=True)


def serve():
    Milter.runmilter("beside", sys.argv[1], 240)
    print("returned", flush=True)


class Quiet(Milter.Base):
    def connect(self, hostname, family, hostaddr):
        return Milter.CONTINUE


Milter.factory = Quiet
if sys.argv[2] == "before":
    signal.signal(signal.SIGTERM, handler)
thread = threading.Thread(target=serve)
thread.start()
if sys.argv[2] == "after":
    signal.signal(signal.SIGTERM, handler)
print("installed", flush=True)
thread.join()
