"""Notes that decorators make on handlers, and where they are found on each kind of attribute that can be called."""

from collections.abc import Iterator
from functools import partial, partialmethod
from typing import Any


def mark(func: Any, name: str, value: object) -> None:
    """Note something on a handler, for `mark_of` to find."""
    # What a class gives for a staticmethod or classmethod is the function within.
    setattr(func.__func__ if isinstance(func, staticmethod | classmethod) else func, name, value)


def layers_of(handler: object) -> Iterator[Any]:
    """Yield the handler, and what functools.partial and functools.partialmethod have around: marks may be on each."""
    while handler is not None:
        yield handler
        # What a partialmethod gives for its class has the partialmethod here; the name is that of CPython 3.13.
        made_by = getattr(handler, "__partialmethod__", None) or getattr(handler, "_partialmethod", None)
        if isinstance(handler, partial | partialmethod):
            made_by = handler.func
        handler = made_by


def mark_of(handler: object, mark: str, default: Any = None) -> Any:
    """Return what a decorator has noted on a handler under the name `mark`."""
    return next((getattr(layer, mark) for layer in layers_of(handler) if hasattr(layer, mark)), default)
