"""Running a filter: `Server`, `run` and `stop`."""

import os
from collections.abc import Callable
from contextlib import ExitStack
from types import TracebackType
from typing import Final, Self

from pymilter import _core
from pymilter._class.base import Base
from pymilter._class.faults import check_factory
from pymilter._class.plan import Plans
from pymilter._constants import TEMPFAIL, Status
from pymilter._observe.report import report
from pymilter._process.process import PROCESS
from pymilter._serve.hooks import Hook
from pymilter._serve.opening import opened, wanted_address
from pymilter._serve.serving import Serving
from pymilter._serve.settings import Settings
from pymilter._serve.systemd import notify, watchdog

BACKLOG: Final = Settings.backlog.default


class Server(Serving):
    """A filter that serves one socket; a context manager that starts it and stops it.

    There is one run of libmilter in a process. A process that a function given here forks ends when that returns.

    Args:
        factory: Makes an object derived from `Base` for each connection: a class, a function or a lambda.
        socket: Where to listen, in libmilter's notation: inet:PORT@HOST (port 0: any free one), inet6:PORT@HOST,
            unix:PATH, local:PATH or a path; or one that is open already: fd:NUMBER, systemd: or systemd:NAME.
        name: The name of the filter, for syslog; by default that of `factory`.
        timeout: How many seconds libmilter waits for the MTA; 7210 by default.
        exception_policy: The answer if a handler fails: TEMPFAIL, REJECT, ACCEPT or CONTINUE.
        backlog: How many connections may wait to be accepted; the system sets a limit of its own.
        noreply_over_tcp: Whether steps are left unanswered over TCP too, on connections that can be kept from stalling.
        grace: How many seconds messages that are under way may go on after SIGTERM or SIGHUP.
        socket_mode: The permissions of a unix socket, such as 0o660, set before anybody can connect.
        socket_owner: The user who owns a unix socket, by name or number.
        socket_group: The group that owns a unix socket, by name or number.
        user: The user to become once the socket is open, with its groups, by name or number.
        group: The group to become then; without `user`, no other group is left.
        on_start: Called just before the socket is served, as `user`; an exception ends the start.
        on_stop: Called once the filter has stopped and no handler runs any more.
        on_reload: Called for SIGHUP, which then does not end the filter; an exception is logged. Not with workers.

    Raises:
        TypeError: An argument is of another type; the text gives its name and what is allowed.
        ValueError: An argument has a value that is not allowed, or names what does not exist.
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
        grace: float = 5.0,
        socket_mode: int | None = None,
        socket_owner: str | int | None = None,
        socket_group: str | int | None = None,
        user: str | int | None = None,
        group: str | int | None = None,
        on_start: Hook | None = None,
        on_stop: Hook | None = None,
        on_reload: Hook | None = None,
    ) -> None:
        self._prepare(factory, socket, Settings.among(locals()))

    def _prepare(self, factory: Callable[[], Base], socket: str, settings: Settings) -> None:
        check_factory(factory)
        self._wanted_address = wanted_address(socket, settings)
        handlers = _core.make_handlers(exception_policy=settings.exception_policy)
        handlers.use_methods(factory, Plans().of)
        name = settings.name if settings.name is not None else getattr(factory, "__name__", "pymilter")
        super().__init__(_core.make_service(name=name, handlers=handlers, report=report), settings)

    @classmethod
    def _of(cls, factory: Callable[[], Base], socket: str, settings: Settings) -> Self:
        server = cls.__new__(cls)
        server._prepare(factory, socket, settings)
        return server

    def start(self, *, signals: bool = False) -> None:
        """Open the socket and begin to serve it.

        Args:
            signals: Whether SIGTERM, SIGHUP and SIGINT make wait() return, or call `on_reload`.

        Raises:
            MilterError: This process has served before.
            OSError: The socket cannot be opened; has errno, and the address in its text.
        """
        self._start(signals, _no_metrics)

    def _start(self, signals: bool, begin_metrics: Callable[[], None]) -> None:
        with self._starting(signals=signals), opened(self._wanted_address, self._settings) as listener:
            begin_metrics()
            self._serve(listener, self._settings.timeout)

    def run(self) -> None:
        """Start, wait for a signal or stop(), and stop. Raises what start() and stop() do."""
        self._run(_no_metrics)

    def _run(self, begin_metrics: Callable[[], None]) -> None:
        self._start(True, begin_metrics)
        try:
            notify("READY=1", f"STATUS=serving {self.address}")
            with watchdog():
                self.wait()
        finally:
            notify("STOPPING=1")
            self.finish()

    def _supervise(self, begin_metrics: Callable[[], None]) -> None:
        from pymilter._workers.supervisor import Supervisor

        supervisor = Supervisor(self._settings)
        with supervisor.taking_signals(), opened(self._wanted_address, self._settings) as listener:
            begin_metrics()
            supervisor.run(listener)

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
    grace: float = 5.0,
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
    start_timeout: float = 120.0,
    on_start: Hook | None = None,
    on_stop: Hook | None = None,
    on_reload: Hook | None = None,
) -> None:
    """Serve a socket until SIGTERM, SIGHUP, SIGINT or stop(); then return, or raise KeyboardInterrupt after SIGINT.

    A second signal ends the process at once, but SIGTERM and SIGHUP together count as one. libmilter's loop runs in
    threads of its own, so the program's own signal handlers run as ever. With `workers`, this process opens the socket
    and keeps the others: SIGHUP replaces them one by one, a second signal kills them, and `on_start` and `on_stop` are
    called in each of them. A process that a function given here forks ends when that returns. See
    docs/reference/operating.md.

    Args:
        factory: Makes an object derived from `Base` for each connection: a class, a function or a lambda.
        socket: Where to listen, in libmilter's notation: inet:PORT@HOST (port 0: any free one), inet6:PORT@HOST,
            unix:PATH, local:PATH or a path; or one that is open already: fd:NUMBER, systemd: or systemd:NAME.
        name: The name of the filter, for syslog; by default that of `factory`.
        timeout: How many seconds libmilter waits for the MTA; 7210 by default.
        exception_policy: The answer if a handler fails: TEMPFAIL, REJECT, ACCEPT or CONTINUE.
        backlog: How many connections may wait to be accepted; the system sets a limit of its own.
        noreply_over_tcp: Whether steps are left unanswered over TCP too, on connections that can be kept from stalling.
        grace: How many seconds messages that are under way may go on after SIGTERM or SIGHUP.
        socket_mode: The permissions of a unix socket, such as 0o660, set before anybody can connect.
        socket_owner: The user who owns a unix socket, by name or number.
        socket_group: The group that owns a unix socket, by name or number.
        user: The user to become once the socket is open, with its groups, by name or number.
        group: The group to become then; without `user`, no other group is left.
        workers: How many processes serve the socket, each running the program again; 0 for this process alone.
        pid_file: The file that holds the number of this process while it runs.
        metrics: Where Prometheus finds metrics, as HOST:PORT; with workers, the sums of all.
        max_messages: After how many messages a worker is replaced, or up to a tenth fewer, so that not all are replaced
            at once.
        max_rss: At how many bytes of memory a worker is replaced.
        start_timeout: How many seconds a new worker may take until it serves; it is then killed.
        on_start: Called just before the socket is served, as `user`; an exception ends the start.
        on_stop: Called once the filter has stopped and no handler runs any more.
        on_reload: Called for SIGHUP, which then does not end the filter; an exception is logged. Not with workers.

    Raises:
        TypeError: An argument is of another type; the text gives its name and what is allowed.
        ValueError: An argument has a value that is not allowed, or names what does not exist.
        ImportError: `metrics` needs prometheus_client (pip install prometheus_client).
        OSError: The socket, the pid file or the port of the metrics cannot be opened, or a right cannot be given up.
        MilterError: This process has served before, or no worker can live.
    """
    serve(factory, socket, Settings.among(locals()))


def serve(factory: Callable[[], Base], socket: str, settings: Settings) -> None:
    """Do what `run` does, with settings that are checked already; raises what it raises."""
    server = Server._of(factory, socket, settings)
    # Modules that few programs need are loaded only for those: each worker pays for what is loaded.
    if settings.max_rss is not None:
        from pymilter._workers.limits import resident_bytes

        resident_bytes()  # raises OSError if the memory cannot be measured here
    if PROCESS.inheritance is not None:
        from pymilter._workers.serve import serve_as
        from pymilter._workers.worker import Worker

        if (worker := Worker.of_this_process()) is not None:
            serve_as(worker, server, settings)
            return
    begin_metrics = _no_metrics
    with ExitStack() as stack:
        if settings.metrics is not None:
            from pymilter.prometheus import MetricsServer  # needs prometheus_client, which not everybody has

            begin_metrics = stack.enter_context(MetricsServer._opened(settings.metrics))._begin
        if settings.pid_file is not None:
            from pymilter._serve.pid_file import keep_pid_file

            stack.enter_context(keep_pid_file(settings.pid_file))
        stack.enter_context(PROCESS.forks.ending_children())
        if settings.workers > 0:
            server._supervise(begin_metrics)
        else:
            server._run(begin_metrics)


def _no_metrics() -> None:
    """Instead of what begins to serve metrics, once root's rights are given up."""


def stop(grace: float = 0.0) -> None:
    """Let the run() of this process return; from any thread and from a handler, any number of times.

    No new connection is taken. A stop that comes before the filter serves, as in `on_start`, ends it once it has begun.

    Args:
        grace: How many seconds messages that are under way may go on; those left then get TEMPFAIL.
    """
    if PROCESS.begun is not None:
        PROCESS.begun.request_stop(grace)
