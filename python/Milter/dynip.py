"""Owns is_dynip: does a host name look as if a provider made it from the IP address?"""

import re
from typing import Final

__all__ = ["is_dynip"]

ip3: Final = re.compile(r"[0-9]{1,3}")

# Names that carry a hardware address or a line number, whatever the IP address is.
_LINE_NUMBER = (
    r"h[0-9a-f]{12}\.",
    r"s[0-9a-f]{16}\.[a-z]{2}\.",
    r"pcp\d{6,10}pcs\.",
    r"h\d*n\d*c\d*o\d*\.",
    r"-\d*-\d*\.",
)
# Names for the kind of line.
_LINE_KIND = (r"no-reverse", r"\.adsl\.", r"\.cable\.", r"xdsl-\d*\.", r"-ppp\d*\.")
_ANY_ADDRESS: Final = re.compile("|".join(_LINE_NUMBER + _LINE_KIND))


def is_dynip(host: str, addr: str) -> bool:
    """Whether the name `host` of the IPv4 address `addr` looks generated: names of home lines do, not of mail servers.

    Such names are: names with the address or its end in them, forwards or backwards, in decimal or hexadecimal
    ("1-2-3-4.isp.net"); with its last number where providers put it ("user4.isp.net"); names of access lines
    ("x.adsl.isp.net"); and a bracketed address, which libmilter passes if there is no name. Case does not matter.
    The name of an IPv6 address never looks generated. This is a guess: use it for a score or a greylist, not for a
    refusal by itself.
    """
    if host.startswith("[") and host.endswith("]"):
        return True
    octets = _octets(addr)
    if octets is None:
        return False
    host = host.lower()
    return _holds_address(host, octets) or _named_by_last(host, octets[3]) or bool(_ANY_ADDRESS.search(host))


def _octets(addr: str | None) -> list[int] | None:
    parts = addr.split(".") if addr else []
    if len(parts) != 4 or not all(
        len(part) < 10 and part.isascii() and part.isdigit() and int(part) <= 255 for part in parts
    ):
        return None
    return [int(part) for part in parts]


def _holds_address(host: str, octets: list[int]) -> bool:
    a, b, c, d = octets
    numbers = [int(found) for found in ip3.findall(host)]
    if numbers[-2:] == [c, d] or numbers[-3:] == [a, b, c]:
        return True
    if _has_run(numbers, [d, c]) or _has_run(numbers, [c, b, a]):
        return True
    return f"{a}{b}{c}" in host or f"{b}{c}{d}" in host or bytes(octets).hex() in host


def _has_run(numbers: list[int], run: list[int]) -> bool:
    return any(numbers[start : start + len(run)] == run for start in range(len(numbers)))


def _named_by_last(host: str, last: int) -> bool:
    """Whether a label ends in the number, at one of the places where providers put it."""
    first, *others = host.split(".")
    labels = [first, *others]
    for place, (label, following) in enumerate(zip(labels, others, strict=False)):
        before = label.rstrip("0123456789")
        digits = label[len(before) :]
        if digits not in (str(last), f"{last:03}"):
            continue
        if before.endswith(("-", "user", "cust", "h")) or "ppp" in before or (not before and place == 0):
            return True
        if before.endswith("p") and following.startswith("pool"):
            return True
    return False
