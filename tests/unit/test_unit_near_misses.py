"""Names that look like those of handlers: which are slips, and which are other words."""

from __future__ import annotations

import functools
from typing import Any

import pytest

from pymilter import Base, MessageFilter
from pymilter._class.faults import near_misses_of
from pymilter._class.near_misses import HOOK_OF, OTHER_NAMES, is_slip


@pytest.mark.parametrize(
    ("name", "right", "expected"),
    [
        ("header", "header", False),
        # One letter left out: the first one is never a slip.
        ("eader", "header", False),
        ("hader", "header", True),
        ("envrcp", "envrcpt", True),
        ("bod", "body", True),
        ("bo", "eoh", False),
        ("eo", "eoh", False),
        # One too many; some at the end make other words.
        ("heaader", "header", True),
        ("headerx", "header", True),
        ("headers", "header", False),
        ("closed", "close", False),
        ("closer", "close", False),
        ("close", "closed", True),
        ("cloose", "close", True),
        ("cloxsed", "close", False),
        ("headrss", "header", False),
        ("eomm", "eom", True),
        # Two exchanged, side by side.
        ("haeder", "header", True),
        ("headre", "header", True),
        ("ehader", "header", False),
        ("hedaer", "header", True),
        ("hredea", "header", False),
        ("aehder", "header", False),
        ("hexxer", "header", False),
        ("hdeaer", "header", False),
        ("haexer", "header", False),
        ("haedre", "header", False),
        # One wrong, in long names.
        ("connegt", "connect", True),
        ("reader", "header", False),
        ("heeder", "header", False),
        ("xonnect", "connect", False),
        ("conneyt", "connect", True),
        ("conxeyt", "connect", False),
        # Two letters more or fewer.
        ("hear", "header", False),
        ("headerxy", "header", False),
        ("", "eom", False),
        ("xyz", "", False),
    ],
)
def test_slips_of_the_keyboard(name: str, right: str, expected: bool) -> None:
    assert is_slip(name, right) is expected


def told(klass: type[Any]) -> list[str]:
    return list(near_misses_of(klass))


def method(*arguments: object) -> None: ...


def message(name: str, meant: str) -> str:
    return f"Filter.{name} is no event and is never called: did you mean {meant}?"


@pytest.mark.parametrize(("name", "meant"), OTHER_NAMES.items())
def test_other_names_of_the_events(name: str, meant: str) -> None:
    for spelled in (name, f"on_{name}", f"xxfi_{name}", name.upper(), f"{name[:2]}_{name[2:]}"):
        assert told(type("Filter", (Base,), {spelled: method})) == [message(spelled, meant)]
    whole = HOOK_OF.get(meant, meant)
    if name != whole:
        assert told(type("Filter", (MessageFilter,), {f"on_{name}": method})) == [message(f"on_{name}", whole)]


@pytest.mark.parametrize(
    "name", ["connect", "hello", "envfrom", "envrcpt", "data", "header", "eoh", "body", "unknown", "eom", "abort"]
)
def test_events_with_a_prefix(name: str) -> None:
    for spelled in (f"on_{name}", f"xxfi_{name}", f"on{name.title()}"):
        assert told(type("Filter", (Base,), {spelled: method})) == [message(spelled, name)]
        # Beside the method itself it is a helper.
        assert told(type("Filter", (Base,), {spelled: method, name: method})) == []
    assert told(type("Filter", (Base,), {f"_on_{name}": method, f"at_{name}": method})) == []


@pytest.mark.parametrize("name", ["message", "on_message", "Message", "onMessage"])
def test_message_is_for_a_message_filter(name: str) -> None:
    assert told(type("Filter", (Base,), {name: method})) == [
        f"Filter.{name} is no event and is never called: derive from MessageFilter to get whole messages"
    ]
    assert told(type("Filter", (MessageFilter,), {name: method})) == (
        [] if name == "message" else [message(name, "message")]
    )


def test_headers_are_ones_of_base_alone() -> None:
    assert told(type("Filter", (Base,), {"headers": method})) == [message("headers", "header")]
    assert told(type("Filter", (MessageFilter,), {"headers": method})) == []


@pytest.mark.parametrize("name", ["mail", "recipient", "message"])
def test_hooks_of_a_message_filter(name: str) -> None:
    slip = name[:-1]
    assert told(type("Filter", (MessageFilter,), {slip: method})) == [message(slip, name)]
    assert told(type("Filter", (MessageFilter,), {name: method})) == []


def test_what_cannot_be_called_is_no_near_miss() -> None:
    assert told(type("Filter", (Base,), {"helo": 5, "rcpt": None})) == []


def test_each_near_miss_is_told() -> None:
    klass = type("Filter", (Base,), {"bdy": method, "helo": method, "scan": method})
    assert told(klass) == [message("bdy", "body"), message("helo", "hello")]


def using(handlers: Any) -> None:
    handlers.helo()


class Wrapped:
    """A decorator that knows what it wraps, as functools.cached_property knows it by `func`."""

    def __init__(self, func: Any) -> None:
        self.func = func

    def __call__(self) -> None: ...


@functools.wraps(using)
def passing(handlers: Any) -> None: ...


@pytest.mark.parametrize(
    "user",
    [
        using,
        property(using),
        staticmethod(using),
        classmethod(using),
        Wrapped(using),
        passing,
        lambda handlers: (lambda: handlers.helo())(),
    ],
)
def test_what_the_classs_own_code_calls_is_a_helper(user: Any) -> None:
    assert told(type("Filter", (Base,), {"helo": method, "scan": user})) == []
    parent = type("Parent", (Base,), {"scan": user})
    assert told(type("Filter", (parent,), {"helo": method})) == []
    # What this package's own code names does not count.
    assert told(type("Filter", (Base,), {"helo": method, "scan": method})) == [message("helo", "hello")]
    assert told(type("Filter", (Base,), {"helo": method, "rcpt": method, "scan": user})) == [message("rcpt", "envrcpt")]
