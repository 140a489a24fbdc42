"""The bounds on how much structure of a hostile message or zip file is followed, and what says that one was passed."""

from __future__ import annotations

import zipfile
from dataclasses import dataclass
from email.errors import MessageDefect


@dataclass(frozen=True, slots=True)
class Limits:
    """How much structure `message_from_file` takes apart. What lies beyond stays whole, and is marked `too_complex`."""

    depth: int = 100
    """Entities inside one another (Postfix's mime_nesting_limit is 100 too)."""
    parts: int = 10_000
    """Parts in the whole message."""
    fields: int = 100_000
    """Header fields in the whole message."""
    decoded: int = 4
    """Encoded message/rfc822 parts are decoded to be looked into: so many times the message's size, all together."""


@dataclass(frozen=True, slots=True)
class ZipLimits:
    """How far `zipnames` goes into a zip file. Passing a bound raises `ZipLimitError`."""

    depth: int = 8
    """Zip files inside one another, the outermost included."""
    entries: int = 10_000
    """Entries in all of them together."""
    size: int = 64 << 20
    """Bytes unpacked to read inner zip files, in all of them together."""
    ratio: int = 200
    """Unpacked over packed size of an inner zip file, when it unpacks to more than a MiB."""


class TooComplexDefect(MessageDefect):
    """A part is nested too deeply, or has too many parts or header fields, so it was not taken apart."""


class AmbiguousDefect(MessageDefect):
    """Mail clients do not agree what is in a part, or where its parts are, and no reading of it can be trusted."""


class UnreadableError(ValueError):
    """Something in a part cannot be taken apart, so that the part is replaced as a whole."""


class ZipUnreadableError(zipfile.BadZipFile):
    """A zip file, or one inside it, is broken, encrypted or packed in a way that cannot be read."""


class ZipLimitError(ZipUnreadableError):
    """A zip file passes one of the `ZipLimits`: it may be a zip bomb, and was not looked into further."""
