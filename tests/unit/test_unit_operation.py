"""Numbers of operation that nobody waits for: the watchdog's, and asking workers for theirs."""

from __future__ import annotations

import os
import queue
import socket
import threading

import pytest

from pymilter._observe.stats import Stats, total
from pymilter._process.inheritance import Inheritance
from pymilter._serve.systemd import watchdog_seconds
from pymilter._workers.crew import Crew
from pymilter._workers.tally import Tally
from pymilter._workers.worker import ASK, RETIRE, STOP, Worker


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


def test_a_worker_that_cannot_be_started_keeps_no_share(monkeypatch: pytest.MonkeyPatch) -> None:
    def no_process(*arguments: object) -> None:
        raise OSError("no process is left")

    monkeypatch.setattr("pymilter._workers.crew.Child", no_process)
    crew = Crew(2, lambda: None)
    with socket.create_server(("127.0.0.1", 0)) as listener:
        for _ in range(20):
            with pytest.raises(OSError, match="no process is left"):
                crew.start(listener)
    assert crew._shares is not None
    assert crew._shares.take() is not None
    assert len(crew) == 0
    crew.close()
