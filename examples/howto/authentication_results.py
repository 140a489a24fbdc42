"""Writes Authentication-Results, and deletes those that somebody has forged in our name.

python authentication_results.py unix:/run/gate/gate.sock
"""

import re
import sys

import pymilter
from pymilter import CONTINUE, Message, Outcome

AUTHSERV_ID = "mx.example.net"  # a name that is yours alone; the same on all your servers


@pymilter.message_filter
def results(message: Message) -> Outcome:
    delete_forged(message, AUTHSERV_ID)
    found = [client_of(message), login_of(message)]
    message.headers.prepend("Authentication-Results", "; ".join([AUTHSERV_ID, *filter(None, found)]))
    return CONTINUE


def delete_forged(message: Message, authserv_id: str) -> None:
    """Delete each field that contains our name, in whatever spelling: nobody but us may write it (RFC 8601, 5)."""
    for field in message.headers.all("Authentication-Results"):
        if authserv_id in field.value.replace("\\", "").lower():
            field.delete()


def client_of(message: Message) -> str | None:
    """Return whether the client's name belongs to its address."""
    peer = message.connection.peer
    if peer.ip is None:
        return None
    return f"iprev={'pass' if peer.is_verified else 'fail'} policy.iprev={quoted(peer.ip)}"


def login_of(message: Message) -> str | None:
    """Return the name that the client logged in with."""
    login = message.connection.login
    return f"auth=pass smtp.auth={quoted(login)}" if login is not None else None


def quoted(value: str) -> str:
    """Return a value from outside as one that cannot end its result and begin another."""
    if re.fullmatch(r"[\w.+-]+(@[\w.-]+)?", value, re.ASCII):
        return value
    return '"' + re.sub(r'[\\"]', r"\\\g<0>", value) + '"'


if __name__ == "__main__":
    pymilter.run(results, sys.argv[1])
