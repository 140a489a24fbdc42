"""Turns ESMTP parameters of the envelope (RFC 5321, 4.1.2) into dicts and keyword arguments."""

from collections.abc import Callable, Iterable, Sequence
from typing import Any, TypeVar

T = TypeVar("T")


def param2dict(params: Iterable[str]) -> dict[str, str | None]:
    """Turn ``["SIZE=5", "smtputf8"]`` into ``{"SIZE": "5", "SMTPUTF8": None}``, with keywords in capitals."""
    pairs = (param.partition("=") for param in params)
    return {keyword.upper(): value if equals else None for keyword, equals, value in pairs}


def dictfromlist(params: Iterable[str]) -> dict[str, str]:
    """Do what param2dict does, but leave out parameters that have no value."""
    return {keyword: value for keyword, value in param2dict(params).items() if value is not None}


def envcallback(callback: Callable[..., T], arguments: Sequence[str]) -> T:
    """Call a function with an address and its ESMTP parameters.

    Args:
        callback: Gets the address and the parameters without a value by position, the others as keyword arguments.
        arguments: The address, followed by the parameters.

    Raises:
        IndexError: `arguments` is empty.
    """
    address, *params = arguments[0], *arguments[1:]
    plain = [param for param in params if "=" not in param]
    named: dict[str, Any] = dictfromlist(params)
    return callback(address, *plain, **named)
