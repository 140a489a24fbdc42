"""What the program has to do around the serving: its functions for a start, a reload and a stop."""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

Hook = Callable[[], Any]


@dataclass(frozen=True, slots=True)
class Hooks:
    """Functions of the program's, without arguments, whose results are not looked at. TypeError for what is none."""

    on_start: Hook | None = None
    on_stop: Hook | None = None
    on_reload: Hook | None = None

    def __post_init__(self) -> None:
        for name in ("on_start", "on_stop", "on_reload"):
            value = getattr(self, name)
            if value is not None and not callable(value):
                raise TypeError(f"{name} must be a function without arguments, or None, not {type(value).__name__}")


NO_HOOKS = Hooks()
