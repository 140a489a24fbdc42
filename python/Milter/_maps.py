"""Reads the lookup tables of Sendmail and Postfix: text, cdb, Berkeley DB and LMDB files."""

import functools
import importlib
import logging
import mmap
import re
import shutil
import struct
import subprocess
from pathlib import Path
from typing import Any, Final, Protocol

log: logging.Logger = logging.getLogger("milter.policy")


class Map(Protocol):
    """A table that is open for reading, to be used by one thread at a time."""

    def get(self, key: bytes, /) -> bytes | None:
        """Return the value of a key, or None."""

    def close(self) -> None:
        """Close the file."""


def open_map(fname: str) -> Map:
    """Open a table of any kind that is supported here.

    Raises:
        OSError: The file cannot be read.
        ImportError: No installed library or program reads this kind of table.
    """
    path = Path(fname)
    with path.open("rb") as file:
        start = file.read(4096)
    kind = _berkeley_kind(start)
    if kind:
        return _open_berkeley(path, kind)
    if path.suffix == ".lmdb":
        return _open_lmdb(path)
    if path.suffix == ".cdb":
        return Cdb(path)
    return Text(path)


class Text:
    """The source of a table: "key value" lines, "#" comments; white space at the start continues a line."""

    def __init__(self, path: Path) -> None:
        text = re.sub(rb"\n(?=[ \t]+[^ \t#\n])", b"", path.read_bytes())
        self._values: dict[bytes, bytes] = {}
        for line in text.splitlines():
            key, *value = line.split(None, 1)[:2] or [b"#"]
            if not key.startswith(b"#"):
                self._values.setdefault(key.lower(), value[0].strip() if value else b"")

    def get(self, key: bytes, /) -> bytes | None:
        return self._values.get(key.lower())

    def close(self) -> None:
        self._values = {}


class Cdb:
    """A constant database, as D. J. Bernstein's cdb, tinycdb, postmap and makemap write it.

    Format: 256 pairs (position, slots) of hash tables; records (key length, data length, key, data); tables of pairs
    (hash, position of record). All numbers are 32 bits, little-endian.
    """

    def __init__(self, path: Path) -> None:
        with path.open("rb") as file:
            if path.stat().st_size < 2048:
                raise OSError(f"{path} is too short for a cdb file")
            self._data = mmap.mmap(file.fileno(), 0, access=mmap.ACCESS_READ)

    def get(self, key: bytes, /) -> bytes | None:
        code = 5381
        for byte in key:
            code = ((code << 5) + code & 0xFFFFFFFF) ^ byte
        try:
            table, slots = struct.unpack_from("<II", self._data, (code & 255) * 8)
            for step in range(slots):
                slot = table + (((code >> 8) + step) % slots) * 8
                found, record = struct.unpack_from("<II", self._data, slot)
                if record == 0:
                    return None
                if found == code:
                    key_length, length = struct.unpack_from("<II", self._data, record)
                    begin = record + 8 + key_length
                    if self._data[record + 8 : begin] == key:
                        return self._data[begin : begin + length]
        except struct.error:
            raise OSError("the cdb file is damaged") from None
        return None

    def close(self) -> None:
        self._data.close()


_MAGICS = {0x061561: "hash", 0x053162: "btree"}


def _berkeley_kind(start: bytes) -> str | None:
    """Return "hash" or "btree" if this is Berkeley DB: the magic number is at offset 12, in either byte order."""
    if len(start) < 16:
        return None
    for order in "<>":
        kind = _MAGICS.get(struct.unpack_from(f"{order}I", start, 12)[0])
        if kind:
            return kind
    return None


def _open_berkeley(path: Path, kind: str) -> Map:
    for package in ("berkeleydb", "bsddb3"):
        try:
            return _BerkeleyDb(importlib.import_module(package).db, path)
        except ImportError:
            continue
    ndbm = _ndbm()
    if ndbm is not None and kind == "hash" and path.suffix == ".db":
        return _Ndbm(ndbm, path)
    if shutil.which("postmap") and path.suffix == ".db":
        return _Postmap(f"{kind}:{path.with_suffix('')}")
    raise ImportError(
        f"{path} is a Berkeley DB {kind} file. To read it: pip install berkeleydb, or keep the map as text or cdb"
    )


class _BerkeleyDb:
    def __init__(self, db: Any, path: Path) -> None:
        self._error = db.DBError
        self._file = db.DB()
        try:
            self._file.open(str(path), None, db.DB_UNKNOWN, db.DB_RDONLY)
        except db.DBError as error:
            raise OSError(f"cannot open the map: {error}") from error

    def get(self, key: bytes, /) -> bytes | None:
        try:
            value: bytes | None = self._file.get(key)
        except self._error as error:
            raise OSError(f"cannot read the map: {error}") from error
        return value

    def close(self) -> None:
        self._file.close()


def _ndbm() -> Any:
    """Return `dbm.ndbm` if it was built on Berkeley DB (as on Debian), because it then reads hash files."""
    try:
        ndbm = importlib.import_module("dbm.ndbm")
    except ImportError:
        return None
    return ndbm if "Berkeley" in getattr(ndbm, "library", "") else None


class _Ndbm:
    def __init__(self, ndbm: Any, path: Path) -> None:
        self._file = ndbm.open(str(path.with_suffix("")), "r")

    def get(self, key: bytes, /) -> bytes | None:
        value: bytes | None = self._file.get(key)
        return value

    def close(self) -> None:
        self._file.close()


def _open_lmdb(path: Path) -> Map:
    if shutil.which("postmap"):
        return _Postmap(f"lmdb:{path.with_suffix('')}")
    raise ImportError(f"{path} is an LMDB file, which postmap reads: install postfix and postfix-lmdb")


_WARNING: Final = re.compile(rb"postmap: warning: (.*)")


@functools.lru_cache(maxsize=256)
def _warn_once(text: str) -> None:
    log.warning("%s", text)


def _faults(table: str, stderr: bytes) -> str:
    """Return the errors that postmap printed. Its warnings are logged, each once in the life of the process."""
    faults: list[str] = []
    for line in stderr.splitlines():
        if warning := _WARNING.fullmatch(line):
            _warn_once(f"postmap {table}: {warning[1].decode(errors='replace')}")
        elif line.strip():
            faults.append(line.decode(errors="replace").strip())
    return "; ".join(faults)


class _Postmap:
    """A table that Postfix reads for us, with one process for each lookup."""

    def __init__(self, table: str) -> None:
        self._table = table

    def get(self, key: bytes, /) -> bytes | None:
        # postmap takes one key per line, and tries the key with a NUL appended by itself.
        if not key or b"\n" in key or b"\0" in key:
            return None
        done = subprocess.run(
            ["postmap", "-q", "-", self._table], input=key + b"\n", capture_output=True, timeout=30, check=False
        )
        # The status is 1 for a missing key and for an error; only stderr shows which.
        faults = _faults(self._table, done.stderr)
        if faults or done.returncode not in (0, 1):
            raise OSError(f"postmap {self._table}: {faults or f'ended with status {done.returncode}'}")
        return done.stdout.removesuffix(b"\n").partition(b"\t")[2] if done.stdout else None

    def close(self) -> None:
        pass
