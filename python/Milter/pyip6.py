"""Owns the classic names of Milter.pyip6: IPv6 addresses in text and in 16 bytes, IPv4 ones as IPv6-mapped.

1.0.5 had these for Pythons without socket.inet_pton; today they are thin.
"""

import socket

from Milter.utils import PAT_IP4
from Milter.utils import ip4re as RE_IP4  # noqa: N812 - classic name

__all__ = ["PAT_IP4", "RE_IP4", "inet_ntop", "inet_pton"]


def inet_ntop(s: bytes) -> str:
    """Return an IPv6 address of 16 bytes as text (RFC 5952). Raises ValueError for another length."""
    return socket.inet_ntop(socket.AF_INET6, s)


def inet_pton(p: str) -> bytes:
    """Return the 16 bytes of an IPv6 address, or of an IPv4 address as ::ffff:a.b.c.d.

    Raises:
        ValueError: `p` is neither.
    """
    try:
        return socket.inet_pton(socket.AF_INET6, f"::ffff:{p}" if RE_IP4.match(p) else p)
    except OSError:
        raise ValueError(f"{p!r} is no IP address") from None
