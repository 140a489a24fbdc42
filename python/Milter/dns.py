"""Owns DNS look-ups for filters: one query, and a Session that follows CNAMEs and caches answers.

It needs dnspython (pip install dnspython), but not before the first query.
"""

import time
from collections.abc import Iterable
from typing import TYPE_CHECKING, Any, Final

if TYPE_CHECKING:
    from dns.message import Message, QueryMessage
    from dns.nameserver import Nameserver
    from dns.rdata import Rdata
    from dns.resolver import Resolver

__all__ = ["MAX_CNAME", "DNSError", "DNSLookup", "Session"]

MAX_CNAME: Final = 10

Record = tuple[tuple[str, str], Any]


class DNSError(Exception):
    """There was no answer: a timeout, a server failure, a CNAME loop. "No such name" is an answer: an empty one."""


def DNSLookup(name: str, qtype: str, timeout: float | None = None) -> list[Record]:  # noqa: N802 - classic name
    """Return the answer section for a name as [((name, type), value), ...], with CNAMEs; [] if there is no such name.

    The values are: for A a str, for AAAA 16 bytes, for MX (preference, name), for SRV (priority, weight, port, name),
    for TXT and SPF a list of bytes, for CNAME, NS and PTR a str without a final dot, for others the text as in a zone
    file. Servers and timeouts are those of dns.resolver.get_default_resolver(); `timeout`, in seconds, shortens them.

    Raises:
        DNSError: there is no answer, the name is malformed, or the type is unknown.
        ImportError: dnspython is not installed.
    """
    resolver = _resolver()
    import dns.exception
    import dns.message
    import dns.rdatatype

    if not name:
        raise DNSError("nothing to look up")
    try:
        rdtype = dns.rdatatype.from_text(qtype)
        query = dns.message.make_query(name if name.endswith(".") else f"{name}.", rdtype)
    except (dns.exception.DNSException, UnicodeError, ValueError) as error:
        raise DNSError(f"cannot ask for {name} {qtype}: {error}") from error
    lifetime = resolver.lifetime if timeout is None else min(timeout, resolver.lifetime)
    return _records(_ask(resolver, query, f"{name} {qtype}", lifetime))


def _resolver() -> "Resolver":
    try:
        import dns.resolver
    except ImportError:
        raise ImportError(
            "Milter.dns needs dnspython: pip install dnspython "
            "(the package index still has pymilter 1.0.5, which has no extras)"
        ) from None
    return dns.resolver.get_default_resolver()


def _ask(resolver: "Resolver", query: "QueryMessage", what: str, lifetime: float) -> "Message":
    """Try the servers in turn until one answers, and silent ones again, until `lifetime` seconds are over.

    Raises:
        DNSError: no server has answered; the text has the last reason.
    """
    import dns.exception
    import dns.rcode

    end = time.monotonic() + lifetime
    reason = "Timeout"
    servers = _servers(resolver)
    while servers:
        silent: list[Nameserver] = []
        for server in servers:
            left = min(resolver.timeout, end - time.monotonic())
            if left <= 0:
                break
            try:
                answer = _exchange(server, query, left)
            except dns.exception.Timeout:
                silent.append(server)
            except (dns.exception.DNSException, OSError) as error:
                reason = str(error) or type(error).__name__
            else:
                if answer.rcode() in (dns.rcode.NOERROR, dns.rcode.NXDOMAIN):
                    return answer
                reason = dns.rcode.to_text(answer.rcode())
        servers = silent
    raise DNSError(f"{reason}: {what}")


def _servers(resolver: "Resolver") -> "list[Nameserver]":
    from dns.nameserver import Do53Nameserver, DoHNameserver

    found: list[Nameserver] = []
    for server in resolver.nameservers:
        if not isinstance(server, str):
            found.append(server)
        elif "://" in server:
            found.append(DoHNameserver(server))
        else:
            found.append(Do53Nameserver(server, resolver.nameserver_ports.get(server, resolver.port)))
    return found


def _exchange(server: "Nameserver", query: "QueryMessage", timeout: float) -> "Message":
    import dns.message

    try:
        return server.query(query, timeout, None, 0, max_size=False)
    except dns.message.Truncated:
        return server.query(query, timeout, None, 0, max_size=True)  # over TCP


