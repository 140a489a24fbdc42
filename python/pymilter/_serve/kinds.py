"""Kinds of values that settings have: each names what is allowed, checks a value, and reads one from a word of text."""

import math
import os
import pwd
from collections.abc import Callable
from types import FunctionType
from typing import Any, Final, Generic, TypeVar

from pymilter._constants import ACCEPT, CONTINUE, REJECT, TEMPFAIL, Status
from pymilter._serve.access import group_number, user_number
from pymilter._serve.address import parse_host_and_port
from pymilter._serve.hooks import Hook, accept_hook

T = TypeVar("T")

# The largest int of C, and the largest number of a user or a group: the next one means "leave it as it is".
C_INT_MAX: Final = 2**31 - 1
ID_MAX: Final = 2**32 - 2
YEAR: Final = 365 * 86400.0
POLICIES: Final = (TEMPFAIL, REJECT, ACCEPT, CONTINUE)


class Kind(Generic[T]):
    """A kind of values.

    Args:
        type: The Python type of a value, for help texts.
        allowed: Which values there are, to end the sentence "it must be ...".
        accept: Returns the value as it is used. Raises TypeError or ValueError, with a reason or without a text.
        read: Makes a value, still to be checked, of a word in a command line. Raises ValueError. None: no word will do.
        show: Writes a value into the text of an error.
    """

    def __init__(
        self,
        type: type,
        allowed: str,
        accept: Callable[[Any], T],
        read: Callable[[str], object] | None = str,
        show: Callable[[object], str] = repr,
    ) -> None:
        self.type: Final = type
        self.allowed: Final = allowed
        self.accept: Final = accept
        self.read: Final = read
        self.show: Final = show

    def check(self, name: str, value: object) -> T:
        """Return `value` if the setting `name` may have it. Raises TypeError or ValueError with what is allowed."""
        try:
            return self.accept(value)
        except (TypeError, ValueError) as error:
            kind = TypeError if isinstance(error, TypeError) else ValueError
            reason = f"{error}; it" if str(error) else "it"
            raise kind(f"{name} is {self.show(value)}: {reason} must be {self.allowed}") from None


def optional(kind: Kind[T]) -> Kind[T | None]:
    """The same or None."""

    def accept(value: Any) -> T | None:
        return None if value is None else kind.accept(value)

    return Kind(kind.type, f"{kind.allowed}, or None", accept, kind.read, kind.show)


def whole(least: int, most: int | None = None) -> Kind[int]:
    """Whole numbers in a range."""
    allowed = f"an int of at least {least}" if most is None else f"an int from {least} to {most}"
    return Kind(int, allowed, _within(least, most), int)


def permissions() -> Kind[int]:
    """Permissions of a file, which text gives as chmod takes them."""

    def show(value: object) -> str:
        return f"{value:#o}" if type(value) is int else repr(value)

    return Kind(int, "an int from 0 to 0o777, such as 0o660", _within(0, 0o777), lambda word: int(word, 8), show)


def _within(least: int, most: int | None) -> Callable[[Any], int]:

    def accept(value: Any) -> int:
        _require_type(value, int)
        if value < least or (most is not None and value > most):
            raise ValueError
        return int(value)

    return accept


def seconds(least: float = 0) -> Kind[float]:
    """Times to wait, in seconds."""

    def accept(value: Any) -> float:
        _require_type(value, int, float)
        if not math.isfinite(value) or not least <= value <= YEAR:
            raise ValueError
        return float(value)

    return Kind(float, f"a number of seconds from {least:g} to {YEAR:.0f} (a year)", accept, float)


def boolean() -> Kind[bool]:
    """True and False."""

    def accept(value: Any) -> bool:
        if not isinstance(value, bool):
            raise TypeError
        return value

    def read(word: str) -> bool:
        words = {"true": True, "yes": True, "1": True, "false": False, "no": False, "0": False}
        if word.lower() not in words:
            raise ValueError(f"{word!r} is none of {', '.join(words)}")
        return words[word.lower()]

    return Kind(bool, "True or False", accept, read)


def text(allowed: str = "a str that is not empty", check: Callable[[str], object] = len) -> Kind[str]:
    """Texts that are not empty and can be handed to C; `check` raises ValueError for others that are wrong."""

    def accept(value: Any) -> str:
        _require_type(value, str)
        if not value or "\0" in value:
            raise ValueError
        check(value)
        return str(value)

    return Kind(str, allowed, accept)


def path() -> Kind[str]:
    """Paths of files."""

    def accept(value: Any) -> str:
        found = os.fspath(value) if isinstance(value, os.PathLike) else value
        return text().accept(found)

    return Kind(str, "a path that is not empty: a str or an os.PathLike of one", accept)


def host_and_port() -> Kind[str]:
    """Where to serve HTTP."""
    return text("HOST:PORT, such as 127.0.0.1:9464 or [::1]:9464", _check_host_and_port)


def user() -> Kind[str | int]:
    """Users, by name or number."""
    return _owner("user", user_number)


def account() -> Kind[str | int]:
    """Users that a process can become, for which it needs their groups."""
    plain = user()

    def accept(value: Any) -> str | int:
        found = plain.accept(value)
        if isinstance(found, int):
            try:
                pwd.getpwuid(found)
            except KeyError:
                raise ValueError("there is no such user, whose groups would be needed") from None
        return found

    return Kind(plain.type, plain.allowed, accept, plain.read)


def group() -> Kind[str | int]:
    """Groups, by name or number."""
    return _owner("group", group_number)


def policy() -> Kind[Status]:
    """What is answered when a handler fails."""

    def accept(value: Any) -> Status:
        # As for results of handlers: a plain int is taken, but False and the numbers of other enums are no statuses.
        if type(value) not in (Status, int):
            raise TypeError
        if value not in POLICIES:
            raise ValueError
        return Status(value)

    def read(word: str) -> Status:
        if word.upper() not in Status.__members__:
            raise ValueError(f"{word!r} is no status")
        return Status[word.upper()]

    return Kind(Status, ", ".join(status.name for status in POLICIES[:-1]) + f" or {POLICIES[-1].name}", accept, read)


def hook() -> Kind[Hook]:
    """Functions of the program, which no text can give."""
    return Kind(FunctionType, "a function without arguments", accept_hook, None)


def _require_type(value: object, *types: type) -> None:
    # True is an int to Python, and to nobody else.
    if not isinstance(value, types) or isinstance(value, bool):
        raise TypeError


def _owner(what: str, number_of: Callable[[str | int | None], int | None]) -> Kind[str | int]:
    def accept(value: Any) -> str | int:
        _require_type(value, int, str)
        if isinstance(value, int) and not 0 <= value <= ID_MAX:
            raise ValueError
        try:
            number_of(value)
        except ValueError:
            raise ValueError(f"there is no such {what}") from None
        found: str | int = value
        return found

    def read(word: str) -> str | int:
        return int(word) if word.isascii() and word.isdigit() else word

    return Kind(str, f"the name of a {what}, or its number from 0 to {ID_MAX}", accept, read)


def _check_host_and_port(value: str) -> None:
    try:
        parse_host_and_port(value)
    except ValueError:
        raise ValueError from None  # its text names what is allowed, as the setting does
