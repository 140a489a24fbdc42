"""The life of a filter that this process serves, step by step, with a service that notes what it is asked."""

from __future__ import annotations

import contextlib
import logging
import os
import signal
import socket
import threading
from collections.abc import Iterator
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest

from pymilter import Base, MilterError, Server, _core
from pymilter import _run as run_module
from pymilter._low_level import Program
from pymilter._observe.report import report
from pymilter._process import forked
from pymilter._process import process as process_module
from pymilter._process.process import PROCESS
from pymilter._serve import serving as module
from pymilter._serve.address import Address
from pymilter._serve.serving import Serving
from pymilter._serve.settings import Settings
from pymilter._serve.sockets import open_listener
from pymilter.errors import BadValue, DisabledAction

NOTHING, STOP, ENDED, INTERRUPTED = (
    _core.EVENT_NOTHING,
    _core.EVENT_STOP_REQUESTED,
    _core.EVENT_ENDED,
    _core.EVENT_INTERRUPTED,
)


class Service:
    """A service whose waits end with these events."""

    def __init__(self, *events: Any, result: int = 0, warning: str = "") -> None:
        self.calls: list[Any] = []
        self.events = list(events)
        self.result = result
        self.warning = warning
        self.waits: list[float | None] = []
        self.failure: BaseException | None = None

    def watch_signals(self, *, hold: bool, reloads: bool) -> None:
        self.calls.append(("watch_signals", hold, reloads))

    def leave_signals(self) -> None:
        self.calls.append("leave_signals")

    def register(self, *, timeout: int | None) -> None:
        self.calls.append(("register", timeout))

    def start(self, descriptor: int, *, no_reply_over_tcp: bool, log_connections: bool) -> str:
        os.fstat(descriptor)
        assert PROCESS.running is not None
        self.calls.append(("start", no_reply_over_tcp, log_connections))
        if self.failure is not None:
            raise self.failure
        return self.warning

    def wait(self, seconds: float | None) -> tuple[int, int | None]:
        self.waits.append(seconds)
        event = self.events.pop(0)
        if callable(event):
            event = event()
        return event if isinstance(event, tuple) else (event, None)

    def finish(self) -> int:
        self.calls.append("finish")
        return self.result

    def stop_accepting(self) -> None:
        self.calls.append("stop_accepting")

    def answer_tempfail(self) -> None:
        self.calls.append("answer_tempfail")

    def request_stop(self) -> None:
        self.calls.append("request_stop")

    def disown_in_child(self) -> None:
        self.calls.append("disown_in_child")

    def open_connections(self) -> int:
        return 0


@pytest.fixture(autouse=True)
def alone(monkeypatch: pytest.MonkeyPatch) -> list[str]:
    """Nothing has been served before, systemd is told nothing, and no message is under way."""
    told: list[str] = []
    monkeypatch.setattr(PROCESS, "running", None)
    monkeypatch.setattr(PROCESS, "begun", None)
    monkeypatch.setattr(module, "notify", lambda *words: told.append(" ".join(words)))
    monkeypatch.setattr(module, "notify_reloading", lambda: told.append("RELOADING"))
    monkeypatch.setattr(_core, "messages_under_way", lambda: 0)
    monkeypatch.setattr(_core, "messages_too_late", lambda: 0)
    monkeypatch.setattr(_core, "end_messages_when_none", lambda: True)
    return told


def serving(service: Service, **values: Any) -> Any:
    given: Any = service
    return Serving(given, Settings(**values))


@contextlib.contextmanager
def started(made: Any, path: Path, signals: bool = True, timeout: int | None = None) -> Iterator[Any]:
    with (
        made._starting(signals=signals),
        open_listener(Address(socket.AF_UNIX, path=str(path)), backlog=1) as listener,
    ):
        made._serve(listener, timeout)
    yield listener


# ------------------------------------------------------------------------------------ the start


