"""One header field of a message: read as text or as bytes, changed in place."""

from __future__ import annotations

import re
from typing import Final

from pymilter._checks import check_header
from pymilter._constants import Action
from pymilter.errors import MilterError
from pymilter.message._grant import Grant

MOST_BYTES: Final = 60_000
"""Postfix cuts a longer field."""
MOST_IN_LINE: Final = 998
"""RFC 5322, 2.1.1."""

_FOLD: Final = re.compile(r"\r?\n(?=[ \t])")


class Field:
    """A header field (RFC 5322, 2.2). Change it by assigning to `value` or `text`; `delete()` takes it out."""

    __slots__ = ("_grant", "_is_deleted", "_name", "_original", "_raw")

    def __init__(self, grant: Grant, name: str, raw: bytes, *, is_original: bool) -> None:
        self._grant = grant
        self._is_deleted = False
        self._name = name
        self._raw = raw
        self._original = raw if is_original else None

    @property
    def name(self) -> str:
        """The name, as it is written in the message."""
        return self._name

    @property
    def raw(self) -> bytes:
        """All bytes after the colon, with each fold as CRLF and white space, without the line end."""
        return self._raw.replace(b"\n", b"\r\n")

    @property
    def value(self) -> str:
        """The value, unfolded, without white space at its ends (RFC 5322, 2.2.3).

        Bytes that are not UTF-8 are surrogates, as os.fsdecode makes them, and are written as they were.

        Raises:
            ValueError: on assignment, if the value holds NUL, a lone CR or a line break that no white space follows, a
                line of more than 998 bytes, or more than 60,000 bytes, where Postfix would cut it.
            DisabledAction: on assignment, if the MTA does not let filters change header fields.
            MilterError: on assignment, if the field was deleted or the message is over.
        """
        return _FOLD.sub("", self._raw.decode("utf-8", "surrogateescape")).strip(" \t")

    @value.setter
    def value(self, value: str) -> None:
        self._set(raw_value(self._name, value))

    @property
    def text(self) -> str:
        """The value with its encoded words decoded (RFC 2047).

        What is assigned is encoded as far as it is not ASCII, and folded. In a field of addresses only the names that
        stand before the addresses are encoded. Raises what `value` raises.
        """
        from pymilter.mime._encoded_words import decode_words

        return decode_words(self.value)

    @text.setter
    def text(self, text: str) -> None:
        self._set(raw_text(self._name, text))

    def delete(self) -> None:
        """Take the field out of the message.

        Raises:
            DisabledAction: the MTA does not let filters delete header fields.
            MilterError: the field was deleted before, or the message is over.
        """
        self._check()
        self._is_deleted = True
        self._grant.deletions += 1

    def _set(self, raw: bytes) -> None:
        self._check()
        self._raw = raw

    def _check(self) -> None:
        if self._is_deleted:
            raise MilterError(f"this field {self._name} was deleted: it cannot be changed any more")
        self._grant.check(Action.ADDHDRS if self._original is None else Action.CHGHDRS)

    def __repr__(self) -> str:
        return f"<Field {self._name}: {self.value}>"


def raw_value(name: str, value: str) -> bytes:
    """The bytes after the colon for a value; ValueError as `Field.value` says."""
    if not isinstance(value, str):
        raise TypeError(f"the value of {name} is a {type(value).__name__}: it must be a str")
    made = check_header(name.encode("utf-8", "surrogateescape"), value.encode("utf-8", "surrogateescape"))
    raw = b" " + made.strip(b" \t")
    if len(name) + 1 + len(raw) > MOST_BYTES:
        raise ValueError(f"the field {name} would have {len(raw)} bytes: {MOST_BYTES} are allowed, Postfix cuts more")
    lines = (name.encode() + b":" + raw).split(b"\n")
    longest = max(map(len, lines))
    if longest > MOST_IN_LINE:
        raise ValueError(
            f"the field {name} would have a line of {longest} bytes: {MOST_IN_LINE} are allowed (RFC 5322), "
            "so fold it: CRLF and a space"
        )
    return raw


def checked_raw(name: str, raw: bytes) -> bytes:
    """The bytes after the colon as another library wrote them; unfolded if a fold could not be sent."""
    try:
        checked = check_header(name.encode("utf-8", "surrogateescape"), raw)
    except ValueError:
        return raw_value(name, _FOLD.sub("", raw.decode("utf-8", "surrogateescape")))
    return checked if checked.startswith((b" ", b"\t")) else b" " + checked


def raw_text(name: str, text: str) -> bytes:
    """The bytes after the colon for a text, encoded (RFC 2047) and folded."""
    from pymilter.message._encode import encoded

    return raw_value(name, encoded(name, text))
