"""Ends processes that the program forks in code that we call, once that code returns, as multiprocessing does."""

import atexit
import contextlib
import os
import sys
import threading
from collections.abc import Iterator
from typing import NoReturn


class Forks(threading.local):
    """What becomes of the processes that the calling thread forks. Each thread sees its own values."""

    def __init__(self) -> None:
        self._depth = 0  # of `ending_children` blocks

    @contextlib.contextmanager
    def ending_children(self) -> Iterator[None]:
        """End a process that is forked within the block where the block ends.

        Used around code of the program, and around our own code that a signal handler may interrupt. For the handlers
        of events, the C++ half does the same.
        """
        pid = os.getpid()
        depth = self._depth
        self._depth = depth + 1
        failure = None
        try:
            yield
        except BaseException as error:
            failure = error
            raise
        finally:
            self._depth = depth
            if os.getpid() != pid:
                end_child(failure)

    def ends_children(self) -> bool:
        """Whether a process that the calling thread forks now ends with an `ending_children` block."""
        return self._depth > 0


def prepare() -> None:
    """Write out what is buffered for stdout before the fork; otherwise parent and child would both write it."""
    _flush()


def begin_child() -> None:
    """Forget, in the child, the functions that the program registered for its exit: the parent runs them."""
    atexit._clear()


def end_child(error: BaseException | None) -> NoReturn:
    """End the child once the program's code has returned or raised `error`, with the status of a program."""
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
