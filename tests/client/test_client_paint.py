"""What a terminal can show: columns, colours, and what it is not to obey."""

from __future__ import annotations

import io
import os
import pty

import pytest

from pymilter.testing._paint import BOLD, RED, Screen, clean, fitted, padded


@pytest.mark.parametrize(
    ("text", "width", "shown"),
    [
        ("abcdef", 6, "abcdef"),
        ("abcdefg", 6, "abc..."),
        ("日本語", 6, "日本語"),
        ("日本語語", 6, "日..."),
        ("日本語語", 7, "日本..."),
        ("e\u0301e\u0301e\u0301e\u0301e\u0301e\u0301", 6, "e\u0301e\u0301e\u0301e\u0301e\u0301e\u0301"),
        ("", 3, ""),
    ],
)
def test_a_text_is_cut_to_columns(text: str, width: int, shown: str) -> None:
    assert fitted(text, width) == shown


@pytest.mark.parametrize(
    ("text", "spaces"), [("ab", 4), ("日本", 2), ("e\u0301", 5), ("\N{FULLWIDTH LATIN SMALL LETTER A}", 4)]
)
def test_a_text_is_filled_up_to_columns(text: str, spaces: int) -> None:
    assert padded(text, 6) == text + " " * spaces


@pytest.mark.parametrize(
    ("text", "shown"),
    [
        ("plain", "plain"),
        ("caf\xe9 \t日", "caf\xe9 \t日"),
        ("\x1b[2J\r\n\0", r"\x1b[2J\r\n\x00"),
        ("\udce9", r"\xe9"),
        ("\u2028\u202e", r"\u2028\u202e"),
    ],
)
def test_nothing_that_a_terminal_obeys_is_shown(text: str, shown: str) -> None:
    assert clean(text) == shown


@pytest.mark.parametrize(
    ("variables", "colour"),
    [
        ({}, True),
        ({"TERM": "dumb"}, False),
        ({"NO_COLOR": "1"}, False),
        ({"NO_COLOR": "1", "FORCE_COLOR": "1"}, False),
        ({"TERM": "dumb", "FORCE_COLOR": "1"}, True),
        ({"NO_COLOR": ""}, True),
    ],
)
def test_colours_and_width_of_a_terminal(
    monkeypatch: pytest.MonkeyPatch, variables: dict[str, str], colour: bool
) -> None:
    for name in ("NO_COLOR", "FORCE_COLOR", "TERM", "COLUMNS"):
        monkeypatch.delenv(name, raising=False)
    for name, value in variables.items():
        monkeypatch.setenv(name, value)
    ours, theirs = pty.openpty()
    with os.fdopen(theirs, "w") as terminal, os.fdopen(ours, "rb", buffering=0):
        assert terminal.isatty()
        screen = Screen.of(terminal)
        assert screen.colour is colour
        assert (screen.width, screen.is_narrow) == (72, False)  # this terminal has no size yet
        monkeypatch.setenv("COLUMNS", "100")
        assert (Screen.of(terminal).width, Screen.of(terminal).is_narrow) == (100, True)
        monkeypatch.setenv("COLUMNS", "7")
        assert Screen.of(terminal, colour=not colour).width == 20
        assert Screen.of(terminal, colour=not colour).colour is not colour
    for columns in ("0", "-5", "many", "٣"):
        monkeypatch.setenv("COLUMNS", columns)
        assert (Screen.of(io.StringIO()).width, Screen.of(io.StringIO()).is_narrow) == (72, False)
    assert Screen.of(io.StringIO()).colour is ("FORCE_COLOR" in variables and "NO_COLOR" not in variables)


def test_text_is_coloured_and_wrapped_for_the_screen() -> None:
    assert Screen(colour=True)(RED, "no") == "\x1b[31mno\x1b[0m"
    assert [Screen(colour=True)("", "no"), Screen(colour=True)(BOLD, ""), Screen()(RED, "no")] == ["no", "", "no"]
    text = "word " * 9 + "a-very-long-word-that-stays-whole"
    lines = Screen(width=20).wrapped(text, "  ")
    assert lines == ["  word word word", "  word word word", "  word word word", "  a-very-long-word-that-stays-whole"]
    assert Screen().wrapped(text, "  ") == [f"  {text}"]
