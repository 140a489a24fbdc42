"""Looks recipients up in an SQL database: who is there, and who may write to them.

python sql_policy.py unix:/run/gate/gate.sock /var/lib/gate/policy.db
"""

import sqlite3
import sys
import threading

import pymilter
from pymilter import CONTINUE, Envelope, Message, MessageFilter, Outcome, Recipient, Reject

DATABASE = sys.argv[2]
QUERY = "SELECT members_only FROM recipients WHERE address = ?"
MEMBER = "SELECT 1 FROM members WHERE list = ? AND address = ?"
own = threading.local()


def database() -> sqlite3.Connection:
    """Return this thread's connection: a connection of sqlite3 is for one thread."""
    if not hasattr(own, "connection"):
        own.connection = sqlite3.connect(f"file:{DATABASE}?mode=ro", uri=True, timeout=5)
    connection: sqlite3.Connection = own.connection
    return connection


class Policy(MessageFilter, headers=False, body=False):
    def recipient(self, recipient: Recipient, envelope: Envelope) -> Outcome:
        """Look up each recipient. If the database fails, the exception is answered with 451."""
        address = recipient.address.lower()
        row = database().execute(QUERY, (address,)).fetchone()
        if row is None:
            return Reject(550, "5.1.1", "There is no such recipient")
        (members_only,) = row
        sender = envelope.sender.address.lower()
        if members_only and database().execute(MEMBER, (address, sender)).fetchone() is None:
            return Reject(550, "5.7.2", "Only members may write to this list")
        return CONTINUE

    def message(self, message: Message) -> Outcome:
        return CONTINUE


if __name__ == "__main__":
    pymilter.run(Policy, sys.argv[1])
