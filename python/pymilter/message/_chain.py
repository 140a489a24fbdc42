"""Other ways to make a MessageFilter: from a function, and from several filters one after another."""

from __future__ import annotations

import operator
import types
from collections.abc import Callable, Iterable, Mapping
from functools import reduce
from typing import TYPE_CHECKING, Any, Final, Unpack, cast, overload

from pymilter._class.arity import arity_of, is_async, is_generator, target_of
from pymilter._class.base import Base
from pymilter._class.decorators import DECODE_MARK, MACROS_MARK, NOCALLBACK_MARK, PROTOCOL_MARK
from pymilter._class.factories import factory_faults
from pymilter._class.faults import check_handlers
from pymilter._class.handlers import Handlers
from pymilter._class.marks import mark, mark_of
from pymilter._class.negotiate import joined_macros, text_mode, wishes_of
from pymilter._constants import ACCEPT, CONTINUE
from pymilter.message._filter import Gathering, Keywords, MessageFilter, call, is_status
from pymilter.message._message import Message
from pymilter.replies import Outcome

if TYPE_CHECKING:
    from pymilter import Context

Handler = Callable[[Message], Outcome]

NEVER_NEGOTIATES: Final = "would never be called: a chain negotiates for all its filters"


@overload
def message_filter(function: Handler, /) -> type[MessageFilter]: ...
@overload
def message_filter(
    function: None = None, /, **keywords: Unpack[Keywords]
) -> Callable[[Handler], type[MessageFilter]]: ...
def message_filter(function: Handler | None = None, /, **keywords: Unpack[Keywords]) -> Any:
    """Make a MessageFilter of a function that takes a message and returns what `MessageFilter.message` returns.

    Args:
        function: the function; left out if keywords follow, as in ``@message_filter(body=False)``.
        keywords: those of `MessageFilter`.

    Raises:
        TypeError: this is no function, it is async, or it does not take one argument; or a keyword is wrong.
        ValueError: a keyword has a value that is out of range.
    """

    def decorate(function: Handler) -> type[MessageFilter]:
        _check_function(function)

        name = getattr(function, "__name__", type(function).__name__)
        names = {
            "__doc__": function.__doc__,
            "__module__": getattr(function, "__module__", __name__),
            "__qualname__": getattr(function, "__qualname__", name),
            "message": staticmethod(function),  # which gets the message alone
        }
        return _new_class(name, MessageFilter, names, keywords)

    return decorate if function is None else decorate(function)


def _check_function(function: Any) -> None:
    allowed = "allowed is a function that takes a message, as in def gate(message)"
    name = getattr(function, "__qualname__", repr(function))
    if isinstance(function, type):
        raise TypeError(f"@message_filter does not fit the class {name}: {allowed}; derive a class from MessageFilter")
    if not callable(function):
        raise TypeError(f"@message_filter does not fit {name}: {allowed}")
    if is_async(function):
        raise TypeError(
            f"@message_filter does not fit {name}, which is async: {allowed}; async ones are not supported yet"
        )
    if is_generator(function):
        raise TypeError(f"@message_filter does not fit {name}, which has a yield in it: {allowed}")
    arity = arity_of(function)
    if arity is not None and not arity.takes(1):
        raise TypeError(f"@message_filter does not fit {name}, which cannot be called with one argument: {allowed}")


def chain(*filters: Callable[[], MessageFilter]) -> type[MessageFilter]:
    """Make one MessageFilter of several: all see one `Message`, each with the changes of those before it.

    The first refusal (REJECT, TEMPFAIL, DISCARD or a reply) is the answer, and then nothing is changed. ACCEPT ends
    only the filter that gave it, for this message; given at connect or hello, for the whole connection. The MTA is
    asked for what any of them wants: steps, macros, options of the protocol. The limits are the smallest of theirs.

    Args:
        filters: what `run` takes, in the order in which a message goes through them: classes derived from
            MessageFilter, or functions that make such an object. A function is called once here, to see what it makes.

    Raises:
        TypeError: one of them makes no MessageFilter, one has a handler that cannot be called or a `negotiate` of its
            own, two want the text of a step in different ways, or there is none.
    """
    if not filters:
        raise TypeError("chain got no filter: at least one is needed")
    classes = tuple(map(_class_of, filters))
    name = "chain(" + ", ".join(one.__qualname__ for one in classes) + ")"
    attributes: dict[str, Any] = {"_factories": filters, "_classes": classes}
    for step in PASSED_ON:
        if handlers := [getattr(one, step) for one in classes if _handles(one, step)]:
            attributes[step] = _passed_on(step, handlers)
    made = _new_class(name, _Chain, attributes, _union(classes))
    wishes = [wishes_of(one, Base) for one in classes]
    setattr(made, MACROS_MARK, joined_macros(macros for one in wishes for macros in one.macros))
    setattr(made, PROTOCOL_MARK, reduce(operator.or_, (getattr(one, PROTOCOL_MARK) for one in classes)))
    return made


def _class_of(factory: Callable[[], MessageFilter]) -> type[MessageFilter]:
    """Return the class that a factory makes an object of, free of faults.

    Raises:
        TypeError: It makes no MessageFilter, or a handler cannot be called.
    """
    wrong = TypeError(
        f"chain got {factory!r}: allowed are classes derived from MessageFilter, and what makes their objects"
    )
    if not callable(factory):
        raise wrong
    for fault in factory_faults(factory):
        raise TypeError(fault)
    klass: type[MessageFilter] = target_of(factory).function
    if not isinstance(klass, type):
        klass = type(factory())
    if not issubclass(klass, MessageFilter):
        raise wrong
    check_handlers(Handlers.of(klass))
    if _overrides(klass, "negotiate"):
        raise TypeError(f"{klass.__qualname__}.negotiate {NEVER_NEGOTIATES}")
    return klass


