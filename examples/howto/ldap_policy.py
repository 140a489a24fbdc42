"""Looks recipients up in an LDAP directory.

pip install ldap3
python ldap_policy.py unix:/run/gate/gate.sock ldap://127.0.0.1 ou=people,dc=example,dc=net
"""

import sys

import ldap3  # type: ignore[import-untyped]
from ldap3.utils.conv import escape_filter_chars  # type: ignore[import-untyped]

import pymilter
from pymilter import CONTINUE, Envelope, Message, MessageFilter, Outcome, Recipient, Reject

SERVER, BASE = sys.argv[2:4]
directory: ldap3.Connection


class Policy(MessageFilter, headers=False, body=False):
    def recipient(self, recipient: Recipient, envelope: Envelope) -> Outcome:
        """Look up each recipient. If the directory fails, the exception is answered with 451."""
        wanted = escape_filter_chars(recipient.address)  # or an address such as *@example.net would find somebody
        found, _, answers, _ = directory.search(BASE, f"(mail={wanted})", attributes=["employeeType"])
        if not found:
            return Reject(550, "5.1.1", "There is no such recipient")
        if "former" in answers[0]["attributes"]["employeeType"]:
            return Reject(550, "5.1.6", "The recipient has left")
        return CONTINUE

    def message(self, message: Message) -> Outcome:
        return CONTINUE


def connect() -> None:
    """Connect to the directory, once for all threads."""
    global directory
    server = ldap3.Server(SERVER, connect_timeout=5, get_info=ldap3.NONE)
    # Safe for threads, and it connects again if the directory was restarted.
    directory = ldap3.Connection(
        server, client_strategy=ldap3.SAFE_RESTARTABLE, receive_timeout=10, auto_bind=True, read_only=True
    )


if __name__ == "__main__":
    pymilter.run(Policy, sys.argv[1], on_start=connect)
