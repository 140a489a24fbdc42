"""The settings of run() and Server: what is allowed, and that signature, docstring and table say the same."""

from __future__ import annotations

import inspect
import os
import pwd
import re
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

import pymilter
from pymilter import Action, Base, Server, Status, run
from pymilter._serve.settings import Settings

NAN, INFINITE = float("nan"), float("inf")
ID = "it must be the name of a {}, or its number from 0 to 4294967294, or None"
INT = "it must be an int from 1 to 2147483647"
HOOK = "a function without arguments, or None"


async def asynchronous() -> None:
    raise AssertionError


# Values that are none, by setting: of another type, and of the right one.
WRONG: dict[str, tuple[list[object], list[object], str]] = {
    "name": ([5, b"x"], ["", "a\0b"], "it must be a str that is not empty, or None"),
    "timeout": (["10", 2.5, True], [0, -1, 2**31], f"{INT}, or None"),
    "exception_policy": (
        ["tempfail", False, True, 4.0, None, Action.CHGBODY],
        [Status.SKIP, Status.DISCARD, 2, 99],
        "REJECT, ACCEPT or CONTINUE",
    ),
    "backlog": (["5", None, True, 1.0], [-1, 0, 2**31], INT),
    "noreply_over_tcp": ([0, 1, "no", None], [], "it must be True or False"),
    "grace": (["5", None, True], [-1, -0.1, NAN, INFINITE, 1e9], "a number of seconds from 0 to 31536000 (a year)"),
    "socket_mode": (["0660", 6.0, True], [-1, 0o7777, 0o1000], "from 0 to 0o777, such as 0o660, or None"),
    "socket_owner": ([True, 2.5, b"root"], [-5, -1, 2**32 - 1, "no-such-user"], ID.format("user")),
    "socket_group": ([True, 2.5], [-5, -1, 2**32 - 1, "no-such-group"], ID.format("group")),
    "user": ([True, 2.5], [-5, -1, "no-such-user", 4_111_222_333], ID.format("user")),
    "group": ([True, 2.5], [-5, -1, "no-such-group"], ID.format("group")),
    "workers": (["2", True, 2.5, None], [-1], "it must be an int of at least 0"),
    "pid_file": ([5, b"x"], ["", "a\0b"], "a path that is not empty: a str or an os.PathLike of one, or None"),
    "metrics": ([9464, b"x:1"], ["", ":9464", "x", "x:99999"], "it must be HOST:PORT, such as 127.0.0.1:9464 or"),
    "max_messages": (["5", 2.5, True], [0, -1], "it must be an int of at least 1, or None"),
    "max_rss": (["5", 2.5, True], [0, -1], "it must be an int of at least 1, or None"),
    "start_timeout": (
        ["5", None, True],
        [0, 0.9, NAN, INFINITE, 1e9],
        "a number of seconds from 1 to 31536000 (a year)",
    ),
    "on_start": ([5, "f", asynchronous], [], HOOK),
    "on_stop": ([5, "f", asynchronous], [], HOOK),
    "on_reload": ([5, "f", asynchronous], [], HOOK),
}
CASES = [
    (name, value, kind)
    for name, (types, values, _) in WRONG.items()
    for kind, wrong in ((TypeError, types), (ValueError, values))
    for value in wrong
]
NOT_OF_SERVER = {name for name, setting in Settings.known().items() if setting.of_run}


def callers(name: str) -> list[Callable[..., Any]]:
    return [run] if name in NOT_OF_SERVER else [run, Server]


@pytest.mark.parametrize(("name", "value", "kind"), CASES, ids=[f"{name}={value!r:.20}" for name, value, _ in CASES])
def test_a_value_that_is_none_is_refused_at_once(
    tmp_path: Path, name: str, value: object, kind: type[Exception]
) -> None:
    """By name, with the value and what is allowed; nothing has been opened then."""
    for call in callers(name):
        with pytest.raises(kind) as caught:
            call(Base, f"unix:{tmp_path}/socket", **{name: value})
        text = str(caught.value)
        shown = f"{value:#o}" if name == "socket_mode" and type(value) is int else repr(value)
        assert text.startswith(f"{name} is {shown}: ")
        assert WRONG[name][2] in text
        assert list(tmp_path.iterdir()) == []


def test_each_setting_has_wrong_values_here() -> None:
    assert WRONG.keys() == Settings.known().keys()


