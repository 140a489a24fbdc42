"""The email of a message: what cannot become a change of the message is refused at the line that changes the email."""

from __future__ import annotations

from collections.abc import Callable
from functools import wraps
from typing import Any, Final

from pymilter._constants import Action
from pymilter.errors import MilterError
from pymilter.message._grant import Grant
from pymilter.mime import MimeMessage

REPLACED: Final = "message.body was assigned after this email was taken: take message.email anew"


class Guard:
    """Says whether an email may be changed, and which header fields of it were. The email and its parts share one."""

    __slots__ = ("changed", "grant", "is_replaced")

    def __init__(self, grant: Grant) -> None:
        self.grant = grant
        self.changed: set[str] = set()  # names of fields, in lower case
        self.is_replaced = False  # another body has taken the place of this email

    def check(self, action: Action) -> None:
        """Check that the email can be changed by this action.

        Raises:
            MilterError: It cannot be changed any more, or another body has taken its place.
            DisabledAction: The MTA has not granted the action.
        """
        self.grant.check_time()
        if self.is_replaced:
            raise MilterError(REPLACED)
        self.grant.check(action)

    def __deepcopy__(self, memo: object) -> None:
        """A copy of an email is the program's own, which it may change at any time."""


class GuardedMessage(MimeMessage):
    """A `MimeMessage` that asks its guard before each change. A part is in the body, and so is its header."""

    _guard: Guard | None = None
    _is_root = False

    def __setitem__(self, name: str, value: Any) -> None:
        self._change_field(name, adds=True)
        super().__setitem__(name, value)

    def __delitem__(self, name: str) -> None:
        if name in self:
            self._change_field(name)
        super().__delitem__(name)

    def replace_header(self, _name: str, _value: Any) -> None:
        if _name in self:
            self._change_field(_name)
        super().replace_header(_name, _value)

    def set_raw(self, name: str, value: Any) -> None:
        """Add a field without the checks of `__setitem__`; the email package calls it."""
        self._change_field(name, adds=True)
        super().set_raw(name, value)

    def set_boundary(self, boundary: str) -> None:
        self._change_body()
        self._change_field("content-type")
        super().set_boundary(boundary)

    def set_payload(self, val: Any, charset: Any = None) -> None:
        self._change_body()
        super().set_payload(val, charset)

    def set_charset(self, charset: Any) -> None:
        """Label the text with a charset, and encode it; see the email package."""
        self._change_body()
        super().set_charset(charset)

    def set_payload_bytes(self, data: bytes) -> None:
        self._change_body()
        super().set_payload_bytes(data)

    def set_body_text(self, text: str) -> None:
        self._change_body()
        super().set_body_text(text)

    def attach(self, payload: Any) -> None:
        """Add a part after the last one."""
        self._change_body()
        super().attach(payload)

    def append_text(self, text: str, html: str | None = None) -> int:
        self._change_body()  # first, so that no field is changed if the body cannot be
        return super().append_text(text, html)

    def drop(self, part: MimeMessage) -> None:
        self._change_body()
        super().drop(part)

    def replace_with_text(self, part: MimeMessage, text: str) -> None:
        self._change_body()
        super().replace_with_text(part, text)

    def drop_stray_lines(self) -> None:
        self._change_body()
        super().drop_stray_lines()

    def _set_margin(self, name: str, value: str | None) -> None:
        self._change_body()
        super()._set_margin(name, value)

    def _change_body(self) -> None:
        if self._guard is not None:
            self._guard.check(Action.CHGBODY)

    def _change_field(self, name: str, *, adds: bool = False) -> None:
        if self._guard is None:
            return
        wanted = name.lower()
        if not self._is_root or (wanted == "content-type" and self.is_multipart()):  # it has the boundary of the parts
            self._guard.check(Action.CHGBODY)
        if self._is_root:
            self._guard.check(Action.ADDHDRS if adds and self._has_all(wanted) else Action.CHGHDRS)
            self._guard.changed.add(wanted)

    def _has_all(self, name: str) -> bool:
        """Whether no field of this name that came was deleted: one that is added takes the place of one deleted."""
        came = self.source.fields if self.source else ()
        return sum(field[0].lower() == name for field in self._headers) >= sum(
            field[0].lower() == name for field in came
        )


class GuardedParts(list[Any]):
    """The parts of a `GuardedMessage`: programs change this list too."""

    guard: Guard | None = None


def _guarded(name: str) -> Callable[..., Any]:
    method = getattr(list, name)

    @wraps(method)
    def change(self: GuardedParts, *arguments: Any, **keywords: Any) -> Any:
        if self.guard is not None:
            self.guard.check(Action.CHGBODY)
        return method(self, *arguments, **keywords)

    return change


for _name in (
    *("append", "clear", "extend", "insert", "pop", "remove", "reverse", "sort"),
    *("__delitem__", "__iadd__", "__imul__", "__setitem__"),
):
    setattr(GuardedParts, _name, _guarded(_name))


def guarded_message(data: bytes, guard: Guard) -> GuardedMessage:
    """Read a message whose changes `guard` allows or refuses."""
    made = GuardedMessage.from_bytes(data)
    made._is_root = True
    rest: list[Any] = [made]
    while rest:
        part = rest.pop()
        part._guard = guard
        if isinstance(part._body, list):
            part._body = parts = GuardedParts(part._body)
            parts.guard = guard
            rest += parts
    return made
