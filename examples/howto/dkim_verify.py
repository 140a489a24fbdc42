"""Verifies DKIM signatures and writes the results down.

pip install dkimpy dnspython
python dkim_verify.py unix:/run/gate/gate.sock
"""

import sys
from collections.abc import Iterator

import dkim  # type: ignore[import-untyped]
import dns.exception
import dns.resolver
from authentication_results import AUTHSERV_ID, delete_forged, quoted

import pymilter
from pymilter import CONTINUE, Message, Outcome

MOST_SIGNATURES = 5  # each costs a look-up and some arithmetic, and the sender decides how many there are


@pymilter.message_filter
def verify(message: Message) -> Outcome:
    found = [f"dkim={result} header.d={quoted(domain)}" for result, domain in signatures_of(message)]
    delete_forged(message, AUTHSERV_ID)
    message.headers.prepend("Authentication-Results", "; ".join([AUTHSERV_ID, *(found or ["dkim=none"])]))
    return CONTINUE


def signatures_of(message: Message) -> Iterator[tuple[str, str]]:
    """Give the result and the domain of each signature, from the first on."""
    data = message.as_bytes()  # as the client sent it, byte for byte
    for index in range(min(len(message.headers.all("DKIM-Signature")), MOST_SIGNATURES)):
        signature = dkim.DKIM()
        try:
            signature.set_message(data)
            result = "pass" if signature.verify(index, look_up) else "fail"
        except (dns.resolver.LifetimeTimeout, dns.resolver.NoNameservers):
            result = "temperror"
        except dkim.ValidationError:  # the body was changed; or there is no domain, since the field makes no sense
            result = "fail" if signature.domain else "neutral"
        except (dkim.DKIMException, dns.exception.DNSException):
            result = "permerror"
        yield result, (signature.domain or b"unknown").decode("ascii", "replace").lower()


def look_up(name: bytes | str, timeout: float = 5) -> bytes | None:
    """Return the TXT record of a name, or None if there is none. Raises DNSException."""
    try:
        answer = dns.resolver.resolve(name if isinstance(name, str) else name.decode(), "TXT", lifetime=timeout)
    except (dns.resolver.NXDOMAIN, dns.resolver.NoAnswer, UnicodeError):
        return None
    return b"".join(answer[0].strings)


if __name__ == "__main__":
    pymilter.run(verify, sys.argv[1])
