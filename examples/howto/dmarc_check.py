"""Checks DMARC: does SPF or DKIM vouch for the domain that readers see?

pip install dkimpy pyspf dnspython
python dmarc_check.py unix:/run/gate/gate.sock
"""

import sys
from collections.abc import Iterator
from email.utils import getaddresses

import dns.resolver
from authentication_results import AUTHSERV_ID, delete_forged, quoted
from dkim_verify import look_up, signatures_of
from spf_check import check

import pymilter
from pymilter import ACCEPT, CONTINUE, Message, Outcome, Reject, TempFail

Record = dict[str, str]  # the tags of a DMARC record


@pymilter.message_filter
def dmarc(message: Message) -> Outcome:
    if message.connection.login is not None:
        return ACCEPT  # our own people
    author = author_of(message)
    if author is None:
        return Reject(550, "5.7.1", "A message needs one field From with one address")
    helo = message.connection.helo or "unknown"
    spf = check(message.connection, message.envelope), message.sender.ascii_domain or helo.lower()
    signatures = list(signatures_of(message))
    record, policy = policy_of(author)

    spf_counts = spf[0] == "pass" and is_aligned(spf[1], author, tag(record, "aspf"))
    dkim_counts = any(
        result == "pass" and is_aligned(domain, author, tag(record, "adkim")) for result, domain in signatures
    )
    failed_for_now = any(result == "temperror" for result, _ in [spf, *signatures])
    verdict = "none" if record is None else "pass" if spf_counts or dkim_counts else "fail"
    if verdict == "fail" and policy == "reject":
        if failed_for_now:
            return TempFail(451, "4.7.1", "DMARC could not be checked, try again later")
        return Reject(550, "5.7.1", f"The DMARC policy of {author} is to reject this message")

    delete_forged(message, AUTHSERV_ID)
    del message.headers["X-Spam-Flag"]
    if verdict == "fail" and policy == "quarantine":
        message.headers.append("X-Spam-Flag", "YES")
    results = [f"spf={spf[0]} smtp.mailfrom={quoted(spf[1])}"]
    results += [f"dkim={result} header.d={quoted(domain)}" for result, domain in signatures]
    results += [f"dmarc={verdict} header.from={quoted(author)}"]
    message.headers.prepend("Authentication-Results", "; ".join([AUTHSERV_ID, *results]))
    return CONTINUE


def author_of(message: Message) -> str | None:
    """Return the domain in From; None if there is not exactly one."""
    addresses = getaddresses([field.value for field in message.headers.all("From")])
    domains = [address.rpartition("@")[2].lower() for _, address in addresses]
    return domains[0] if len(domains) == 1 and domains[0] else None


def records(domain: str) -> Iterator[tuple[str, Record]]:
    """Give the DMARC records of a domain and of those above it, in this order: the tree walk of RFC 9989."""
    labels = domain.split(".")
    for start in (0, *range(max(1, len(labels) - 7), len(labels))):
        name = ".".join(labels[start:])
        text = (look_up(f"_dmarc.{name}") or b"").decode("ascii", "replace")
        tags = dict(tag.partition("=")[::2] for tag in text.replace(" ", "").split(";"))
        if tags.get("v") == "DMARC1":
            yield name, tags
            if tags.get("psd") in ("y", "n"):
                return


def organisation(domain: str) -> str:
    """Return the domain at which an organisation begins: example.org for mail.example.org."""
    found = list(records(domain))
    if not found:
        return domain
    name, tags = found[-1]
    if tags.get("psd") == "y" and name != domain:  # a public suffix: the organisation is one label below it
        return ".".join(domain.split(".")[-name.count(".") - 2 :])
    return name


def policy_of(author: str) -> tuple[Record | None, str]:
    """Return the record that holds for a domain, and what it asks for: none, quarantine or reject."""
    found = list(records(author))
    if not found:
        return None, "none"
    if found[0][0] == author:
        return found[0][1], found[0][1].get("p", "none")
    tags = dict(found).get(organisation(author), found[-1][1])
    return tags, tags.get("sp", tags.get("p", "none"))


def tag(record: Record | None, name: str) -> str:
    """Return a tag of a record; "r", for relaxed, if it is not there."""
    return (record or {}).get(name, "r")


def is_aligned(domain: str, author: str, mode: str) -> bool:
    """Return whether two domains are the same, or at least of one organisation, unless the mode is "s" (strict)."""
    return domain == author or (mode != "s" and organisation(domain) == organisation(author))


if __name__ == "__main__":
    dns.resolver.get_default_resolver().cache = dns.resolver.LRUCache()  # one message asks the same several times
    pymilter.run(dmarc, sys.argv[1])
