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

    def __init__(self, grant: Grant, name: str, raw: str, original: str | None = None) -> None:
        # `raw` is what follows the colon, with folds as LF and white space; `original` the same as it came.
        self._grant = grant
        self._name = name
        self._raw = raw
        self._original = original
        self._is_deleted = False

    @property
    def name(self) -> str:
        """The name, as it is written in the message."""
        return self._name

    @property
    def raw(self) -> bytes:
        """All bytes after the colon, with each fold as CRLF and white space, without the line end."""
        return self._raw.replace("\n", "\r\n").encode("utf-8", "surrogateescape")

    @property
    def value(self) -> str:
        """The value, unfolded, without white space at its ends (RFC 5322, 2.2.3).

        Surrogates stand for bytes that are not UTF-8, as in os.fsdecode, and are written as the same bytes.

        Raises:
            ValueError: on assignment, if the value holds NUL, a lone CR or a line break that no white space follows, a
                line of more than 998 bytes, or more than 60,000 bytes, where Postfix would cut it.
            DisabledAction: on assignment, if the MTA does not let filters change header fields.
            MilterError: on assignment, if the field was deleted or the message is over.
        """
        return _unfolded(self._raw)

    @value.setter
    def value(self, value: str) -> None:
        self._set(raw_value(self._name, value))

    @property
    def text(self) -> str:
        """The value with its encoded words decoded (RFC 2047).

        An assigned text is folded, and encoded where it is not ASCII; in a field of addresses only the display names
        are encoded. Raises what `value` raises.
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
        self._grant.header_changed = True

    def _set(self, raw: str) -> None:
        self._check()
        self._raw = raw
        self._grant.header_changed = True

    def _check(self) -> None:
        if self._is_deleted:
            raise MilterError(f"this field {self._name} was deleted: it cannot be changed any more")
        self._grant.check(Action.ADDHDRS if self._original is None else Action.CHGHDRS)

    def __repr__(self) -> str:
        return f"<Field {self._name}: {self.value}>"


def raw_value(name: str, value: str) -> str:
    """Return what follows the colon for a value.

    Raises:
        TypeError: The value is no str.
        ValueError: The value cannot be sent, as for `Field.value`.
    """
    if not isinstance(value, str):
        raise TypeError(f"the value of {name} is a {type(value).__name__}: it must be a str")
    made = check_header(name.encode("utf-8", "surrogateescape"), value.encode("utf-8", "surrogateescape"))
    field = name.encode() + b": " + made.strip(b" \t")
    if len(field) > MOST_BYTES:
        raise ValueError(f"the field {name} would have {len(field)} bytes: {MOST_BYTES} are allowed, Postfix cuts more")
    longest = max(map(len, field.split(b"\n")))
    if longest > MOST_IN_LINE:
        raise ValueError(
            f"the field {name} would have a line of {longest} bytes: {MOST_IN_LINE} are allowed (RFC 5322), "
            "so fold it: CRLF and a space"
        )
    return field[len(name) + 1 :].decode("utf-8", "surrogateescape")


def checked_raw(name: str, raw: str) -> str:
    """Return what follows the colon as another library wrote it, unfolded if one of its folds could not be sent."""
    try:
        checked = check_header(name.encode("utf-8", "surrogateescape"), raw.encode("utf-8", "surrogateescape"))
    except ValueError:
        return raw_value(name, _unfolded(raw))
    text = checked.decode("utf-8", "surrogateescape")
    return text if text.startswith((" ", "\t")) else f" {text}"


def raw_text(name: str, text: str) -> str:
    """Return what follows the colon for a text, encoded (RFC 2047) and folded."""
    from pymilter.message._encode import encoded

    return raw_value(name, encoded(name, text))


def _unfolded(raw: str) -> str:
    return _FOLD.sub("", raw).strip(" \t")
