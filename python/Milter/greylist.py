"""Owns the classic names of Milter.greylist; the greylist itself, and its file, are those of Milter.greysql."""

import time
from urllib.parse import quote

from Milter.greysql import Greylist, log

__all__ = ["Greylist", "Record", "log", "quoteAddress"]


class Record:
    """One triple's history, in seconds since 1970: programs that made their own store of them still can."""

    __slots__ = ("cnt", "firstseen", "lastseen", "umis")

    def __init__(self, timeinc: float = 0) -> None:
        """A triple first and last seen now plus `timeinc` seconds, and never accepted."""
        self.firstseen: float = time.time() + timeinc
        self.lastseen: float = self.firstseen
        self.cnt: int = 0
        self.umis: str | None = None

    def __str__(self) -> str:
        return f"Grey[{time.ctime(self.firstseen)}:{time.ctime(self.lastseen)}:{self.umis}:{self.cnt}]"


def quoteAddress(s: str) -> str:  # noqa: N802 - classic name
    """An address as one word that may be a file name: URL quoted, but for "@", "+", "!", "~" and "%"."""
    quoted = quote(s, safe="@+!~%", errors="surrogateescape")
    return "%2e" + quoted[1:] if quoted.startswith(".") else quoted
