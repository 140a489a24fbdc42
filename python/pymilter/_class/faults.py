"""Faults of a class of handlers that are found when it is read, and not at the first message."""

import functools
import logging
import weakref
from collections.abc import Callable, Iterator, Mapping
from typing import Any, Final

from pymilter._class.arity import arity_of, is_async, is_generator
from pymilter._class.base import Base
from pymilter._class.decorators import HOOKS_MARK, NOCALLBACK_MARK
from pymilter._class.handlers import Handlers

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

# Names that the protocol and other libraries give the events.
OTHER_NAMES: Final[Mapping[str, str]] = {
    "ehlo": "hello",
    "helo": "hello",
    "mailfrom": "envfrom",
    "rcpt": "envrcpt",
    "rcptto": "envrcpt",
    "endofheaders": "eoh",
    "endofheader": "eoh",
    "endofmessage": "eom",
    "endofbody": "eom",
    "disconnect": "close",
}
# Where a MessageFilter gets what the events of Base tell.
HOOK_OF: Final[Mapping[str, str]] = {
    "envfrom": "mail",
    "envrcpt": "recipient",
    "header": "message",
    "eoh": "message",
    "body": "message",
    "eom": "message",
}
EVENTS: Final = {name.replace("_", ""): name for name in ARGUMENTS if not name.endswith("_bytes")}
LIKE: Final = 0.85  # of difflib: "bdy" is like "body", "connection" is not like "connect"

_warned_of: "weakref.WeakSet[type[Any]]" = weakref.WeakSet()


def check_factory(factory: Callable[..., object]) -> None:
    """Check a factory that is a class. Raises TypeError; warns of methods that look like events and are none."""
    if isinstance(klass := _made_by(factory), type):
        if not issubclass(klass, Base):
            raise TypeError(f"factory is the class {klass.__qualname__}: it must be derived from pymilter.Base")
        check_handlers(Handlers.of(klass))


def warn_of_factory(factory: Callable[..., object]) -> None:
    """The same for a classic program: all is only warned of."""
    if isinstance(klass := _made_by(factory), type):
        if issubclass(klass, Base):
            warn_of_handlers(Handlers.of(klass))
        else:
            logger.warning("factory is the class %s: it must be derived from Milter.Base", klass.__qualname__)


def check_handlers(handlers: Handlers) -> None:
    """Raise TypeError for the first handler that cannot be called; warn, once a class, of near misses."""
    for fault in _faults_of(handlers):
        raise TypeError(fault)
    _warn_of_near_misses(handlers.klass)


def warn_of_handlers(handlers: Handlers) -> None:
    """Warn, once a class, of handlers that cannot be called and of near misses."""
    if handlers.klass not in _warned_of:
        for fault in _faults_of(handlers):
            logger.warning("%s", fault)
    _warn_of_near_misses(handlers.klass)


def begins_messages(handlers: Handlers) -> bool:
    """Whether begin_message can be called: of a classic program it may be a method of another kind."""
    return _fault_of(handlers, "begin_message", ()) is None


def _made_by(factory: Any) -> Any:
    while isinstance(factory, functools.partial):
        factory = factory.func
    return factory


def _faults_of(handlers: Handlers) -> Iterator[str]:
    for name in ARGUMENTS:
        is_own = getattr(handlers, name) is not getattr(Base, name)
        if is_own and (fault := _fault_of(handlers, name, ARGUMENTS[name])) is not None:
            yield f"{handlers.klass.__qualname__}.{name} {fault}"
    klass, base = handlers.klass, _base_with_hooks(handlers.klass)
    for name, arguments in getattr(klass, HOOKS_MARK, {}).items():
        if getattr(klass, name) is not getattr(base, name):
            if (fault := _fault_of(handlers, name, arguments)) is not None:
                yield f"{klass.__qualname__}.{name} {fault}"
        elif name == "message":
            yield f"{klass.__qualname__} has no method message(self, message): a MessageFilter needs it"


def _base_with_hooks(klass: type[Any]) -> type[Any]:
    """MessageFilter, for a class that is derived from it; otherwise `klass` itself."""
    return next((one for one in klass.__mro__ if HOOKS_MARK in vars(one)), klass)


def _fault_of(handlers: Handlers, name: str, arguments: tuple[str, ...]) -> str | None:
    handler = handlers.as_of_object(name)
    if getattr(handler, NOCALLBACK_MARK, False):
        return None
    if not callable(handler):
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


def _warn_of_near_misses(klass: type[Any]) -> None:
    if klass in _warned_of:
        return
    _warned_of.add(klass)
    base = _base_with_hooks(klass)
    known = Base if base is klass else base
    for name in dir(klass):
        if name.startswith("_") or hasattr(known, name) or not callable(getattr(klass, name)):
            continue
        meant = _meant_by(name)
        if meant is not None and known is not Base:
            meant = HOOK_OF.get(meant, meant)
        if meant is not None and getattr(klass, meant) is getattr(known, meant):
            logger.warning("%s.%s is no event and is never called: did you mean %s?", klass.__qualname__, name, meant)


def _meant_by(name: str) -> str | None:
    plain = name.lower().replace("_", "")
    if plain in OTHER_NAMES:
        return OTHER_NAMES[plain]
    import difflib  # for the few classes that have methods of their own

    like = difflib.get_close_matches(plain, EVENTS, 1, LIKE)
    return EVENTS[like[0]] if like else None
