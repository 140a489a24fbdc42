"""The settings that the functions of `milter` make one by one, and how they are handed to libmilter."""

from collections.abc import Callable

from pymilter import _core
from pymilter._class.base import Base
from pymilter._class.plan import Plans, classic_plan_of
from pymilter._constants import TEMPFAIL, Action
from pymilter._observe.report import report
from pymilter._serve.address import parse_address
from pymilter._serve.listener import Listener
from pymilter._serve.serving import Serving
from pymilter._serve.settings import Settings
from pymilter._serve.sockets import open_listener
from pymilter.errors import MilterError

Callback = Callable[..., int | None]


class Program:
    """The settings so far; main() hands them to libmilter."""

    def __init__(self) -> None:
        self.callbacks: dict[str, Callback | None] = {}
        self.policy: int = TEMPFAIL
        self.timeout: int | None = None
        self.backlog = Settings.backlog.default
        self.name: str | None = None
        self.connection: str | None = None
        self.factory: Callable[[], Base] | None = None
        self.listener: Listener | None = None
        self.handlers: _core.Handlers | None = None  # once main() runs

    def set_callback(self, step: str, callback: Callback | None) -> Callback | None:
        if callback is not None and not callable(callback):
            raise TypeError(f"the callback for {step} must be callable or None, not {type(callback).__name__}")
        if self.handlers is not None:
            self.handlers.set_function(step, callback)
        earlier = self.callbacks.get(step)
        self.callbacks[step] = callback
        return earlier

    def open(self, rmsock: bool) -> Listener:
        if self.connection is None:
            raise MilterError("there is no socket to open: call setconn() first")
        try:
            listener = open_listener(parse_address(self.connection), backlog=self.backlog, remove_stale=rmsock)
        except (OSError, ValueError) as reason:
            raise MilterError(str(reason)) from reason
        if self.listener is not None:
            self.listener.discard()
        self.listener = listener
        return listener

    def run(self, rmsock: bool = False) -> None:
        if self.handlers is not None:
            raise MilterError("main() can run only once in a process: start another process for another run")
        if self.name is None:
            raise MilterError("there is no filter to run: call register() first")
        handlers = _core.make_handlers(exception_policy=self.policy, classic=True)
        handlers.set_actions(sum(Action))
        for step, callback in self.callbacks.items():
            handlers.set_function(step, callback)
        if self.factory is not None:
            handlers.use_methods(self.factory, Plans(classic_plan_of).of)
        service = _core.make_service(name=self.name, handlers=handlers, report=report)
        serving = Serving(service, Settings())
        with serving._starting(signals=True), self.listener or self.open(rmsock) as listener:
            self.handlers = handlers
            serving._serve(listener, self.timeout)
        self.listener = None
        try:
            serving.wait()
        except KeyboardInterrupt:
            pass  # SIGINT ends main() as SIGTERM does
        finally:
            serving._finish()
