"""What an exception becomes in the log: the exceptions that led to it, each once, and bounds for all of it."""

from __future__ import annotations

import logging
import re
import traceback
from collections.abc import Callable

import pytest

from pymilter._observe import report as report_module
from pymilter._observe.report import report
from pymilter._observe.traceback import MOST_EXCEPTIONS, MOST_FRAMES, MOST_IN_ALL, MOST_TEXT, shortened, text_of
from pymilter._process.process import PROCESS


def raised(raises: Callable[[], object]) -> BaseException:
    with pytest.raises(BaseException) as info:  # noqa: PT011 - of any kind
        raises()
    return info.value


def in_the_handling() -> None:
    try:
        raise KeyError("first")
    except KeyError:
        raise ValueError("second")  # noqa: B904 - the context is what is tested


def because() -> None:
    try:
        raise KeyError("first")
    except KeyError as error:
        raise ValueError("second") from error


def in_its_place() -> None:
    try:
        raise KeyError("first")
    except KeyError:
        raise ValueError("second") from None


@pytest.mark.parametrize("raises", [in_the_handling, because, in_its_place])
def test_the_text_is_that_of_python(raises: Callable[[], object]) -> None:
    error = raised(raises)
    pythons = re.sub(r"\n *[\^~]+(?=\n)", "", "".join(traceback.format_exception(error)))
    assert text_of(error) == pythons.rstrip("\n")


def test_exceptions_that_led_to_each_other_are_shown_once() -> None:
    first, second = ValueError("first"), KeyError("second")
    first.__context__, second.__context__ = second, first
    text = text_of(first)
    assert [text.count(each) for each in ("ValueError: first", "KeyError: 'second'", "During handling")] == [1, 1, 1]
    group = ExceptionGroup("both", [first, second])
    first.__context__, second.__context__ = None, first
    assert text_of(group).count("ValueError: first") == 1


def test_a_long_chain_is_bounded() -> None:
    last = ValueError("0")
    for number in range(1, MOST_EXCEPTIONS + 1):
        error = ValueError(str(number))
        error.__cause__, last = last, error
    shown = text_of(last)
    assert shown.startswith("(exceptions before these are left out)")
    assert shown.count("ValueError: ") == MOST_EXCEPTIONS
    assert "ValueError: 0" not in shown
    assert last.__cause__ is not None
    assert "left out" not in text_of(last.__cause__)


def test_groups_in_groups_are_bounded() -> None:
    many = ExceptionGroup("inner", [ValueError(str(number)) for number in range(MOST_EXCEPTIONS + 1)])
    text = text_of(many)
    assert f"  Exception {MOST_EXCEPTIONS} of {MOST_EXCEPTIONS + 1}:" in text
    assert text.count("ValueError: ") == MOST_EXCEPTIONS
    deep = ExceptionGroup(
        "outer", [ExceptionGroup("inner", [ValueError(str(number)) for number in range(10)]) for _ in range(10)]
    )
    text = text_of(deep)
    assert text.count("ValueError: ") + text.count("inner") + 1 == MOST_IN_ALL
    assert "(more exceptions are left out here)" in text


class _DumbError(Exception):
    def __str__(self) -> str:
        raise RuntimeError("no text")


def test_what_an_exception_says_is_bounded() -> None:
    assert text_of(_DumbError()).endswith("_DumbError: <its str() failed>")
    assert text_of(ValueError("x" * MOST_TEXT)) == "ValueError: " + "x" * MOST_TEXT
    assert (
        text_of(ValueError("x" * (MOST_TEXT + 1))) == f"ValueError: {'x' * MOST_TEXT}... ({MOST_TEXT + 1} characters)"
    )
    noted = ValueError("x")
    for number in range(MOST_EXCEPTIONS + 1):
        noted.add_note(f"note {number}")
    assert text_of(noted).count("note: note") == MOST_EXCEPTIONS


@pytest.mark.parametrize("frames", [2 * MOST_FRAMES, 2 * MOST_FRAMES + 1])
def test_both_ends_of_a_deep_traceback_are_kept(frames: int) -> None:
    def deep(number: int) -> None:
        if number == 1:
            raise ValueError("deep")
        deep(number - 1)

    error = raised(lambda: deep(frames - 2))  # those of raised() and of the lambda too
    trace = error.__traceback__
    short, kept = shortened(trace), 0
    while short is not None:
        kept, short = kept + 1, short.tb_next
    assert kept == 2 * MOST_FRAMES
    assert (shortened(trace) is trace) == (frames == 2 * MOST_FRAMES)
    assert text_of(error).count("  (1 frames are left out here)") == (frames > 2 * MOST_FRAMES)


def test_what_is_not_logged_is_told_all_the_same(caplog: pytest.LogCaptureFixture) -> None:
    error, told = ValueError("secret"), list[BaseException]()
    PROCESS.failure_hooks.append(told.append)
    try:
        with caplog.at_level(logging.CRITICAL, "pymilter"):
            report(logging.ERROR, "eom", error)
        with caplog.at_level(logging.ERROR, "pymilter"):
            report(logging.ERROR, "eom", "a text with \n in it")
    finally:
        PROCESS.failure_hooks.remove(told.append)
    assert told == [error]
    assert caplog.messages == ["eom: a text with \\n in it (before the connection was set up)"]


def test_an_exception_that_cannot_be_shown_is_logged(
    caplog: pytest.LogCaptureFixture, monkeypatch: pytest.MonkeyPatch
) -> None:
    def failing(error: BaseException) -> str:
        raise RecursionError("too deep")

    monkeypatch.setattr(report_module, "text_of", failing)
    report(logging.ERROR, "eom", ValueError("secret"))
    (record,) = caplog.records
    assert record.exc_text == "ValueError: (its traceback cannot be shown: RecursionError)"
