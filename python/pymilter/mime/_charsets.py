"""Owns looking up a charset that a sender names: without a trace of it being left, however many names there are."""

import codecs
import encodings
from typing import Any

_LONGEST_NAME = 100


def find_codec(name: str) -> codecs.CodecInfo | None:
    """The codec of a charset, those included that the program has registered; None for a name that has none.

    The standard library remembers each name that it did not find, for as long as the process lives: here it forgets.
    """
    if len(name) > _LONGEST_NAME:
        return None
    try:
        return codecs.lookup(name)
    except (LookupError, ValueError):
        forget_unknown_charsets()
        return None


def forget_unknown_charsets() -> None:
    """Let go what the standard library remembers of names that it did not find."""
    known: dict[str, Any] = getattr(encodings, "_cache", {})
    for name in [name for name, codec in list(known.items()) if codec is None]:
        known.pop(name, None)
