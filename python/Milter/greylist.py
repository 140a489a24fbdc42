"""Owns the classic names of Milter.greylist; the greylist itself, and its file, are those of Milter.greysql."""

import time
from urllib.parse import quote

from Milter.greysql import Greylist, log

__all__ = ["Greylist", "Record", "log", "quoteAddress"]


class Record:
    """The history of one triple, in seconds since 1970, for programs with a store of their own."""

    __slots__ = ("cnt", "firstseen", "lastseen", "umis")

    def __init__(self, timeinc: float = 0) -> None:
        """Make a triple first and last seen `timeinc` seconds from now, and never accepted."""
        self.firstseen: float = time.time() + timeinc
        self.lastseen: float = self.firstseen
        self.cnt: int = 0
        self.umis: str | None = None

    def __str__(self) -> str:
        return f"Grey[{time.ctime(self.firstseen)}:{time.ctime(self.lastseen)}:{self.umis}:{self.cnt}]"


def quoteAddress(s: str) -> str:  # noqa: N802 - classic name
    """Return an address as one word that can be a file name: URL quoted, except for "@", "+", "!", "~" and "%"."""
    quoted = quote(s, safe="@+!~%", errors="surrogateescape")
    return "%2e" + quoted[1:] if quoted.startswith(".") else quoted
