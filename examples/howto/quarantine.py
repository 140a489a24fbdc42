"""Holds suspicious messages in the mail server's queue until the postmaster has looked at them.

python quarantine.py unix:/run/gate/gate.sock
"""

import sys

import pymilter
from pymilter import CONTINUE, Message, Outcome

ENCRYPTED = frozenset({"application/x-7z-compressed", "application/x-rar", "application/vnd.rar"})


@pymilter.message_filter
def quarantine(message: Message) -> Outcome:
    kinds = {part.get_content_type() for part in message.email.walk()}
    if kinds & ENCRYPTED:
        message.headers.append("X-Held", "an archive that no scanner can open")  # sent along if the message is released
        message.quarantine("an archive that no scanner can open")
    return CONTINUE  # and no refusal: a message that is refused is not held


if __name__ == "__main__":
    pymilter.run(quarantine, sys.argv[1])
