"""Both sides of the line between a supervisor and a worker, in one process: what is inherited, told and counted."""

from __future__ import annotations

import contextlib
import errno
import logging
import os
import queue
import random
import signal
import socket
import subprocess
import sys
import threading
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from pymilter import MilterError
from pymilter._core import BALANCE_SLOT
from pymilter._observe.stats import Stats, own_stats, stats_of_text, total
from pymilter._process import inheritance as inheritance_module
from pymilter._process.inheritance import VARIABLE, Inheritance
from pymilter._process.process import PROCESS
from pymilter._serve.settings import Settings
from pymilter._workers import last_words, limits, tally, worker
from pymilter._workers.child import Child
from pymilter._workers.last_words import LastWords
from pymilter._workers.limits import resident_bytes, spent_when
from pymilter._workers.serve import PATIENCE, serve_as
from pymilter._workers.slots import Slots
from pymilter._workers.supervisor import Supervisor
from pymilter._workers.tally import Tally
from pymilter._workers.worker import ASK, RETIRE, RETIRE_GRACE, STOP, Worker
from support.wire import eventually


def open_descriptors() -> int:
    return len(list(Path("/proc/self/fd").iterdir()))


# ------------------------------------------------------------------------------------ what a worker inherits


@pytest.mark.parametrize(
    ("inheritance", "text", "descriptors"),
    [
        (Inheritance(3, 4, 5, 1), "3,4,5,1", [3, 4, 5]),
        (Inheritance(3, 4, -1, 2), "3,4,-1,2", [3, 4]),
        (Inheritance(3, 4, 5, 2, 6, 7), "3,4,5,2,6,7", [3, 4, 5, 6]),
        (Inheritance(3, 4, 5, 2, 6), "3,4,5,2,6,0", [3, 4, 5, 6]),
        (Inheritance(0, 0, 0, 1, 0, 0), "0,0,0,1,0,0", [0, 0, 0, 0]),
    ],
)
def test_what_is_inherited_is_text(
    inheritance: Inheritance, text: str, descriptors: list[int], monkeypatch: pytest.MonkeyPatch
) -> None:
    assert (str(inheritance), inheritance.descriptors()) == (text, descriptors)
    monkeypatch.setenv(VARIABLE, text)
    assert Inheritance.of_environment() == inheritance
    monkeypatch.delenv(VARIABLE)
    assert Inheritance.of_environment() is None
    assert inheritance_module.VARIABLE == "PYMILTER_WORKER"  # what the documentation names


class Line:
    """A worker and the supervisor's end of its line."""

    def __init__(self, **inherited: Any) -> None:
        self.here, there = socket.socketpair()
        self.here.settimeout(30)
        self.lines = self.here.makefile("r")
        inherited = {"listener": -1, "stderr": -1, "number": 1, **inherited}
        self.worker = Worker(Inheritance(line=there.detach(), **inherited))
        self.stops: queue.SimpleQueue[bool] = queue.SimpleQueue()

    def told(self) -> str:
        return self.lines.readline().split(" ")[0].rstrip("\n")

    def close(self) -> None:
        self.lines.close()
        self.here.close()
        self.worker._line.close()


@pytest.fixture
def line() -> Iterator[Line]:
    with contextlib.closing(Line()) as made:
        yield made


def test_a_worker_tells_what_it_does(line: Line) -> None:
    line.worker.tell_beginning()
    line.worker.tell_failure(ValueError("wrong\n" + "x" * 400))
    line.worker.tell("serves")
    line.worker.tell()
    assert line.lines.readline() == "begins\n"
    failure = line.lines.readline()
    assert failure.startswith("fails ValueError: wrong\\nxxx")
    assert len(failure) == len("fails \n") + 300
    assert [line.told(), line.told()] == ["serves", "counts"]
    assert line.worker in PROCESS.not_for_children
    line.lines.close()
    line.here.close()
    line.worker.tell()  # a supervisor that is gone is no error


