"""A first filter: refuses one sender, marks what it lets through, and puts a line under the text of plain messages.

Run it with the socket as argument: python examples/gate.py unix:/tmp/gate.sock
"""

import argparse
import logging

import pymilter
from pymilter import CONTINUE, Base, Outcome, Reject, TempFail

BLOCKED_SENDERS = {"<spam@example.com>"}
BLOCKED_RECIPIENTS = {"<nobody@example.net>"}
MOST_BYTES = 10_000_000
FOOTER = b"\r\n-- \r\nChecked by the gate.\r\n"


class Gate(Base):
    """One object for each connection from the MTA."""

    def envfrom(self, mailfrom: str, *params: str) -> Outcome:
        self.is_plain = True
        self.chunks: list[bytes] = []
        self.size = 0
        if mailfrom.lower() in BLOCKED_SENDERS:
            return Reject(550, "5.7.1", "We do not want mail from you")
        return CONTINUE

    def envrcpt(self, to: str, *params: str) -> Outcome:
        if to.lower() in BLOCKED_RECIPIENTS:
            return Reject(550, "5.1.1", "There is nobody here of that name")
        return CONTINUE

    def header(self, name: str, value: str) -> None:
        """Gives no verdict, and says so: the MTA need not wait for an answer to each header."""
        if name.lower() == "content-type" and not value.lower().startswith("text/plain"):
            self.is_plain = False

    def body(self, chunk: bytes) -> None:
        self.size += len(chunk)
        if self.size <= MOST_BYTES:
            self.chunks.append(chunk)

    def eom(self) -> Outcome:
        if self.size > MOST_BYTES:
            return TempFail(452, "4.3.4", "Too large for the gate just now")
        self.addheader("X-Gate", f"open; {self.size} bytes, queue id {self.getsymval('i')}")
        if self.is_plain:
            self.replacebody(b"".join(self.chunks) + FOOTER)
        return CONTINUE


if __name__ == "__main__":
    logging.basicConfig(level=logging.INFO)
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument(
        "socket", nargs="?", default="inet:8890@127.0.0.1", help="where to listen (default: %(default)s)"
    )
    pymilter.run(Gate, parser.parse_args().socket)
