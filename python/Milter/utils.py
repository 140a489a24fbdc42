"""Owns the small text and address helpers of classic programs: IP lists, envelope addresses, encoded headers."""

import re
import socket
import struct
from binascii import a2b_base64
from collections.abc import Iterable
from fnmatch import fnmatchcase
from typing import Final

from Milter._mailbox import parse_mailbox
from pymilter.mime._encoded_words import decode_words

__all__ = [
    "MASK",
    "MASK6",
    "PAT_IP4",
    "addr2bin",
    "bin2long6",
    "cidr",
    "decode",
    "dnsre",
    "inet_ntop",
    "inet_pton",
    "iniplist",
    "ip4re",
    "ip6re",
    "parse_addr",
    "parse_header",
    "parseaddr",
]

MASK: Final = 0xFFFFFFFF
MASK6: Final = 0xFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFF

_OCTET = r"(?:\d|[1-9]\d|1\d\d|2[0-4]\d|25[0-5])"
PAT_IP4: Final = r"\.".join([_OCTET] * 4)


def _ipv6_pattern() -> str:
    """IPv6address of RFC 3986, appendix A: up to seven groups before "::", and what may follow it."""
    group = "[0-9a-f]{1,4}"
    low32 = f"(?:{group}:{group}|{PAT_IP4})"
    tails = [f"(?:{group}:){{{count}}}{low32}" for count in range(5, -1, -1)] + [group, ""]
    forms = [f"(?:{group}:){{6}}{low32}"]
    for before, tail in enumerate(tails):
        head = f"(?:(?:{group}:){{0,{before - 1}}}{group})?" if before else ""
        forms.append(f"{head}::{tail}")
    return f"(?:{'|'.join(forms)})$"


ip4re: Final = re.compile(PAT_IP4 + "$")
ip6re: Final = re.compile(_ipv6_pattern(), re.IGNORECASE)
dnsre: Final = re.compile(r"^[a-z][-a-z\d.]+$", re.IGNORECASE)

_MAPPED = 0xFFFF << 32


def inet_ntop(s: bytes) -> str:
    """Return an IPv6 address of 16 bytes as text (RFC 5952). Raises ValueError for another length."""
    return socket.inet_ntop(socket.AF_INET6, s)


def inet_pton(s: str) -> bytes:
    """Return the 16 bytes of an IPv6 address in text. Raises OSError if it is none."""
    return socket.inet_pton(socket.AF_INET6, s)


def bin2long6(s: bytes) -> int:
    """Return an IPv6 address of 16 bytes as a number. Raises struct.error for another length."""
    high, low = struct.unpack("!QQ", s)
    return int(high << 64 | low)


def addr2bin(s: str) -> int:
    """Return an IPv4 or IPv6 address in text as a number.

    Raises:
        OSError: `s` is neither.
    """
    if ":" in s:
        return bin2long6(inet_pton(s))
    try:
        return int.from_bytes(socket.inet_aton(s), "big")
    except OSError:
        raise OSError(f"Invalid IP4 address: {s}") from None


def cidr(i: int, n: int, mask: int = MASK) -> int:
    """Return `i` with all but its first `n` bits cleared; `mask` is MASK for IPv4 and MASK6 for IPv6 addresses."""
    return ~(mask >> n) & mask & i


def _is_ip(text: str) -> bool:
    return bool(ip4re.match(text) or ip6re.match(text))


def _as_128(text: str) -> tuple[int, int]:
    """Return an address in IPv6 space (IPv4 as ::ffff:a.b.c.d, RFC 4291 2.5.5.2), and how many bits that adds."""
    number = addr2bin(text.rstrip("\n"))
    return (number, 0) if ":" in text else (_MAPPED | number, 96)


def _prefix_length(entry: str, digits: str, longest: int) -> int:
    try:
        length = int(digits)
    except ValueError:
        length = -1
    if length < 0:
        raise ValueError(f"bad prefix length in {entry!r}: a number from 0 to {longest} is allowed after the slash")
    return min(length, longest)


def _resolve(host: str, family: socket.AddressFamily) -> list[str]:
    try:
        return [str(found[4][0]) for found in socket.getaddrinfo(host, 25, family)]
    except (OSError, UnicodeError):
        return []


def iniplist(ipaddr: str, iplist: Iterable[str]) -> bool:
    """Whether an address is in a list of addresses, networks ("10.0.0.0/8"), shell patterns ("10.1.*") and host names.

    A host name, which may have a prefix length, is looked up in the address family of `ipaddr` with getaddrinfo.
    An IPv4 address and its IPv6-mapped form (::ffff:10.0.0.1) are the same address.

    Raises:
        ValueError: `ipaddr` is no IP address, or a prefix length is no number.
    """
    if not _is_ip(ipaddr):
        raise ValueError(f"Invalid ip syntax:{ipaddr}")
    number, shift = _as_128(ipaddr)
    texts = {ipaddr.lower()}
    family = socket.AF_INET if shift else socket.AF_INET6
    if not shift and number >> 32 == 0xFFFF:
        family = socket.AF_INET
        texts.add(socket.inet_ntoa((number & MASK).to_bytes(4, "big")))
    for entry in iplist:
        if any(fnmatchcase(text, entry.lower()) for text in texts):
            return True
        net, slash, digits = entry.partition("/")
        if _is_ip(net):
            found = [net]
        elif dnsre.match(net):
            if slash:
                _prefix_length(entry, digits, 32)
            found = _resolve(net, family)
        else:
            continue
        for text in found:
            base, offset = _as_128(text)
            length = _prefix_length(entry, digits, 128 - offset) if slash else 128 - offset
            if cidr(number ^ base, offset + length, MASK6) == 0:
                return True
    return False


def parse_addr(t: str) -> list[str]:
    """Return [user, domain], or [user] without "@", of an envelope address without brackets, source route and quotes.

    RFC 5321 4.1.2. '<@a,@b:"joe doe"@example.com>' gives ['joe doe', 'example.com'].
    """
    if t.startswith("<") and t.endswith(">"):
        t = t[1:-1]
    if t.startswith("@") and ":" in t:
        t = t.partition(":")[2]
    local, at, domain = t.rpartition("@")
    if not at or (t.startswith('"') and t.endswith('"')):
        local, at, domain = t, "", ""
    if local.startswith('"') and local.endswith('"') and (len(local) > 1 or not at):
        local = local[1:-1]
    return [local, domain] if at else [local]


def parseaddr(t: str) -> tuple[str, str]:
    """Return (name, address) of a From, To or Sender header, undecoded; ('', '') if there is no address.

    If there are several mailboxes, the first counts. A name with unquoted specials ("Smith, Joe <joe@example.com>") is
    kept whole, and the address is the text in the angle brackets. Quoted text or a comment is never the address, even
    if the quote or the comment is not closed: "alice@example.org(<bob@example.org>" is from alice@example.org
    (CVE-2023-27043).
    """
    return parse_mailbox(t)


def parse_header(val: str) -> str:
    """Return a header value with its encoded words (RFC 2047) decoded.

    Bytes that are invalid in their character set become U+FFFD; a word that cannot be decoded (unknown character set,
    broken base64) stays as it is.
    """
    return decode_words(val)


def decode(s: str | bytes, convert_eols: str | bytes | None = None) -> bytes:
    """Decode base64 text; CRLF becomes `convert_eols` if that is given. Raises binascii.Error for broken text."""
    if not s:
        return b""
    data = a2b_base64(s)
    if convert_eols:
        data = data.replace(b"\r\n", convert_eols.encode() if isinstance(convert_eols, str) else convert_eols)
    return data
