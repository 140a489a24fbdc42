"""Audit events for what CPython starts in silence, so that one hook (in C++) sees all that handlers start."""

import functools
import sys
import threading
from typing import Any


def add_events() -> None:
    """Raise the event "_posixsubprocess.fork_exec", and in Python 3.11 also "_thread.start_new_thread"."""
    # multiprocessing starts its processes by this function (spawn, forkserver and the resource tracker), and takes it
    # from its module at each call.
    import _posixsubprocess

    fork_exec: Any = vars(_posixsubprocess)["fork_exec"]

    @functools.wraps(fork_exec)
    def audited_fork_exec(*args: Any) -> Any:
        sys.audit("_posixsubprocess.fork_exec")
        return fork_exec(*args)

    vars(_posixsubprocess)["fork_exec"] = audited_fork_exec
    if sys.version_info < (3, 12):
        begin = vars(threading)["_start_new_thread"]

        def start_new_thread(function: object, args: tuple[object, ...]) -> int:
            sys.audit("_thread.start_new_thread", function, args, None)
            return int(begin(function, args))

        vars(threading)["_start_new_thread"] = start_new_thread