def test_in_a_child_the_line_is_the_parents(line: Line) -> None:
    line.worker._telling.acquire()
    line.worker.leave_to_parent()
    assert line.worker._line.fileno() == -1
    line.worker.tell()  # which neither waits nor fails
    assert line.lines.readline() == ""


def stderr_of_this_process(to: Path) -> int:
    return os.open(to, os.O_WRONLY | os.O_CREAT)


def test_a_worker_takes_its_real_stderr_once_it_serves(tmp_path: Path) -> None:
    kept = os.dup(2)
    try:
        real = stderr_of_this_process(tmp_path / "real")
        with contextlib.closing(Line(stderr=real)) as line:
            line.worker.watch(line.stops.put)
            assert line.told() == "serves"
            os.write(2, b"said while it serves\n")
            with pytest.raises(OSError, match="Bad file"):
                os.fstat(real)
            line.here.shutdown(socket.SHUT_WR)
            assert line.stops.get(timeout=30) is False
    finally:
        os.dup2(kept, 2)
        os.close(kept)
    assert (tmp_path / "real").read_text() == "said while it serves\n"


def test_a_worker_whose_stderr_has_the_number_0(monkeypatch: pytest.MonkeyPatch, line: Line) -> None:
    given: list[tuple[int, int]] = []
    line.worker._has = line.worker._has._replace(stderr=0)
    with monkeypatch.context() as patched:
        patched.setattr(os, "dup2", lambda *numbers: given.append(numbers))
        patched.setattr(os, "close", lambda number: given.append((number, -1)))
        line.worker.watch(line.stops.put)
    assert given == [(0, 2), (0, -1)]
    line.here.shutdown(socket.SHUT_WR)
    assert line.stops.get(timeout=30) is False


@pytest.mark.parametrize(
    ("words", "stops", "answers"),
    [
        (ASK, [], 1),
        (RETIRE, [True], 0),
        (STOP, [False], 0),
        (RETIRE + STOP, [True, False], 0),
        (STOP + RETIRE + ASK, [True, False], 1),
        (ASK + ASK, [], 1),
    ],
)
def test_orders(line: Line, words: bytes, stops: list[bool], answers: int) -> None:
    line.here.sendall(words)
    line.worker.watch(line.stops.put)
    assert line.told() == "serves"
    assert [line.told() for _ in range(answers)] == ["counts"] * answers
    (listening,) = (one for one in threading.enumerate() if one.name == "pymilter life line")
    assert listening.daemon
    line.here.shutdown(socket.SHUT_WR)
    assert [line.stops.get(timeout=30) for _ in range(len(stops) + 1)] == [*stops, False]
    listening.join(30)
    assert line.stops.empty()


