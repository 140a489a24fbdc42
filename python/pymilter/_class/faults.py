"""Faults of a class of handlers that are found when it is read, and not at the first message."""

import logging
from collections.abc import Callable, Iterator, Mapping
from types import MemberDescriptorType
from typing import Any, Final

from pymilter._class.arity import arity_of, is_async, is_generator, target_of
from pymilter._class.base import Base
from pymilter._class.decorators import HOOKS_MARK, NOCALLBACK_MARK
from pymilter._class.factories import factory_faults
from pymilter._class.handlers import Handlers
from pymilter._class.marks import mark_of
from pymilter._class.near_misses import near_misses
from pymilter._process.process import PROCESS

logger = logging.getLogger("pymilter")

# What each handler is called with; *params are the ESMTP parameters, if any.
ARGUMENTS: Final[Mapping[str, tuple[str, ...]]] = {
    "negotiate": ("opts",),
    "connect": ("hostname", "family", "hostaddr"),
    "hello": ("hostname",),
    "envfrom": ("mailfrom", "*params"),
    "envrcpt": ("to", "*params"),
    "data": (),
    "unknown": ("command",),
    "header": ("name", "value"),
    "eoh": (),
    "body": ("chunk",),
    "eom": (),
    "abort": (),
    "close": (),
    "begin_message": (),
    "envfrom_bytes": ("address", "*params"),
    "envrcpt_bytes": ("address", "*params"),
    "header_bytes": ("fld", "val"),
}
FITTED: Final = ("envfrom", "envrcpt")  # get no more ESMTP parameters than they take

EVENTS: Final = {name.replace("_", ""): name for name in ARGUMENTS if not name.endswith("_bytes")}


def faults_of_factory(factory: Callable[..., object], base: str = "pymilter.Base") -> Iterator[str]:
    """Yield why something cannot make the object for a connection; if it is a class, its handlers' faults too.

    Args:
        factory: A class or a function, which is to be called without arguments.
        base: The name of `Base` in the texts, as the program knows it.
    """
    if not callable(factory):
        yield f"factory must be a class or a function that makes a Base, not {type(factory).__name__}"
        return
    yield from factory_faults(factory)
    if isinstance(klass := target_of(factory).function, type):
        if issubclass(klass, Base):
            yield from faults_of_handlers(Handlers.of(klass))
        else:
            yield f"factory is the class {klass.__qualname__}: it must be derived from {base}"


def check_factory(factory: Callable[..., object]) -> None:
    """Check what is to make an object for each connection; if it is a class, its handlers too.

    Raises:
        TypeError: a call of it without arguments would fail, or a handler could not be called.
    """
    for fault in faults_of_factory(factory):
        raise TypeError(fault)
    if isinstance(klass := target_of(factory).function, type):
        _warn_of_near_misses(klass)


def warn_of_factory(factory: Callable[..., object]) -> None:
    """Check the same for a classic program, and warn of all faults: it must go on to start."""
    for fault in faults_of_factory(factory, "Milter.Base"):
        logger.warning("%s", fault)
    if isinstance(klass := target_of(factory).function, type) and issubclass(klass, Base):
        _warn_of_near_misses(klass)


def check_handlers(handlers: Handlers) -> None:
    """Check that each handler can be called, and warn of near misses, once for each class.

    Raises:
        TypeError: A handler cannot be called.
    """
    for fault in faults_of_handlers(handlers):
        raise TypeError(fault)
    _warn_of_near_misses(handlers.klass)


def warn_of_handlers(handlers: Handlers) -> None:
    """Warn, once a class, of handlers that cannot be called and of near misses."""
    if handlers.klass not in PROCESS.warned_of:
        for fault in faults_of_handlers(handlers):
            logger.warning("%s", fault)
    _warn_of_near_misses(handlers.klass)


def begins_messages(handlers: Handlers) -> bool:
    """Whether begin_message can be called: of a classic program it may be a method of another kind."""
    return _fault_of(handlers, "begin_message", ()) is None


def faults_of_handlers(handlers: Handlers) -> Iterator[str]:
    """Yield why handlers cannot be called."""
    for name in ARGUMENTS:
        is_own = getattr(handlers, name) is not getattr(Base, name)
        if is_own and (fault := _fault_of(handlers, name, ARGUMENTS[name])) is not None:
            yield f"{handlers.klass.__qualname__}.{name} {fault}"
    klass, base = handlers.klass, _base_with_hooks(handlers.klass)
    for name, arguments in getattr(klass, HOOKS_MARK, {}).items():
        if getattr(klass, name) is not getattr(base, name):
            if (fault := _fault_of(handlers, name, arguments)) is not None:
                yield f"{klass.__qualname__}.{name} {fault}"
        elif name in handlers.own:
            yield (
                f"self.{name} was set, but {klass.__qualname__} has no method of that name, from which the MTA learns "
                f"that it must wait for an answer: define {name} in the class"
            )
        elif name == "message":
            yield f"{klass.__qualname__} has no method message(self, message): a MessageFilter needs it"


def _base_with_hooks(klass: type[Any]) -> type[Any]:
    """MessageFilter, for a class that is derived from it; otherwise `klass` itself."""
    return next((one for one in klass.__mro__ if HOOKS_MARK in vars(one)), klass)


def _fault_of(handlers: Handlers, name: str, arguments: tuple[str, ...]) -> str | None:
    handler = handlers.as_of_object(name)
    if mark_of(handler, NOCALLBACK_MARK):
        return None
    if not callable(handler):
        if hasattr(handler, "__get__") and not isinstance(handler, MemberDescriptorType):
            return None  # a property, which may well give something that can be called
        return f"is {type(handler).__name__}: this name is that of a handler, which must be a method"
    if is_async(handler):
        return "is async: a handler must be a plain method, async ones are not supported yet"
    if is_generator(handler):
        return "has a yield in it: calling it would run none of its code"
    arity = arity_of(handler)
    if arity is not None:
        needs_any = "*params" in arguments and name not in FITTED
        least = len(arguments) - ("*params" in arguments)
        if not arity.takes(least) or (needs_any and arity.most is not None):
            return f"cannot be called as it will be: {name}({', '.join(arguments)})"
    return None


def near_misses_of(klass: type[Any]) -> Iterator[str]:
    """Yield what in a class looks like a handler and is none."""
    base = _base_with_hooks(klass)
    yield from near_misses(klass, Base if base is klass else base, EVENTS)


def _warn_of_near_misses(klass: type[Any]) -> None:
    if klass not in PROCESS.warned_of:
        PROCESS.warned_of.add(klass)
        for text in near_misses_of(klass):
            logger.warning("%s", text)
