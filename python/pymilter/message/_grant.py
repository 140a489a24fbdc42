"""Whether a message may be changed: shared by its parts, so that none of them holds another in a circle."""

from __future__ import annotations

from typing import Final

from pymilter._constants import Action
from pymilter.errors import DisabledAction, MilterError

OVER: Final = "the message is over: it cannot be changed any more"


class Grant:
    """What the MTA lets a filter do to one message, and for how long. Made by `make_grant`."""

    __slots__ = ("actions", "deletions", "header_changed", "is_used", "reason")

    actions: int
    reason: str | None  # why nothing can be changed; None while it can
    is_used: bool  # something was changed
    header_changed: bool
    deletions: int  # of header fields: their list is made anew then

    def check(self, action: Action) -> None:
        """Check that the message can be changed by this action.

        Raises:
            MilterError: The message cannot be changed any more.
            DisabledAction: The MTA has not granted the action.
        """
        self.check_time()
        if not self.actions & action:
            raise DisabledAction(f"the MTA does not let this filter do that: {action.name} was not agreed")
        self.is_used = True

    def check_time(self) -> None:
        """Check that the message can be changed.

        Raises:
            MilterError: It cannot be changed any more.
        """
        if self.reason is not None:
            raise MilterError(self.reason)

    def end(self) -> None:
        """The filter has answered."""
        self.reason = OVER


def make_grant(actions: int, reason: str | None = None) -> Grant:
    """Make a grant. Each message pays for some objects, and an `__init__` would nearly double what one costs."""
    made = Grant()
    made.actions = actions
    made.reason = reason
    made.is_used = made.header_changed = False
    made.deletions = 0
    return made
