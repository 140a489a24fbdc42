"""How many arguments a handler takes, read off its code: no annotation is evaluated, no decorator is asked."""

import inspect
from collections.abc import Callable
from dataclasses import dataclass
from types import CodeType, MethodType


@dataclass(frozen=True, slots=True)
class Arity:
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
        most=None if code.co_flags & inspect.CO_VARARGS else max(0, code.co_argcount - bound),
        keywords=tuple(name for name in named if name not in given),
    )


def most_arguments(handler: Callable[..., object]) -> int | None:
    """How many positional arguments an envelope handler takes, at least the address; None for any number.

    What a decorator has wrapped (functools.wraps) decides.
    """
    function = handler.__func__ if isinstance(handler, MethodType) else handler
    wrapped = inspect.unwrap(function)
    arity = arity_of(MethodType(wrapped, handler.__self__) if isinstance(handler, MethodType) else wrapped)
    return None if arity is None or arity.most is None else max(1, arity.most)
