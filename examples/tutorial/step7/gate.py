"""The same, with its settings in a file: gate.toml beside the program, or the one that GATE_CONFIG names."""

import os
import sys
import tomllib
from pathlib import Path

import pymilter
from pymilter import CONTINUE, Envelope, Message, MessageFilter, Outcome, Recipient, Reject

FILE = Path(os.environ.get("GATE_CONFIG", Path(__file__).with_name("gate.toml")))
SETTINGS = tomllib.loads(FILE.read_text("utf-8"))
BLOCKED: frozenset[str] = frozenset(SETTINGS["blocked"])
OURS: str = SETTINGS["ours"]
NOTE: str = SETTINGS["note"]
TAG = "[EXTERNAL]"


class Gate(MessageFilter):
    def mail(self, envelope: Envelope) -> Outcome:
        if envelope.sender.ascii_domain in BLOCKED:
            return Reject(550, "5.7.1", "We do not take mail from this domain")
        return CONTINUE

    def recipient(self, recipient: Recipient, envelope: Envelope) -> Outcome:
        if recipient.local == "nobody":
            return Reject(550, "5.1.1", "There is nobody of that name")
        return CONTINUE

    def message(self, message: Message) -> Outcome:
        if message.sender.ascii_domain != OURS:
            tag(message)
        return CONTINUE


def tag(message: Message) -> None:
    subject = message.headers.get("Subject")
    if subject is None:
        message.headers.append("Subject", TAG)
    elif not subject.text.startswith(TAG):
        subject.text = f"{TAG} {subject.text}"
    message.email.append_text(NOTE)


if __name__ == "__main__":
    pymilter.run(Gate, sys.argv[1])
