"""Numbers of operation that nobody waits for: the watchdog's, and asking workers for theirs."""

from __future__ import annotations

import functools
import logging
import os
import queue
import signal
import socket
import sys
import threading
from pathlib import Path
from typing import Any, cast

import pytest

from pymilter import MilterError
from pymilter._core import Service
from pymilter._observe import writer
from pymilter._observe.stats import Stats, total
from pymilter._process import threads
from pymilter._process.forked import _status
from pymilter._process.inheritance import Inheritance
from pymilter._process.process import PROCESS
from pymilter._serve.drain import Drain
from pymilter._serve.settings import Settings
from pymilter._serve.systemd import watchdog_seconds
from pymilter._workers.crew import Crew
from pymilter._workers.last_words import KEPT, LastWords
from pymilter._workers.limits import spent_when
from pymilter._workers.supervisor import Supervisor
from pymilter._workers.tally import Tally
from pymilter._workers.worker import ASK, RETIRE, STOP, Worker
from support.wire import eventually


@pytest.mark.parametrize(
    ("microseconds", "seconds"), [("3000000", 1.5), ("30000000", 15.0), ("0", 0.0), ("", 0.0), ("soon", 0.0)]
)
def test_the_watchdog_is_fed_twice_as_often_as_it_asks(
    monkeypatch: pytest.MonkeyPatch, microseconds: str, seconds: float
) -> None:
    monkeypatch.setenv("WATCHDOG_USEC", microseconds)
    monkeypatch.delenv("WATCHDOG_PID", raising=False)
    assert watchdog_seconds() == seconds
    monkeypatch.setenv("WATCHDOG_PID", str(os.getpid() + 1))
    assert watchdog_seconds() == 0.0


class Silent:
    """A worker that is asked and says nothing."""

    def __init__(self) -> None:
        self.asked = threading.Event()

    def ask(self) -> None:
        self.asked.set()


