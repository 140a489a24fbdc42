"""Changes the sender and the recipients of messages: the envelope, not what readers see.

python envelope.py unix:/run/gate/gate.sock
"""

import sys

import pymilter
from pymilter import CONTINUE, Message, Outcome

ARCHIVE = "archive@example.net"
MOVED = {"old@example.net": "new@example.net"}


@pymilter.message_filter
def envelope(message: Message) -> Outcome:
    for recipient in message.recipients:
        if (address := MOVED.get(recipient.address.lower())) is not None:
            message.recipients.remove(recipient)
            message.recipients.add(address)
    message.recipients.add(ARCHIVE, ["NOTIFY=NEVER"])  # a silent copy: nobody is told if it cannot be delivered
    if message.sender.domain == "lists.example.net":
        message.sender = "bounces@lists.example.net"  # where failed deliveries are reported to
    return CONTINUE


if __name__ == "__main__":
    pymilter.run(envelope, sys.argv[1])