@pytest.mark.parametrize("signals", [True, False])
@pytest.mark.parametrize("level", [logging.DEBUG, logging.INFO])
def test_a_start(tmp_path: Path, caplog: pytest.LogCaptureFixture, signals: bool, level: int) -> None:
    caplog.set_level(level, "pymilter")
    hooks: list[str] = []
    service = Service(warning="one thing")
    made = serving(
        service, on_start=lambda: hooks.append("start"), on_reload=print, noreply_over_tcp=level == logging.INFO
    )
    with pytest.raises(MilterError, match=r"^the filter has not been started$"):
        _ = made.address
    with started(made, tmp_path / "socket", signals, 7) as listener:
        assert [PROCESS.begun, PROCESS.running] == [made, made]
        assert listener in PROCESS.not_for_children
    watched = [("watch_signals", True, True)] if signals else []
    assert service.calls == [*watched, ("register", 7), ("start", level == logging.INFO, level == logging.DEBUG)]
    assert (hooks, made.address) == (["start"], f"unix:{tmp_path}/socket")
    assert caplog.messages == ["one thing", f"listening on unix:{tmp_path}/socket"]
    assert [record.levelname for record in caplog.records] == ["WARNING", "INFO"]
    assert not made._is_starting
    assert not PROCESS.forks.ends_children()
    assert made._mask == signal.pthread_sigmask(signal.SIG_BLOCK, [])
    second = serving(Service())._starting(signals=True)
    with pytest.raises(MilterError, match=r"^a filter is registered already: there is one filter in a process$"):
        second.__enter__()
    made.finish()
    assert not (tmp_path / "socket").exists()
    assert (PROCESS.running, PROCESS.begun) == (None, made)


def test_signals_need_not_wait_beside_the_main_thread(tmp_path: Path) -> None:
    service = Service()
    made = serving(service, workers=2, on_reload=print)

    def begin() -> None:
        with started(made, tmp_path / "socket"):
            made.finish()

    thread = threading.Thread(target=begin)
    thread.start()
    thread.join(30)
    assert service.calls[0] == ("watch_signals", False, False)  # the supervisor reloads


@pytest.mark.parametrize("where", ["on_start", "start", "socket"])
def test_a_start_that_fails(tmp_path: Path, where: str) -> None:
    done: list[str] = []

    def on_start() -> None:
        done.append("start")
        if where == "on_start":
            raise LookupError("wrong")

    service = Service()
    made = serving(service, on_start=on_start, on_stop=lambda: done.append("stop"))
    if where == "start":
        service.failure = LookupError("wrong")

    def begin() -> None:
        address = Address(socket.AF_UNIX, path=str(tmp_path / "socket"))
        with made._starting(signals=True), open_listener(address, backlog=1) as listener:
            if where == "socket":
                raise LookupError("wrong")
            made._serve(listener, None)

    with pytest.raises(LookupError, match=r"^wrong$"):
        begin()
    assert service.calls[-1] == "leave_signals"
    assert PROCESS.running is None
    # What has begun may still have handlers at work.
    assert PROCESS.begun is (made if where == "start" else None)
    assert done == {"on_start": ["start"], "start": ["start", "stop"], "socket": []}[where]
    assert not made._is_starting


# ------------------------------------------------------------------------------------ the wait


