"""A gateway for mail from outside: marks it, takes dangerous files out, and keeps a copy.

Run it with the socket as argument: python examples/gateway.py unix:/tmp/gateway.sock
"""

import argparse
import logging

import pymilter
from pymilter import CONTINUE, Envelope, Message, MessageFilter, Outcome, Recipient, Reject
from pymilter.mime import MimeMessage, check_ext

AUTHSERV_ID = "mx.example.net"
ARCHIVE = "archive@example.net"
TEXT_NOTE = "\n-- \nThis message came from outside of Example Ltd.\n"
HTML_NOTE = "<hr><p>This message came from outside of Example Ltd.</p>"


class Gateway(MessageFilter, limit=50_000_000):
    def recipient(self, recipient: Recipient, envelope: Envelope) -> Outcome:
        if recipient.local == "nobody":
            return Reject(550, "5.1.1", "There is nobody here of that name")
        return CONTINUE

    def message(self, message: Message) -> Outcome:
        if message.connection.login is None:
            mark(message)
        for part in [part for part in message.email.walk() if is_dangerous(part)]:
            message.email.replace_with_text(part, "A file was here that Example Ltd. does not take by mail.\n")
            message.headers.replace("X-Files-Dropped", "yes")
        if "X-Suspicious" in message.headers:
            message.quarantine("the sender's server took it for suspicious")
        message.recipients.add(ARCHIVE)
        return CONTINUE


def mark(message: Message) -> None:
    """For mail of those who did not log in."""
    for field in message.headers.all("Authentication-Results"):
        if field.value.partition(";")[0].strip().lower() == AUTHSERV_ID:
            field.delete()  # forged: only we write this name
    message.headers.prepend("Authentication-Results", f"{AUTHSERV_ID}; none")
    subject = message.headers.get("Subject")
    if subject is None:
        message.headers.append("Subject", "[EXTERNAL]")
    elif not subject.text.startswith("[EXTERNAL]"):
        subject.text = f"[EXTERNAL] {subject.text}"
    message.email.append_text(TEXT_NOTE, HTML_NOTE)


def is_dangerous(part: MimeMessage) -> bool:
    """Whether Windows would run it, by any of the names that mail clients see."""
    return any(check_ext(name) for _, name in part.getnames() if name)


if __name__ == "__main__":
    logging.basicConfig(level=logging.INFO)
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument(
        "socket", nargs="?", default="inet:8890@127.0.0.1", help="where to listen (default: %(default)s)"
    )
    pymilter.run(Gateway, parser.parse_args().socket)
