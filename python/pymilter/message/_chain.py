"""Other ways to make a MessageFilter: from a function, and from several filters one after another."""

from __future__ import annotations

import types
from collections.abc import Callable, Iterable, Mapping
from typing import TYPE_CHECKING, Any, Final, cast, overload

from pymilter._constants import ACCEPT, CONTINUE
from pymilter.message._filter import Gathering, MessageFilter, is_status
from pymilter.message._message import Message
from pymilter.replies import Outcome, Reject, TempFail

if TYPE_CHECKING:
    from pymilter import Context

Handler = Callable[[Message], Outcome]


@overload
def message_filter(function: Handler, /) -> type[MessageFilter]: ...
@overload
def message_filter(
    function: None = None,
    /,
    *,
    limit: int = ...,
    exceeded: Reject | TempFail = ...,
    header_limit: int = ...,
    header_exceeded: Reject | TempFail = ...,
    in_memory: int = ...,
    headers: bool = ...,
    body: bool = ...,
    macros: Iterable[str] = ...,
) -> Callable[[Handler], type[MessageFilter]]: ...
def message_filter(function: Handler | None = None, /, **keywords: Any) -> Any:
    """Make a MessageFilter of a function that takes a message and returns what `MessageFilter.message` returns.

    Args:
        function: the function; left out where keywords follow, as in ``@message_filter(body=False)``.
        keywords: those of `MessageFilter`.
    """

    def decorate(function: Handler) -> type[MessageFilter]:
        def message(self: MessageFilter, message: Message) -> Outcome:
            return function(message)

        names = {
            "__doc__": function.__doc__,
            "__module__": function.__module__,
            "__qualname__": function.__qualname__,
            "message": message,
        }
        return _new_class(function.__name__, MessageFilter, names, keywords)

    return decorate if function is None else decorate(function)


def chain(*filters: type[MessageFilter]) -> type[MessageFilter]:
    """Make one MessageFilter of several: all see one `Message`, each with the changes of those before it.

    The first refusal (REJECT, TEMPFAIL, DISCARD or a reply) is the answer, and then nothing is changed. ACCEPT ends
    only the filter that gave it, for this message; given at connect or hello, for the whole connection. The MTA is
    asked for what any of them wants. The limits are the smallest of theirs.

    Args:
        filters: the classes, in the order in which a message goes through them.

    Raises:
        TypeError: one of them is no class derived from MessageFilter, or there is none.
    """
    for one in filters:
        if not (isinstance(one, type) and issubclass(one, MessageFilter)):
            raise TypeError(f"chain got {one!r}: each must be a class derived from MessageFilter")
    if not filters:
        raise TypeError("chain got no filter: at least one is needed")
    methods: dict[str, Any] = {"_classes": filters}
    for name, passed_on in PASSED_ON.items():
        if any(getattr(one, name) is not getattr(MessageFilter, name) for one in filters):
            methods[name] = passed_on
    name = "chain(" + ", ".join(one.__qualname__ for one in filters) + ")"
    return _new_class(name, _Chain, methods, _union(filters)._asdict())


def _new_class(
    name: str, base: type[MessageFilter], attributes: Mapping[str, Any], keywords: Mapping[str, Any]
) -> type[MessageFilter]:
    made = types.new_class(name, (base,), dict(keywords), lambda namespace: namespace.update(attributes))
    return cast("type[MessageFilter]", made)


class _Chain(MessageFilter):
    """What `chain` makes; `_classes` are the filters' classes."""

    _classes: tuple[type[MessageFilter], ...]

    def __init__(self) -> None:
        self._filters = [made() for made in self._classes]
        self._gone: set[int] = set()  # the places of those that have accepted the connection
        self._done: set[int] = set()  # and of those that have accepted the message

    def _setctx(self, ctx: Context | None) -> None:
        for one in self._filters:
            one._setctx(ctx)
        super()._setctx(ctx)

    def begin_message(self) -> None:
        self._done = set(self._gone)
        for one in self._filters:
            one.begin_message()

    def message(self, message: Message) -> Outcome:
        return self._ask(self._done, lambda one: one.message(message))

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


def _passed_on(name: str, *, of_connection: bool = False) -> Callable[..., Outcome]:
    def event(self: _Chain, *arguments: Any) -> Outcome:
        done = self._gone if of_connection else self._done
        return self._ask(done, lambda one: getattr(one, name)(*arguments))

    return event


PASSED_ON: Final[Mapping[str, Callable[..., Outcome]]] = {
    "connect": _passed_on("connect", of_connection=True),
    "hello": _passed_on("hello", of_connection=True),
    "mail": _passed_on("mail"),
    "recipient": _passed_on("recipient"),
    "data": _passed_on("data"),
    "unknown": _passed_on("unknown", of_connection=True),
}
"""Events that a chain has only where one of its filters has them."""


def _union(filters: tuple[type[MessageFilter], ...]) -> Gathering:
    wanted = [one._gathering for one in filters]
    body = min(wanted, key=lambda one: one.limit)
    header = min(wanted, key=lambda one: one.header_limit)
    return Gathering(
        limit=body.limit,
        exceeded=body.exceeded,
        header_limit=header.header_limit,
        header_exceeded=header.header_exceeded,
        in_memory=min(one.in_memory for one in wanted),
        headers=any(one.headers for one in wanted),
        body=any(one.body for one in wanted),
        macros=tuple(dict.fromkeys(macro for one in wanted for macro in one.macros)),
    )
