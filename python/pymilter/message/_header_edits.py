"""From a header as it came to the header as it should be: the edits that each mail server needs for it.

Servers count fields in different ways (`pymilter.testing.apply_edits` models both), so each has its own way to name the
place where a field is inserted. Fields are changed and deleted from the last to the first, which all servers take
alike, whether or not they count anew after a deletion.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator, Sequence
from typing import Final

from pymilter.message._edits import AddHeader, ChangeHeader, Edit, InsertHeader
from pymilter.message._field import Field

SENDMAIL_PREPARES: Final = (
    "return-path",
    "received",
    "resent-date",
    "date",
    "resent-from",
    "from",
    "full-name",
    "resent-message-id",
    "message-id",
)
"""Fields that Sendmail has ready, by its standard sendmail.cf, above those of the message; filters do not see them."""


def header_edits(
    originals: Sequence[Field], present: Sequence[Field], *, mta: str, leading_space: bool
) -> Iterator[Edit]:
    """The edits that turn `originals` into `present`: changes and deletions first, then insertions from the top.

    Args:
        originals: the fields as they came, each as it is now.
        present: the fields as they are to be: originals in their order, and new ones between them.
        mta: "postfix", "sendmail" or "" for another.
        leading_space: values bring their own space after the colon (SMFIP_HDR_LEADSPC).
    """
    numbers: Counter[str] = Counter()
    numbered = []
    for field in originals:
        numbers[field._name.lower()] += 1
        numbered.append((numbers[field._name.lower()], field))
    for number, field in reversed(numbered):
        if field._is_deleted:
            yield ChangeHeader(number, field._name, "")
        elif field._raw != field._original:
            yield ChangeHeader(number, field._name, on_wire(field._raw, leading_space))
    if all(field._original is not None for field in present):
        return
    if mta == "sendmail":
        yield from _insertions_for_sendmail(originals, present, leading_space)
    else:
        yield from _insertions(present, leading_space)


def on_wire(raw: str, leading_space: bool) -> str:
    """What follows the colon as it goes to the MTA. Never empty, which would delete the field."""
    return (raw if leading_space else raw.removeprefix(" ")) or " "


def _insertions(present: Sequence[Field], leading_space: bool) -> Iterator[Edit]:
    """For Postfix: place 0 is above its own Received, and each place counts the fields that were inserted before."""
    last = max((place for place, field in enumerate(present) if field._original is not None), default=-1)
    is_top = True
    for place, field in enumerate(present):
        is_top = is_top and field._original is None
        if field._original is not None:
            continue
        value = on_wire(field._raw, leading_space)
        if is_top and last >= 0:
            yield InsertHeader(place, field._name, value)
        elif place < last:
            yield InsertHeader(place + 1, field._name, value)
        else:
            yield AddHeader(field._name, value)


def _insertions_for_sendmail(
    originals: Sequence[Field], present: Sequence[Field], leading_space: bool
) -> Iterator[Edit]:
    """For Sendmail: places count the fields that it has ready, and those that were deleted."""
    numbers = {id(field): number for number, field in enumerate(originals, 1)}
    names = {field._name.lower() for field in originals}
    inserted = 0
    after = 0  # how many of the originals stand above
    for field in present:
        if field._original is not None:
            after = numbers[id(field)]
            continue
        name, value = field._name, on_wire(field._raw, leading_space)
        if name.lower() in SENDMAIL_PREPARES and name.lower() not in names and name.lower() != "received":
            yield AddHeader(name, value)  # takes the place of the one that is ready, which would be sent beside it
            continue
        # The first of those that are ready, Return-Path, is never counted.
        ready = len(SENDMAIL_PREPARES) - 1 if after else 0
        yield InsertHeader(ready + after + inserted, name, value)
        inserted += 1
