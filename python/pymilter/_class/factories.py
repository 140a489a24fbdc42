"""Faults of what makes an object for each connection: found at the start, and not when all mail is deferred."""

from collections.abc import Callable, Iterator
from functools import partial
from types import FunctionType, MethodType
from typing import Any

from pymilter._class.arity import Arity, arity_of, is_async, is_generator, target_of


def factory_faults(factory: Callable[..., object]) -> Iterator[str]:
    """Yield why a call of a class or function without arguments would fail, or make no object of handlers."""
    made_by = target_of(factory)
    if not isinstance(made_by.function, type):
        name = getattr(made_by.function, "__qualname__", repr(factory))
        if is_async(factory):
            yield f"factory {name} is async: it must be a class or a plain function that returns an object"
        elif is_generator(factory):
            yield f"factory {name} has a yield in it: it must return an object"
        elif (arity := arity_of(factory)) is not None and not arity.takes(0):
            yield f"factory {name} {_needs(arity)}: it is called without arguments"
        return
    klass: Any = made_by.function
    if _is_frozen(klass):
        yield f"{klass.__qualname__} is frozen: pymilter sets attributes of each object, so a filter cannot be"
    if missing := getattr(klass, "__abstractmethods__", None):
        yield f"{klass.__qualname__} is abstract: it lacks {', '.join(sorted(missing))}"
    if type(klass).__call__ is type.__call__:
        for maker in (klass.__new__, klass.__init__):
            if not isinstance(maker, FunctionType):
                continue
            needs = arity_of(_as_called(maker, made_by.positional, made_by.keywords))
            if needs is not None and not needs.takes(0):
                yield (
                    f"{klass.__qualname__}.{maker.__name__} {_needs(needs)}: it is called without arguments, "
                    f"unless functools.partial({klass.__qualname__}, ...) gives them"
                )


def _as_called(maker: Callable[..., Any], positional: int, keywords: frozenset[str]) -> Callable[..., Any]:
    """`__new__` or `__init__` with the object itself and what functools.partial gives, as far as arity_of looks."""
    return partial(MethodType(maker, object), *(None,) * positional, **dict.fromkeys(keywords))


def _needs(arity: Arity) -> str:
    if arity.most == -1:
        return "does not take what functools.partial gives"
    count = arity.least
    arguments = [f"{count} argument{'s'[: count != 1]}"] if count else []
    return "needs " + " and ".join([*arguments, *(f"{name}=" for name in arity.keywords)])


def _is_frozen(klass: type[Any]) -> bool:
    # A class derived from a frozen dataclass may set attributes again. attrs names its own setter so.
    parameters = vars(klass).get("__dataclass_params__")
    return (
        bool(getattr(parameters, "frozen", False)) or getattr(klass.__setattr__, "__name__", "") == "_frozen_setattrs"
    )
