"""Refuses a sender and a recipient, and tags the subject and the text of mail from outside."""

import sys

import pymilter
from pymilter import CONTINUE, Envelope, Message, MessageFilter, Outcome, Recipient, Reject

BLOCKED = frozenset({"spam.example"})
OURS = "example.net"
TAG = "[EXTERNAL]"
NOTE = "\n-- \nThis message came from outside.\n"


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
