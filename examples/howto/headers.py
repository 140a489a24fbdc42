"""Adds, changes and deletes header fields. No index is counted anywhere.

python headers.py unix:/run/gate/gate.sock
"""

import sys

import pymilter
from pymilter import CONTINUE, Message, Outcome


@pymilter.message_filter
def headers(message: Message) -> Outcome:
    fields = message.headers

    # Add: below all fields, above all fields, or beside one.
    fields.append("X-Gate", "open")
    fields.prepend("X-Scanned-By", "gate.example.net")
    if (subject := fields.get("Subject")) is not None:
        fields.insert_after(subject, "X-Subject-Length", str(len(subject.text)))
        # Change: `text` is decoded when read, and encoded and folded when it is assigned. It may be any language's.
        subject.text = f"[EXTERN] {subject.text} – bitte prüfen"

    # Delete: all fields of a name, or those that you choose.
    del fields["X-Spam-Flag"]
    for received in fields.all("Received"):
        if "10.0.0." in received.value:
            received.delete()

    # One field of a name, whether the message had none, one or several.
    fields.replace("Precedence", "bulk")
    return CONTINUE


if __name__ == "__main__":
    pymilter.run(headers, sys.argv[1])