def _overrides(klass: type[MessageFilter], name: str) -> bool:
    return getattr(klass, name) is not getattr(MessageFilter, name)


def _handles(klass: type[MessageFilter], name: str) -> bool:
    return _overrides(klass, name) and not mark_of(getattr(klass, name), NOCALLBACK_MARK)


def _new_class(
    name: str, base: type[MessageFilter], attributes: Mapping[str, Any], keywords: Keywords
) -> type[MessageFilter]:
    made = types.new_class(name, (base,), dict(keywords), lambda namespace: namespace.update(attributes))
    return cast("type[MessageFilter]", made)


class _Chain(MessageFilter):
    """What `chain` makes; `_factories` make the filters, objects of `_classes`."""

    _factories: tuple[Callable[[], MessageFilter], ...]
    _classes: tuple[type[MessageFilter], ...]

    def __init__(self) -> None:
        self._filters = [make() for make in self._factories]
        for one, expected in zip(self._filters, self._classes, strict=True):
            if type(one) is not expected and _wishes(type(one)) != _wishes(expected):
                raise TypeError(
                    f"a factory in {type(self).__qualname__} made a {type(one).__qualname__}, which gets other events, "
                    f"or has other limits, than the {expected.__qualname__} that it made at first"
                )
        for one in self._filters:
            self._notice_handlers(one)
        self._gone: set[int] = set()  # the places of those that have accepted the connection
        self._done: set[int] = set()  # and of those that have accepted the message

    def _notice_handlers(self, one: MessageFilter) -> None:
        """Handle the steps for which a filter has set handlers on itself, as it may if it is served alone.

        Raises:
            TypeError: One of them cannot be called, or would be set too late.
        """
        handlers = Handlers.of(one)
        new = [name for name in handlers.own if not _overrides(type(one), name)]
        if new:
            check_handlers(handlers)
        if "negotiate" in handlers.own:
            raise TypeError(f"self.negotiate {NEVER_NEGOTIATES}")
        for name in new:
            if name in PASSED_ON and not _overrides(type(self), name):
                # On the chain itself, where it is noticed too.
                setattr(self, name, types.MethodType(_passed_on(name, [handlers.own[name]]), self))

    def _setctx(self, ctx: Context | None) -> None:
        for one in self._filters:
            one._setctx(ctx)
        super()._setctx(ctx)

    def begin_message(self) -> None:
        self._done = set(self._gone)
        for one in self._filters:
            one.begin_message()

    def message(self, message: Message) -> Outcome:
        return self._ask(self._done, lambda one: call(one, "message", message))

    def abort(self) -> Outcome:
        for one in self._filters:
            one.abort()
        return CONTINUE

    def close(self) -> Outcome:
        for one in self._filters:
            one.close()
        return CONTINUE

    def _ask(self, done: set[int], call: Callable[[MessageFilter], Outcome]) -> Outcome:
        """Ask those that are not in `done` until one refuses; who accepts is put there."""
        for place, one in enumerate(self._filters):
            if place in done:
                continue
            outcome = call(one)
            if is_status(outcome, ACCEPT):
                done.add(place)
            elif outcome is not None and not is_status(outcome, CONTINUE):
                return outcome
        return ACCEPT if len(done) == len(self._filters) else CONTINUE


def _passed_on(name: str, handlers: Iterable[Callable[..., object]]) -> Callable[..., Outcome]:
    """Return the method of a chain for a step that `handlers` handle.

    Raises:
        TypeError: They want its text in different ways, but it comes only in one.
    """
    modes = sorted({text_mode(handler) for handler in handlers})
    if len(modes) > 1:
        raise TypeError(f"two filters of a chain decode {name} differently: as {' and as '.join(modes)}")

    def event(self: _Chain, *arguments: Any) -> Outcome:
        def ask(one: MessageFilter) -> Outcome:
            is_handled = _handles(type(one), name) or name in vars(one)
            return call(one, name, *arguments) if is_handled else CONTINUE

        return self._ask(self._gone if name in OF_CONNECTION else self._done, ask)

    mark(event, DECODE_MARK, modes[0])
    return event


PASSED_ON: Final = ("connect", "hello", "mail", "recipient", "data", "unknown")
"""Events that a chain has only where one of its filters has them."""
OF_CONNECTION: Final = ("connect", "hello", "unknown")
"""Those of them at which ACCEPT is for the whole connection."""


def _wishes(klass: type[MessageFilter]) -> tuple[Gathering, list[str]]:
    """What a class wants of the MTA and of the gathering, as far as a chain is made for it."""
    return klass._gathering, [name for name in PASSED_ON if _overrides(klass, name)]


def _union(classes: tuple[type[MessageFilter], ...]) -> Keywords:
    wanted = [one._gathering for one in classes]
    body = min(wanted, key=lambda one: one.limit)
    header = min(wanted, key=lambda one: one.header_limit)
    return {
        "limit": body.limit,
        "exceeded": body.exceeded,
        "header_limit": header.header_limit,
        "header_exceeded": header.header_exceeded,
        "in_memory": min(one.in_memory for one in wanted),
        "headers": any(one.headers for one in wanted),
        "body": any(one.body for one in wanted),
        "macros": tuple(dict.fromkeys(macro for one in wanted for macro in one.macros)),
    }
