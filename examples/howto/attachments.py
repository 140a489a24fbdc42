"""Takes dangerous attachments out of messages, and scripts out of their HTML.

python attachments.py unix:/run/gate/gate.sock /var/lib/gate/copies
"""

import sys
from pathlib import Path

import pymilter
from pymilter import CONTINUE, Message, Outcome
from pymilter.mime import defang

COPIES = Path(sys.argv[2])


@pymilter.message_filter
def attachments(message: Message) -> Outcome:
    original = message.as_bytes()
    copy = COPIES / f"{message.queue_id}.eml"  # the queue id is what the mail log names the message by
    # In the place of what is removed stands a warning, which tells the reader where the copy is.
    if defang(message.email, str(copy), scan_zip=True, by_content=True):
        copy.write_bytes(original)
        message.headers.append("X-Defanged", "yes")
    return CONTINUE


if __name__ == "__main__":
    pymilter.run(attachments, sys.argv[1])
