"""Signs the mail of our own people with DKIM.

pip install dkimpy
python dkim_sign.py unix:/run/gate/gate.sock /etc/gate/dkim.pem
"""

import sys
from pathlib import Path

import dkim  # type: ignore[import-untyped]

import pymilter
from pymilter import CONTINUE, Message, Outcome

DOMAIN, SELECTOR = "example.net", "gate"  # the public key is a TXT record of gate._domainkey.example.net
KEY = Path(sys.argv[2]).read_bytes()
SIGNED = b"From To Cc Reply-To Subject Date Message-ID In-Reply-To References MIME-Version Content-Type".lower().split()


@pymilter.message_filter
def sign(message: Message) -> Outcome:
    if message.connection.login is None and message.connection.peer.ip not in ("127.0.0.1", "::1", None):
        return CONTINUE  # sign what your own people send, never what comes in
    data = message.as_bytes()  # as the next server gets it, byte for byte
    present = {field.name.lower().encode() for field in message.headers}
    signature = dkim.sign(
        data,
        SELECTOR.encode(),
        DOMAIN.encode(),
        KEY,
        canonicalize=(b"relaxed", b"relaxed"),
        # From twice: so that nobody can add a second one above it.
        include_headers=[b"from", *(name for name in SIGNED if name in present)],
    )
    name, _, value = signature.decode().partition(":")
    message.headers.prepend(name, value)
    return CONTINUE


if __name__ == "__main__":
    pymilter.run(sign, sys.argv[1])
