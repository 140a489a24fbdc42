"""Running a filter: `Server`, `run` and `stop`."""

import os
import threading
from collections.abc import Callable
from contextlib import AbstractContextManager, nullcontext
from functools import partial
from types import TracebackType
from typing import TYPE_CHECKING, Any, Final, Self

from pymilter import _core
from pymilter._class.base import Base
from pymilter._class.faults import check_factory
from pymilter._class.plan import Plans
from pymilter._constants import TEMPFAIL, Status
from pymilter._observe.report import report
from pymilter._process.forked import ending_children
from pymilter._process.process import PROCESS
from pymilter._serve.access import group_number, parse_access, user_number
from pymilter._serve.address import parse_address
from pymilter._serve.hooks import Hooks, checked_hook
from pymilter._serve.loop import SIGNAL_GRACE, RunningLoop
from pymilter._serve.privileges import drop_privileges
from pymilter._serve.sockets import discard_listener, open_listener
from pymilter._serve.systemd import notify, watchdog
from pymilter.errors import MilterError

if TYPE_CHECKING:
    from pymilter._workers.worker import Worker
    from pymilter.prometheus import MetricsServer

BACKLOG: Final = 2**31 - 1  # the system takes as many as its own limit allows, as it does for libmilter


class Server:
    """A filter that serves one socket; a context manager that starts it and stops it.

    `factory` makes an object derived from `Base` for each connection: a class, a function or a lambda. `socket` is in
    libmilter's notation: inet:PORT@HOST (port 0: any free one), inet6:PORT@HOST, unix:PATH, local:PATH or a path; or
    one that is open already: fd:NUMBER, systemd: or systemd:NAME. A unix socket gets `socket_mode`, `socket_owner` and
    `socket_group` before anybody can connect. Once the socket is open, the process becomes `user` and `group`.
    `timeout` is in seconds: how long libmilter waits for the MTA (7210 by default). `exception_policy` is what is
    answered when a handler fails: TEMPFAIL, REJECT, ACCEPT or CONTINUE. `grace` is in seconds: how long messages that
    are under way may go on after SIGTERM or SIGHUP. Over TCP, steps are left unanswered only where
    the connection can be kept from stalling; with `noreply_over_tcp` false, never.

    `on_start()` is called just before the socket is served, as `user`; what it raises ends the start. `on_stop()` is
    called once no handler runs any more. Where signals end the filter, `on_reload()` is called for SIGHUP instead, by
    the thread that waits for the end: run()'s main thread. What it raises is logged, and the filter goes on; only
    KeyboardInterrupt ends it. A process that one of the three forks ends when the function does.

    There is one run of libmilter in a process: a second raises MilterError. Raises ValueError for a bad argument and
    OSError, with errno and the address, when the socket cannot be opened.
    """

    def __init__(
        self,
        factory: Callable[[], Base],
        socket: str,
        *,
        name: str | None = None,
        timeout: int | None = None,
        exception_policy: Status = TEMPFAIL,
        backlog: int = BACKLOG,
        noreply_over_tcp: bool = True,
        grace: float = SIGNAL_GRACE,
        socket_mode: int | None = None,
        socket_owner: str | int | None = None,
        socket_group: str | int | None = None,
        user: str | int | None = None,
        group: str | int | None = None,
        on_start: Callable[[], Any] | None = None,
        on_stop: Callable[[], Any] | None = None,
        on_reload: Callable[[], Any] | None = None,
    ) -> None:
        check_factory(factory)
        self._timeout = timeout
        self._grace = grace
        self._backlog = backlog
        self._wanted_address = parse_address(socket)
        self._access = parse_access(socket_mode, socket_owner, socket_group)
        self._user = user_number(user)
        self._group = group_number(group)
        handlers = _core.make_handlers(exception_policy=exception_policy)
        handlers.use_methods(factory, Plans())
        self._service = _core.make_service(
            name=name if name is not None else getattr(factory, "__name__", "pymilter"),
            handlers=handlers,
            report=report,
        )
        self._loop = RunningLoop(
            self._service,
            noreply_over_tcp=noreply_over_tcp,
            signal_grace=grace,
            hooks=Hooks(on_start, on_stop, on_reload),
        )

    @property
    def address(self) -> str:
        """Where it listens, in libmilter's notation. Raises MilterError before start()."""
        return str(self._loop.address)

    def start(self, *, signals: bool = False) -> None:
        """Open the socket and begin to serve it; with `signals`, SIGTERM, SIGHUP and SIGINT make wait() return."""
        self._start(signals, lambda: None)

    def _start(self, signals: bool, when_unprivileged: Callable[[], None]) -> None:
        with (
            self._loop.starting(signals=signals),
            open_listener(self._wanted_address, backlog=self._backlog, access=self._access) as listener,
        ):
            listener.keep_from_children()
            try:
                drop_privileges(self._user, self._group)
                when_unprivileged()
                self._service.register(timeout=self._timeout)
                self._loop.start(listener)
            except BaseException:
                discard_listener(listener)
                raise

    def wait(self) -> None:
        """Wait until stop() is called, a signal came or libmilter ended. Python's signal handlers run meanwhile."""
        self._loop.wait()

    def request_stop(self, grace: float = 0.0) -> None:
        """Make wait() return, and give finish() its grace; from any thread and from a handler, more than once."""
        self._loop.request_stop(grace)

    def stop(self, grace: float = 0.0) -> None:
        """Stop serving and remove a unix socket; from any thread, more than once.

        No new connection is taken. Messages that are under way go on for at most `grace` seconds; what is left then
        gets TEMPFAIL. From a handler, and while the filter starts (in `on_start`), stop() only asks.
        Raises MilterError when libmilter's loop had ended with a failure.
        """
        if _core.is_in_callback() or self._loop.is_starting:
            threading.Thread(target=self._loop.finish, args=(grace,), name="pymilter stop").start()
        else:
            self._finish(grace)

    def finish(self) -> None:
        """After wait(): stop, with the grace that its reason gives. Raises MilterError as stop() does."""
        self._finish(None)

    def _finish(self, grace: float | None) -> None:
        if self._loop.finish(grace) != 0:
            raise MilterError("libmilter's loop ended with a failure: syslog has its reason")

    def run(self) -> None:
        """Start, wait for a signal or stop(), and stop."""
        self._run(lambda: None)

    def _run(self, when_unprivileged: Callable[[], None]) -> None:
        self._start(True, when_unprivileged)
        try:
            notify("READY=1", f"STATUS=serving {self.address}")
            with watchdog():
                self.wait()
        finally:
            notify("STOPPING=1")
            self.finish()

    def _supervise(self, workers: int, when_unprivileged: Callable[[], None]) -> None:
        """Open the socket, and keep `workers` processes that run this program again and serve it."""
        from pymilter._workers.supervisor import Supervisor

        supervisor = Supervisor(workers, grace=self._grace)
        with (
            supervisor.taking_signals(),
            open_listener(self._wanted_address, backlog=self._backlog, access=self._access) as listener,
        ):
            listener.keep_from_children()
            try:
                # Before the first worker: each that comes later must do with these rights too.
                drop_privileges(self._user, self._group)
                when_unprivileged()
                supervisor.run(listener)
            finally:
                discard_listener(listener)

    def _serve_as(self, worker: "Worker", max_messages: int | None, max_rss: int | None) -> None:
        """Serve the supervisor's socket until it says that it is enough, or has gone."""
        from pymilter._workers import shares
        from pymilter._workers.limits import spent_when

        with self._loop.starting(signals=True), worker.listener() as listener:
            self._service.register(timeout=self._timeout)
            worker.use_share(partial(self._service.join_balance, patience=shares.PATIENCE))
            self._loop.start(listener)
        worker.watch(lambda retire: self._stop_worker(worker, retire), spent_when(max_messages, max_rss))
        try:
            self.wait()
        finally:
            try:
                self.finish()
            finally:
                worker.tell()

    def _stop_worker(self, worker: "Worker", retire: bool) -> None:
        from pymilter._workers.worker import REFUSES, RETIRE_GRACE

        if retire:
            self._loop.request_stop(RETIRE_GRACE, True, refusing=lambda: worker.tell(REFUSES))
        else:
            self._loop.request_stop(self._grace)

    def __enter__(self) -> Self:
        self.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        self.stop()