@pytest.mark.parametrize(
    ("events", "messages", "grace"),
    [
        ([STOP], ["stopping on request"], 0.0),
        ([NOTHING, INTERRUPTED, STOP], ["stopping on request"], 0.0),
        ([(STOP, signal.SIGTERM)], ["stopping on SIGTERM"], 5.0),
        ([(STOP, signal.SIGINT)], ["stopping on SIGINT"], 5.0),
        ([(STOP, signal.SIGHUP)], ["stopping on SIGHUP"], 5.0),
    ],
)
def test_what_ends_a_wait(
    events: list[Any], messages: list[str], grace: float, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level(logging.INFO)
    service = Service(*events)
    made = serving(service)
    made.wait()
    assert (caplog.messages, made._drain.grace, service.events) == (messages, grace, [])
    assert service.waits == [None] * len(events)  # a signal wakes the main thread


def test_the_longer_grace_counts() -> None:
    for asked, grace in ((7.0, 7.0), (3.0, 5.0)):
        made = serving(Service((STOP, signal.SIGTERM)))
        made.request_stop(asked)
        made.wait()
        assert made._drain.grace == grace


def test_a_reload_waits_for_what_came_with_it(alone: list[str], caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level(logging.INFO)
    reloads: list[str] = []
    hup = (STOP, signal.SIGHUP)
    service = Service(hup, NOTHING, hup, hup, NOTHING, hup, (STOP, signal.SIGTERM))
    made = serving(service, on_reload=lambda: reloads.append("reload"))
    made.wait()
    assert reloads == ["reload"] * 2
    assert service.waits == [None, 0.0, None, 0.0, 0.0, None, 0.0]
    assert alone == ["RELOADING", "READY=1 STATUS=reloaded"] * 2
    assert caplog.messages == ["reloading on SIGHUP"] * 2 + ["stopping on SIGTERM"]


@pytest.mark.parametrize("error", [ValueError("wrong"), SystemExit(1)])
def test_a_reload_that_fails(error: BaseException, alone: list[str], caplog: pytest.LogCaptureFixture) -> None:
    def fail() -> None:
        raise error

    made = serving(Service((STOP, signal.SIGHUP), NOTHING, STOP), on_reload=fail)
    made.wait()
    assert alone[1:] == [f"READY=1 STATUS=the reload failed: {type(error).__name__}"]
    (record,) = caplog.records
    assert record.getMessage() == "the reload failed, and the filter serves as before: on_reload raised"
    assert record.exc_info is not None
    assert record.exc_info[1] is error


def test_an_interrupt_in_a_reload_ends_the_filter(alone: list[str]) -> None:
    def interrupted() -> None:
        raise KeyboardInterrupt

    made = serving(Service((STOP, signal.SIGHUP), NOTHING), on_reload=interrupted)
    with pytest.raises(KeyboardInterrupt):
        made.wait()
    assert alone == ["RELOADING"]


@pytest.mark.parametrize(("result", "is_finishing", "is_told"), [(0, False, True), (1, False, False), (0, True, False)])
def test_a_signal_that_libmilter_has_taken(
    result: int, is_finishing: bool, is_told: bool, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level(logging.INFO)
    sent: list[int] = []
    monkeypatch.setattr("_thread.interrupt_main", sent.append)
    service = Service(ENDED, result=result)
    made = serving(service)
    made._is_finishing = is_finishing
    made.wait()
    assert sent == ([signal.SIGTERM] if is_told else [])
    assert caplog.messages == (["stopping on a signal that libmilter has taken"] if is_told else [])
    assert service.calls == ([] if is_finishing else ["finish"])


def test_beside_the_main_thread_the_handlers_are_renewed(monkeypatch: pytest.MonkeyPatch) -> None:
    now = [100.0]
    monkeypatch.setattr("pymilter._serve.serving.time", SimpleNamespace(monotonic=lambda: now[0]))

    def later() -> int:
        now[0] += 6.0
        return NOTHING

    service = Service(NOTHING, later, NOTHING, STOP)
    thread = threading.Thread(target=serving(service).wait)
    thread.start()
    thread.join(30)
    assert service.waits == [module.RENEW_EVERY_AT_START] * 2 + [module.RENEW_EVERY] * 2


def test_in_a_child_a_wait_ends_at_once() -> None:
    service = Service(STOP)
    made = serving(service, on_stop=lambda: pytest.fail("of the parent"))
    made._leave_to_parent()
    assert service.calls == ["disown_in_child"]
    made.wait()
    made.request_stop()
    made._call_on_stop()
    assert service.calls == ["disown_in_child"]
    assert made._drain.grace == 0.0


def test_in_the_child_of_a_handler_signals_are_not_held_back(monkeypatch: pytest.MonkeyPatch) -> None:
    masks: list[Any] = []
    monkeypatch.setattr(signal, "pthread_sigmask", lambda how, mask: masks.append((how, mask)))
    for is_inside in (1, 0):
        monkeypatch.setattr(_core, "is_in_callback", lambda is_inside=is_inside: is_inside)
        made = serving(Service())
        made._mask = {signal.SIGUSR1}
        finishing = made._finishing
        made._leave_to_parent()
        assert masks == [(signal.SIG_SETMASK, {signal.SIGUSR1})]
        assert made._finishing is not finishing


# ------------------------------------------------------------------------------------ the end


@pytest.mark.parametrize(
    ("asked", "given", "drains"), [(0.0, None, False), (3.0, None, True), (3.0, 0.0, False), (0.0, 3.0, True)]
)
def test_the_end(
    tmp_path: Path, asked: float, given: float | None, drains: bool, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level(logging.INFO)
    hooks: list[bool] = []
    service = Service()
    made = serving(service, on_stop=lambda: hooks.append((tmp_path / "socket").exists()))
    with started(made, tmp_path / "socket"):
        pass
    service.calls.clear()
    caplog.clear()
    made._drain.grace = asked
    for _ in range(2):
        assert made._finish(given) == 0
    assert service.calls == (["stop_accepting", "finish"] if drains else ["finish"])
    assert caplog.messages == [f"stopped listening on unix:{tmp_path}/socket"]
    assert (hooks, PROCESS.running) == ([False], None)
    assert made._is_finishing


def test_what_is_cut_off_is_told(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    made = serving(Service())
    with started(made, tmp_path / "socket"):
        monkeypatch.setattr(_core, "messages_under_way", lambda: 3)
    made.stop()
    assert caplog.messages == ["3 messages are under way at the end, and may get no answer"]


async def asynchronous() -> None: ...


def test_hooks_are_named_where_they_fail(tmp_path: Path) -> None:
    made = serving(Service((STOP, signal.SIGHUP), NOTHING, STOP), on_stop=lambda: asynchronous())
    with started(made, tmp_path / "socket"):
        pass
    with pytest.raises(TypeError, match=r"^on_stop returned a coroutine"):
        made.stop()
    made = serving(Service(), on_start=lambda: asynchronous())
    with pytest.raises(TypeError, match=r"^on_start returned a coroutine"), started(made, tmp_path / "socket"):
        pass


def test_a_loop_that_failed_is_an_error(tmp_path: Path) -> None:
    made = serving(Service(result=-1))
    with started(made, tmp_path / "socket"):
        pass
    for end in (made.stop, made.finish):
        with pytest.raises(MilterError, match=r"^libmilter's loop ended with a failure: syslog has its reason$"):
            end()
    assert made._finish() == -1


def test_a_filter_that_never_served_has_no_end() -> None:
    service = Service()
    made = serving(service)
    assert not made._is_starting
    made.stop()
    made.finish()
    assert service.calls == []


@pytest.mark.parametrize("is_starting", [True, False])
def test_a_stop_that_cannot_wait_is_left_to_a_thread(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, is_starting: bool
) -> None:
    service = Service()
    made = serving(service)
    with started(made, tmp_path / "socket"):
        pass
    stopping: list[threading.Thread] = []
    begin = threading.Thread.start

    def note(thread: threading.Thread) -> None:
        stopping.append(thread)
        begin(thread)

    monkeypatch.setattr(threading.Thread, "start", note)
    made._is_starting = is_starting
    monkeypatch.setattr(_core, "is_in_callback", lambda: not is_starting)
    made.stop(2.0)
    (thread,) = stopping
    thread.join(30)
    assert (thread.name, thread.daemon, service.calls[-2:]) == ("pymilter stop", False, ["stop_accepting", "finish"])


def test_a_request_to_stop(monkeypatch: pytest.MonkeyPatch) -> None:
    service = Service()
    made = serving(service)
    made.request_stop(2.0)
    assert (made._drain.grace, made._drain._for_connections, service.calls) == (2.0, False, ["request_stop"])
    made._request_stop(9.0, for_connections=True, refusing=print)
    assert (made._drain.grace, made._drain._for_connections, made._drain._refusing) == (9.0, True, print)
    run_module.stop()
    monkeypatch.setattr(PROCESS, "begun", made)
    run_module.stop(1.0)
    assert service.calls == ["request_stop"] * 3
    assert made._drain.grace == 1.0


# ------------------------------------------------------------------------------------ the process around it


class Ending:
    def __init__(self) -> None:
        self.graces: list[float | None] = []

    def _finish(self, grace: float | None = None) -> int:
        self.graces.append(grace)
        return 0


def test_at_exit_the_run_ends_and_handlers_are_cut_off(
    monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    asked: list[float] = []
    monkeypatch.setattr(process_module, "shut_gate", lambda grace: asked.append(grace) or len(asked) > 1)  # type: ignore[func-returns-value]
    ending: Any = Ending()
    monkeypatch.setattr(PROCESS, "running", ending)
    PROCESS.end()
    assert (ending.graces, asked) == ([0.0], [process_module.EXIT_GRACE])
    assert caplog.messages == ["handlers are still running 5 s after the end: they are cut off"]
    assert caplog.records[0].name == "pymilter"
    monkeypatch.setattr(PROCESS, "running", None)
    PROCESS.end()
    assert (len(ending.graces), len(caplog.messages)) == (1, 1)


class Kept:
    def __init__(self) -> None:
        self.left = 0

    def leave_to_parent(self) -> None:
        self.left += 1

    _leave_to_parent = leave_to_parent


@pytest.mark.parametrize(
    ("is_in_callback", "ends_children", "is_handlers"), [(0, False, False), (1, False, True), (0, True, True)]
)
def test_what_a_fork_does(
    monkeypatch: pytest.MonkeyPatch, is_in_callback: int, ends_children: bool, is_handlers: bool
) -> None:
    done: list[str] = []
    made = process_module.Process()
    monkeypatch.setattr(process_module, "is_in_callback", lambda: is_in_callback)
    monkeypatch.setattr(made.forks, "ends_children", lambda: ends_children)
    monkeypatch.setattr(forked, "prepare", lambda: done.append("prepare"))
    monkeypatch.setattr(forked, "begin_child", lambda: done.append("begin_child"))
    kept: Any = Kept()
    run: Any = Kept()
    made.not_for_children.add(kept)
    made.running = made.begun = run
    starting, making = made.starting, made._making
    made.prepare_fork()
    made.begin_child()
    assert done == (["prepare", "begin_child"] if is_handlers else [])
    assert (kept.left, run.left, made.running, made.begun) == (1, 1, None, run)
    assert made.starting is not starting
    assert made._making is not making
    made.begun = None
    made.begin_child()
    assert run.left == 1


def test_one_of_each_kind() -> None:
    made = process_module.Process()

    class Only: ...

    assert made.only(Only) is made.only(Only)
    assert isinstance(made.only(dict), dict)
    with made._making:
        thread = threading.Thread(target=lambda: made.only(Only), daemon=True)
        thread.start()
        thread.join(30)  # what is there is found without the lock
        assert not thread.is_alive()


def test_what_a_process_is(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setenv("PYMILTER_WORKER", "3,4,5,7")
    monkeypatch.setattr("sys.argv", ["program.py", "x"])
    monkeypatch.chdir(tmp_path)
    made = process_module.Process()
    assert (made.worker_name, made.program, made.folder) == (f"7[{os.getpid()}]", "program.py", str(tmp_path))
    monkeypatch.delenv("PYMILTER_WORKER")
    monkeypatch.setattr("sys.argv", [])
    made = process_module.Process()
    assert (made.worker_name, made.program, made.inheritance) == ("-", "", None)
    assert (made.running, made.begun, made.ask_workers, made.failure_hooks) == (None, None, None, [])


# ------------------------------------------------------------------------------------ Server and run


class Filter(Base): ...


def make_filter() -> Base:
    return Filter()


def test_a_server_is_made_of_its_settings(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    made: list[dict[str, Any]] = []
    monkeypatch.setattr(_core, "make_service", lambda **values: made.append(values) or Service())  # type: ignore[func-returns-value]
    server = Server(Filter, f"unix:{tmp_path}/socket", timeout=9, backlog=3, grace=2.0, on_stop=print)
    assert made[-1]["name"] == "Filter"
    assert made[-1]["report"] is report
    assert (server._settings.timeout, server._settings.backlog, server._settings.grace) == (9, 3, 2.0)
    assert str(server._wanted_address) == f"unix:{tmp_path}/socket"
    names: list[tuple[Any, str | None, str]] = [
        (make_filter, None, "make_filter"),
        (make_filter, "mine", "mine"),
        (_Callable(), None, "pymilter"),
    ]
    for factory, name, expected in names:
        Server(factory, "unix:x", name=name)
        assert made[-1]["name"] == expected


class _Callable:
    def __call__(self) -> Base:
        return Filter()


@pytest.fixture
def service(monkeypatch: pytest.MonkeyPatch) -> Service:
    """The service of each server that is made."""
    made = Service(STOP)
    monkeypatch.setattr(_core, "make_service", lambda **values: made)
    return made


def test_a_server_is_a_block(service: Service, tmp_path: Path) -> None:
    path = tmp_path / "socket"
    with Server(Filter, f"unix:{path}", timeout=9) as server:
        assert path.exists()
        assert server.address == f"unix:{path}"
    assert not path.exists()
    assert service.calls == [("register", 9), ("start", True, False), "finish"]


def test_a_server_runs(service: Service, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    told: list[str] = []
    watched: list[bool] = []

    @contextlib.contextmanager
    def watchdog() -> Iterator[None]:
        watched.append(True)
        yield

    monkeypatch.setattr(run_module, "notify", lambda *words: told.append(" ".join(words)))
    monkeypatch.setattr(run_module, "watchdog", watchdog)
    Server(Filter, f"unix:{tmp_path}/socket").run()
    assert told == [f"READY=1 STATUS=serving unix:{tmp_path}/socket", "STOPPING=1"]
    assert watched == [True]
    assert service.calls == [("watch_signals", True, False), ("register", None), ("start", True, False), "finish"]
    assert not (tmp_path / "socket").exists()


def test_run_keeps_a_pid_file_and_forgets_it(service: Service, tmp_path: Path) -> None:
    file = tmp_path / "pid"
    seen: list[str] = []
    service.events[:] = [lambda: seen.append(file.read_text()) or STOP]  # type: ignore[func-returns-value]
    run_module.run(Filter, f"unix:{tmp_path}/socket", pid_file=file)
    assert seen == [f"{os.getpid()}\n"]
    assert list(tmp_path.iterdir()) == []
    assert not PROCESS.forks.ends_children()


def test_run_serves_metrics_meanwhile(service: Service, tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    import urllib.request

    caplog.set_level(logging.INFO)
    answers: list[int] = []

    def scrape() -> int:
        (text,) = [text for text in caplog.messages if text.startswith("metrics on ")]
        with urllib.request.urlopen(text.removeprefix("metrics on "), timeout=20) as answer:
            answers.append(answer.status)
        return STOP

    service.events[:] = [scrape]
    run_module.run(Filter, f"unix:{tmp_path}/socket", metrics="127.0.0.1:0")
    assert answers == [200]


def test_run_has_workers(monkeypatch: pytest.MonkeyPatch, service: Service, tmp_path: Path) -> None:
    done: list[Any] = []
    monkeypatch.setattr(Server, "_supervise", lambda server, begin: done.append(server._settings.workers))
    run_module.run(Filter, f"unix:{tmp_path}/socket", workers=2)
    assert done == [2]
    assert service.calls == []


# ------------------------------------------------------------------------------------ the low level


def test_a_classic_program_is_run_once(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    made: list[dict[str, Any]] = []
    service = Service(STOP)
    monkeypatch.setattr(_core, "make_service", lambda **values: made.append(values) or service)  # type: ignore[func-returns-value]
    program = Program()
    with pytest.raises(MilterError, match=r"^there is no filter to run: call register\(\) first$"):
        program.run()
    program.name, program.timeout = "classic", 11
    with pytest.raises(MilterError, match=r"^there is no socket to open: call setconn\(\) first$"):
        program.run()
    program.connection = f"unix:{tmp_path}/socket"
    assert program.set_callback("eom", print) is None
    assert program.set_callback("eom", None) is print
    wrong: Any = 5
    with pytest.raises(TypeError, match=r"^the callback for eom must be callable or None, not int$"):
        program.set_callback("eom", wrong)
    program.run()
    assert (made[-1]["name"], made[-1]["report"], service.events) == ("classic", report, [])
    assert service.calls[-3:] == [("register", 11), ("start", True, False), "finish"]
    assert program.listener is None
    assert list(tmp_path.iterdir()) == []
    with pytest.raises(MilterError, match=r"^main\(\) can run only once in a process: start another process for anoth"):
        program.run()
    assert program.set_callback("eom", print) is None  # handed on at once


def test_an_interrupt_ends_a_classic_program(tmp_path: Path, service: Service) -> None:
    def interrupted() -> int:
        raise KeyboardInterrupt

    service.events[:] = [interrupted]
    program = Program()
    program.name, program.connection = "classic", f"unix:{tmp_path}/socket"
    program.run()
    assert service.calls[-1] == "finish"


def test_a_stale_socket_of_a_classic_program(tmp_path: Path) -> None:
    with socket.socket(socket.AF_UNIX) as earlier:
        earlier.bind(str(tmp_path / "socket"))
    program = Program()
    program.connection = f"unix:{tmp_path}/socket"
    with pytest.raises(MilterError, match="Address already in use"):
        program.open(False)
    program.open(True).discard()
    program.connection = "inet:x@y"
    with pytest.raises(MilterError, match="neither a port"):
        program.open(True)


def test_errors_are_caught_as_classic_programs_do() -> None:
    assert issubclass(DisabledAction, MilterError)
    assert issubclass(DisabledAction, RuntimeError)
    assert issubclass(BadValue, MilterError)
    assert issubclass(BadValue, ValueError)
