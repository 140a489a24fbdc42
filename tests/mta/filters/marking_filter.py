"""A filter that marks what it lets through and keeps a book: marking_filter.py ADDRESS BOOK WORKERS.

The number in the recipient's address, <NUMBERrRUNm@example.net> or <rRUNmNUMBER@example.net>, asks for the verdict, so
that the right one is known.
"""

from __future__ import annotations

import logging
import os
import re
import sys

import pymilter
from pymilter import ACCEPT, CONTINUE, DISCARD, Base, Outcome, Reject, TempFail

MARK = "first"
NEW_BODY = b"a new body\r\n"

BOOK = -1


def write(*words: object) -> None:
    """One line of the book; a write to a file opened for appending is whole, whoever else writes."""
    os.write(BOOK, (" ".join(map(str, words)) + "\n").encode())


class Marking(Base):
    """Each message is either put off, refused, thrown away or marked; what it answers is in the book before."""

    def envfrom(self, mailfrom: str, *params: str) -> None:
        self.size = 0

    def envrcpt(self, to: str, *params: str) -> Outcome:
        # Answered, because Postfix keeps what is not until it has more to send.
        self.key = to.strip("<>").partition("@")[0]
        write("begun", self.key)
        return CONTINUE

    def body(self, chunk: bytes) -> None:
        self.size += len(chunk)

    def eom(self) -> Outcome:
        word, answer = self.judge(int(re.sub(r"r\d+m", "", self.key)))
        write(word, self.key, self.getsymval("i"), MARK)
        return answer

    def judge(self, number: int) -> tuple[str, Outcome]:
        """The word for the book, and the answer."""
        match number % 10:
            case 3:
                return "reject", Reject(554, "5.7.1", f"refused {self.key}")
            case 5:
                return "tempfail", TempFail(451, "4.7.1", f"put off {self.key}")
            case 7:
                return "discard", DISCARD
            case 8 | 9:
                self.addheader("X-Mark", f"{MARK} {self.key} {self.size}")
                self.replacebody(NEW_BODY)
                return "replace", ACCEPT
            case _:
                self.addheader("X-Mark", f"{MARK} {self.key} {self.size}")
                return "accept", ACCEPT

    def abort(self) -> None:
        write("abort", self.key)


if __name__ == "__main__":
    address, book, workers = sys.argv[1:]
    logging.basicConfig(level=logging.INFO)
    BOOK = os.open(book, os.O_WRONLY | os.O_APPEND | os.O_CREAT)
    mode = 0o666 if address.startswith("unix:") else None  # a mail server's user may connect
    pymilter.run(Marking, address, workers=int(workers), socket_mode=mode, grace=20)