def test_a_worker_asks_once_to_be_replaced(line: Line, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(worker, "LOOK_EVERY", 0.005)
    asked: list[bool] = []

    def is_spent() -> bool:
        asked.append(len(asked) >= 2)
        return asked[-1]

    line.worker.watch(line.stops.put, is_spent)
    assert [line.told(), line.told()] == ["serves", "spent"]
    assert asked == [False, False, True]
    line.here.sendall(ASK)
    assert line.told() == "counts"
    line.here.sendall(STOP)
    assert line.stops.get(timeout=30) is False
    line.here.shutdown(socket.SHUT_WR)
    assert line.stops.get(timeout=30) is False
    assert asked == [False, False, True]


def test_a_worker_that_is_not_spent_hears_its_orders(line: Line) -> None:
    line.worker.watch(line.stops.put, lambda: False)
    line.here.sendall(ASK)
    assert [line.told(), line.told()] == ["serves", "counts"]
    line.here.sendall(RETIRE)
    assert line.stops.get(timeout=30) is True
    line.here.shutdown(socket.SHUT_WR)
    assert line.stops.get(timeout=30) is False


def test_a_worker_is_what_its_environment_says(monkeypatch: pytest.MonkeyPatch) -> None:
    here, there = socket.socketpair()
    with here, socket.create_server(("127.0.0.1", 0)) as listener:
        numbers = [os.dup(listener.fileno()), there.detach(), os.dup(2), os.memfd_create("test")]
        for number in numbers:
            os.set_inheritable(number, True)
        monkeypatch.setattr(PROCESS, "inheritance", None)
        monkeypatch.setenv(VARIABLE, "x")
        assert Worker.of_this_process() is None
        monkeypatch.setattr(PROCESS, "inheritance", Inheritance(numbers[0], numbers[1], numbers[2], 1, numbers[3], 5))
        made = Worker.of_this_process()
        assert made is not None
        assert VARIABLE not in os.environ  # what the worker starts is no worker
        assert Worker.of_this_process() is None
        assert [os.get_inheritable(number) for number in numbers] == [False] * 4
        with made.listener() as taken:
            assert (taken.fileno(), taken.getsockname()) == (numbers[0], listener.getsockname())
            assert taken.file is None
        used: list[tuple[int, int]] = []
        made.join_balance(lambda memory, slot: used.append((memory, slot)))
        assert used == [(numbers[3], 5)]
        with pytest.raises(OSError, match="Bad file"):
            os.fstat(numbers[3])
        made._has = made._has._replace(memory=None)
        made.join_balance(lambda memory, slot: used.append((memory, slot)))
        assert len(used) == 1
        made._line.close()
        os.close(numbers[2])


# ------------------------------------------------------------------------------------ a worker serves


class Served:
    """A filter that notes what is done with it."""

    def __init__(self, error: BaseException | None = None) -> None:
        self.done: list[Any] = []
        self._error = error
        self._service = self

    @contextlib.contextmanager
    def _starting(self, *, signals: bool) -> Iterator[None]:
        assert PROCESS.forks.ends_children()
        self.done.append(("starting", signals))
        yield

    def join_balance(self, memory: int, slot: int, *, patience: float) -> None:
        self.done.append(("join_balance", memory, slot, patience))

    def _serve(self, listener: Any, timeout: int | None) -> None:
        self.done.append(("serve", listener, timeout))

    def wait(self) -> None:
        self.done.append("wait")
        if self._error is not None:
            raise self._error

    def finish(self) -> None:
        self.done.append("finish")
        if self._error is not None:
            raise MilterError("libmilter's loop ended with a failure")

    def request_stop(self, grace: float) -> None:
        self.done.append(("request_stop", grace))

    def _request_stop(self, grace: float, *, for_connections: bool, refusing: Any) -> None:
        self.done.append(("_request_stop", grace, for_connections))
        refusing()


class Telling:
    """A worker that notes what it tells, and gets one order while it serves."""

    def __init__(self, retire: bool) -> None:
        self.told: list[Any] = []
        self._retire = retire

    @contextlib.contextmanager
    def listener(self) -> Iterator[str]:
        yield "listener"

    def join_balance(self, use: Any) -> None:
        use(7, 2)

    def watch(self, stop: Any, is_spent: Any) -> None:
        self.told.append(("watch", is_spent is not None))
        stop(self._retire)

    def tell(self, word: str = "counts") -> None:
        self.told.append(word)

    def tell_beginning(self) -> None:
        self.told.append("begins")

    def tell_failure(self, error: BaseException) -> None:
        self.told.append(str(error))


@pytest.mark.parametrize("retire", [True, False])
@pytest.mark.parametrize("limited", [True, False])
def test_how_a_worker_serves(retire: bool, limited: bool) -> None:
    given: Any = Telling(retire)
    serving: Any = Served()
    more: dict[str, Any] = {"max_messages": 100} if limited else {}
    serve_as(given, serving, Settings(workers=2, grace=3.0, timeout=9, **more))
    stopped = ("_request_stop", RETIRE_GRACE, True) if retire else ("request_stop", 3.0)
    begun = [("starting", True), ("join_balance", 7, 2, PATIENCE), ("serve", "listener", 9)]
    assert serving.done == [*begun, stopped, "wait", "finish"]
    assert given.told == ["begins", ("watch", limited), *(["refuses"] if retire else []), "ends"]
    assert not PROCESS.forks.ends_children()


def test_a_worker_tells_why_it_ends() -> None:
    given: Any = Telling(False)
    serving: Any = Served(KeyError("why"))
    with pytest.raises(MilterError, match="ended with a failure"):
        serve_as(given, serving, Settings(workers=2))
    assert given.told == ["begins", ("watch", False), "ends", "libmilter's loop ended with a failure"]


# ------------------------------------------------------------------------------------ when a worker is spent


@pytest.fixture
def messages(monkeypatch: pytest.MonkeyPatch) -> list[int]:
    """How many messages this process has had, as its only item."""
    had = [0]
    monkeypatch.setattr(limits, "own_messages", lambda: had[0])
    return had


@pytest.mark.parametrize(("most", "least"), [(1, 1), (9, 9), (10, 9), (19, 18), (20, 18), (1000, 900)])
def test_a_worker_has_up_to_a_tenth_fewer_messages(
    messages: list[int], monkeypatch: pytest.MonkeyPatch, most: int, least: int
) -> None:
    ranges: list[int] = []

    def randrange(stop: int) -> int:
        ranges.append(stop)
        return stop - 1

    monkeypatch.setattr(random, "randrange", randrange)
    is_spent = spent_when(most, None)
    assert is_spent is not None
    assert ranges == [most - least + 1]
    messages[0] = least - 1
    assert is_spent() is False
    messages[0] = least
    assert is_spent() is True


def test_each_limit_by_itself(
    messages: list[int], monkeypatch: pytest.MonkeyPatch, tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level(logging.INFO)
    assert spent_when(None, None) is None
    statm, page = tmp_path / "statm", os.sysconf("SC_PAGE_SIZE")
    monkeypatch.setattr(limits, "_STATM", statm)
    statm.write_text("900 5 7 8\n")
    assert resident_bytes() == 5 * page
    both, size = spent_when(1, 6 * page), spent_when(None, 6 * page)
    assert both is not None
    assert size is not None
    assert (both(), size()) == (False, False)
    messages[0] = 1
    assert (both(), size()) == (True, False)
    messages[0] = 0
    statm.write_text("900 6 7 8\n")
    assert (both(), size()) == (True, True)
    memory = f"worker {os.getpid()} uses {6 * page} bytes of memory (max_rss)"
    assert caplog.messages == [f"worker {os.getpid()} has had 1 messages (max_messages)", memory, memory]
    caplog.clear()
    messages_only = spent_when(1, 6 * page)
    assert caplog.messages == [
        f"max_rss is {6 * page}, and this worker has {6 * page} bytes before its first message: ignored"
    ]
    assert messages_only is not None
    assert not messages_only()


# ------------------------------------------------------------------------------------ slots


def test_the_memory_of_the_slots() -> None:
    before = open_descriptors()
    slots = Slots(2)
    taken = [slots.take() for _ in range(7)]
    assert [slot is None for slot in taken] == [False] * 6 + [True]  # two for each worker, and two more
    assert os.fstat(slots.descriptor).st_size == 6 * BALANCE_SLOT
    second = taken[1]
    assert second is not None
    assert second.for_worker == (slots.descriptor, 1)
    os.pwrite(slots.descriptor, b"x" * (3 * BALANCE_SLOT), 0)
    second.give_back()
    assert os.pread(slots.descriptor, 3 * BALANCE_SLOT, 0) == (
        b"x" * BALANCE_SLOT + bytes(BALANCE_SLOT) + b"x" * BALANCE_SLOT
    )
    again = slots.take()
    assert again is not None
    assert again.for_worker[1] == 1
    slots.close()
    assert open_descriptors() <= before


def test_memory_that_cannot_be_had_leaves_nothing_open(monkeypatch: pytest.MonkeyPatch) -> None:
    def full(*arguments: object) -> None:
        raise OSError(errno.ENOSPC, "no space")

    before = open_descriptors()
    monkeypatch.setattr(os, "ftruncate", full)
    with pytest.raises(OSError, match="no space"):
        Slots(2)
    assert open_descriptors() <= before
    monkeypatch.undo()
    monkeypatch.delattr(os, "memfd_create")
    slots = Slots(1)
    assert os.fstat(slots.descriptor).st_size == 4 * BALANCE_SLOT
    slots.close()
    assert open_descriptors() <= before


# ------------------------------------------------------------------------------------ the sums


class Answering:
    """A worker that answers with these numbers, or not at all."""

    def __init__(self, tally: Tally, stats: Stats, answers: bool = True) -> None:
        self.tally, self.stats, self.answers = tally, stats, answers
        self.asked = 0

    def ask(self) -> None:
        self.asked += 1
        if self.answers:
            threading.Thread(target=self.tally.take, args=(self, self.stats)).start()


def numbers(messages: int) -> Stats:
    return replace(total(()), messages=messages, in_flight=1, connections_opened=5, connections_closed=messages)


def test_the_sums_over_the_living_and_the_dead(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(tally, "ANSWER_WITHIN", 1000.0)
    sums = Tally()
    assert sums.ask() == total(())
    first, second = Answering(sums, numbers(1)), Answering(sums, numbers(2))
    sums.take(first, numbers(0))
    sums.take(second, numbers(0))
    assert sums.ask() == total((numbers(1), numbers(2)))
    first.stats = numbers(3)
    assert sums.ask().messages == 5
    sums.end(first)
    found = sums.ask()
    assert (found.messages, found.in_flight, found.connections_opened, found.connections_closed) == (5, 1, 10, 7)
    sums.end(first)
    sums.end(second)
    assert sums.ask() == replace(total((numbers(3), numbers(2))), in_flight=0, connections_closed=10)
    assert (first.asked, second.asked) == (2, 3)


def test_who_does_not_answer_is_asked_once_and_counts_as_it_last_did(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(tally, "ANSWER_WITHIN", 0.01)
    sums = Tally()
    hangs, works = Answering(sums, numbers(7), answers=False), Answering(sums, numbers(1))
    sums.take(hangs, numbers(4))
    sums.take(works, numbers(0))
    eventually(lambda: sums.ask().messages, lambda found: found == 5)
    sums.ask()
    assert hangs.asked == 1
    sums.take(hangs, numbers(6))
    sums.ask()
    assert hangs.asked == 2


# ------------------------------------------------------------------------------------ a worker's process


@pytest.fixture
def listening() -> Iterator[socket.socket]:
    with socket.create_server(("127.0.0.1", 0)) as listener:
        yield listener


def test_a_worker_begins_with_nothing_done(monkeypatch: pytest.MonkeyPatch, listening: socket.socket) -> None:
    monkeypatch.setattr(sys, "orig_argv", [sys.executable, "-c", "import sys; sys.stdin.read()"])
    heard: queue.SimpleQueue[tuple[Child, str]] = queue.SimpleQueue()
    child = Child(listening, lambda child, text: heard.put((child, text)), 4, 60.0)
    assert (child.number, child.start_timeout, child.is_wanted) == (4, 60.0, True)
    marks = ("is_ready", "is_refusing", "is_spent", "is_late", "is_over", "has_begun", "_is_killed")
    assert {name: getattr(child, name) for name in marks} == dict.fromkeys(marks, False)
    assert (child.failure, child.process.stderr, child.pid) == ("", None, child.process.pid)
    assert 0.0 < child.remaining() <= 60.0
    assert not child.may_still_accept()
    assert os.getpgid(child.pid) == child.pid
    threads = {thread.name: thread.daemon for thread in threading.enumerate()}
    assert threads[f"pymilter worker {child.pid}"] is True
    assert threads["pymilter worker's stderr"] is True
    child.kill()
    child.close()
    assert child.process.returncode == -signal.SIGKILL
    assert f"pymilter worker {child.pid}" not in {thread.name for thread in threading.enumerate()}


def test_a_worker_that_nobody_can_listen_to_is_killed(
    monkeypatch: pytest.MonkeyPatch, listening: socket.socket
) -> None:
    started: list[subprocess.Popen[bytes]] = []
    popen = subprocess.Popen

    def note(*arguments: Any, **options: Any) -> Any:
        started.append(popen(*arguments, **options))
        return started[-1]

    def no_thread(thread: threading.Thread) -> None:
        raise RuntimeError("can't start new thread")

    monkeypatch.setattr(sys, "orig_argv", [sys.executable, "-c", "import time; time.sleep(600)"])
    monkeypatch.setattr(subprocess, "Popen", note)
    monkeypatch.setattr(threading.Thread, "start", no_thread)
    before = open_descriptors()
    with pytest.raises(OSError, match="no thread to listen to it: can't start new thread") as info:
        Child(listening, lambda child, text: None, 1, 60.0)
    assert info.value.errno == errno.EAGAIN
    assert [process.returncode for process in started] == [-signal.SIGKILL]
    assert open_descriptors() <= before


def test_a_supervisor_begins_with_nothing_done(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(PROCESS, "program", "-")
    with pytest.raises(MilterError, match="put the program into a file"):
        Supervisor(Settings(workers=1))
    monkeypatch.setattr(PROCESS, "program", "x")
    made = Supervisor(Settings(workers=1, start_timeout=7.0))
    assert not any((made._is_reloading, made._is_announced, made._is_of_parent, made._failures, made._next_start))
    assert (made._crew._start_timeout, made._count, made._crew._wake) == (7.0, 1, made._wake)
    assert not made._reader.getblocking()
    assert not made._writer.getblocking()
    made._reader.close()
    made._writer.close()


# ------------------------------------------------------------------------------------ last words


def test_last_words_are_passed_on_and_kept(capfd: pytest.CaptureFixture[str]) -> None:
    before = open_descriptors()
    with LastWords.opened() as words:
        assert words.writer is not None
        assert os.path.sameopenfile(words.real, 2)
        words.begin()
        os.write(words.writer, b"one\n \xc3\xa9two \n\n")
        eventually(lambda: words._kept, bool)
        assert words.last_line() == "\xe9two"
        os.write(words.writer, b"x" * 299 + b"yz\n")
        eventually(lambda: words._kept, lambda kept: kept.endswith(b"yz\n"))
        assert words.last_line() == "x" * 299 + "y"
    thread = words._thread
    assert thread is not None
    thread.join(30)
    assert capfd.readouterr().err.startswith("one\n \xe9two \n\nxxx")
    assert (words._reader, words._take()) == (last_words.NONE, False)
    assert words.last_line() == "x" * 299 + "y"
    assert open_descriptors() <= before


def test_last_words_that_cannot_be_passed_on_are_kept(monkeypatch: pytest.MonkeyPatch) -> None:
    with LastWords.opened() as words:
        assert words.writer is not None
        os.write(words.writer, b"said\n")
        monkeypatch.setattr(last_words, "STDERR", 987654)
        assert words._take() is True
        assert words._take() is True  # nothing is there, but more may come
        assert words.last_line() == "said"


def test_numbers_of_this_process_as_a_worker_tells_them(line: Line) -> None:
    line.worker.tell()
    word, _, text = line.lines.readline().partition(" ")
    assert word == "counts"
    assert stats_of_text(text) == own_stats()
