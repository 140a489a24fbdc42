"""The plan of a class of handlers: all that the C++ half needs, read once."""

from collections.abc import Callable
from typing import Any
from weakref import WeakKeyDictionary, ref

from pymilter._class.arity import most_arguments
from pymilter._class.base import Base, options_of
from pymilter._class.decorators import GATHER_MARK, WHOLE_MARK
from pymilter._class.faults import begins_messages, check_handlers, warn_of_handlers
from pymilter._class.gather import GatherMark
from pymilter._class.handlers import Handlers
from pymilter._class.marks import mark_of
from pymilter._class.negotiate import BYTES_HOOKS, wishes_of
from pymilter._core import Gather, Plan, Whole, make_gather, make_plan, make_whole


def _no_hook() -> None:
    """Placeholder that never equals the inherited hook, so that dispatch always calls that."""


def _gather_of(handlers: Handlers) -> Gather | None:
    mark: GatherMark | None = mark_of(handlers.body, GATHER_MARK)
    if (whole := getattr(handlers, WHOLE_MARK, None)) is not None:
        mark = GatherMark(0, whole.limit, whole.in_memory, True, whole.exceeded)
    if mark is None:
        return None
    return make_gather(
        piece=mark.piece,
        limit=mark.limit,
        in_memory=mark.in_memory,
        as_view=mark.view,
        exceeded=mark.exceeded._wire,
    )


def _whole_of(handlers: Handlers) -> Whole | None:
    mark = getattr(handlers, WHOLE_MARK, None)
    if mark is None:
        return None
    return make_whole(header_limit=mark.header_limit, header_exceeded=mark.header_exceeded._wire)


def plan_of(handlers: Any) -> Plan:
    """Return the plan of a class of handlers, or of an object that has handlers set on itself.

    Raises:
        TypeError: it is not derived from Base, or one of its handlers could not be called.
    """
    found = _handlers_of(handlers)
    check_handlers(found)
    return _plan_of(found)


def classic_plan_of(handlers: Any) -> Plan:
    """Return the plan for a classic program, whose faults are only logged as warnings, because it must start."""
    found = _handlers_of(handlers)
    warn_of_handlers(found)
    return _plan_of(found)


def _handlers_of(handlers: Any) -> Handlers:
    found = Handlers.of(handlers)
    if not issubclass(found.klass, Base):
        name = found.klass.__qualname__
        raise TypeError(f"the factory made a {name}: it must make an object derived from pymilter.Base")
    return found


def _plan_of(handlers: Handlers) -> Plan:
    wishes = wishes_of(handlers, Base)
    hooks: dict[str, Any] = {name: getattr(Base, f"{name}_bytes") for name in BYTES_HOOKS}
    for name in ("envfrom", "envrcpt"):
        if most_arguments(handlers.as_of_object(name)) is not None:
            hooks[name] = _no_hook  # the inherited hook leaves out the ESMTP parameters that the method does not take
    return make_plan(
        actions=handlers._wanted_actions,
        protocol=options_of(handlers),
        steps=list(wishes.steps),
        no_reply=list(wishes.no_reply),
        negotiates=wishes.negotiates,
        has_begin=wishes.begins and begins_messages(handlers),
        text=dict(wishes.text),
        macros=list(wishes.macros),
        hooks=hooks,
        gather=_gather_of(handlers),
        whole=_whole_of(handlers),
    )


def _no_class() -> None:
    """Stands for a weak reference until there is a class."""


class Plans:
    """The plans of the classes whose objects one factory makes. Each is read once, and is freed with its class.

    A factory may define a class for each connection.
    """

    def __init__(self, read: Callable[[Any], Plan] = plan_of) -> None:
        self._read = read
        self._plans: WeakKeyDictionary[type[Any], Plan] = WeakKeyDictionary()
        # A weak reference and the plan, in one value: another thread may store its own at any moment.
        self._latest: tuple[Callable[[], type[Any] | None], Plan | None] = (_no_class, None)

    def of(self, handlers: Any) -> Plan:
        """Return the plan of a class, or of an object that has handlers set on itself.

        Raises:
            TypeError: see `plan_of`.
        """
        # Nearly always the same class comes again, and to look it up costs as much as to make its object.
        latest, plan = self._latest
        if latest() is handlers and plan is not None:
            return plan
        if not isinstance(handlers, type):
            return self._read(handlers)
        plan = self._plans.get(handlers)
        if plan is None:
            plan = self._plans[handlers] = self._read(handlers)
        self._latest = ref(handlers), plan
        return plan
