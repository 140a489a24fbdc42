"""The plan of a class of handlers: all that the C++ half must know of it, read once."""

from typing import Any
from weakref import WeakKeyDictionary

from pymilter._base import ALL_OPTIONS, Base
from pymilter._core import Gather, Plan
from pymilter._decorators import GATHER_MARK
from pymilter._gather import GatherMark
from pymilter._negotiate import BYTES_HOOKS, most_arguments, wishes_of


def _no_hook() -> None:
    """Stands where the inherited hook is named, for a class whose hook is to be called although it is inherited."""


def _gather_of(klass: type[Base]) -> Gather | None:
    mark: GatherMark | None = getattr(klass.body, GATHER_MARK, None)
    if mark is None:
        return None
    return Gather(
        piece=mark.piece,
        limit=mark.limit,
        in_memory=mark.in_memory,
        as_view=mark.view,
        exceeded=mark.exceeded._wire,
    )


def plan_of(klass: type[Any]) -> Plan:
    """What dispatch must know of a class of handlers. Raises TypeError where it is not derived from Base."""
    if not issubclass(klass, Base):
        raise TypeError(f"the factory made a {klass.__qualname__}: it must make an object derived from pymilter.Base")
    wishes = wishes_of(klass, Base)
    hooks: dict[str, Any] = {name: getattr(Base, f"{name}_bytes") for name in BYTES_HOOKS}
    for name in ("envfrom", "envrcpt"):
        if most_arguments(getattr(klass, name)) is not None:
            hooks[name] = _no_hook  # so that the inherited one is called, which leaves parameters out
    return Plan(
        actions=klass._wanted_actions,
        protocol=ALL_OPTIONS & ~klass.protocol_mask(),
        steps=list(wishes.steps),
        mute=list(wishes.mute),
        negotiates=wishes.negotiates,
        text=dict(wishes.text),
        macros=list(wishes.macros),
        hooks=hooks,
        gather=_gather_of(klass),
    )


class Plans:
    """The plans of the classes that one factory makes: each is read once, and goes when its class goes.

    A factory may make a class for each connection.
    """

    def __init__(self) -> None:
        self._plans: WeakKeyDictionary[type[Any], Plan] = WeakKeyDictionary()

    def __call__(self, klass: type[Any]) -> Plan:
        """The plan of a class. Raises TypeError where it is not derived from Base."""
        plan = self._plans.get(klass)
        if plan is None:
            plan = self._plans[klass] = plan_of(klass)
        return plan
