"""What this process owns: its one run of libmilter, what must end with it, and what a forked child must leave alone."""

import atexit
import os
import sys
import threading
import weakref
from collections.abc import Callable
from typing import Any, Final, Protocol, TypeVar

from pymilter._core import after_fork, before_fork, is_in_callback, shut_gate
from pymilter._process import forked
from pymilter._process.inheritance import Inheritance

_T = TypeVar("_T")

# At exit, handlers that are still running get this many seconds to end.
EXIT_GRACE: Final = 5.0


class Run(Protocol):
    """The run of libmilter, as far as the end of this process and its children are concerned."""

    def request_stop(self, grace: float = 0.0) -> None: ...
    def _finish(self, grace: float | None = None) -> int: ...
    def _leave_to_parent(self) -> None: ...


class Owned(Protocol):
    """Anything else that a forked child must not keep."""

    def leave_to_parent(self) -> None: ...


class Process:
    """What exists once in each process. `PROCESS` is the only instance."""

    def __init__(self) -> None:
        self.running: Run | None = None
        """The run that serves now."""
        self.begun: Run | None = None
        """The run of this process, from its first step on and also after its end: handlers may still be at work."""
        self.starting = threading.RLock()
        """Held while a run starts."""
        self.forks: Final = forked.Forks()
        """What becomes of the processes that a thread forks."""
        self.not_for_children: Final[weakref.WeakSet[Owned]] = weakref.WeakSet()
        """What a forked child must not keep."""
        self.warned_of: Final[weakref.WeakSet[type[Any]]] = weakref.WeakSet()
        """The classes of handlers whose faults the log has."""
        self.failure_hooks: Final[list[Callable[[BaseException], object]]] = []
        """Called, within a callback, with each exception that a handler raised."""
        self.ask_workers: Callable[[], Any] | None = None
        """In a supervisor: returns the sums (`Stats`) of the counters of its workers."""
        self.inheritance: Final = Inheritance.of_environment()
        """What this worker got from its supervisor; None if this process is not a worker."""
        self.worker_name: Final = "-" if self.inheritance is None else f"{self.inheritance.number}[{os.getpid()}]"
        """What the log calls this worker; "-" if this process is not a worker."""
        # The program may change these before it calls run().
        self.folder: Final = os.getcwd()  # noqa: PTH109
        self.program: Final = sys.argv[0] if getattr(sys, "argv", None) else ""
        self._only: Final[dict[type[Any], Any]] = {}
        self._making = threading.RLock()

    def only(self, kind: type[_T]) -> _T:
        """Return the only instance of `kind` in this process, which the first call makes.

        For classes of later rooms, which few programs load.
        """
        # Looked for without the lock, which a thread may hold for long: an instance may start to serve when it is made.
        if kind not in self._only:
            with self._making:
                if kind not in self._only:
                    self._only[kind] = kind()
        only: _T = self._only[kind]
        return only

    def end(self) -> None:
        """End the run at exit, so that no callback enters a dead interpreter and no socket stays behind."""
        if self.running is not None:
            self.running._finish(0.0)
        if not shut_gate(EXIT_GRACE):
            import logging  # loaded long ago by what runs handlers, which not every program does

            logging.getLogger("pymilter").warning(
                "handlers are still running %g s after the end: they are cut off", EXIT_GRACE
            )

    def prepare_fork(self) -> None:
        """Prepare for a fork; called in the parent."""
        if is_in_callback() or self.forks.ends_children():
            forked.prepare()

    def begin_child(self) -> None:
        """Leave libmilter, its socket and the metrics to the parent; called in the child, just after the fork."""
        self.running = None
        # Threads that are not here may have held these.
        self.starting = threading.RLock()
        self._making = threading.RLock()
        for owned in self.not_for_children:
            owned.leave_to_parent()
        if self.begun is not None:
            self.begun._leave_to_parent()
        if is_in_callback() or self.forks.ends_children():
            forked.begin_child()


PROCESS: Final = Process()
atexit.register(PROCESS.end)
# By themselves, because no exception may come between: Python code can be interrupted by a signal handler.
os.register_at_fork(before=before_fork, after_in_parent=after_fork, after_in_child=after_fork)
os.register_at_fork(before=PROCESS.prepare_fork, after_in_child=PROCESS.begin_child)


def is_worker() -> bool:
    """Whether this process is one of run()'s `workers`, which run the program again, and not the one that starts them.

    For what the program does before run() and only one of them may: `if not pymilter.is_worker(): open_port()`.
    """
    return PROCESS.inheritance is not None
