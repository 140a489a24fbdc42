"""Owns AddrCache: addresses and domains with the time they were seen and a result, kept in a text file."""

import errno
import fcntl
import logging
import os
import re
import time
from collections.abc import Iterator
from contextlib import contextmanager
from threading import RLock
from typing import Any

from Milter.plock import PLock, is_at

__all__ = ["AddrCache"]

log: logging.Logger = logging.getLogger("milter.cache")

_DAY = 24 * 60 * 60
_LINE = re.compile(r'((?:"(?:[^"\\]|\\.)*")?[^\s"]*|\S+)(?:\s+(\S.*\S))?\s*')


class AddrCache:
    """A cache of mail addresses and domains, for results that are expensive to get, such as call-back verification.

    An address is looked up as it is, and then by its domain; case does not matter. An entry lasts for `renew` days, or
    for ever if addperm() made it. Entries with a false result (None, "") are appended to the file `fname` when they are
    made, one per line: "address time", or "address" for ever. A true result is only kept in memory. Any thread may use
    it.
    """

    time_format = "%Y%b%d %H:%M:%S %Z"

    age: float
    cache: dict[str, tuple[float | None, Any]]
    fname: str | None

    def __init__(self, renew: float = 7, fname: str | None = None) -> None:
        self.age = renew
        self.cache = {}
        self.fname = fname
        self._lock = RLock()

    def load(self, fname: str, age: float = 0) -> None:
        """Replace the entries in memory by those of a file, to which new ones are appended from now on.

        Entries older than `age` days (`renew` if 0) and malformed lines are removed from the file, which is then kept
        as `fname`.old. Other processes may load the file and append to it meanwhile: nothing is lost. A missing file
        counts as empty. If another program holds `fname`.lock, the old lines stay in the file, and this is logged.
        """
        with self._lock:
            self.fname = fname
            self.cache = {}
            try:
                with _locked(fname, os.O_RDWR) as file:
                    self.cache = _load(fname, file, time.time() - (age or self.age) * _DAY)
            except FileNotFoundError:
                return

    def has_precise_key(self, sender: str | None) -> bool:
        """Whether the address itself, regardless of its domain, has a valid entry; an expired one is deleted."""
        if not sender:
            return False
        key = sender.lower()
        with self._lock:
            entry = self.cache.get(key)
            if entry is None:
                return False
            stamp = entry[0]
            if stamp is None or stamp > time.time() - self.age * _DAY:
                return True
            del self.cache[key]
            return False

    def has_key(self, sender: str | None) -> bool:
        """Whether the address or its domain has a valid entry."""
        return self._find(sender) is not None

    def __contains__(self, sender: object) -> bool:
        return isinstance(sender, str) and self.has_key(sender)

    def __getitem__(self, sender: str) -> Any:
        """Return the result for the address, or for its domain.

        Raises:
            KeyError: neither has a valid entry.
        """
        with self._lock:
            key = self._find(sender)
            if key is None:
                raise KeyError(sender.rpartition("@")[2].lower() if sender else sender)
            return self.cache[key][1]

    def _find(self, sender: str | None) -> str | None:
        if not sender:
            return None
        with self._lock:
            for key in (sender, sender.rpartition("@")[2]):
                if self.has_precise_key(key):
                    return key.lower()
        return None

    def __setitem__(self, sender: str, res: Any) -> None:
        """Keep a result with the current time. Raises OSError if the file cannot be written, but keeps the result."""
        now = time.time()
        with self._lock:
            self.cache[sender.lower()] = (now, res)
            if not res:
                self._append(sender, " " + time.strftime(self.time_format, time.localtime(now)))

    def addperm(self, sender: str, res: Any = None) -> None:
        """Keep a result for ever, unless there is one already. Raises OSError if the file cannot be written."""
        with self._lock:
            key = sender.lower()
            if self.cache.get(key, (0.0, None))[0] is None:
                return
            self.cache[key] = (None, res)
            if not res:
                self._append(sender)

    def _append(self, sender: str, stamp: str = "") -> None:
        line = sender + stamp
        entry = _entry(line, float("-inf"))
        if self.fname is None or entry is None or entry[0] != sender.lower() or len(line.splitlines()) != 1:
            return  # an address that could not be read back is not written
        with _locked(self.fname, os.O_RDWR | os.O_APPEND | os.O_CREAT) as file:
            end = os.fstat(file).st_size
            begin = b"\n" if end and os.pread(file, 1, end - 1) != b"\n" else b""  # the last line may lack its newline
            os.write(file, begin + f"{line}\n".encode("utf-8", "surrogateescape"))

    def __len__(self) -> int:
        return len(self.cache)


@contextmanager
def _locked(fname: str, flags: int) -> Iterator[int]:
    """Yield the descriptor of a file, locked for this process alone until the end of the `with` (flock(2)).

    Raises:
        OSError: the file cannot be opened.
    """
    while True:
        try:
            file = os.open(fname, flags | os.O_CLOEXEC, 0o666)
        except OSError as error:
            if error.errno not in (errno.EACCES, errno.EROFS) or flags & os.O_APPEND:
                raise
            file = os.open(fname, os.O_RDONLY | os.O_CLOEXEC)
        try:
            fcntl.flock(file, fcntl.LOCK_EX)
            if is_at(file, fname):  # otherwise somebody has replaced the file meanwhile
                yield file
                return
        finally:
            os.close(file)


def _load(fname: str, file: int, oldest: float) -> dict[str, tuple[float | None, Any]]:
    """Return the entries of a locked file, from which malformed lines and those older than `oldest` are removed."""
    with open(file, encoding="utf-8", errors="surrogateescape", newline="", closefd=False) as reader:
        lines = reader.read().splitlines(keepends=True)
    found: dict[str, tuple[float | None, Any]] = {}
    kept: list[str] = []
    for line in lines:
        entry = _entry(line, oldest)
        if entry is not None:
            found[entry[0]] = (entry[1], None)
            kept.append(line)
    if len(kept) < len(lines):
        lock = PLock(fname)
        try:
            lock.lock().writelines(kept)
            lock.commit(f"{fname}.old")
        except FileExistsError:
            log.warning("%s: stale lines stay, because somebody holds %s", fname, lock.lockname)
        finally:
            lock.unlock()
    return found


def _entry(line: str, oldest: float) -> tuple[str, float | None] | None:
    found = _LINE.fullmatch(line)
    if found is None or not found[1] or found[1].startswith("#"):
        return None
    if found[2] is None:
        return found[1].lower(), None
    try:
        stamp = time.mktime(time.strptime(found[2], AddrCache.time_format))
    except (ValueError, OverflowError):
        return None
    return (found[1].lower(), stamp) if stamp > oldest else None
