"""The filter that is soaked: python -m soak.filter ADDRESS WORKERS. It does what the messages wish."""

from __future__ import annotations

import json
import logging
import os
import sys
from typing import ClassVar

import pymilter
from pymilter import ACCEPT, CONTINUE, DISCARD, Base, Outcome, Reject, TempFail, _core, gather
from soak.wish import PARAMETER, Digest, Wish


class WishedError(Exception):
    """A handler fails, as was wished."""


class Asked(Base):
    """Takes in what comes, and answers as wished."""

    helo = ""

    def hello(self, hostname: str) -> Outcome:
        self.helo = hostname
        return Reject(550, "5.7.1", hostname) if hostname.startswith("reject-") else CONTINUE

    def begin(self, sender: str, *params: str) -> Outcome:
        """The envelope's sender."""
        [wish] = [param for param in params if param.startswith(PARAMETER)]
        self.wish = Wish.parse(wish)
        self.digest = Digest(self.helo)
        return self.at("envfrom", sender, *params)

    def at(self, step: str, *texts: str) -> Outcome:
        """Take in a step, and do what is wished at it."""
        self.digest.add(*texts)
        if self.wish.step != step:
            return CONTINUE
        match self.wish.verdict:
            case "reject":
                return Reject(550, "5.7.1", self.wish.key)
            case "tempfail":
                return TempFail(451, "4.7.1", self.wish.key)
            case "discard":
                return DISCARD
            case "raise":
                raise WishedError(self.wish.key)
            case _:
                return ACCEPT

    def at_body(self, data: bytes) -> Outcome:
        """Take in a piece of the body."""
        self.digest.add_body(data)
        return self.at("body")

    def eom(self) -> Outcome:
        answer = self.at("eom")
        if answer is not ACCEPT:
            return answer
        self.addheader("X-Digest", str(self.digest))
        for edit in self.wish.edits:
            self.edit(edit, self.wish.key)
        return answer

    def edit(self, name: str, key: str) -> None:
        """One of the changes that are wished for."""
        match name:
            case "insert":
                self.addheader("X-Key", key, 1)
            case "change":
                self.chgheader("Subject", 1, key)
            case "delete":
                self.chgheader("X-Odd", 1, None)
            case "chgfrom":
                self.chgfrom(f"<{key}@changed.example>")
            case "addrcpt":
                self.addrcpt(f"<{key}@added.example>")
            case "delrcpt":
                self.delrcpt(f"<{key}@example.net>")
            case "replace":
                self.replacebody(self.wish.body)
            case "quarantine":
                self.quarantine(key)


class Answering(Asked):
    """Answers each step."""

    def connect(self, hostname: str, family: int, hostaddr: object) -> Outcome:
        return CONTINUE

    def envfrom(self, mailfrom: str, *params: str) -> Outcome:
        return self.begin(mailfrom, *params)

    def envrcpt(self, to: str, *params: str) -> Outcome:
        return self.at("envrcpt", to, *params)

    def data(self) -> Outcome:
        return self.at("data")

    def header(self, name: str, value: str) -> Outcome:
        return self.at("header", name, value)

    def eoh(self) -> Outcome:
        return self.at("eoh")

    def body(self, chunk: bytes) -> Outcome:
        return self.at_body(chunk)


class Silent(Asked):
    """Answers none before the end, and so may only fail there."""

    def connect(self, hostname: str, family: int, hostaddr: object) -> None:
        self.client = hostaddr

    def envfrom(self, mailfrom: str, *params: str) -> None:
        self.begin(mailfrom, *params)

    def envrcpt(self, to: str, *params: str) -> None:
        self.at("envrcpt", to, *params)

    def data(self) -> None:
        self.at("data")

    def header(self, name: str, value: str) -> None:
        self.at("header", name, value)

    def eoh(self) -> None:
        self.at("eoh")

    def body(self, chunk: bytes) -> None:
        self.at_body(chunk)


class Gathering(Asked):
    """Leaves steps out, and gets the body at once."""

    def envfrom(self, mailfrom: str, *params: str) -> Outcome:
        return self.begin(mailfrom, *params)

    def header(self, name: str, value: str) -> None:
        self.at("header", name, value)

    @gather(in_memory=100_000)
    def body(self, chunk: bytes) -> Outcome:
        return self.at_body(chunk)


class Factory:
    """Makes them in turns."""

    KINDS: ClassVar = (Answering, Silent, Gathering)

    def __init__(self) -> None:
        self.made = 0

    def __call__(self) -> Base:
        self.made += 1
        kind: type[Asked] = self.KINDS[self.made % len(self.KINDS)]
        return kind()


def is_news(record: logging.LogRecord) -> bool:
    """The failures are wished for; and who breaks off at the end of a message makes its edits fail."""
    kind = record.exc_info[0] if record.exc_info else None
    return kind is None or not issubclass(kind, (WishedError, pymilter.MilterError))


def main(address: str, workers: int) -> None:
    """Serve until SIGTERM; then tell how many connections were made and freed."""
    logging.basicConfig(level=logging.INFO, format="%(process)d %(levelname)s %(message)s")
    logging.getLogger("pymilter").addFilter(is_news)
    pymilter.run(Factory(), address, workers=workers, name="soak", timeout=60)
    os.write(1, f"{json.dumps(_core.connections())}\n".encode())  # whole, whoever else writes


if __name__ == "__main__":
    main(sys.argv[1], int(sys.argv[2]))