@pytest.mark.parametrize(
    "values",
    [
        {"name": "gate", "timeout": 1, "backlog": 1, "grace": 0, "workers": 0},
        {"timeout": 2**31 - 1, "backlog": 2**31 - 1, "grace": 31536000},
        {"socket_mode": 0, "socket_owner": 2**32 - 2, "socket_group": 0},
        {"socket_mode": 0o777, "user": os.getuid(), "group": os.getgid(), "socket_owner": pwd.getpwuid(0).pw_name},
        {"exception_policy": pymilter.ACCEPT, "noreply_over_tcp": False, "metrics": "[::1]:0", "pid_file": Path("x")},
        {"exception_policy": 4},
        {
            "workers": 2,
            "max_messages": 1,
            "max_rss": 1,
            "start_timeout": 1,
            "on_start": print,
            "on_stop": dict,
            "on_reload": lambda: None,
        },
    ],
)
def test_what_is_allowed(values: dict[str, object]) -> None:
    settings = Settings(**values)
    for name, setting in Settings.known().items():
        expected = values.get(name, setting.default)
        assert getattr(settings, name) == (str(expected) if isinstance(expected, Path) else expected)


@pytest.mark.parametrize("limit", ["max_messages", "max_rss"])
def test_a_limit_of_workers_that_are_none(limit: str) -> None:
    with pytest.raises(ValueError, match=f"^{limit} needs workers=: a process that serves alone"):
        Settings(**{limit: 5})


def test_what_is_no_setting() -> None:
    with pytest.raises(TypeError, match=r"^'worker' is not a setting: there are name, timeout, "):
        Settings(worker=2)


@pytest.mark.parametrize("wrong", [5, None, b"unix:x", Path("x")])
def test_a_socket_that_is_no_text(wrong: Any) -> None:
    for call in (run, Server):
        with pytest.raises(TypeError, match=f"^{re.escape(f'socket is {wrong!r}: it must be a str')}"):
            call(Base, wrong)


@pytest.mark.parametrize("wrong", [5, None, "Filter"])
def test_a_factory_that_is_none(wrong: Any) -> None:
    for call in (run, Server):
        with pytest.raises(
            TypeError, match=f"^factory must be a class or a function that makes a Base, not {type(wrong).__name__}"
        ):
            call(wrong, "unix:x")


@pytest.mark.parametrize(
    ("name", "word", "value"),
    [
        ("name", "gate", "gate"),
        ("timeout", "30", 30),
        ("exception_policy", "reject", Status.REJECT),
        ("noreply_over_tcp", "no", False),
        ("noreply_over_tcp", "True", True),
        ("grace", "2.5", 2.5),
        ("socket_mode", "0660", 0o660),
        ("socket_mode", "0o660", 0o660),
        ("user", "0", 0),
        ("user", "root", "root"),
        ("metrics", "127.0.0.1:9464", "127.0.0.1:9464"),
    ],
)
def test_words_of_a_command_line(name: str, word: str, value: object) -> None:
    kind = Settings.known()[name].kind
    assert kind.read is not None
    assert kind.check(name, kind.read(word)) == value


@pytest.mark.parametrize(
    ("name", "word"),
    [("timeout", "x"), ("exception_policy", "x"), ("noreply_over_tcp", "2"), ("grace", "x"), ("socket_mode", "9")],
)
def test_words_that_are_no_value(name: str, word: str) -> None:
    kind = Settings.known()[name].kind
    assert kind.read is not None
    with pytest.raises(ValueError, match=word):
        kind.read(word)


def told_in(docstring: str | None) -> dict[str, str]:
    """The lines under Args by name."""
    _, _, args = inspect.cleandoc(docstring or "").partition("\nArgs:\n")
    args = args.partition("\n\n")[0]
    found = re.findall(r"^    (\w+): (.*(?:\n        .*)*)", args, re.MULTILINE)
    return {name: " ".join(text.split()) for name, text in found}


@pytest.mark.parametrize("call", [run, Server])
def test_signature_docstring_and_settings_say_the_same(call: Any) -> None:
    settings = {name: value for name, value in Settings.known().items() if call is run or not value.of_run}
    parameters = list(inspect.signature(call).parameters.values())
    assert [parameter.name for parameter in parameters] == ["factory", "socket", *settings]
    told = told_in(call.__doc__)
    assert list(told) == ["factory", "socket", *settings]
    for parameter in parameters[2:]:
        setting = settings[parameter.name]
        assert (parameter.kind, parameter.default) == (inspect.Parameter.KEYWORD_ONLY, setting.default)
        assert told[parameter.name] == setting.help
        assert setting.default is None or isinstance(setting.default, setting.kind.type)
