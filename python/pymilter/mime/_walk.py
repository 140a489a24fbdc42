"""Walks through the parts of a message, and checks each reading that mail clients may have of them."""

from __future__ import annotations

import logging
from collections.abc import Callable, Iterable
from typing import cast

import pymilter._observe.logging  # noqa: F401 - puts connection and queue id on what is logged here

from ._limits import Limits, UnreadableError
from ._message import MimeMessage
from ._readings import Budget, Reading, other_readings, whole_readings
from ._warning import replace_by_warning

_log = logging.getLogger("pymilter.mime")

TOO_COMPLEX = "(too complex to be checked)"


def size_of(msg: MimeMessage) -> int:
    """Return the size of a message in its source; 0 for one made by a program."""
    return msg.source.end - msg.source.start if msg.source else 0


class Walk:
    """Walks through the parts of one message, and through the other readings that mail clients may have of them."""

    def __init__(
        self,
        check: Callable[[MimeMessage], int | None],
        savname: str | None,
        by_content: bool,
        size: int,
        check_message: Callable[[MimeMessage], object] | None = None,
    ) -> None:
        self._check = check
        self._savname = savname
        self._by_content = by_content
        self._check_message = check_message
        self._budget = Budget(size)

    def message(self, msg: MimeMessage, place: list[int]) -> int:
        """Check a whole message."""
        return self._others(msg, whole_readings(msg), place) or (0 if msg.removed else self._part(msg, place))

    def _part(self, msg: MimeMessage, place: list[int]) -> int:
        if not msg.is_multipart():
            return self.leaf(msg, place)
        if self._check_message and msg.get_content_maintype() == "message":
            self._check_message(msg)
        result = 0 if msg.removed else self._others(msg, other_readings(msg, self._by_content), place)
        if result or msg.removed:
            return result
        for number, part in enumerate(cast("list[MimeMessage]", msg.get_payload()), 1):
            result = self._part(part, [*place, number]) if isinstance(part, MimeMessage) else 0
            if result:
                return result
        return 0

    def leaf(self, msg: MimeMessage, place: list[int]) -> int:
        """Check a part that has no parts."""
        _log.debug("checking part %s: %s", place, msg.get_content_type())
        verdict = self._check(msg) or 0
        if msg.too_complex:
            replace_by_warning(msg, msg.get_filename() or TOO_COMPLEX, self._savname)
        if verdict or msg.removed:
            return verdict
        return self._others(msg, other_readings(msg, self._by_content), place)

    def _others(self, msg: MimeMessage, readings: Iterable[Reading], place: list[int]) -> int:
        """Check other readings of a part, and replace it if one of them is bad."""
        limits = Limits(depth=max(1, Limits().depth - len(place)))
        try:
            for number, reading in enumerate(readings):
                self._budget.take(len(reading.data))
                other = type(msg).from_bytes(reading.data, limits)
                result = self._part(other, [*place, -number])
                if result:
                    return result
                if not other.ismodified():
                    continue
                removed = [part.removed for part in other.walk() if isinstance(part, MimeMessage) and part.removed]
                if reading.same_body and not removed:
                    _take_over(msg, other)
                    continue
                name = msg.get_filename() or next(iter(removed), "(dangerous to some mail clients)")
                replace_by_warning(msg, name, self._savname)
                return 0
        except UnreadableError:
            replace_by_warning(msg, msg.get_filename() or TOO_COMPLEX, self._savname)
        return 0


def _take_over(msg: MimeMessage, other: MimeMessage) -> None:
    """Put into a part the text that was cleaned in another reading of it."""
    if msg.transfer_encoding() != other.transfer_encoding():
        del msg["content-transfer-encoding"]
        msg["Content-Transfer-Encoding"] = other.transfer_encoding() or "8bit"
    msg.set_payload_bytes(other.payload_bytes())
