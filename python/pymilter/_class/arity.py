"""How many arguments a handler takes, read off its code: no annotation is evaluated, no decorator is asked."""

import functools
from collections.abc import Callable
from types import CodeType, FunctionType, MethodType
from typing import Any, Final, NamedTuple

# The flags of code objects (VARARGS and its like, without what loading inspect costs each worker).
VARARGS: Final = 0x4
VARKEYWORDS: Final = 0x8
GENERATOR: Final = 0x20
COROUTINE: Final = 0x80
ASYNC_GENERATOR: Final = 0x200

# Parts of the names by which a wrapper runs what it wraps: asyncio.run, loop.run_until_complete, async_to_sync,
# coroutine.send, future.result. A wrapper without any of them only passes the coroutine on.
RUNS_COROUTINES: Final = ("run", "sync", "send", "result", "wait")


class Arity(NamedTuple):
    """Positional arguments of a call, without self; `most` is None for any number, and -1 if no call is right."""

    least: int
    most: int | None
    keywords: tuple[str, ...]
    """Keyword arguments that a call must give."""

    def takes(self, count: int) -> bool:
        """Return whether a call with `count` positional arguments is right."""
        return not self.keywords and self.least <= count and (self.most is None or count <= self.most)


class Target(NamedTuple):
    """What a call of a handler runs in the end, and the arguments that it is given besides those of the call."""

    function: Any
    positional: int
    keywords: frozenset[str]


def target_of(handler: object) -> Target:
    """Follow bound methods, functools.partial and objects with a `__call__` of their own to the function."""
    positional, keywords = 0, frozenset[str]()
    while not isinstance(handler, FunctionType | type):
        if isinstance(handler, MethodType):
            handler = handler.__func__
            positional += 1
        elif isinstance(handler, functools.partial):
            positional += len(handler.args)
            keywords |= handler.keywords.keys()
            handler = handler.func
        elif isinstance(call := getattr(type(handler), "__call__", None), FunctionType):  # noqa: B004 - its code is asked for
            handler = call
            positional += 1
        else:
            break
    return Target(handler, positional, keywords)


def arity_of(handler: Callable[..., object]) -> Arity | None:
    """Return the arity of a handler; None if Python has no code to look at."""
    target = target_of(handler)
    code: CodeType | None = getattr(target.function, "__code__", None)
    return None if code is None else _arity(target, code)


def _arity(target: Target, code: CodeType) -> Arity:
    names = code.co_varnames[: code.co_argcount]
    free = names[target.positional :]
    all_names = code.co_varnames[code.co_posonlyargcount : code.co_argcount + code.co_kwonlyargcount]
    has_too_many = target.positional > code.co_argcount and not code.co_flags & VARARGS
    if has_too_many or not (code.co_flags & VARKEYWORDS or target.keywords <= {*all_names}):
        return Arity(least=0, most=-1, keywords=())
    # An argument that is given by its name leaves those after it to be given by theirs.
    by_place = next((place for place, name in enumerate(free) if name in target.keywords), len(free))
    with_default = set(names[len(names) - len(getattr(target.function, "__defaults__", None) or ()) :])
    keyword_only = code.co_varnames[code.co_argcount : code.co_argcount + code.co_kwonlyargcount]
    with_default |= (getattr(target.function, "__kwdefaults__", None) or {}).keys() | target.keywords
    return Arity(
        least=sum(name not in with_default for name in free[:by_place]),
        most=None if code.co_flags & VARARGS and by_place == len(free) else by_place,
        keywords=tuple(name for name in (*free[by_place:], *keyword_only) if name not in with_default),
    )


def most_arguments(handler: Callable[..., object]) -> int | None:
    """How many positional arguments an envelope handler takes, at least the address; None for any number.

    What a decorator has wrapped (functools.wraps) decides.
    """
    target = target_of(handler)
    wrapped = _unwrapped(target.function)
    code: CodeType | None = getattr(wrapped, "__code__", None)
    if code is None:
        return None
    most = _arity(target._replace(function=wrapped), code).most
    return None if most is None else max(1, most)


def is_async(handler: object) -> bool:
    """Return whether a call makes a coroutine or an asynchronous generator, whose code a plain call does not run.

    A wrapper (functools.wraps) counts as what it wraps, unless its code looks as if it ran that.
    """
    function = target_of(handler).function
    seen: set[int] = set()
    while function is not None and id(function) not in seen:
        seen.add(id(function))
        if _flags(function) & (COROUTINE | ASYNC_GENERATOR) or hasattr(function, "_is_coroutine_mark"):
            return True
        if _runs_coroutines(function):
            return False
        within = getattr(function, "__wrapped__", None)
        function = None if within is None else target_of(within).function
    return False


def is_generator(handler: object) -> bool:
    """Return whether a call makes a generator, whose code a plain call does not run."""
    return bool(_flags(target_of(handler).function) & GENERATOR)


def _flags(function: Any) -> int:
    return function.__code__.co_flags if isinstance(function, FunctionType) else 0


def _runs_coroutines(function: Any) -> bool:
    """Whether the code of a wrapper names a function that runs coroutines; true if it has no code to look at."""
    if not isinstance(function, FunctionType):
        return True
    code = function.__code__
    names = {*code.co_names, *code.co_freevars}
    return any(part in name.lower() for name in names for part in RUNS_COROUTINES)


def _unwrapped(function: Any) -> Any:
    """Return the function within all that functools.wraps has put around it.

    Raises:
        ValueError: The wrappers form a ring.
    """
    seen = {id(function)}
    while (within := getattr(function, "__wrapped__", None)) is not None:
        if id(within) in seen:
            raise ValueError(f"wrapper loop when unwrapping {function!r}")
        seen.add(id(within))
        function = within
    return function
