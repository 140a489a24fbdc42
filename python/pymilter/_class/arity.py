"""How many arguments a handler takes, read off its code: no annotation is evaluated, no decorator is asked."""

import functools
from collections.abc import Callable
from types import CodeType, FunctionType, MethodType
from typing import Any, Final, NamedTuple

# The flags of code objects (VARARGS and its like, without what loading inspect costs each worker).
VARARGS: Final = 0x4
GENERATOR: Final = 0x20
COROUTINE: Final = 0x80
ASYNC_GENERATOR: Final = 0x200


class Arity(NamedTuple):
    """Positional arguments of a call, without self; `most` is None for any number."""

    least: int
    most: int | None
    keywords: tuple[str, ...]
    """Keyword arguments that a call must give."""

    def takes(self, count: int) -> bool:
        """Whether a call with `count` positional arguments is right."""
        return not self.keywords and self.least <= count and (self.most is None or count <= self.most)


def arity_of(handler: Callable[..., object]) -> Arity | None:
    """The arity of a function, or of a method that is bound; None where Python has no code to look at."""
    function = handler.__func__ if isinstance(handler, MethodType) else handler
    code: CodeType | None = getattr(function, "__code__", None)
    if code is None:
        return None
    bound = 1 if isinstance(handler, MethodType) else 0
    defaults = len(getattr(function, "__defaults__", None) or ())
    named = code.co_varnames[code.co_argcount : code.co_argcount + code.co_kwonlyargcount]
    given = getattr(function, "__kwdefaults__", None) or {}
    return Arity(
        least=max(0, code.co_argcount - bound - defaults),
        most=None if code.co_flags & VARARGS else max(0, code.co_argcount - bound),
        keywords=tuple(name for name in named if name not in given),
    )


def most_arguments(handler: Callable[..., object]) -> int | None:
    """How many positional arguments an envelope handler takes, at least the address; None for any number.

    What a decorator has wrapped (functools.wraps) decides.
    """
    function = handler.__func__ if isinstance(handler, MethodType) else handler
    wrapped = _unwrapped(function)
    if not hasattr(wrapped, "__code__"):
        return None
    arity = arity_of(MethodType(wrapped, handler.__self__) if isinstance(handler, MethodType) else wrapped)
    return None if arity is None or arity.most is None else max(1, arity.most)


def is_async(handler: object) -> bool:
    """Whether a call makes a coroutine or an asynchronous generator, whose code a plain call does not run."""
    return bool(_flags(handler) & (COROUTINE | ASYNC_GENERATOR)) or hasattr(handler, "_is_coroutine_mark")


def is_generator(handler: object) -> bool:
    """Whether a call makes a generator, whose code a plain call does not run."""
    return bool(_flags(handler) & GENERATOR)


def _flags(handler: Any) -> int:
    while True:
        if isinstance(handler, MethodType):
            handler = handler.__func__
        elif isinstance(handler, functools.partial):
            handler = handler.func
        else:
            break
    return handler.__code__.co_flags if isinstance(handler, FunctionType) else 0


def _unwrapped(function: Any) -> Any:
    """The function within all that functools.wraps has put around it. Raises ValueError for a ring of them."""
    seen = {id(function)}
    while (within := getattr(function, "__wrapped__", None)) is not None:
        if id(within) in seen:
            raise ValueError(f"wrapper loop when unwrapping {function!r}")
        seen.add(id(within))
        function = within
    return function
