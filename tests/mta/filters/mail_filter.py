"""The filter between the mail servers and the tests: the local part of the sender says what it is to do."""

from __future__ import annotations

import hashlib
import logging
import os
import sys

import pymilter
from pymilter import CONTINUE, DISCARD, Base, Outcome, Reject, TempFail

REPLACEMENT = b"".join(b"line %d of the new body\r\n" % number for number in range(9000))
assert len(REPLACEMENT) > 3 * 65535  # libmilter sends it in several pieces


class Gathering(Base):
    """Keeps what it was told, and at the end of a message does what the sender's local part asks for."""

    def __init__(self) -> None:
        self.client: object = None
        self.helo = ""
        self.start("<>")

    def start(self, sender: str, *params: str) -> None:
        """Begin a message."""
        self.wish = sender.strip("<>").partition("@")[0]
        self.params = params
        self.recipients: list[str] = []
        self.fields: list[tuple[str, str]] = []
        self.content = hashlib.sha256()
        self.size = 0

    def reached(self, step: str) -> None:
        """Fail as a program fails when this step is the one wished for."""
        if self.wish == f"fail-{step}":
            raise RuntimeError("an inner matter")

    def take_body(self, chunk: bytes) -> None:
        """Count in one piece of the body."""
        self.content.update(chunk)
        self.size += len(chunk)

    def eom(self) -> Outcome:
        """Do what was wished."""
        self.reached("eom")
        match self.wish:
            case "reject-eom":
                return Reject(554, "5.7.1", "no thank you, not 100% of it")
            case "tempfail-eom":
                return TempFail(451, "4.7.1", "come back later")
            case "discard":
                return DISCARD
            case "add":
                self.addheader("X-Added", "first")
                self.addheader("X-Added", "second,\n\tfolded")
            case "insert":
                self.addheader("X-Inserted", "at the top", 0)
            case "change":
                self.chgheader("X-Multi", 2, "changed")
                self.chgheader("X-Single", 0, "changed too")  # 0 is the first, as 1 is
            case "delete":
                self.chgheader("X-Multi", 3, "")
                self.chgheader("X-Single", 1, None)
            case "addrcpt":
                self.addrcpt("<added@example.net>")
            case "addrcpt-params":
                self.addrcpt("<added@example.net>", "NOTIFY=NEVER")
            case "delrcpt":
                self.delrcpt("<second@example.net>")
            case "delrcpt-as-got":
                self.delrcpt(self.recipients[-1])
            case "chgfrom":
                self.chgfrom("<changed@example.org>")
            case "chgfrom-params":
                self.chgfrom("<changed@example.org>", "RET=HDRS ENVID=abc")
            case "replacebody":
                self.progress()
                for start in range(0, len(REPLACEMENT), 50_000):
                    self.replacebody(REPLACEMENT[start : start + 50_000])
            case "quarantine":
                self.quarantine("smells of fish")
            case "everything":
                self.replacebody(b"new\r\n")
                self.addheader("X-Added", "first")
                self.chgheader("X-Single", 1, "changed too")
                self.chgfrom("<changed@example.org>")
                self.addrcpt("<added@example.net>")
                self.delrcpt("<second@example.net>")
            case "tell":
                self.tell()
            case "log":
                logging.getLogger("mail").info("%s", self.fields[0][1])
        return CONTINUE

    def tell(self) -> None:
        """Write what the earlier steps were given into the message."""
        self.addheader("X-Peer", str(self.client))
        self.addheader("X-Helo", self.helo)
        self.addheader("X-Params", " ".join(self.params))
        self.addheader("X-Recipients", " ".join(self.recipients))
        self.addheader("X-Names", " ".join(name for name, _ in self.fields))
        self.addheader("X-Odd-Seen", ascii([value for name, value in self.fields if name == "X-Odd"]))
        self.addheader("X-Body", f"{self.size} {self.content.hexdigest()}")
        self.addheader("X-Queue-Id", str(self.getsymval("i")))


class Answering(Gathering):
    """Answers every step."""

    def connect(self, hostname: str, family: int, hostaddr: object) -> Outcome:
        self.client = hostaddr
        return CONTINUE

    def hello(self, hostname: str) -> Outcome:
        self.helo = hostname
        return CONTINUE

    def envfrom(self, mailfrom: str, *params: str) -> Outcome:
        self.start(mailfrom, *params)
        self.reached("envfrom")
        if self.wish == "reject-mail":
            return Reject(550, "5.7.1", "go away")
        return CONTINUE

    def envrcpt(self, to: str, *params: str) -> Outcome:
        self.reached("envrcpt")
        if to.startswith("<refused@"):
            return Reject(550, "5.1.1", "nobody here of that name")
        self.recipients.append(to)
        return CONTINUE

    def data(self) -> Outcome:
        self.reached("data")
        return CONTINUE

    def header(self, name: str, value: str) -> Outcome:
        self.reached("header")
        self.fields.append((name, value))
        return CONTINUE

    def eoh(self) -> Outcome:
        self.reached("eoh")
        return CONTINUE

    def body(self, chunk: bytes) -> Outcome:
        self.reached("body")
        self.take_body(chunk)
        return CONTINUE


class Silent(Gathering):
    """Answers no step before the end of the message."""

    def connect(self, hostname: str, family: int, hostaddr: object) -> None:
        self.client = hostaddr

    def hello(self, hostname: str) -> None:
        self.helo = hostname

    def envfrom(self, mailfrom: str, *params: str) -> None:
        self.start(mailfrom, *params)
        self.reached("envfrom")

    def envrcpt(self, to: str, *params: str) -> None:
        self.reached("envrcpt")
        self.recipients.append(to)

    def data(self) -> None:
        self.reached("data")

    def header(self, name: str, value: str) -> None:
        self.reached("header")
        self.fields.append((name, value))

    def eoh(self) -> None:
        self.reached("eoh")

    def body(self, chunk: bytes) -> None:
        self.reached("body")
        self.take_body(chunk)


if __name__ == "__main__":
    style, address = sys.argv[1:]
    handler = logging.StreamHandler()
    handler.addFilter(pymilter.LogFilter())
    logging.basicConfig(level=logging.INFO, format="%(queue_id)s %(peer)s %(message)s", handlers=[handler])
    os.umask(0)  # a mail server's user may connect to the unix socket
    pymilter.run({"answering": Answering, "silent": Silent}[style], address)
