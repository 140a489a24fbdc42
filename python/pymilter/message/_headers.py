"""The header of a message: its fields in their order, found by name, never by a number."""

from __future__ import annotations

from collections.abc import Iterator
from itertools import repeat
from typing import Final

from pymilter._constants import Action
from pymilter.errors import MilterError
from pymilter.message._field import Field, raw_value
from pymilter.message._grant import Grant
from pymilter.message._source import fields_of

_NOWHERE: Final = "this field is not in the header: it was deleted, or belongs to another message"


class Headers:
    """The header fields of a message in their order. Names are compared without regard to case.

    Made by `make_headers`.
    """

    __slots__ = ("_count", "_deletions", "_fields", "_grant", "_has_space", "_header", "_is_complete", "_originals")

    _header: bytes  # as it came: see fields_of()
    _count: int  # of the fields that came
    _grant: Grant
    _originals: list[Field] | None  # made, with _fields, when a field is looked at
    _fields: list[Field]
    _deletions: int
    _has_space: bool  # values come with what stands after the colon
    _is_complete: bool  # the MTA has sent the header

    # ------------------------------------------------------------------------------------ to read

    def __iter__(self) -> Iterator[Field]:
        return iter(tuple(self._known()))

    def __len__(self) -> int:
        if self._originals is None and self._is_complete:
            return self._count
        return len(self._known())

    def __contains__(self, name: object) -> bool:
        return isinstance(name, str) and self.get(name) is not None

    def __getitem__(self, name: str) -> Field:
        """The first field of this name.

        Raises:
            KeyError: There is none.
        """
        field = self.get(name)
        if field is None:
            raise KeyError(name)
        return field

    def get(self, name: str) -> Field | None:
        """The first field of this name, or None."""
        wanted = name.lower()
        return next((field for field in self._known() if field._name.lower() == wanted), None)

    def all(self, name: str) -> list[Field]:
        """All fields of this name, in their order; they may be changed and deleted meanwhile."""
        wanted = name.lower()
        return [field for field in self._known() if field._name.lower() == wanted]

    # ------------------------------------------------------------------------------------ to change

    def append(self, name: str, value: str) -> Field:
        """Add a field after the last one.

        Args:
            name: printable ASCII without blanks and colons.
            value: as in `Field.value`; assign to `text` of the field that is returned for other text than ASCII.

        Raises:
            ValueError: for the name; and for the value as `Field.value` says.
            DisabledAction: the MTA does not let filters add header fields.
            MilterError: the message is over.
        """
        return self._insert(None, name, raw_value(name, value))

    def prepend(self, name: str, value: str) -> Field:
        """Add a field above all others, those of the MTA itself too, as trace fields want it.

        The arguments are those of `append`, and so is what it raises.
        """
        return self._insert(0, name, raw_value(name, value))

    def insert_before(self, field: Field, name: str, value: str) -> Field:
        """Add a field before `field`. The other arguments are those of `append`.

        Raises what `append` raises, and ValueError if `field` is not in the header.
        """
        return self._insert(self._place(field), name, raw_value(name, value))

    def insert_after(self, field: Field, name: str, value: str) -> Field:
        """Add a field after `field`. The other arguments are those of `append`.

        Raises what `append` raises, and ValueError if `field` is not in the header.
        """
        return self._insert(self._place(field) + 1, name, raw_value(name, value))

    def replace(self, name: str, value: str) -> Field:
        """Give the message one field of this name: the first gets the value, others go, and without one it is added.

        The arguments are those of `append`. Raises what `append` and `Field.delete` raise.
        """
        found = self.all(name)
        if not found:
            return self.append(name, value)
        found[0].value = value
        for other in found[1:]:
            other.delete()
        return found[0]

    def __delitem__(self, name: str) -> None:
        """Delete all fields of this name; without any, nothing happens. Raises what `Field.delete` raises."""
        for field in self.all(name):
            field.delete()

    # ------------------------------------------------------------------------------------ within the package

    def _known(self) -> list[Field]:
        if not self._is_complete:
            raise MilterError(
                "the class has headers=False, so the MTA did not send the header: fields can only be added"
            )
        return self._present()

    def _present(self) -> list[Field]:
        if self._originals is None:
            names, raws = fields_of(self._header)
            if not self._has_space:
                raws = [f" {raw}" for raw in raws]
            self._originals = list(map(Field, repeat(self._grant), names, raws, raws))
            self._fields = self._originals.copy()
        # Made anew only at a look after a deletion, so that deleting many takes no quadratic time.
        if self._deletions != self._grant.deletions:
            self._fields = [field for field in self._fields if not field._is_deleted]
            self._deletions = self._grant.deletions
        return self._fields

    def _insert(self, place: int | None, name: str, raw: str) -> Field:
        self._grant.check(Action.ADDHDRS)
        made = Field(self._grant, name, raw)
        fields = self._present()
        self._grant.header_changed = True
        fields.insert(len(fields) if place is None else place, made)
        return made

    def _place(self, field: Field) -> int:
        try:
            return self._present().index(field)
        except ValueError:
            raise ValueError(_NOWHERE) from None

    def __repr__(self) -> str:
        return f"<Headers: {', '.join(field.name for field in self._present())}>"


def make_headers(header: bytes, count: int, grant: Grant, has_space: bool, is_complete: bool) -> Headers:
    """Make the header fields of a message of what came."""
    made = Headers()
    made._header = header
    made._count = count
    made._grant = grant
    made._originals = None
    made._deletions = 0
    made._has_space = has_space
    made._is_complete = is_complete
    return made