def test_a_worker_that_dies_while_it_is_asked_is_waited_for_no_longer(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("pymilter._workers.tally.ANSWER_WITHIN", 1000.0)
    tally, worker = Tally(), Silent()
    tally.take(worker, total(()))
    answers: list[Stats] = []
    for _ in range(2):  # the one who asks just then, and the next
        asking = threading.Thread(target=lambda: answers.append(tally.ask()), daemon=True)
        asking.start()
        assert worker.asked.wait(30)
        tally.end(worker)
        asking.join(30)
    assert answers == [total(())] * 2


@pytest.mark.parametrize(("words", "is_replaced"), [(ASK + RETIRE, True), (ASK + STOP, False)])
def test_a_worker_hears_all_that_has_come_at_once(words: bytes, is_replaced: bool) -> None:
    there, here = socket.socketpair()
    with there, there.makefile("r") as told:
        worker = Worker(Inheritance(listener=-1, line=here.detach(), stderr=-1, number=1))
        stops: queue.SimpleQueue[bool] = queue.SimpleQueue()
        there.send(words)
        with worker._line:
            worker.watch(stops.put)
            assert [told.readline().split()[0] for _ in range(2)] == ["serves", "counts"]
            there.shutdown(socket.SHUT_WR)
            assert stops.get(timeout=30) is is_replaced
            assert stops.get(timeout=30) is False  # at the end of the line


def test_a_worker_that_cannot_be_started_keeps_no_slot(monkeypatch: pytest.MonkeyPatch) -> None:
    def no_process(*arguments: object) -> None:
        raise OSError("no process is left")

    monkeypatch.setattr("pymilter._workers.crew.Child", no_process)
    crew = Crew(2, 120.0, lambda: None)
    with socket.create_server(("127.0.0.1", 0)) as listener:
        for _ in range(20):
            with pytest.raises(OSError, match="no process is left"):
                crew.start(listener)
    assert crew._slots is not None
    assert crew._slots.take() is not None
    assert len(crew) == 0
    crew.close()


def descriptors() -> int:
    return len(list(Path("/proc/self/fd").iterdir()))


@pytest.fixture
def listening() -> Any:
    with socket.create_server(("127.0.0.1", 0)) as listener:
        yield listener


def crew_of(program: str, monkeypatch: pytest.MonkeyPatch) -> Crew:
    """A crew of one, whose worker runs `program`."""
    monkeypatch.setattr(sys, "orig_argv", [sys.executable, "-c", program])
    return Crew(1, 120.0, lambda: None)


def test_a_worker_starts_in_the_folder_in_which_the_service_was_started(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path, listening: socket.socket
) -> None:
    """The program may be named by a path that is relative, and may have gone to another folder since."""
    crew = crew_of("import os, sys; sys.exit(os.getcwd())", monkeypatch)
    folder = os.getcwd()  # noqa: PTH109 - as text
    assert folder == PROCESS.folder
    monkeypatch.chdir(tmp_path)
    child = crew.start(listening)
    child.process.wait(60)
    assert crew.take_ended() == [child]
    assert child.reason() == f"with status 1: {folder}"


def test_a_worker_that_cannot_be_run_leaves_nothing_open(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path, listening: socket.socket
) -> None:
    crew = crew_of("", monkeypatch)
    before = descriptors()
    with monkeypatch.context() as patched:
        patched.setattr(PROCESS, "folder", str(tmp_path / "gone"))
        with pytest.raises(FileNotFoundError):
            crew.start(listening)
    assert descriptors() <= before
    started, begin = [], threading.Thread.start

    def second_fails(thread: threading.Thread) -> None:
        started.append(thread.name)
        if len(started) == 2:
            raise RuntimeError("can't start new thread")
        begin(thread)

    with monkeypatch.context() as patched:
        patched.setattr(threading.Thread, "start", second_fails)
        with pytest.raises(OSError, match="no thread to listen to it: can't start new thread"):
            crew.start(listening)
    assert len(crew) == 0
    eventually(descriptors, lambda now: now <= before)


def test_numbers_that_cannot_be_read_are_no_numbers(
    caplog: pytest.LogCaptureFixture, monkeypatch: pytest.MonkeyPatch, listening: socket.socket
) -> None:
    line = 'serves {"connections_opened": 1'
    crew = crew_of(
        f"import os; os.write(int(os.environ['PYMILTER_WORKER'].split(',')[1]), b'{line}\\nspent 7\\n')", monkeypatch
    )
    child = crew.start(listening)
    child.process.wait(60)
    assert crew.take_ended() == [child]
    assert (child.is_ready, child.is_spent, child.is_refusing) == (True, True, False)
    assert child.reason() == "with status 0 while it served or stopped"
    warned = [record.getMessage() for record in caplog.records if record.levelno == logging.WARNING]
    assert [text.partition(": ")[0] for text in warned] == [f"worker {child.pid} tells numbers that cannot be read"] * 2
    assert crew.tally.ask() == total(())


def test_the_last_line_counts_however_it_came(capfd: pytest.CaptureFixture[str]) -> None:
    with LastWords.opened() as words:
        words.begin()
        assert words.writer is not None
        for said, kept in ((b"first\n", 6), (b"one ", 10), (b"line \xe9\n \n", 19), (b"", 19)):
            os.write(words.writer, said)
            eventually(lambda: words._kept, lambda now, kept=kept: len(now) == kept)  # type: ignore[misc]
    assert words.last_line() == "one line \\xe9"
    assert capfd.readouterr().err.startswith("first\none line")
    with LastWords.opened() as words:
        words.begin()
        assert words.writer is not None
        os.write(words.writer, b"x" * (KEPT + 1) + b"\n\x1b[2J" + b"y" * 400)
    last = words.last_line()
    assert (last[:6], len(last)) == ("\\x1b[2", 303)  # escaped after it was cut
    assert len(words._kept) == KEPT


def test_the_last_line_needs_no_thread_that_has_come_so_far() -> None:
    """On a busy machine the thread may not run for seconds after the worker's end."""
    with LastWords.opened() as words:
        assert words.writer is not None
        os.write(words.writer, b"too bad\n")
        assert words.last_line() == "too bad"
        assert words.last_line() == "too bad"


def test_a_service_without_stderr_has_no_last_words(monkeypatch: pytest.MonkeyPatch) -> None:
    def closed(*arguments: object) -> Any:
        raise OSError("it is closed")

    before = descriptors()
    with monkeypatch.context() as patched:
        patched.setattr(os, "dup", closed)
        with LastWords.opened() as words:
            words.begin()
            assert (words.writer, words.real) == (None, -1)
        assert words.last_line() == ""
    with monkeypatch.context() as patched:
        patched.setattr(os, "pipe", closed)
        with pytest.raises(OSError, match="it is closed"), LastWords.opened():
            pass
    with LastWords.opened():
        pass  # the worker could not be started
    assert descriptors() <= before


def test_workers_are_kept_by_the_main_thread() -> None:
    raised: list[BaseException] = []

    def work() -> None:
        with pytest.raises(MilterError, match="workers are kept by the main thread") as info:
            Supervisor(Settings(workers=1, grace=0.0))
        raised.append(info.value)

    thread = threading.Thread(target=work)
    thread.start()
    thread.join(30)
    assert raised


def test_signals_are_the_programs_again_afterwards(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(PROCESS, "ask_workers", None)
    numbers = (signal.SIGTERM, signal.SIGINT, signal.SIGHUP, signal.SIGCHLD)
    before = [signal.getsignal(number) for number in numbers]
    with socket.socket() as own_wakeup:
        own_wakeup.setblocking(False)
        earlier = signal.set_wakeup_fd(own_wakeup.fileno(), warn_on_full_buffer=False)
        try:
            supervisor = Supervisor(Settings(workers=1, grace=0.0))
            with supervisor.taking_signals():
                assert {signal.getsignal(number) for number in numbers} == {supervisor._note}
                signal.raise_signal(signal.SIGHUP)
                signal.raise_signal(signal.SIGCHLD)
            assert supervisor._signals == [signal.SIGHUP]
            assert [signal.getsignal(number) for number in numbers] == before
        finally:
            assert signal.set_wakeup_fd(earlier) == own_wakeup.fileno()
    with pytest.raises(KeyboardInterrupt), Supervisor(Settings(workers=1, grace=0.0)).taking_signals():
        signal.raise_signal(signal.SIGINT)
    assert [signal.getsignal(number) for number in numbers] == before


def test_memory_that_cannot_be_measured_is_an_error(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setattr("pymilter._workers.limits._STATM", tmp_path / "statm")
    with pytest.raises(FileNotFoundError, match=f"max_rss needs {tmp_path}/statm: No such file"):
        spent_when(None, 1)
    (tmp_path / "statm").write_text("1000 10 5\n")
    page = os.sysconf("SC_PAGE_SIZE")
    is_spent = spent_when(None, 11 * page)
    assert is_spent is not None
    assert not is_spent()
    (tmp_path / "statm").write_text("1000 11 5\n")
    assert is_spent()
    assert spent_when(None, 11 * page) is None  # used up before the first message: the limit is ignored


def test_the_longest_grace_of_several_counts() -> None:
    def refusing() -> None: ...

    drain = Drain(cast(Service, None))  # asks it for nothing yet
    drain.ask(5.0, for_connections=False, refusing=None)
    drain.ask(1.0, for_connections=False, refusing=None)
    assert drain.grace == 5.0
    drain.ask(7.0, for_connections=False, refusing=refusing)
    assert drain.grace == 7.0
    drain.ask(300.0, for_connections=True, refusing=None)
    assert (drain.grace, drain._refusing) == (300.0, refusing)
    drain.ask(2.0, for_connections=False, refusing=None)  # a stop cuts the wait for connections short
    assert drain.grace == 2.0
    drain.ask(1.0, for_connections=False, refusing=None)
    assert drain.grace == 2.0


@pytest.mark.parametrize(
    ("code", "status"), [(None, 0), (0, 0), (7, 7), (256, 0), (-1, 255), (2**40 + 7, 7), (True, 1), ("why", 1)]
)
def test_a_child_ends_with_the_status_of_a_program(
    code: object, status: int, capsys: pytest.CaptureFixture[str]
) -> None:
    assert _status(SystemExit(code)) == status
    assert capsys.readouterr().err == ("why\n" if code == "why" else "")


# ------------------------------------------------------------------------------------ threads that handlers start


def own(*arguments: object) -> None: ...


class OwnThread(threading.Thread):
    def run(self) -> None: ...


@pytest.mark.parametrize(
    ("thread", "is_of_the_message"),
    [
        (threading.Thread(target=own), True),
        (threading.Thread(target=functools.partial(own, 1)), True),
        (threading.Timer(0, own), True),
        (OwnThread(), True),
        (threading.Thread(target=queue.Queue[int]().get), False),
        (threading.Thread(target=functools.partial(queue.Queue[int]().get, block=False)), False),
        (threading.Thread(target=functools.partial(functools.partial(queue.Queue[int].get), 1)), False),
    ],
)
def test_threads_of_pools_belong_to_no_message(thread: threading.Thread, is_of_the_message: bool) -> None:
    """A pool's thread is made with the first task, and works for any message afterwards."""
    threads.note(thread.run, 7, 3)
    assert getattr(thread, threads.MARK, None) == ((7, 3) if is_of_the_message else None)


def test_a_thread_belongs_to_the_message_in_which_it_was_started() -> None:
    found: list[int] = []
    thread = threading.Thread(target=lambda: found.extend(threads.message_of(connection) for connection in (7, 8)))
    threads.note(thread.run, 7, 3)
    thread.start()
    thread.join(30)
    assert found == [3, 0]
    assert threads.message_of(7) == 0
    threads.note(own, 7, 3)  # a thread of the low level, which has no object


# ------------------------------------------------------------------------------------ the thread of the log


def test_what_is_written_while_the_log_is_slow_fails_where_threads_fail(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(writer, "WITHIN", 0.01)
    told: list[Any] = []
    monkeypatch.setattr(threading, "excepthook", told.append)
    log, go, done = writer.Writer(), threading.Event(), threading.Event()

    def fails() -> None:
        raise KeyError("in time")

    def slow() -> None:
        go.wait(30)
        raise ValueError("too late for its caller")

    log.write(slow)
    log.write(done.set)  # nothing is waited for while the log is late
    assert not done.is_set()
    go.set()
    assert done.wait(30)
    assert [(args.exc_type, str(args.exc_value)) for args in told] == [(ValueError, "too late for its caller")]
    with pytest.raises(KeyError, match="in time"):
        log.write(fails)
    log.close()


def test_records_that_were_left_out_are_counted_anew(
    monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    monkeypatch.setattr(writer, "WITHIN", 0.01)
    monkeypatch.setattr(writer, "MOST", 2)
    log, written = writer.Writer(), list[int]()
    for number in (3, 1, 0):
        begun, go = threading.Event(), threading.Event()

        def hold(begun: threading.Event = begun, go: threading.Event = go) -> None:
            begun.set()
            go.wait(30)

        log.write(hold)
        assert begun.wait(30)  # from now on it does not wait to be written
        for _ in range(2 + number):
            log.write(lambda: written.append(1))
        go.set()
        eventually(lambda: (len(log._waiting), log._is_busy), lambda now: now == (0, False))
    assert len(written) == 6
    assert [text for text in caplog.messages if "missing" in text] == [
        "the log is slow: 3 records are missing here",
        "the log is slow: 1 records are missing here",
    ]
    log.close()


def test_without_its_thread_the_log_is_written_here(monkeypatch: pytest.MonkeyPatch) -> None:
    def no_thread(thread: threading.Thread) -> None:
        raise RuntimeError("can't start new thread")

    log, where = writer.Writer(), list[str]()

    def note() -> None:
        where.append(threading.current_thread().name)

    def both() -> None:
        log.write(note)
        where.append("after it")

    here = threading.current_thread().name
    with monkeypatch.context() as patched:
        patched.setattr(threading.Thread, "start", no_thread)
        log.write(note)
    log.write(note)
    log.write(both)  # the thread does not wait for itself
    log.close()
    log.write(note)
    assert where == [here, "pymilter log", "pymilter log", "after it", here]
