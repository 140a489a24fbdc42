"""Lists the names in a zip file and in the zip files inside it, within limits."""

from __future__ import annotations

import io
import struct
import zipfile
import zlib

from ._limits import ZipLimitError, ZipLimits, ZipUnreadableError
from ._names import is_zip_name

_LIMITS = ZipLimits()
_ENTRY = b"PK\x01\x02"
_MIB = 1 << 20
_UNICODE_PATH = 0x7075
#: Everything that zipfile raises for broken files.
_FAULTS = (
    zipfile.BadZipFile, zlib.error, struct.error, EOFError, OSError, ValueError, OverflowError, RuntimeError,
    NotImplementedError, LookupError,
)  # fmt: skip


def zipnames(txt: bytes, limits: ZipLimits = _LIMITS) -> list[tuple[str, str]]:
    """List the names in a zip file.

    Args:
        txt: the content of the zip file.
        limits: how much of the zip file, and of those inside it, is read.

    Returns:
        ("zipname", NAME) for each entry; the entries of an inner .zip come right after it.

    Raises:
        ZipLimitError: one of `limits` is exceeded.
        ZipUnreadableError: the file, or one inside it, is broken or encrypted. Both are a zipfile.BadZipFile.
        TypeError: `txt` is not bytes.
    """
    if not isinstance(txt, bytes | bytearray | memoryview):
        raise TypeError(f"zipnames needs the bytes of a zip file, not {type(txt).__name__}")
    return _Lister(limits).names(bytes(txt), 1)


class _Lister:
    """Lists one zip file, and stops at the limits."""

    def __init__(self, limits: ZipLimits) -> None:
        self._limits = limits
        self._entries = limits.entries
        self._size = limits.size

    def names(self, data: bytes, depth: int) -> list[tuple[str, str]]:
        # zipfile makes an object for each entry at once, so count the entries first.
        if data.count(_ENTRY) > self._entries:
            raise ZipLimitError(f"more than {self._limits.entries} entries in a zip file")
        try:
            with zipfile.ZipFile(io.BytesIO(data)) as archive:
                return self._archive(archive, depth)
        except ZipUnreadableError:
            raise
        except _FAULTS as fault:
            raise ZipUnreadableError(str(fault) or type(fault).__name__) from fault

    def _archive(self, archive: zipfile.ZipFile, depth: int) -> list[tuple[str, str]]:
        found = []
        for entry in archive.infolist():
            if not self._entries:
                raise ZipLimitError(f"more than {self._limits.entries} entries in a zip file")
            self._entries -= 1
            names = [entry.filename, *_unicode_names(entry.extra)]
            found += [("zipname", name) for name in dict.fromkeys(names)]
            if any(is_zip_name(name) for name in names) and not entry.is_dir():
                if depth >= self._limits.depth:
                    raise ZipLimitError(f"zip files nested deeper than {self._limits.depth}: {entry.filename!r}")
                found += self.names(self._read(archive, entry), depth + 1)
        return found

    def _read(self, archive: zipfile.ZipFile, entry: zipfile.ZipInfo) -> bytes:
        if entry.compress_type not in (zipfile.ZIP_STORED, zipfile.ZIP_DEFLATED):
            # LZMA may ask for a dictionary of 4 GiB; no mail client's zip tool packs a zip file like that.
            raise ZipUnreadableError(f"{entry.filename!r} is packed by method {entry.compress_type}")
        if entry.file_size > self._size:
            raise ZipLimitError(f"inner zip files of more than {self._limits.size} bytes: {entry.filename!r}")
        if entry.file_size > max(_MIB, self._limits.ratio * entry.compress_size):
            raise ZipLimitError(f"{entry.filename!r} is packed by more than {self._limits.ratio} to 1")
        with archive.open(entry) as file:  # reads no more than file_size
            data = file.read(entry.file_size + 1)
        self._size -= len(data)
        return data


def _unicode_names(extra: bytes) -> list[str]:
    """Return the names in Info-ZIP's Unicode path fields (0x7075), which many programs prefer to the plain name."""
    names, pos = [], 0
    while pos + 4 <= len(extra):
        kind, size = struct.unpack_from("<HH", extra, pos)
        if kind == _UNICODE_PATH:
            names.append(extra[pos + 9 : pos + 4 + size].decode("utf-8", "replace"))  # after a version and a CRC
        pos += 4 + size
    return names
