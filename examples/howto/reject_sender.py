"""Refuses mail by the address or the domain of its sender.

python reject_sender.py unix:/run/gate/gate.sock
"""

import sys

import pymilter
from pymilter import ACCEPT, CONTINUE, Envelope, Message, MessageFilter, Outcome, Reject

ADDRESSES = frozenset({"spam@example.org"})
DOMAINS = frozenset({"spam.example"})


class Senders(MessageFilter, body=False):
    def mail(self, envelope: Envelope) -> Outcome:
        """Refuse at MAIL FROM: the message itself is never sent."""
        sender = envelope.sender
        if not sender.address:
            return CONTINUE  # a bounce has no sender; refuse those and you hear of no failed delivery
        if self.connection.login is not None:
            return ACCEPT  # our own people, who logged in
        if sender.address.lower() in ADDRESSES or is_listed(sender.ascii_domain):
            return Reject(550, "5.7.1", "We do not take mail from this sender")
        return CONTINUE

    def message(self, message: Message) -> Outcome:
        """What readers see is the field From, which is there only once the message is."""
        for field in message.headers.all("From"):
            if any(f"@{domain}>" in field.value.lower() for domain in DOMAINS):
                return Reject(550, "5.7.1", "We do not take mail from this author")
        return CONTINUE


def is_listed(domain: str) -> bool:
    """Return whether the domain or one above it is listed: mail.spam.example is below spam.example."""
    labels = domain.split(".")
    return any(".".join(labels[start:]) in DOMAINS for start in range(len(labels)))


if __name__ == "__main__":
    pymilter.run(Senders, sys.argv[1])
