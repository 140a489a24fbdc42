"""Asks SpamAssassin's daemon about each message, marks spam and refuses what is certainly spam.

python spamassassin.py unix:/run/gate/gate.sock [PORT OF spamd]
"""

import re
import socket
import sys
from email.utils import formatdate

import pymilter
from pymilter import ACCEPT, CONTINUE, Message, Outcome, Reject

SPAMD = ("127.0.0.1", int(sys.argv[2]) if len(sys.argv) > 2 else 783)
REFUSED_FROM = 15.0
MOST_BYTES = 512_000  # spam is small, and the rules are slow on what is large
ANSWER = re.compile(
    rb"SPAMD/[\d.]+ 0 EX_OK\r\n.*?Spam: (True|False) ; (-?[\d.]+) / (-?[\d.]+)\r\n(?:.*?\r\n)?\r\n(.*)", re.DOTALL
)


@pymilter.message_filter
def spam_check(message: Message) -> Outcome:
    if message.connection.login is not None:
        return ACCEPT
    for name in ("X-Spam-Flag", "X-Spam-Status", "X-Spam-Level"):
        del message.headers[name]  # what the sender says about it
    data = message.as_bytes()
    if len(data) > MOST_BYTES:
        return CONTINUE
    is_spam, score, required, rules = ask(received(message) + data)
    if score >= REFUSED_FROM:
        return Reject(550, "5.7.1", f"This is spam (score {score})")
    if is_spam:
        message.headers.append("X-Spam-Flag", "YES")
    message.headers.append(
        "X-Spam-Status", f"{'Yes' if is_spam else 'No'}, score={score} required={required}\n tests={rules or 'none'}"
    )
    return CONTINUE


def received(message: Message) -> bytes:
    """Return the field Received that the mail server will add: SpamAssassin finds the client's address in it."""
    peer, connection = message.connection.peer, message.connection
    client = f"{connection.helo} ({peer.name or 'unknown'} [{peer.ip}])"
    line = f"Received: from {client}\r\n\tby {connection.hostname} id {message.queue_id}; {formatdate()}\r\n"
    return line.encode("ascii", "replace")


def ask(data: bytes) -> tuple[bool, float, float, str]:
    """Return whether it is spam, its score, the score that makes spam, and the rules that met.

    Raises OSError if spamd cannot be asked.
    """
    with socket.create_connection(SPAMD, timeout=60) as peer:
        peer.sendall(b"SYMBOLS SPAMC/1.5\r\nContent-length: %d\r\n\r\n" % len(data) + data)
        peer.shutdown(socket.SHUT_WR)
        answer = peer.makefile("rb").read()
    found = ANSWER.fullmatch(answer)
    if found is None:
        raise OSError(f"spamd did not answer: {answer[:200]!r}")
    rules = found[4].decode("ascii", "replace").strip().replace(",", ",\n ")
    return found[1] == b"True", float(found[2]), float(found[3]), rules


if __name__ == "__main__":
    pymilter.run(spam_check, sys.argv[1])
