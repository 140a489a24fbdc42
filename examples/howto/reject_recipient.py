"""Refuses recipients one by one: the message still reaches the others.

python reject_recipient.py unix:/run/gate/gate.sock
"""

import sys

import pymilter
from pymilter import CONTINUE, Envelope, Message, MessageFilter, Outcome, Recipient, Reject, TempFail

OUR_DOMAIN = "example.net"
GONE = {"carol": "Carol has left, please write to office@example.net"}
FULL = frozenset({"dave"})
MOST_RECIPIENTS = 3


class Recipients(MessageFilter, headers=False, body=False):
    def recipient(self, recipient: Recipient, envelope: Envelope) -> Outcome:
        """Answer each RCPT TO; the others are not affected."""
        if len(envelope.recipients) > MOST_RECIPIENTS:
            return TempFail(452, "4.5.3", "Too many recipients, send the rest in another message")
        if recipient.ascii_domain != OUR_DOMAIN:
            return CONTINUE  # whether we relay is the mail server's decision
        name = recipient.local.partition("+")[0].lower()  # anna+news is anna
        if name in GONE:
            return Reject(550, "5.1.6", GONE[name])
        if name in FULL:
            return TempFail(452, "4.2.2", "The mailbox is full, try again later")
        return CONTINUE

    def message(self, message: Message) -> Outcome:
        return CONTINUE


if __name__ == "__main__":
    pymilter.run(Recipients, sys.argv[1])
