"""Owns Greylist: which (client, sender, recipient) have waited long enough, kept in an SQLite file."""

import csv
import logging
import math
import re
import sqlite3
import time
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from threading import RLock
from typing import Protocol
from urllib.parse import quote, unquote

__all__ = ["Greylist"]

log: logging.Logger = logging.getLogger("milter.greylist")

_MARGIN = 5  # seconds beyond grey_time until a retry is accepted, as in 1.0.5

_SCHEMA = """
create table if not exists greylist(
  ip text, sender text, recipient text,
  firstseen timestamp, lastseen timestamp, cnt integer, umis text,
  primary key (ip, sender, recipient))
"""


class _Writer(Protocol):
    def write(self, text: str, /) -> object: ...


class Greylist:
    """A greylist for any number of threads and processes.

    A triple is refused until `grey_time` minutes have passed since it was first seen; if it does not come back within
    `grey_expire` hours after that, it starts over. Once accepted, it stays accepted while it is seen at least every
    `grey_retain` days. If the attribute `ignoreLastByte` is set, the IPv4 clients of one /24 count as one.
    """

    def __init__(self, dbname: str, grey_time: float = 10, grey_expire: float = 4, grey_retain: float = 36) -> None:
        """Open the database, or make it.

        Raises:
            sqlite3.Error: the file cannot be opened, or is no SQLite database.
        """
        self.ignoreLastByte = False
        self.greylist_time: float = grey_time * 60
        self.greylist_expire: float = grey_expire * 60 * 60
        self.greylist_retain: float = grey_retain * 24 * 60 * 60
        self._lock = RLock()
        self.conn: sqlite3.Connection
        self.conn = sqlite3.connect(dbname, timeout=30, isolation_level=None, check_same_thread=False)
        try:
            self.conn.execute("pragma journal_mode=wal")
            self.conn.execute("pragma synchronous=normal")
            self.conn.execute(_SCHEMA)
        except sqlite3.Error:
            self.conn.close()
            raise

    @contextmanager
    def _transaction(self) -> Iterator[sqlite3.Connection]:
        with self._lock:
            self.conn.execute("begin immediate")
            try:
                yield self.conn
            except BaseException:
                self.conn.execute("rollback")
                raise
            self.conn.execute("commit")

    def check(self, ip: str, sender: str, recipient: str, timeinc: float = 0) -> int:
        """Return how often the triple has been accepted, including this time; 0 means: refuse for now.

        `timeinc` seconds are added to the current time. Raises TypeError unless all three are str, and sqlite3.Error if
        the file fails.
        """
        now = time.time() + timeinc
        triple = (self._client(ip), _storable(sender), _storable(recipient))
        where = "where ip = ? and sender = ? and recipient = ?"
        with self._transaction() as conn:
            row = conn.execute(f"select firstseen, lastseen, cnt from greylist {where}", triple).fetchone()
            if row is None:
                log.debug("Initial greylist: %s", triple)
                conn.execute("insert into greylist values (?, ?, ?, ?, ?, 0, null)", (*triple, now, now))
                return 0
            first, last, count = row
            early = now < first + self.greylist_time + _MARGIN
            if now > last + self.greylist_retain or (not count and now >= first + self.greylist_expire):
                log.debug("Expired greylist: %s", triple)
                first, count, early = now, 0, True
            elif not early:
                count += 1
            update = f"update greylist set firstseen = ?, lastseen = ?, cnt = ? {where}"
            conn.execute(update, (first, now, count, *triple))
            return 0 if early else int(count)

    def _client(self, ip: str) -> str:
        ip = _storable(ip)
        if self.ignoreLastByte and re.fullmatch(r"(?:\d{1,3}\.){3}\d{1,3}", ip):
            return ip.rpartition(".")[0]
        return ip

    def clean(self, timeinc: float = 0) -> int:
        """Delete triples that `timeinc` seconds from now will be unseen for `grey_retain` days; return their number."""
        with self._transaction() as conn:
            return conn.execute("delete from greylist where lastseen < ?", (self._oldest(timeinc),)).rowcount

    def _oldest(self, timeinc: float) -> float:
        return time.time() + timeinc - self.greylist_retain

    def export_csv(self, fp: _Writer, timeinc: float = 0) -> None:
        """Write the triples that clean() would keep: ip, sender, recipient (URL quoted), first and last seen, count.

        Times are seconds since 1970. The seventh column was an id, and is empty.
        """
        query = "select ip, sender, recipient, firstseen, lastseen, cnt, umis from greylist where lastseen >= ?"
        with self._lock:
            rows = self.conn.execute(query, (self._oldest(timeinc),)).fetchall()
        writer = csv.writer(fp)
        for ip, sender, recipient, *rest in rows:
            writer.writerow([ip, quote(sender, safe="@+!=~"), quote(recipient, safe="@+!=~"), *rest])

    def import_csv(self, fp: Iterable[str]) -> None:
        """Import what export_csv() wrote; of two entries for one triple, the one that was seen later stays.

        If a line is malformed, nothing is imported, and ValueError names the line.
        """
        with self._transaction() as conn:
            for number, row in enumerate(csv.reader(fp), 1):
                if row:
                    conn.execute(
                        "insert into greylist values (?, ?, ?, ?, ?, ?, ?) on conflict do update set"
                        " firstseen = excluded.firstseen, lastseen = excluded.lastseen, cnt = excluded.cnt,"
                        " umis = excluded.umis where excluded.lastseen > lastseen",
                        _imported(number, row),
                    )

    def close(self) -> None:
        """Close the database. From then on, every method but this one raises sqlite3.ProgrammingError."""
        with self._lock:
            self.conn.close()


def _storable(text: str) -> str:
    """Return `text` as SQLite can store it: lone surrogates (bytes that were not UTF-8) are escaped.

    Raises:
        TypeError: `text` is not a str.
    """
    if not isinstance(text, str):
        raise TypeError(f"ip, sender and recipient must be str, not {type(text).__name__}")
    return text.encode("utf-8", "backslashreplace").decode()


def _imported(number: int, row: list[str]) -> tuple[str, str, str, float, float, int, str]:
    try:
        ip, sender, recipient, first, last, count, umis = row
        times = float(first), float(last)
        if not all(map(math.isfinite, times)):
            raise ValueError(f"times must be numbers, not {first} and {last}")
        return ip, unquote(sender), unquote(recipient), *times, int(count), umis
    except ValueError as error:
        raise ValueError(f"greylist line {number} is not ip,sender,recipient,first,last,count,id: {error}") from None
