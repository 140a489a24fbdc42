"""The handlers of an object: those of its class, and those that are set on the object itself."""

from collections.abc import Callable, Mapping
from functools import partial, partialmethod
from types import FunctionType, MethodType
from typing import Any, Final

from pymilter._class.decorators import HOOKS_MARK
from pymilter._class.negotiate import ALWAYS_SENT, BYTES_HOOKS
from pymilter._core import DECIDED_BITS, NOT_SENT

NAMES: Final = (*NOT_SENT, *ALWAYS_SENT, *(f"{name}_bytes" for name in BYTES_HOOKS), "negotiate", "begin_message")


class Handlers:
    """The handlers of a class, or of an object: those in `own` are set on the object and hide those of its class."""

    def __init__(self, klass: type[Any], own: Mapping[str, Callable[..., object]]) -> None:
        self.klass = klass
        self.own = own

    @classmethod
    def of(cls, handlers: Any) -> "Handlers":
        """Return the handlers of a class, or of an object with those set on it, as by ``self.eom = self.my_eom``."""
        if isinstance(handlers, type):
            return cls(handlers, {})
        attributes = vars(handlers)
        names = (*NAMES, *getattr(handlers, HOOKS_MARK, ()))
        return cls(type(handlers), {name: attributes[name] for name in names if callable(attributes.get(name))})

    def __getattr__(self, name: str) -> Any:
        return self.own[name] if name in self.own else getattr(self.klass, name)

    def as_of_object(self, name: str) -> Any:
        """Return the attribute `name` as an object has it: a function of its class is bound.

        What a property gives is known only once there is an object, so the property itself is returned.
        """
        if name in self.own:
            return self.own[name]
        static = next(vars(klass)[name] for klass in self.klass.__mro__ if name in vars(klass))
        if not isinstance(static, partialmethod):
            found = getattr(self.klass, name)
            has_self = isinstance(found, FunctionType) and not isinstance(static, staticmethod)
            return MethodType(found, self.klass) if has_self else found
        function: Any = static.func
        has_own_way = isinstance(function, classmethod | staticmethod)
        bound = function.__get__(None, self.klass) if has_own_way else MethodType(function, self.klass)
        return partial(bound, *static.args, **static.keywords)

    def own_bits(self) -> int:
        """Return the options of the protocol (SMFIP_*) that the handlers in `own` decide."""
        bits = 0
        for name in self.own:
            step = name.removesuffix("_bytes")
            bits |= DECIDED_BITS.get(step, 0)
        return bits
