"""Threads that handlers start: each belongs to the message in which it was started, so that none edits a later one."""

import functools
import sys
import threading
from typing import Any, Final

MARK: Final = "_pymilter_message"


def note(function: object, connection: int, message: int) -> None:
    """Note that a handler, in message number `message` of `connection`, starts the thread that runs `function`."""
    thread = getattr(function, "__self__", None)
    if isinstance(thread, threading.Thread) and not _runs_library(thread):
        setattr(thread, MARK, (connection, message))


def message_of(connection: int) -> int:
    """The number of the message of `connection` in which the calling thread was started; 0 if there is none."""
    of_connection, message = getattr(threading.current_thread(), MARK, (0, 0))
    return int(message) if of_connection == connection else 0


def _runs_library(thread: threading.Thread) -> bool:
    # Threads of pools and event loops are made with the first task, and then work for any message.
    target: Any = getattr(thread, "_target", None)
    while isinstance(target, functools.partial):
        target = target.func
    module = getattr(target, "__module__", None) or ""
    return module.partition(".")[0] in sys.stdlib_module_names
