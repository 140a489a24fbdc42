"""Appends a disclaimer to the mail that our own people send.

python disclaimer.py unix:/run/gate/gate.sock
"""

import sys

import pymilter
from pymilter import CONTINUE, Message, Outcome

OUR_DOMAIN = "example.net"
TEXT = "\n-- \nExample Ltd., London. This message is for its recipients only. Grüße!\n"
HTML = "<hr><p>Example Ltd., London. This message is for its recipients only. Gr&uuml;&szlig;e!</p>"
MARK = "X-Disclaimer"


@pymilter.message_filter
def disclaimer(message: Message) -> Outcome:
    if message.sender.ascii_domain != OUR_DOMAIN or MARK in message.headers:
        return CONTINUE
    if "DKIM-Signature" in message.headers:
        return CONTINUE  # any change of the body would break the signature
    if message.email.append_text(TEXT, HTML):
        message.headers.append(MARK, "added")
    return CONTINUE


if __name__ == "__main__":
    pymilter.run(disclaimer, sys.argv[1])
