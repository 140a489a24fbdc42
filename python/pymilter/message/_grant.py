"""Whether a message may be changed: shared by its parts, so that none of them holds another in a circle."""

from __future__ import annotations

from typing import Final

from pymilter._constants import Action
from pymilter.errors import DisabledAction, MilterError

OVER: Final = "the message is over: it cannot be changed any more"


class Grant:
    """What the MTA lets a filter do to one message, and for how long."""

    actions: int
    reason: str | None = None  # why nothing can be changed; None while it can
    is_used: bool = False  # something was changed
    header_changed: bool = False
    deletions: int = 0  # of header fields: their list is made anew then

    def __init__(self, actions: int, reason: str | None = None) -> None:
        self.actions = actions
        if reason is not None:
            self.reason = reason

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
