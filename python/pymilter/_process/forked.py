"""Processes that are forked within a handler: they end when it does, as those of multiprocessing do."""

import atexit
import contextlib
import os
import sys
import threading
from typing import NoReturn


def prepare() -> None:
    """Before the fork: what is buffered for stdout would otherwise be written twice."""
    _flush()


def begin_child() -> None:
    """In the child: what the program registered for its own exit is the parent's to run."""
    atexit._clear()


def end_child(error: BaseException | None) -> NoReturn:
    """Called in the child when the handler has returned, or raised `error`. The status is that of a program."""
    status = 1
    try:
        status = _status(error)
        for thread in threading.enumerate():
            if thread is not threading.current_thread() and not thread.daemon:
                thread.join()
        atexit._run_exitfuncs()
    except BaseException as failure:
        status = _status(failure)
    finally:
        _flush()
        os._exit(status)


def _status(error: BaseException | None) -> int:
    if error is None:
        return 0
    if isinstance(error, SystemExit):
        if error.code is None:
            return 0
        if isinstance(error.code, int):
            return error.code & 0xFF
        with contextlib.suppress(Exception):
            sys.stderr.write(f"{error.code}\n")
        return 1
    with contextlib.suppress(BaseException):
        sys.excepthook(type(error), error, error.__traceback__)
    return 1


def _flush() -> None:
    for stream in (sys.stdout, sys.stderr):
        with contextlib.suppress(Exception):
            stream.flush()
