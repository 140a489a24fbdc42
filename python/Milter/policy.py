"""Owns MTAPolicy: what the MTA's access map says about a sender."""

import logging
from types import TracebackType
from typing import Any, Self

from Milter._maps import Map, open_map

__all__ = ["DB", "MTAPolicy", "dbmopen"]

log: logging.Logger = logging.getLogger("milter.policy")


class DB:
    """An access map, open for reading: maps bytes to bytes, and raises KeyError for a missing key."""

    f: Map

    def open(self, fname: str, mode: str) -> None:
        """Open a map; the only `mode` is "r".

        The content decides the kind: Berkeley DB hash or btree, cdb, LMDB (name ending in .lmdb), or text as makemap
        and postmap read it.

        Raises:
            OSError: it cannot be read; FileNotFoundError if it is not there.
            ValueError: another mode.
            ImportError: nothing installed can read its kind; the text says what to install.
        """
        if mode != "r":
            raise ValueError(f"mode {mode!r}: access maps are opened with 'r', for reading")
        self.f = open_map(fname)

    def __getitem__(self, key: bytes) -> bytes:
        value = self.f.get(key)
        if value is None:
            raise KeyError(key)
        return value

    def close(self) -> None:
        """Close the map."""
        self.f.close()


def dbmopen(fname: str, mode: str) -> DB:
    """Open an access map. Raises what DB.open() raises."""
    found = DB()
    found.open(fname, mode)
    return found


class MTAPolicy:
    """The policies of an access map for one sender.

    The map has entries "PREFIX!user@domain", "PREFIX!domain", "PREFIX!" and "PREFIX" (a prefix that the
    program chooses, such as "spf-fail"); the first of them that exists counts. Use it as a context manager.
    """

    acf: DB | None

    def __init__(self, sender: str, conf: Any, access_file: str | None = None) -> None:
        """Use the map `access_file`, or `conf.access_file` if that is None; with neither there are no policies.

        `conf.access_file_nulls`: keys and values end in a NUL, as Sendmail's may.
        """
        self.use_nulls: bool = bool(getattr(conf, "access_file_nulls", False))
        self.sender = sender
        self.domain: str = sender.rpartition("@")[2].lower()
        self.acf = None
        self.access_file: str | None = access_file or getattr(conf, "access_file", None)

    def __enter__(self) -> Self:
        self._open()
        return self

    def __exit__(self, t: type[BaseException] | None, v: BaseException | None, b: TracebackType | None) -> None:
        self.close()

    def close(self) -> None:
        """Close the map; a later getPolicy() opens it again."""
        if self.acf is not None:
            self.acf.close()
            self.acf = None

    def _open(self) -> DB | None:
        if self.acf is None and self.access_file:
            try:
                self.acf = dbmopen(self.access_file, "r")
            except OSError as error:
                log.error("%s: cannot open for reading: %s", self.access_file, error)
                raise
        return self.acf

    def getPolicy(self, pfx: str) -> str | None:  # noqa: N802 - classic name
        """Return the value of the most specific entry for the sender under the prefix `pfx`; None if there is none.

        Each key is looked up as it is, then in lower case (as makemap and postmap store it), with and without a final
        NUL. Raises what DB.open() raises.
        """
        found = self._open()
        if found is None:
            return None
        for key in (f"{pfx}!{self.sender}", f"{pfx}!{self.domain}", f"{pfx}!", pfx):
            value = self._look_up(found, key)
            if value is not None:
                return value.removesuffix(b"\0").decode("utf-8", "surrogateescape")
        return None

    def _look_up(self, found: DB, key: str) -> bytes | None:
        for text in dict.fromkeys((key, key.lower())):
            plain = text.encode("utf-8", "surrogateescape")
            for stored in (plain + b"\0", plain) if self.use_nulls else (plain, plain + b"\0"):
                try:
                    return found[stored]
                except KeyError:
                    continue
        return None
