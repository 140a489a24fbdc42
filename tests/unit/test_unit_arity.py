"""How many arguments a handler takes, and whether a plain call runs its code: read off functions of every kind."""

from __future__ import annotations

import functools
from collections.abc import Callable
from typing import Any

import pytest

from pymilter._class.arity import Arity, arity_of, is_async, is_generator, most_arguments, target_of

# As any value, since type checkers see what some of these calls would be.
partial: Any = functools.partial


class Kinds:
    def plain(self, a: int, b: int = 2) -> None: ...

    @staticmethod
    def static(a: int) -> None: ...

    @classmethod
    def of_class(cls, a: int, *, key: int) -> None: ...

    def __call__(self, a: int, b: int, c: int = 3) -> None: ...

    async def later(self) -> None: ...

    async def piecewise(self) -> Any:
        yield

    def lazy(self) -> Any:
        yield


def three(a: int, b: int, c: int = 3) -> None: ...
def any_number(a: int, *more: int) -> None: ...
def keyword_only(a: int, *, key: int, other: int = 1) -> None: ...
def any_keyword(a: int, **keywords: int) -> None: ...
def by_place(a: int, b: int, /, c: int) -> None: ...


NEVER = Arity(0, -1, ())


@pytest.mark.parametrize(
    ("handler", "arity"),
    [
        (three, Arity(2, 3, ())),
        (any_number, Arity(1, None, ())),
        (keyword_only, Arity(1, 1, ("key",))),
        (any_keyword, Arity(1, 1, ())),
        (by_place, Arity(3, 3, ())),
        (lambda: None, Arity(0, 0, ())),
        (Kinds().plain, Arity(1, 2, ())),
        (Kinds.plain, Arity(2, 3, ())),
        (Kinds.static, Arity(1, 1, ())),
        (Kinds.of_class, Arity(1, 1, ("key",))),
        (Kinds(), Arity(2, 3, ())),
        (partial(three, 1), Arity(1, 2, ())),
        (partial(three, 1, 2, 3), Arity(0, 0, ())),
        (partial(three, 1, 2, 3, 4), NEVER),
        (partial(any_number, 1, 2, 3), Arity(0, None, ())),
        (partial(three, c=1), Arity(2, 2, ())),
        (partial(three, b=1), Arity(1, 1, ())),
        (partial(three, a=1), Arity(0, 0, ("b",))),
        (partial(three, d=1), NEVER),
        (partial(any_keyword, d=1), Arity(1, 1, ())),
        (partial(by_place, a=1), NEVER),
        (partial(by_place, c=1), Arity(2, 2, ())),
        (partial(keyword_only, key=1), Arity(1, 1, ())),
        (partial(any_number, a=1), Arity(0, 0, ())),
        (partial(partial(three, 1), 2), Arity(0, 1, ())),
        (partial(partial(three, 1), c=2), Arity(1, 1, ())),
        (partial(Kinds().plain, 1), Arity(0, 1, ())),
        (partial(Kinds(), 1), Arity(1, 2, ())),
        (print, None),
        (partial(print, 1), None),
        (int, None),
    ],
)
def test_arity(handler: Callable[..., object], arity: Arity | None) -> None:
    assert arity_of(handler) == arity


@pytest.mark.parametrize(
    ("arity", "taken"),
    [
        (Arity(1, 2, ()), [1, 2]),
        (Arity(0, 0, ()), [0]),
        (Arity(2, None, ()), [2, 3, 4]),
        (Arity(0, 4, ("key",)), []),
        (NEVER, []),
    ],
)
def test_numbers_of_arguments_that_are_right(arity: Arity, taken: list[int]) -> None:
    assert [count for count in range(5) if arity.takes(count)] == taken


def test_what_a_call_runs_in_the_end() -> None:
    kinds = Kinds()
    assert target_of(partial(partial(kinds, 1, c=2), 3, d=4)) == (Kinds.__call__, 3, frozenset(("c", "d")))
    assert target_of(kinds.plain) == (Kinds.plain, 1, frozenset())
    assert target_of(partial(Kinds, 1)) == (Kinds, 1, frozenset())
    assert target_of(5) == (5, 0, frozenset())


def wrapped(function: Callable[..., object]) -> Callable[..., object]:
    @functools.wraps(function)
    def wrapper(*arguments: object) -> object:
        return function(*arguments)

    return wrapper


@pytest.mark.parametrize(
    ("handler", "most"),
    [
        (lambda: None, 1),
        (lambda a: None, 1),
        (lambda a, b: None, 2),
        (lambda a, b=1, c=2: None, 3),
        (lambda *a: None, None),
        (partial(lambda a, b, c: None, 1), 2),
        (Kinds().plain, 2),
        (wrapped(lambda a, b: None), 2),
        (wrapped(wrapped(lambda a: None)), 1),
        (wrapped(print), None),
        (print, None),
    ],
)
def test_most_arguments_of_an_envelope_handler(handler: Callable[..., object], most: int | None) -> None:
    """At least the address, which each gets."""
    assert most_arguments(handler) == most


async def coroutine(*arguments: object) -> None: ...


async def asynchronous_generator() -> Any:
    yield


def calling(word: str) -> Callable[..., object]:
    """A wrapper of a coroutine, whose code has the name `word`."""
    names: dict[str, Any] = {"functools": functools, "coroutine": coroutine}
    exec(f"@functools.wraps(coroutine)\ndef wrapper(*arguments):\n    return {word}(coroutine(*arguments))", names)
    wrapper: Callable[..., object] = names["wrapper"]
    return wrapper


class Marked:
    _is_coroutine_mark = object()

    def __call__(self) -> None: ...


def marked() -> None: ...


vars(marked)["_is_coroutine_mark"] = object()


@pytest.mark.parametrize(
    ("handler", "expected"),
    [
        (coroutine, True),
        (asynchronous_generator, True),
        (Kinds().later, True),
        (Kinds().piecewise, True),
        (partial(coroutine, 1), True),
        (wrapped(coroutine), True),
        (wrapped(partial(coroutine, 1)), True),
        (wrapped(wrapped(coroutine)), True),
        (marked, True),
        (calling("list"), True),
        (calling("asyncio.run"), False),
        (calling("LOOP.Run_Until_Complete"), False),
        (calling("async_to_sync"), False),
        (calling("coro.send"), False),
        (calling("future.result"), False),
        (calling("wait_for"), False),
        (three, False),
        (Kinds().lazy, False),
        (print, False),
        (5, False),
        (None, False),
    ],
)
def test_what_a_plain_call_does_not_run(handler: object, expected: bool) -> None:
    assert is_async(handler) is expected


def test_a_wrapper_without_code_may_run_what_it_wraps() -> None:
    class Native:
        __wrapped__ = coroutine

    assert not is_async(Native())
    assert is_async(wrapped(wrapped(Kinds().later)))


@pytest.mark.parametrize(
    ("handler", "expected"),
    [
        (Kinds().lazy, True),
        (Kinds.lazy, True),
        (partial(Kinds().lazy), True),
        (lambda: (yield), True),
        (three, False),
        (coroutine, False),
        (asynchronous_generator, False),
        (print, False),
    ],
)
def test_what_has_a_yield(handler: object, expected: bool) -> None:
    assert is_generator(handler) is expected
