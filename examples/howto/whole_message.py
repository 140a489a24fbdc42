"""Reads each message as a whole, and refuses those with too many attached files.

python whole_message.py unix:/run/gate/gate.sock
"""

import logging
import sys

import pymilter
from pymilter import CONTINUE, Message, Outcome, Reject

MOST_FILES = 10
log = logging.getLogger("parts")


@pymilter.message_filter
def parts(message: Message) -> Outcome:
    subject = message.headers.get("Subject")
    recipients = ", ".join(map(str, message.recipients))
    log.info("from %s to %s: %r", message.sender, recipients, subject.text if subject else None)
    names = []
    for part in message.email.walk():
        if part.is_multipart():
            continue  # the parts within it come next
        content = part.get_payload(decode=True)  # bytes, without base64 or quoted-printable
        log.info("%s, %d bytes, file name %r", part.get_content_type(), len(content), part.get_filename())
        if (name := part.get_filename()) is not None:
            names.append(name)
    if len(names) > MOST_FILES:
        return Reject(550, "5.7.1", f"{len(names)} files are attached, and {MOST_FILES} are allowed")
    message.headers.append("X-Files", str(len(names)))
    return CONTINUE


if __name__ == "__main__":
    logging.basicConfig(level=logging.INFO)
    pymilter.run(parts, sys.argv[1])
