"""Checks SPF: may this client send mail for this sender?

pip install pyspf dnspython
python spf_check.py unix:/run/gate/gate.sock
"""

import sys

import dns.exception
import spf  # type: ignore[import-untyped]
from authentication_results import AUTHSERV_ID, delete_forged, quoted

import pymilter
from pymilter import CONTINUE, Connection, Envelope, Message, MessageFilter, Outcome, Reject, TempFail


class Spf(MessageFilter):
    def mail(self, envelope: Envelope) -> Outcome:
        """Answer MAIL FROM."""
        self.result = check(self.connection, envelope)
        if self.result == "fail":
            return Reject(550, "5.7.23", "The domain of the sender does not allow your server to send its mail (SPF)")
        if self.result == "temperror":
            return TempFail(451, "4.7.24", "SPF could not be checked, try again later")
        return CONTINUE

    def message(self, message: Message) -> Outcome:
        """Write the result down for the filters and mail programs that come next."""
        delete_forged(message, AUTHSERV_ID)
        result = f"spf={self.result} smtp.mailfrom={quoted(message.sender.address or 'postmaster')}"
        message.headers.prepend("Authentication-Results", f"{AUTHSERV_ID}; {result}")
        return CONTINUE


def check(connection: Connection, envelope: Envelope) -> str:
    """Return pass, fail, softfail, neutral, none, temperror or permerror."""
    if connection.login is not None or connection.peer.ip is None:
        return "none"  # our own people
    # For a bounce, which has no sender, pyspf takes the name in HELO instead (RFC 7208, 2.4).
    sender, helo = envelope.sender.address, connection.helo or "unknown"
    try:
        result, _ = spf.check2(i=connection.peer.ip, s=sender, h=helo, querytime=10)
    except dns.exception.DNSException:  # a name that cannot be looked up
        return "permerror"
    return str(result)


if __name__ == "__main__":
    pymilter.run(Spf, sys.argv[1])