def _records(answer: "Message") -> list[Record]:
    import dns.rdatatype

    found: list[Record] = []
    for rrset in answer.answer:
        qtype = dns.rdatatype.to_text(rrset.rdtype)
        name = rrset.name.to_text(omit_final_dot=True)
        values = [_value(qtype, rdata) for rdata in rrset]
        found += [((name, qtype), value) for value in (sorted(values) if qtype == "MX" else values)]
    return found


def _value(qtype: str, rdata: "Rdata") -> Any:
    fields: Any = rdata
    match qtype:
        case "A":
            return fields.address
        case "AAAA":
            return rdata.to_wire()
        case "CNAME" | "NS" | "PTR" | "DNAME":
            return fields.target.to_text(omit_final_dot=True)
        case "MX":
            return fields.preference, fields.exchange.to_text(omit_final_dot=True)
        case "SRV":
            return fields.priority, fields.weight, fields.port, fields.target.to_text(omit_final_dot=True)
        case "TXT" | "SPF":
            return list(fields.strings)
        case _:
            return rdata.to_text()


class Session:
    """A cache of the look-ups for one message or connection. Not to be shared between threads."""

    # The additional records that may be trusted, and cached, in the answer to a query of a type.
    SAFE2CACHE: Final = frozenset(
        {
            *((kind, kind) for kind in ("A", "AAAA", "CNAME", "MX", "NS", "PTR", "SPF", "TXT")),
            *((asked, "A") for asked in ("CNAME", "MX", "NS")),
        }
    )

    cache: dict[tuple[str, str], list[Any]]

    def __init__(self, timeout: float | None = None) -> None:
        """All look-ups together may take `timeout` seconds; if it is None, each has the time limit of the resolver."""
        self.cache = {}
        self._end = None if timeout is None else time.monotonic() + timeout

    def dns(self, name: str, qtype: str, cnames: Iterable[str] | None = None) -> list[Any]:
        """Return the values of the records of a name, following CNAMEs; [] if there are none. DNSLookup has the types.

        A malformed name (with an empty label, or one longer than 63) has no records. `cnames` are names that were
        followed on the way here, and must not come again.

        Raises:
            DNSError: there is no answer, or the CNAMEs go in a circle or are more than MAX_CNAME.
            ImportError: dnspython is not installed.
        """
        name = name.removesuffix(".").lower()
        if not all(0 < len(label) < 64 for label in name.split(".")):
            return []
        passed = {known.removesuffix(".").lower() for known in cnames or ()}
        while True:
            values = self._one(name, qtype)
            if values or qtype == "CNAME":
                return list(values)
            target = self.cache.get((name, "CNAME"))
            if not target:
                return []
            passed.add(name)
            name = str(target[0]).lower()
            if name in passed:
                raise DNSError(f"CNAME loop: {name} {qtype}")
            if len(passed) > MAX_CNAME:
                raise DNSError(f"Length of CNAME chain exceeds {MAX_CNAME}: {name} {qtype}")

    def _one(self, name: str, qtype: str) -> list[Any]:
        """Return the records of exactly this name; ask the servers only if neither they nor a CNAME are cached."""
        if (name, qtype) not in self.cache and (name, "CNAME") not in self.cache:
            fresh: dict[tuple[str, str], list[Any]] = {}
            timeout = () if self._end is None else (self._end - time.monotonic(),)
            for (found, kind), value in DNSLookup(name, qtype, *timeout):
                key = (found.lower(), kind)
                if key == (name, qtype) or kind == "CNAME" or (qtype, kind) in self.SAFE2CACHE:
                    fresh.setdefault(key, []).append(value)
            for key, values in fresh.items():
                self.cache.setdefault(key, values)
        return self.cache.get((name, qtype), [])

    def dns_txt(self, domainname: str, enc: str = "ascii") -> list[str]:
        """Return the TXT records of a domain, each with its strings joined; [] if `domainname` is empty.

        Raises UnicodeDecodeError if one is not in the encoding `enc`, and what dns() raises.
        """
        if not domainname:
            return []
        return [b"".join(strings).decode(enc) for strings in self.dns(domainname, "TXT")]
