"""How much structure of a message or zip file is followed, and the defects and errors if there is more."""

from __future__ import annotations

import zipfile
from dataclasses import dataclass
from email.errors import MessageDefect


@dataclass(frozen=True, slots=True)
class Limits:
    """How much structure `message_from_file` follows. A part with more is left whole and marked `too_complex`."""

    depth: int = 100
    """The nesting depth of entities (Postfix's mime_nesting_limit is 100 too)."""
    parts: int = 10_000
    """Parts in the whole message."""
    fields: int = 100_000
    """Header fields in the whole message."""
    decoded: int = 4
    """How much of encoded message/rfc822 parts is decoded in total, as a multiple of the message's size."""


@dataclass(frozen=True, slots=True)
class ZipLimits:
    """How much of a zip file `zipnames` reads. A file with more raises `ZipLimitError`."""

    depth: int = 8
    """The nesting depth of zip files, including the outermost."""
    entries: int = 10_000
    """Entries in all zip files together."""
    size: int = 64 << 20
    """Bytes unpacked to read inner zip files, in total."""
    ratio: int = 200
    """The highest ratio of unpacked to packed size of an inner zip file of more than 1 MiB."""


class TooComplexDefect(MessageDefect):
    """A part is nested too deeply, or has too many parts or header fields, and was left whole."""


class AmbiguousDefect(MessageDefect):
    """Mail clients disagree about the content of a part, or about its parts, and no reading of it can be trusted."""


class UnreadableError(ValueError):
    """A part cannot be taken apart, so the whole part must be replaced."""


class ZipUnreadableError(zipfile.BadZipFile):
    """A zip file, or one inside it, is broken, encrypted or packed by a method that cannot be read."""


class ZipLimitError(ZipUnreadableError):
    """A zip file exceeds one of the `ZipLimits`. It may be a zip bomb, and was not read further."""