def run(
    factory: Callable[[], Base],
    socket: str,
    *,
    name: str | None = None,
    timeout: int | None = None,
    exception_policy: Status = TEMPFAIL,
    backlog: int = BACKLOG,
    noreply_over_tcp: bool = True,
    grace: float = SIGNAL_GRACE,
    socket_mode: int | None = None,
    socket_owner: str | int | None = None,
    socket_group: str | int | None = None,
    user: str | int | None = None,
    group: str | int | None = None,
    workers: int = 0,
    pid_file: str | os.PathLike[str] | None = None,
    metrics: str | None = None,
    max_messages: int | None = None,
    max_rss: int | None = None,
    on_start: Callable[[], Any] | None = None,
    on_stop: Callable[[], Any] | None = None,
    on_reload: Callable[[], Any] | None = None,
) -> None:
    """Serve a socket until SIGTERM, SIGHUP, SIGINT or stop(); then return, or raise KeyboardInterrupt after SIGINT.

    With `workers`, this process opens the socket and keeps so many others that run the same program and serve it, and
    SIGHUP replaces them one by one; if new ones cannot start, those of before go on. See docs/operating.md. A worker is
    replaced as well after `max_messages` messages (or up to a tenth fewer, so that not all are at once), and when it
    takes `max_rss` bytes of memory. `pid_file` gets the number of this process.
    `metrics`, as HOST:PORT, is where Prometheus finds metrics, with workers the sums of all; it needs prometheus_client
    (ImportError: pip install prometheus_client). Raises OSError when it cannot be opened.

    `on_start` and `on_stop` are called in each process that serves, so with workers in each of them and not in this
    one; `on_reload` only in a process without workers, since a new worker reads all anew.

    The other arguments are those of `Server`. libmilter's loop runs in threads of its own, so that the program's signal
    handlers run as ever; those that are installed for the three signals run as well. A second signal ends the
    process at once; with workers it kills these, and run() returns. Raises MilterError when workers cannot live.
    """
    checked_hook("on_reload", on_reload)
    server = Server(
        factory,
        socket,
        name=name,
        timeout=timeout,
        exception_policy=exception_policy,
        backlog=backlog,
        noreply_over_tcp=noreply_over_tcp,
        grace=grace,
        socket_mode=socket_mode,
        socket_owner=socket_owner,
        socket_group=socket_group,
        user=user,
        group=group,
        on_start=on_start,
        on_stop=on_stop,
        on_reload=on_reload if workers == 0 else None,
    )
    if workers < 0:
        raise ValueError(f"workers is {workers}: it must be at least 0")
    if max_messages is not None or max_rss is not None:
        from pymilter._workers.limits import check_limits

        check_limits(workers, max_messages, max_rss)
    if (worker := _worker_of_this_process()) is not None:
        server._serve_as(worker, max_messages, max_rss)
        return
    with _metrics_server(metrics) as scrapes, _kept_pid_file(pid_file), ending_children():
        begin = (lambda: None) if scrapes is None else scrapes._begin
        if workers > 0:
            server._supervise(workers, begin)
        else:
            server._run(begin)


# What few programs want is loaded only for them: each worker pays for what is loaded.


def _worker_of_this_process() -> "Worker | None":
    if PROCESS.inheritance is None:
        return None
    from pymilter._workers.worker import Worker

    return Worker.of_this_process()


def _kept_pid_file(path: str | os.PathLike[str] | None) -> AbstractContextManager[None]:
    if path is None:
        return nullcontext()
    from pymilter._serve.pid_file import keep_pid_file

    return keep_pid_file(path)


def _metrics_server(address: str | None) -> "AbstractContextManager[MetricsServer | None]":
    if address is None:
        return nullcontext()
    from pymilter.prometheus import MetricsServer  # needs what not everybody has

    return MetricsServer._opened(address)


def stop(grace: float = 0.0) -> None:
    """Let the run() of this process return; from any thread and from a handler, any number of times.

    No new connection is taken. Messages that are under way go on for at most `grace` seconds; what is left then gets
    TEMPFAIL.
    """
    if PROCESS.begun is not None:
        PROCESS.begun.request_stop(grace)
