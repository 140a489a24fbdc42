"""A MessageFilter that tells whether a DKIM signature verifies, and then signs the message: KEY ADDRESS RECORD."""

from __future__ import annotations

import sys
from pathlib import Path

import dkim  # type: ignore[import-untyped]

import pymilter
from pymilter import CONTINUE, Message, MessageFilter, Outcome

KEY = Path(sys.argv[1]).read_bytes()
RECORD = sys.argv[3].encode()


class Signer(MessageFilter):
    """Signs over the bytes that `as_bytes()` gives, in the canonical form that forgives nothing."""

    def message(self, message: Message) -> Outcome:
        if "DKIM-Signature" in message.headers:
            verifies = dkim.verify(message.as_bytes(), dnsfunc=lambda name, timeout=5: RECORD)
            message.headers.append("X-Verified", str(verifies))
        signature = dkim.sign(
            message.as_bytes(), b"filter", b"example.net", KEY, canonicalize=(b"simple", b"simple")
        ).decode()
        name, _, value = signature.partition(":")
        message.headers.prepend(name, value)
        return CONTINUE


if __name__ == "__main__":
    pymilter.run(Signer, sys.argv[2])
