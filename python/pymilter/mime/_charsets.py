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
        _forget_unknown_names()
        return None


def _forget_unknown_names() -> None:
    known: dict[str, Any] = getattr(encodings, "_cache", {})
    for name in [name for name, codec in list(known.items()) if codec is None]:
        known.pop(name, None)
