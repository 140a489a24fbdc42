"""The header of a message while a filter changes it, as Postfix keeps it and as Sendmail does."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from typing import Protocol

from ._message import HeaderField


class EditedHeader(Protocol):
    """The header of one message while a filter changes it."""

    def add(self, field: HeaderField) -> None: ...
    def insert(self, index: int, field: HeaderField) -> None: ...
    def change(self, index: int, field: HeaderField) -> None: ...
    def delete(self, index: int, name: bytes) -> None: ...
    def fields(self) -> list[HeaderField]: ...


class PostfixHeader:
    """One list that begins with Postfix's own Received. Each number counts the fields as they are at that moment.

    A place counts Postfix's own Received too, the number of a field of one name does not.
    """

    def __init__(self, fields: Iterable[HeaderField]) -> None:
        self._own = HeaderField(b"Received", b"")
        self._fields = [self._own, *fields]

    def add(self, field: HeaderField) -> None:
        self._fields.append(field)

    def insert(self, index: int, field: HeaderField) -> None:
        self._fields.insert(index, field)

    def change(self, index: int, field: HeaderField) -> None:
        place = self._find(index, field.name)
        if place is None:
            self.add(field)
        else:
            self._fields[place] = field

    def delete(self, index: int, name: bytes) -> None:
        place = self._find(index, name)
        if place is not None:
            del self._fields[place]

    def fields(self) -> list[HeaderField]:
        return [field for field in self._fields if field is not self._own]

    def _find(self, index: int, name: bytes) -> int | None:
        wanted = name.lower()
        places = [
            place for place, field in enumerate(self._fields) if field is not self._own and field.name.lower() == wanted
        ]
        number = max(index, 1)
        return places[number - 1] if number <= len(places) else None


@dataclass(slots=True)
class _Entry:
    """One node of Sendmail's list of header fields."""

    name: bytes
    field: HeaderField | None
    """None for a field that Sendmail made ready and does not send, and for a deleted one."""
    counts: bool
    """True for a field of the message or of a filter: only these have a number (H_USER)."""


class SendmailHeader:
    """A list that begins with the fields of sendmail.cf and forgets nothing: a deleted field keeps its number.

    Source: milter.c and headers.c, and measured.
    """

    _PREPARED = (
        b"Return-Path",
        b"Received",
        b"Resent-Date",
        b"Date",
        b"Resent-From",
        b"From",
        b"Full-Name",
        b"Resent-Message-Id",
        b"Message-Id",
    )

    def __init__(self, fields: Iterable[HeaderField]) -> None:
        self._entries = [_Entry(name, None, False) for name in self._PREPARED]
        self._entries += [_Entry(field.name, field, True) for field in fields]

    def add(self, field: HeaderField) -> None:
        same = [entry for entry in self._entries if entry.name.lower() == field.name.lower()]
        prepared = [entry for entry in same if not entry.counts and entry.name != b"Received"]
        if prepared:
            self._set(prepared[0], field)
        else:
            place = self._place(same[0]) if same else len(self._entries)
            self._entries.insert(place, _Entry(field.name, field, True))

    def insert(self, index: int, field: HeaderField) -> None:
        # Behind the field at this place: the first, Return-Path, is never sent.
        self._entries.insert(index + 1, _Entry(field.name, field, True))

    def change(self, index: int, field: HeaderField) -> None:
        entry = self._find(index, field.name)
        if entry is None:
            self.add(field)
        else:
            self._set(entry, field)

    def delete(self, index: int, name: bytes) -> None:
        entry = self._find(index, name)
        if entry is not None:
            entry.field = None

    def fields(self) -> list[HeaderField]:
        return [entry.field for entry in self._entries if entry.field is not None]

    def _find(self, index: int, name: bytes) -> _Entry | None:
        """The field with this number. A prepared one has none; `add` finds it."""
        wanted = name.lower()
        counted = [entry for entry in self._entries if entry.counts and entry.name.lower() == wanted]
        number = max(index, 1)
        return counted[number - 1] if number <= len(counted) else None

    def _place(self, wanted: _Entry) -> int:
        return next(place for place, entry in enumerate(self._entries) if entry is wanted)

    def _set(self, entry: _Entry, field: HeaderField) -> None:
        """Give the node the value of a field; the name keeps its spelling."""
        entry.field = HeaderField(entry.name, entry.name + field.raw[len(field.name) :])
        entry.counts = True
