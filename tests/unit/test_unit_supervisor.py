"""What a supervisor decides, step by step, over workers that are no processes: each moment of a long life at once."""

from __future__ import annotations

import contextlib
import errno
import logging
import math
import signal
import subprocess
import sys
import threading
from collections.abc import Iterator
from typing import Any

import pytest

from pymilter import MilterError
from pymilter._process.process import PROCESS
from pymilter._serve.settings import Settings
from pymilter._workers import supervisor as module
from pymilter._workers.child import KILL_AFTER, REFUSAL_TIME, Child, check_program
from pymilter._workers.crew import Crew
from pymilter._workers.supervisor import FIRST_PAUSE, HOPELESS, LONGEST_PAUSE, LOOK_EVERY, QUICK, Supervisor
from pymilter._workers.worker import RETIRE_GRACE

INFINITE = math.inf
near = pytest.approx


class Clock:
    """Stands still, so that no test is about how busy this machine is."""

    now = 1000.0

    def monotonic(self) -> float:
        return self.now


@pytest.fixture(autouse=True)
def clock(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in ("child", "supervisor"):
        monkeypatch.setattr(f"pymilter._workers.{name}.time", Clock())


class Process:
    """A process as subprocess.Popen shows it, which ends when it is told to."""

    def __init__(self, pid: int) -> None:
        self.pid = pid
        self.returncode: int | None = None
        self.told: list[str] = []

    def poll(self) -> int | None:
        return self.returncode

    def terminate(self) -> None:
        self.told.append("terminate")

    def kill(self) -> None:
        self.told.append("kill")
        self.returncode = -signal.SIGKILL

    def wait(self) -> None:
        assert self.returncode is not None


class Words:
    """The last words of a worker."""

    def __init__(self, said: str) -> None:
        self.said = said

    def last_line(self) -> str:
        return self.said


class Line:
    """The supervisor's end of a line."""

    def __init__(self) -> None:
        self.sent = b""
        self.closed: list[str] = []

    def send(self, word: bytes, flags: int) -> None:
        if self.closed:
            raise OSError(errno.EPIPE, "closed")
        self.sent += word

    def shutdown(self, how: int) -> None:
        self.closed.append("shutdown")
        raise OSError(errno.ENOTCONN, "the worker has gone")

    def close(self) -> None:
        self.closed.append("close")


class Slot:
    """A slot that can be given back."""

    def __init__(self) -> None:
        self.returns = 0

    def give_back(self) -> None:
        self.returns += 1


def worker(pid: int = 100, *, said: str = "", age: float = 100.0, ready: bool = True, slot: Any = None) -> Any:
    """A worker as `Child` makes it, but without a process."""
    made: Any = Child.__new__(Child)
    vars(made).update(
        number=pid - 99,
        start_timeout=5.0,
        is_wanted=True,
        is_ready=ready,
        is_refusing=False,
        is_spent=False,
        is_late=False,
        is_over=False,
        has_begun=ready,
        failure="",
        process=Process(pid),
        _started=Clock.now - age,
        _is_killed=False,
        _retired=-math.inf,
        _deadline=math.inf,
        _line=Line(),
        _words=Words(said),
        _slot=slot,
        _listening=threading.Thread(target=lambda: None),
    )
    made._listening.start()
    return made


def ended(made: Any, status: int) -> Any:
    made.process.returncode = status
    return made


# ------------------------------------------------------------------------------------ one worker


@pytest.mark.parametrize(
    ("status", "said", "marks", "reason"),
    [
        (1, "", {"failure": "ValueError: x"}, "with status 1: ValueError: x"),
        (0, "", {"is_ready": True, "is_over": True}, "with status 0"),
        (3, "", {"is_ready": True, "is_over": True}, "with status 3 after run() had returned"),
        (0, "x", {"is_ready": True}, "with status 0 while it served or stopped"),
        (-9, "", {"is_ready": True}, "with status -9 (SIGKILL) while it served or stopped"),
        (-9, "x", {"is_late": True}, "with status -9 (SIGKILL): it did not serve within 5 s; the last it said: x"),
        (
            -9,
            "",
            {"is_late": True},
            "with status -9 (SIGKILL): it did not serve within 5 s, and said nothing on stderr",
        ),
        (1, "x", {}, "with status 1: x"),
        (1, "", {}, "with status 1 before it came to run(), and nothing on stderr says why"),
        (1, "", {"has_begun": True}, "with status 1 before it served, and nothing on stderr says why"),
        (0, "x", {}, "with status 0 before it came to run(); the last it said: x"),
        (-11, "x", {"has_begun": True}, "with status -11 (SIGSEGV) before it served; the last it said: x"),
        (-35, "", {}, "with status -35 before it came to run(), and nothing on stderr says why"),
    ],
)
def test_why_a_worker_ended(status: int, said: str, marks: dict[str, object], reason: str) -> None:
    made = worker(said=said, ready=False)
    vars(made).update(has_begun=False, **marks) if "has_begun" not in marks else vars(made).update(marks)
    assert ended(made, status).reason() == reason


@pytest.mark.parametrize(
    ("status", "is_wanted", "is_killed", "lost"),
    [
        (0, True, False, True),
        (0, False, False, False),
        (-signal.SIGTERM, False, False, False),
        (-signal.SIGKILL, False, True, False),
        (-signal.SIGKILL, False, False, True),
        (1, False, False, True),
        (1, True, True, True),
    ],
)
def test_which_end_is_a_loss(status: int, is_wanted: bool, is_killed: bool, lost: bool) -> None:
    made = ended(worker(), status)
    made.is_wanted, made._is_killed = is_wanted, is_killed
    assert made.is_lost() is lost


def test_until_when_a_worker_has_time() -> None:
    made = worker(age=1.0, ready=False)
    assert made.remaining() == near(made.start_timeout - 1.0)
    assert worker(age=6.0, ready=False).remaining() == 0.0
    assert worker().lived() == near(100.0)
    made = worker()
    assert made.remaining() == INFINITE
    made.stop(3.0)
    assert (made.is_wanted, made._line.sent, made.process.told) == (False, b"s", [])
    assert made.remaining() == near(3.0 + KILL_AFTER)
    made = worker(ready=False)
    made.stop(3.0)
    assert (made._line.sent, made.process.told) == (b"s", ["terminate"])
    assert made.remaining() == near(3.0 + KILL_AFTER)
    made = worker(ready=False)
    made.give_up()
    assert (made.is_wanted, made._line.sent, made.process.told) == (False, b"", ["terminate"])
    assert made.remaining() == near(KILL_AFTER)
    made = worker()
    made.ask()
    made.retire()
    assert (made.is_wanted, made._line.sent, made.process.told) == (False, b"?r", [])
    assert made.remaining() == near(RETIRE_GRACE + KILL_AFTER)


def test_a_worker_that_retires_may_take_connections_for_a_moment() -> None:
    made = worker()
    assert not made.may_still_accept()
    made.retire()
    assert made.may_still_accept()
    made.is_refusing = True
    assert not made.may_still_accept()
    made.is_refusing = False
    made._retired -= REFUSAL_TIME
    assert not made.may_still_accept()


@pytest.mark.parametrize(
    ("is_wanted", "ready", "is_late"), [(True, False, True), (True, True, False), (False, False, False)]
)
def test_who_is_killed_is_late_if_it_should_have_served(is_wanted: bool, ready: bool, is_late: bool) -> None:
    made = worker(ready=ready)
    made.is_wanted = is_wanted
    made.kill()
    assert (made.is_late, made._is_killed, made.process.told) == (is_late, True, ["kill"])


def test_the_end_of_a_worker_gives_all_back() -> None:
    slot = Slot()
    made = worker(slot=slot)
    made.give_up_slot()
    made.give_up_slot()
    assert slot.returns == 1
    made = worker(slot=slot)
    made.close()
    assert (made._line.closed, slot.returns, made._slot) == (["shutdown", "close"], 2, None)
    made.ask()  # a line that is closed is no error
    assert not made._listening.is_alive()


def test_what_a_worker_said_last_is_heard_before_its_end_is_judged() -> None:
    heard: list[str] = []
    made = worker()
    shut = threading.Event()

    def listen() -> None:
        shut.wait(30)
        threading.Event().wait(0.02)  # who does not wait for this thread is sooner
        heard.append("ends")

    def shutdown(how: int) -> None:
        shut.set()

    made._line.shutdown = shutdown
    made._listening = threading.Thread(target=listen)
    made._listening.start()
    made.close()
    assert heard == ["ends"]


def test_a_program_that_cannot_be_read_again_has_no_workers(monkeypatch: pytest.MonkeyPatch) -> None:
    for program, is_there in (("", False), ("-", False), ("program.py", True), ("-c", True)):
        monkeypatch.setattr(PROCESS, "program", program)
        if is_there:
            check_program()
        else:
            with pytest.raises(MilterError, match="workers= starts this program again in each worker"):
                check_program()


def test_a_worker_is_started_with_all_that_it_needs(monkeypatch: pytest.MonkeyPatch) -> None:
    started: list[dict[str, Any]] = []

    def start(command: list[str], **options: Any) -> subprocess.Popen[bytes]:
        started.append({"command": command, **options})
        raise OSError("no process is left")

    class WithSlot:
        for_worker = (11, 4)

    class Listening:
        def fileno(self) -> int:
            return 9

    monkeypatch.setattr(subprocess, "Popen", start)
    monkeypatch.setattr(sys, "orig_argv", ["python", "-X", "dev", "program.py"])
    monkeypatch.setenv("KEPT", "yes")
    listener: Any = Listening()
    slot: Any = WithSlot()
    for given in (slot, None):
        with pytest.raises(OSError, match="no process is left"):
            Child(listener, lambda child, text: None, 3, 120.0, given)
    for call, has_slot in zip(started, (True, False), strict=True):
        assert call["command"] == [sys.executable, "-X", "dev", "program.py"]
        assert (call["cwd"], call["process_group"]) == (PROCESS.folder, 0)
        assert call["env"]["KEPT"] == "yes"
        numbers = [int(number) for number in call["env"]["PYMILTER_WORKER"].split(",")]
        assert (numbers[0], numbers[3:]) == (9, [3, 11, 4] if has_slot else [3])
        assert call["pass_fds"] == numbers[:3] + ([11] if has_slot else [])
        assert call["stderr"] not in (numbers[2], None)


# ------------------------------------------------------------------------------------ the crew


def crew(*workers: Any, count: int = 1, wake: Any = None) -> Any:
    made: Any = Crew(count, 5.0, wake or (lambda: None))
    made._children.extend(workers)
    return made


def test_who_is_wanted_and_who_serves() -> None:
    serves, starts, goes = worker(100), worker(101, ready=False), worker(102)
    goes.is_wanted = False
    made = crew(serves, starts)
    assert (made.wanted(), made.ready(), made.is_only_wanted(), len(made)) == ([serves, starts], [serves], True, 2)
    made = crew(serves, starts, goes)
    assert (made.wanted(), made.ready(), made.is_only_wanted()) == ([serves, starts], [serves], False)
    assert not made.may_someone_else_accept()
    goes.retire()
    assert made.may_someone_else_accept()
    assert made.remaining() == 0.0  # `starts` has had its time
    assert crew(serves, goes).remaining() == near(RETIRE_GRACE + KILL_AFTER)
    assert (crew().remaining(), crew(serves).remaining()) == (INFINITE, INFINITE)
    made.leave_to_parent()
    assert len(made) == 0


def test_a_crew_that_stops() -> None:
    first, second = worker(100), worker(101)
    made = crew(first, second)
    made.stop(2.0)
    assert (first._line.sent, second._line.sent) == (b"s", b"s")
    assert made.remaining() == near(2.0 + KILL_AFTER)
    made.kill_all()
    assert (first.process.told, second.process.told) == (["kill"], ["kill"])


def test_who_is_overdue_is_killed(caplog: pytest.LogCaptureFixture) -> None:
    serves, starts, goes, begins = worker(100), worker(101, ready=False), worker(102), worker(103, age=1.0, ready=False)
    goes.is_wanted, goes._deadline = False, 0.0
    crew(serves, starts, goes, begins).kill_overdue()
    assert [made.process.told for made in (serves, starts, goes, begins)] == [[], ["kill"], ["kill"], []]
    assert caplog.messages == ["worker 101 does not come to serve: killed", "worker 102 does not end: killed"]
    assert {record.levelname for record in caplog.records} == {"ERROR"}


def test_slots_of_those_that_take_no_connection_are_free() -> None:
    slots = [Slot(), Slot()]
    first, second = worker(100, slot=slots[0]), worker(101, slot=slots[1])
    first.is_refusing = True
    crew(first, second).give_up_slots()
    assert [slot.returns for slot in slots] == [1, 0]


def test_who_has_ended_is_taken_out_once() -> None:
    lives, gone = worker(100), ended(worker(101), 0)
    made = crew(lives, gone)
    assert made.take_ended() == [gone]
    assert made.take_ended() == []
    assert (len(made), gone._line.closed, lives._line.closed) == (1, ["shutdown", "close"], [])


NUMBERS = (
    '{"connections_opened": 1, "connections_closed": 0, "callbacks": {"eom": 2}, "body_bytes": 0, "failures": 0, '
    '"in_flight": 0, "answers": {}, "transports": [0, 0, 0], "edits": {}}'
)


@pytest.mark.parametrize(
    ("text", "marks", "wakes"),
    [
        ("begins\n", {"has_begun"}, 0),
        ("fails ValueError: x y\n", {"has_begun", "failure"}, 0),
        (f"serves {NUMBERS}\n", {"is_ready"}, 1),
        (f"refuses {NUMBERS}\n", {"is_ready", "is_refusing"}, 1),
        (f"spent {NUMBERS}\n", {"is_ready", "is_spent"}, 1),
        (f"ends {NUMBERS}\n", {"is_over"}, 0),
        (f"counts {NUMBERS}\n", set(), 0),
    ],
)
def test_what_a_worker_reports(text: str, marks: set[str], wakes: int, caplog: pytest.LogCaptureFixture) -> None:
    woken: list[int] = []
    made, one = crew(wake=lambda: woken.append(1)), worker(ready=False)
    names = ("has_begun", "failure", "is_ready", "is_refusing", "is_spent", "is_over")
    made._hear(one, text)
    assert {name for name in names if getattr(one, name)} == marks
    assert one.failure == ("ValueError: x y" if "failure" in marks else "")
    assert len(woken) == wakes
    assert made.tally.ask().messages == (0 if "has_begun" in marks else 2)
    made._hear(one, f"serves {NUMBERS}\n")  # what was reported stays
    made._hear(one, f"counts {NUMBERS}\n")
    assert {name for name in names if getattr(one, name)} == marks | {"is_ready"}
    assert caplog.messages == []


def test_what_cannot_be_read_is_warned_of(caplog: pytest.LogCaptureFixture) -> None:
    made, one = crew(), worker()
    for rest in ("", "{", "[]", "{}", "5", '{"callbacks": 5}'):
        made._hear(one, f"counts {rest}\n")
    assert len(caplog.messages) == 6
    assert caplog.messages[1] == f"worker 100 tells numbers that cannot be read: {'counts {' + chr(10)!r}"


def test_each_worker_has_a_number_and_a_slot_of_its_own(monkeypatch: pytest.MonkeyPatch) -> None:
    made: list[Any] = []

    def child(listener: object, hear: object, number: int, start_timeout: float, slot: object) -> Any:
        one = worker(100 + len(made), slot=slot)
        one.number, one.start_timeout = number, start_timeout
        made.append(one)
        return one

    monkeypatch.setattr("pymilter._workers.crew.Child", child)
    listener: Any = None
    for count in (2, 1):
        made.clear()
        some = crew(count=count)
        for _ in range(3):
            assert some.start(listener) is made[-1]
        assert ([one.number for one in made], {one.start_timeout for one in made}) == ([1, 2, 3], {5.0})
        some._children.remove(made[1])
        assert some.start(listener).number == 2
        if count == 1:
            assert [one._slot for one in made] == [None] * 4
        else:
            slots = [one._slot.for_worker for one in made]
            assert [slot for _, slot in slots] == [0, 1, 2, 3]
            assert {memory for memory, _ in slots} == {some._slots.descriptor}
            assert [some.start(listener)._slot is None for _ in range(3)] == [False, False, True]
            made[2].give_up_slot()
            assert some.start(listener)._slot.for_worker[1] == 2
        some.close()


# ------------------------------------------------------------------------------------ the supervisor


@pytest.fixture
def told(monkeypatch: pytest.MonkeyPatch) -> list[str]:
    """What systemd is told."""
    lines: list[str] = []
    monkeypatch.setattr(module, "notify", lambda *words: lines.append(" ".join(words)))
    monkeypatch.setattr(module, "notify_reloading", lambda: lines.append("RELOADING"))
    return lines


@pytest.fixture
def supervisor(told: list[str], monkeypatch: pytest.MonkeyPatch) -> Iterator[Any]:
    """A supervisor of two workers, who are there."""
    monkeypatch.setattr(PROCESS, "program", "program.py")
    made: Any = Supervisor(Settings(workers=2, grace=3.0))
    made._crew._children.extend([worker(100), worker(101)])
    yield made
    made._reader.close()
    made._writer.close()
    made._crew.close()


def test_how_many_are_missing(supervisor: Any) -> None:
    first, second = supervisor._crew.wanted()
    assert (supervisor._missing(), supervisor._is_complete()) == (0, True)
    supervisor._to_replace = [first, second]
    assert (supervisor._missing(), supervisor._is_complete()) == (1, False)
    supervisor._to_replace = []
    first.is_ready = False
    assert (supervisor._missing(), supervisor._is_complete()) == (0, False)
    first.retire()
    assert supervisor._missing() == 1
    third = worker(102)
    supervisor._crew._children.append(third)
    assert (supervisor._missing(), supervisor._is_complete()) == (0, False)  # `first` may still accept
    first.is_refusing = True
    assert supervisor._is_complete()
    supervisor._crew._children.append(worker(103))
    assert supervisor._is_complete()
    supervisor._is_of_parent = True
    second.retire()
    assert supervisor._missing() == 0


def test_how_long_there_is_nothing_to_do(supervisor: Any) -> None:
    first, second = supervisor._crew.wanted()
    assert supervisor._pause() is None
    first.retire()
    supervisor._next_start = Clock.now + 1000.0
    assert supervisor._pause() == LOOK_EVERY
    second.is_wanted = True
    supervisor._crew._children.remove(first)
    assert supervisor._pause() == near(1000.0)
    supervisor._next_start = 0.0
    assert supervisor._pause() == 0.0
    supervisor._crew._children.append(worker(102, age=1.0, ready=False))
    assert supervisor._pause() == near(4.0)


def test_a_reload_begins(supervisor: Any, told: list[str], caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level(logging.INFO)
    starts = worker(102, ready=False)
    first, second = supervisor._crew.wanted()
    supervisor._crew._children.append(starts)
    supervisor._signals.extend([signal.SIGHUP, signal.SIGTERM, signal.SIGHUP])
    supervisor._failures, supervisor._next_start, supervisor._is_announced = 5, 1e9, True
    supervisor._begin_reload()
    assert supervisor._signals == [signal.SIGTERM]
    assert (supervisor._failures, supervisor._next_start) == (0, 0.0)
    assert (supervisor._is_reloading, supervisor._is_announced) == (True, False)
    assert supervisor._to_replace == [first, second]
    assert (starts.process.told, first.process.told) == (["terminate"], [])
    assert told == ["RELOADING"]
    assert caplog.messages == ["replacing 2 workers"]
    supervisor._replace()
    assert len(supervisor._to_replace) == 2  # nobody has come in their place yet
    supervisor._crew._children.append(worker(103))
    supervisor._replace()
    assert (supervisor._to_replace, first.is_wanted, first._line.sent, second._line.sent) == (
        [second],
        False,
        b"r",
        b"",
    )
    assert caplog.messages[1:] == ["worker 100 retires"]


def test_a_reload_is_given_up(supervisor: Any, told: list[str], caplog: pytest.LogCaptureFixture) -> None:
    first, second = supervisor._crew.wanted()
    supervisor._to_replace = [first, second]
    second.is_spent = True
    supervisor._is_reloading = True
    supervisor._fail("a", "worker ended so")
    assert (supervisor._is_reloading, supervisor._is_announced, supervisor._to_replace) == (False, True, [second])
    assert told == ["READY=1 STATUS=the reload failed: a new worker ended so"]
    assert caplog.messages == [
        "the reload failed: a new worker ended so; 2 workers serve as before, and the next SIGHUP tries again"
    ]
    supervisor._fail("a", "worker ended so")  # without a reload, those who serve go on
    assert len(told) == len(caplog.messages) == 1
    first.is_ready = second.is_ready = False
    with pytest.raises(MilterError, match=r"^a worker ended so$"):
        supervisor._fail("a", "worker ended so")


def test_who_is_spent_is_replaced(supervisor: Any, caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level(logging.INFO)
    first, second = supervisor._crew.wanted()
    second.is_spent = True
    for _ in range(2):
        supervisor._note_spent()
        assert supervisor._to_replace == [second]
    assert caplog.messages == ["worker 101 has done its part: it is replaced"]
    first.is_spent, first.is_ready = True, False
    supervisor._note_spent()
    assert supervisor._to_replace == [second]


def test_pauses_double_up_to_a_limit_and_failures_end_the_service(supervisor: Any) -> None:
    for number in range(1, HOPELESS):
        supervisor._count_failure("so")
        assert supervisor._next_start - Clock.now == near(FIRST_PAUSE * 2 ** (number - 1))
        assert supervisor._failures == number
    for made in supervisor._crew.wanted():
        made.is_ready = False
    with pytest.raises(MilterError, match=rf"^{HOPELESS} workers in a row ended at once, the last so$"):
        supervisor._count_failure("so")
    supervisor._crew.wanted()[0].is_ready = True
    supervisor._failures = 10_000
    supervisor._count_failure("so")
    assert supervisor._next_start - Clock.now == near(LONGEST_PAUSE)


@pytest.mark.parametrize(
    ("age", "ready", "is_wanted", "failures"),
    [
        (QUICK + 50, True, True, 0),
        (QUICK - 1, True, True, 4),
        (QUICK + 50, False, True, 4),
        (QUICK - 1, True, False, 3),
    ],
)
def test_which_ends_are_failures(supervisor: Any, age: float, ready: bool, is_wanted: bool, failures: int) -> None:
    made = ended(worker(102, age=age, ready=ready), 1)
    made.is_wanted = is_wanted
    supervisor._crew._children.append(made)
    supervisor._to_replace = [made]
    supervisor._failures = 3
    supervisor._reap()
    assert supervisor._failures == failures
    assert (len(supervisor._crew), supervisor._to_replace) == (2, [])


def test_one_that_was_late_ends_the_start(supervisor: Any, caplog: pytest.LogCaptureFixture) -> None:
    late = worker(102, ready=False)
    late.kill()
    supervisor._crew._children[:] = [late]
    with pytest.raises(MilterError, match=r"^a worker ended with status -9 \(SIGKILL\): it did not serve within 5 s"):
        supervisor._reap()
    assert [(record.levelname, record.getMessage()[:17]) for record in caplog.records] == [
        ("ERROR", "worker 102 ended ")
    ]
    assert supervisor._failures == 0


def test_the_end_of_each_is_logged(supervisor: Any, caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level(logging.INFO)
    for made, status in zip(supervisor._crew.wanted(), (0, 1), strict=True):
        made.is_wanted = False
        made.is_over = True
        ended(made, status)
    supervisor._reap()
    assert [(record.levelname, record.getMessage()) for record in caplog.records] == [
        ("INFO", "worker 100 ended with status 0"),
        ("ERROR", "worker 101 ended with status 1 after run() had returned"),
    ]


def test_those_who_are_missing_are_started(
    supervisor: Any, caplog: pytest.LogCaptureFixture, monkeypatch: pytest.MonkeyPatch
) -> None:
    caplog.set_level(logging.INFO)
    started: list[Any] = []

    def start(listener: object) -> Any:
        if listener is None:
            raise OSError("no process is left")
        started.append(worker(200 + len(started), ready=False))
        supervisor._crew._children.append(started[-1])
        return started[-1]

    monkeypatch.setattr(supervisor._crew, "start", start)
    supervisor._start_missing("listener")
    assert started == []
    for made in supervisor._crew.wanted():
        made.is_wanted = False
    supervisor._next_start = Clock.now + 1000.0
    supervisor._start_missing("listener")
    assert started == []
    supervisor._next_start = 0.0
    supervisor._start_missing("listener")
    assert len(started) == 2
    assert caplog.messages == ["worker 200 starts", "worker 201 starts"]
    started[0].is_wanted = False
    supervisor._crew._children.append(worker(103))
    started[1].is_wanted = False
    supervisor._start_missing(None)
    assert caplog.messages[2:] == ["a worker cannot be started: no process is left"]
    assert supervisor._failures == 1  # the next try comes after a pause


def keep(supervisor: Any, monkeypatch: pytest.MonkeyPatch, *waits: Any) -> None:
    """Let the supervisor keep its workers: at its waits, one after another, happens what `waits` do."""
    coming = iter(waits)
    monkeypatch.setattr(supervisor, "_wait", lambda seconds: next(coming)())
    supervisor._keep(None)
    assert list(coming) == []


def ends(supervisor: Any) -> Any:
    return lambda: supervisor._signals.append(signal.SIGTERM)


def test_all_that_serve_are_announced_once(
    supervisor: Any, told: list[str], caplog: pytest.LogCaptureFixture, monkeypatch: pytest.MonkeyPatch
) -> None:
    caplog.set_level(logging.INFO)
    keep(supervisor, monkeypatch, lambda: None, ends(supervisor))
    assert (told, caplog.messages) == (["READY=1 STATUS=2 workers serve"], ["2 workers serve"])
    supervisor._signals.clear()
    first, second = supervisor._crew.wanted()
    more: list[Any] = []

    def start(listener: object) -> Any:
        more.append(worker(200 + len(more), ready=False))
        supervisor._crew._children.append(more[-1])
        return more[-1]

    def serves() -> None:
        more[-1].is_ready = True

    def refuse() -> None:
        first.is_refusing = second.is_refusing = True

    monkeypatch.setattr(supervisor._crew, "start", start)
    supervisor._signals.append(signal.SIGHUP)
    keep(supervisor, monkeypatch, serves, serves, refuse, ends(supervisor))
    assert (first.is_wanted, second.is_wanted, len(more)) == (False, False, 2)
    assert told[1:] == ["RELOADING", "READY=1 STATUS=2 workers serve"]
    assert not supervisor._is_reloading


def test_who_has_ended_or_is_overdue_is_seen_to_in_each_round(supervisor: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    slot = Slot()
    first, second = supervisor._crew.wanted()
    second._slot = slot
    spent = worker(104)
    spent.is_spent = True
    supervisor._crew._children.append(spent)
    hangs = worker(102)
    hangs.is_wanted, hangs._deadline = False, 0.0
    supervisor._crew._children.append(hangs)
    second.is_refusing = True
    keep(supervisor, monkeypatch, ends(supervisor))
    assert (hangs.process.told, slot.returns, len(supervisor._crew)) == (["kill"], 1, 3)
    assert not spent.is_wanted
    assert first.is_wanted
    keep(supervisor, monkeypatch)  # the signal is there already
    supervisor._signals[:] = [signal.SIGINT]
    keep(supervisor, monkeypatch)
    supervisor._signals.clear()
    supervisor._is_of_parent = True
    keep(supervisor, monkeypatch)


def test_a_child_announces_nothing(supervisor: Any, told: list[str], monkeypatch: pytest.MonkeyPatch) -> None:
    def fork() -> None:
        supervisor._is_of_parent = True

    keep(supervisor, monkeypatch, fork)
    assert told == []


class Discarded:
    def __init__(self) -> None:
        self.times = 0

    def discard(self) -> None:
        self.times += 1


@pytest.mark.parametrize(
    ("signals", "killed"),
    [
        ([], False),
        ([signal.SIGTERM], False),
        ([signal.SIGTERM, signal.SIGHUP], False),
        ([signal.SIGTERM, signal.SIGINT], True),
        ([signal.SIGTERM] * 2, True),
    ],
)
def test_the_end(
    supervisor: Any,
    signals: list[int],
    killed: bool,
    caplog: pytest.LogCaptureFixture,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    caplog.set_level(logging.INFO)
    children, listener, waited = supervisor._crew.wanted(), Discarded(), list[float]()

    def wait(seconds: float) -> None:
        waited.append(seconds)
        for made in children if len(waited) == 2 and not killed else ():
            made.is_over = True
            ended(made, 0)

    monkeypatch.setattr(supervisor, "_wait", wait)
    supervisor._signals.extend(signals)
    supervisor._stop_all(listener)
    assert (listener.times, [made._line.sent for made in children]) == (1, [b"s", b"s"])
    assert [made.process.told for made in children] == [["kill"] if killed else []] * 2
    assert len(waited) == (1 if killed else 2)
    assert waited[0] == near(3.0 + KILL_AFTER)
    assert ("a second signal: 2 workers are killed" in caplog.messages) == killed
    assert len([text for text in caplog.messages if " ended " in text]) == 2


def test_who_does_not_end_is_killed_at_the_end(supervisor: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    children = supervisor._crew.wanted()

    def wait(seconds: float) -> None:
        for made in children:
            made._deadline = 0.0

    monkeypatch.setattr(supervisor, "_wait", wait)
    supervisor._stop_all(Discarded())
    assert [made.process.told for made in children] == [["kill"]] * 2


def test_it_sleeps_until_it_is_woken(supervisor: Any) -> None:
    for _ in range(3):
        supervisor._wake()
    supervisor._wait(None)  # returns at once
    supervisor._wait(0.0)  # and takes all of it
    with pytest.raises(BlockingIOError):
        supervisor._reader.recv(1)
    while True:  # it may be woken more often than fits
        try:
            supervisor._writer.send(b"\0" * 4096)
        except BlockingIOError:
            break
    supervisor._wake()


def test_signals_that_find_no_room_are_no_trouble(
    supervisor: Any, monkeypatch: pytest.MonkeyPatch, capfd: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr(PROCESS, "ask_workers", None)
    with supervisor.taking_signals():
        with contextlib.suppress(BlockingIOError):
            while True:
                supervisor._writer.send(b"\0" * 4096)
        for _ in range(2):
            signal.raise_signal(signal.SIGCHLD)
    assert capfd.readouterr().err == ""


def test_in_a_child_the_workers_are_the_parents(supervisor: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(PROCESS, "ask_workers", None)
    before = signal.getsignal(signal.SIGTERM)
    with supervisor.taking_signals():
        assert PROCESS.ask_workers == supervisor._crew.tally.ask
        assert supervisor in PROCESS.not_for_children
        supervisor.leave_to_parent()
        assert signal.getsignal(signal.SIGTERM) == before
        assert (supervisor._is_of_parent, len(supervisor._crew), PROCESS.ask_workers) == (True, 0, None)
    assert supervisor._reader.fileno() == supervisor._writer.fileno() == -1


def test_run_ends_with_the_end_of_all(supervisor: Any, told: list[str], monkeypatch: pytest.MonkeyPatch) -> None:
    done: list[str] = []

    def keeps(listener: object) -> None:
        assert PROCESS.forks.ends_children()
        done.append("keep")
        raise MilterError("nobody serves")

    monkeypatch.setattr(supervisor, "_keep", keeps)
    monkeypatch.setattr(supervisor, "_stop_all", lambda listener: done.append(f"stop {listener}"))
    monkeypatch.setattr(supervisor._crew, "close", lambda: done.append("close"))
    with pytest.raises(MilterError, match="nobody serves"):
        supervisor.run("listener")
    assert done == ["keep", "stop listener", "close"]
    assert told == ["STOPPING=1"]
    monkeypatch.undo()
