"""What the program has to do around the serving: its functions for a start, a reload and a stop."""

from collections.abc import Callable
from typing import Any

from pymilter._class.arity import arity_of, is_async, is_generator
from pymilter._process.forked import ending_children

Hook = Callable[[], Any]


class Hooks:
    """Functions of the program, without arguments, whose results are not used. Raises TypeError for anything else."""

    def __init__(
        self, on_start: Hook | None = None, on_stop: Hook | None = None, on_reload: Hook | None = None
    ) -> None:
        self.on_start = checked_hook("on_start", on_start)
        self.on_stop = checked_hook("on_stop", on_stop)
        self.on_reload = checked_hook("on_reload", on_reload)


def checked_hook(name: str, value: Any) -> Hook | None:
    """`value` if it can be called as a hook, or None. Raises TypeError with the name and what is allowed."""
    if value is None:
        return None
    allowed = "it must be a function without arguments, or None"
    if not callable(value):
        raise TypeError(f"{name} is {value!r}: {allowed}")
    if is_async(value):
        raise TypeError(
            f"{name} is async def: nobody would await it, so {allowed}; asyncio.run() can do the work in it"
        )
    if is_generator(value):
        raise TypeError(f"{name} has a yield: a call would run none of it, so {allowed}")
    arity = arity_of(value)
    if arity is not None and not arity.takes(0):
        raise TypeError(f"{name} takes arguments, and it is called without any: {allowed}")
    hook: Hook = value
    return hook


def call_hook(name: str, hook: Hook | None) -> None:
    """Call a hook, if there is one. Raises what it raises, and TypeError if it has only made a coroutine."""
    if hook is None:
        return
    with ending_children():
        result = hook()
    if hasattr(result, "__await__"):
        if hasattr(result, "close"):
            result.close()
        raise TypeError(f"{name} returned {type(result).__name__}, which nobody awaits: asyncio.run() in it would")


NO_HOOKS = Hooks()
