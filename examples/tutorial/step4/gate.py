"""Refuses a sender and a recipient, and marks each message."""

import sys

import pymilter
from pymilter import CONTINUE, Envelope, Message, MessageFilter, Outcome, Recipient, Reject

BLOCKED = frozenset({"spam.example"})


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
        message.headers.append("X-Gate", "open")
        return CONTINUE


if __name__ == "__main__":
    pymilter.run(Gate, sys.argv[1])
