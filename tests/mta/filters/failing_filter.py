"""A filter that fails in the way which the sender's local part names: its word, and for how many seconds."""

import os
import re
import signal
import sys
import time

import pymilter
from pymilter import CONTINUE, Base, Outcome


class Failing(Base):
    def envfrom(self, sender: str, *params: str) -> Outcome:
        match = re.match(r"<([a-z]+)-?([0-9]*)@", sender)
        assert match is not None
        self.word, self.seconds = match[1], int(match[2] or 0)
        if self.word == "dies":
            os.kill(os.getpid(), signal.SIGKILL)
        if self.word == "slow":
            time.sleep(self.seconds)
        return CONTINUE

    def header(self, name: str, value: str) -> None:
        if self.word == "stops":
            os.kill(os.getpid(), signal.SIGSTOP)

    def body(self, chunk: bytes) -> None:
        pass

    def eom(self) -> Outcome:
        if self.word == "late":
            time.sleep(self.seconds)
        if self.word == "works":
            for _ in range(2 * self.seconds):
                time.sleep(0.5)
                self.progress()
        self.addheader("X-Gate", "open")
        return CONTINUE


if __name__ == "__main__":
    pymilter.run(Failing, sys.argv[1])
