"""Writes log records from a thread of its own, so that the MTA does not wait for a log that hangs."""

import atexit
import logging
import threading
from collections import deque
from collections.abc import Callable
from contextvars import copy_context
from typing import Final

from pymilter._core import signals_of_others
from pymilter._process.process import PROCESS

logger = logging.getLogger("pymilter")

# The callback whose record is written waits for this many seconds, so that the log is usually complete, and in order,
# when the MTA has the answer. If the log is slower, the answer does not wait for it.
WITHIN: Final = 1.0
# This many records wait at most: an exception keeps alive what its handler had at hand, such as a body. More are left
# out, and the log says how many.
MOST: Final = 100
# At exit, what is left is written for this many seconds.
EXIT_WITHIN: Final = 5.0


class _Item:
    """One call that the thread has to make."""

    def __init__(self, write: Callable[[], None]) -> None:
        self._write: Callable[[], None] | None = write
        self._context = copy_context()
        self.error: BaseException | None = None
        self.is_done = False
        self.is_waited_for = False

    def run(self) -> None:
        """Make the call, once. What it refers to (an exception, and its connection) must not live on until the next."""
        write, self._write = self._write, None
        if write is not None:
            self._context.run(write)


class Writer:
    """Calls functions that write to the log, one after another, in a daemon thread that the first one starts."""

    def __init__(self) -> None:
        self._begin()
        PROCESS.not_for_children.add(self)
        atexit.register(self.close)

    def _begin(self) -> None:
        self._changed = threading.Condition()
        self._waiting: deque[_Item] = deque()
        self._is_busy = False
        self._left_out = 0
        self._is_late = False
        self._is_closed = False
        self._thread: threading.Thread | None = None

    def write(self, write: Callable[[], None]) -> None:
        """Call `write` in the thread, in the calling thread's context, and wait for its end for WITHIN seconds.

        While the log is behind already, nothing is waited for. Without a thread `write` is called here.

        Raises:
            BaseException: what `write` raises, if it ends in time.
        """
        item = _Item(write)
        with self._changed:
            is_here = self._is_closed or threading.current_thread() is self._thread or not self._has_thread()
            if not is_here:
                if len(self._waiting) >= MOST:
                    self._left_out += 1
                    return
                self._waiting.append(item)
                self._changed.notify_all()
                if self._is_late:
                    return
                item.is_waited_for = True
                self._is_late = not self._changed.wait_for(lambda: item.is_done, WITHIN)
                item.is_waited_for = False
                if item.error is not None:
                    error, item.error = item.error, None
                    try:
                        raise error
                    finally:
                        del error, write  # its traceback refers to this frame
        if is_here:
            write()

    def close(self) -> None:
        """At exit: write what is left. Records that come later are written by the threads that make them."""
        with self._changed:
            self._is_closed = True
            self._changed.wait_for(lambda: not (self._waiting or self._is_busy), EXIT_WITHIN)

    def leave_to_parent(self) -> None:
        """In the child of a fork: the thread is the parent's, and so is what waits for it."""
        self._begin()

    def _has_thread(self) -> bool:
        if self._thread is None:
            import signal  # few processes have something to write

            thread = threading.Thread(target=self._run, name="pymilter log", daemon=True)
            # The thread inherits this mask: signals are for the threads of the program.
            mask = signal.pthread_sigmask(signal.SIG_BLOCK, signals_of_others())
            try:
                thread.start()
            except RuntimeError:  # the process is out of threads
                return False
            finally:
                signal.pthread_sigmask(signal.SIG_SETMASK, mask)
            self._thread = thread
        return True

    def _run(self) -> None:
        while True:
            with self._changed:
                self._changed.wait_for(lambda: self._waiting)
                item = self._waiting.popleft()
                self._is_busy = True
                left_out, self._left_out = self._left_out, 0
            if left_out:
                logger.error("the log is slow: %d records are missing here", left_out)
            error: BaseException | None = None
            try:
                item.run()
            except BaseException as failure:
                error = failure
            with self._changed:
                item.is_done = True
                item.error = error if item.is_waited_for else None
                is_lost = error is not None and not item.is_waited_for
                self._is_busy = False
                self._is_late = self._is_late and bool(self._waiting)
                self._changed.notify_all()
            if error is not None and is_lost:
                threading.excepthook(threading.ExceptHookArgs((type(error), error, error.__traceback__, None)))
            del item, error
