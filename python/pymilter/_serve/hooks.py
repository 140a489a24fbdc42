"""The functions of the program that are called at a start, a reload and a stop."""

from collections.abc import Callable
from typing import Any

from pymilter._class.arity import arity_of, is_async, is_generator
from pymilter._process.process import PROCESS

Hook = Callable[[], Any]


def accept_hook(value: Any) -> Hook:
    """Return `value` if it can be called as a hook. Raises TypeError, with a reason if it is a function."""
    if not callable(value):
        raise TypeError
    if is_async(value):
        raise TypeError("nobody awaits an async def (asyncio.run() within a function does)")
    if is_generator(value):
        raise TypeError("a call of a function with yield runs none of it")
    arity = arity_of(value)
    if arity is not None and not arity.takes(0):
        raise TypeError("it takes arguments, and is called without any")
    hook: Hook = value
    return hook


def call_hook(name: str, hook: Hook | None) -> None:
    """Call a hook, if there is one. Raises what it raises, and TypeError if all that it did was to make a coroutine."""
    if hook is None:
        return
    with PROCESS.forks.ending_children():
        result = hook()
    if hasattr(result, "__await__"):
        if hasattr(result, "close"):
            result.close()
        raise TypeError(f"{name} returned a {type(result).__name__}, which nobody awaits: asyncio.run() within it does")
