"""Looks up a charset that a sender names, and leaves no trace of it in memory."""

import codecs
import encodings
from typing import Any

_LONGEST_NAME = 100


def find_codec(name: str) -> codecs.CodecInfo | None:
    """Return the codec of a charset, including those that the program registered; None for an unknown name.

    The standard library remembers each unknown name for the life of the process. This function makes it forget.
    """
    if len(name) > _LONGEST_NAME:
        return None
    try:
        return codecs.lookup(name)
    except (LookupError, ValueError):
        forget_unknown_charsets()
        return None


def forget_unknown_charsets() -> None:
    """Make the standard library forget the unknown names that it was asked for."""
    known: dict[str, Any] = getattr(encodings, "_cache", {})
    for name in [name for name, codec in list(known.items()) if codec is None]:
        known.pop(name, None)
