"""What the program has to do around the serving: its functions for a start, a reload and a stop."""

from collections.abc import Callable
from typing import Any

Hook = Callable[[], Any]


class Hooks:
    """Functions of the program's, without arguments, whose results are not looked at. TypeError for what is none."""

    def __init__(
        self, on_start: Hook | None = None, on_stop: Hook | None = None, on_reload: Hook | None = None
    ) -> None:
        for name, value in (("on_start", on_start), ("on_stop", on_stop), ("on_reload", on_reload)):
            if value is not None and not callable(value):
                raise TypeError(f"{name} must be a function without arguments, or None, not {type(value).__name__}")
        self.on_start = on_start
        self.on_stop = on_stop
        self.on_reload = on_reload


NO_HOOKS = Hooks()
