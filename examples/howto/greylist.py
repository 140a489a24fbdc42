"""Greylists: whoever comes for the first time is asked to come again later. All workers share one database.

python greylist.py unix:/run/gate/gate.sock /var/lib/gate/greylist.db
"""

import ipaddress
import sqlite3
import sys
import threading
import time
from contextlib import closing

import pymilter
from pymilter import ACCEPT, CONTINUE, Envelope, Message, MessageFilter, Outcome, Recipient, TempFail

DATABASE = sys.argv[2]
DELAY = 300  # seconds until a second try is welcome
LIFE = 35 * 86_400  # seconds for which somebody who came again is remembered
NOTE = """
    INSERT INTO seen VALUES (:network, :sender, :recipient, :now, :now)
    ON CONFLICT DO UPDATE SET last = :now, first = CASE WHEN last < :now - :life THEN :now ELSE first END
    RETURNING first
"""
own = threading.local()


class Greylist(MessageFilter, headers=False, body=False):
    def mail(self, envelope: Envelope) -> Outcome:
        return CONTINUE if self.connection.login is None else ACCEPT

    def recipient(self, recipient: Recipient, envelope: Envelope) -> Outcome:
        """Ask for patience at RCPT, since a triplet has client, sender and recipient."""
        ip = self.connection.peer.ip
        if ip is None or is_welcome(network_of(ip), blob(envelope.sender.address), blob(recipient.address)):
            return CONTINUE
        return TempFail(451, "4.7.1", f"Greylisted, please try again in {DELAY // 60} minutes")

    def message(self, message: Message) -> Outcome:
        return CONTINUE


def network_of(ip: str) -> str:
    """Return the network of a client: large senders try again from another address of theirs."""
    return str(ipaddress.ip_network(f"{ip}/{24 if '.' in ip else 64}", strict=False))


def blob(address: str) -> bytes:
    """Return an address as it is compared. Bytes of it that are no UTF-8 stay as they are; SQLite's texts have none."""
    return address.lower().encode("utf-8", "surrogateescape")


def is_welcome(network: str, sender: bytes, recipient: bytes) -> bool:
    """Return whether these came before, long enough ago. One statement, so that workers do not disturb each other."""
    now = int(time.time())
    (first,) = (
        database()
        .execute(NOTE, {"network": network, "sender": sender, "recipient": recipient, "now": now, "life": LIFE})
        .fetchone()
    )
    return bool(first <= now - DELAY)


def database() -> sqlite3.Connection:
    """Return this thread's connection to the database."""
    if not hasattr(own, "connection"):
        own.connection = sqlite3.connect(DATABASE, timeout=10, isolation_level=None)
        own.connection.execute("PRAGMA synchronous = NORMAL")
    connection: sqlite3.Connection = own.connection
    return connection


def make_database() -> None:
    """Make the table, and forget whoever did not come for a long time."""
    with closing(sqlite3.connect(DATABASE, timeout=10)) as made, made:
        made.execute("PRAGMA journal_mode = WAL")  # readers do not wait for the one who writes
        made.execute(
            "CREATE TABLE IF NOT EXISTS seen "
            "(network, sender, recipient, first INTEGER, last INTEGER, PRIMARY KEY (network, sender, recipient))"
        )
        made.execute("DELETE FROM seen WHERE last < ?", (int(time.time()) - LIFE,))


if __name__ == "__main__":
    pymilter.run(Greylist, sys.argv[1], workers=2, on_start=make_database)
