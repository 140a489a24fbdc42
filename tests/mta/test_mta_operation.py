"""A filter is stopped, drained, reloaded and killed under the load of smtp-source through a real Postfix.

Three books are compared afterwards: what smtp-source was answered, what the filter answered, and what the sink holds.
"""

from __future__ import annotations

import os
import shutil
import signal
import sys
import uuid
from collections import Counter
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

import pytest

from pymilter.testing import Client, FilterGone, FilterProcess, FilterUnreachable
from support import require
from support.mta import free_port, socket_folder
from support.postfix import Postfix
from support.rig import Message
from support.sink import Delivery, Sink
from support.smtp_source import Answer, Load, number_of, run_of
from support.wire import eventually

FILTER = Path(__file__).with_name("filters") / "marking_filter.py"
NEW_BODY = b"a new body\r\n"
SETTINGS = {
    "enable_long_queue_ids": "yes",  # else they are used again
    "smtpd_error_sleep_time": "0",
    "smtpd_soft_error_limit": "10000",
    "smtpd_hard_error_limit": "10000",
}
RIGHT = {3: "reject", 5: "tempfail", 7: "discard", 8: "replace", 9: "replace"}
SOME = 40
DRAINED = "1r0m"  # the key of a message that smtp-source does not send: its runs are counted from 1


@dataclass(frozen=True)
class Line:
    """What the filter wrote before it answered."""

    word: str
    key: str
    queue_id: str
    mark: str


class Site:
    """Postfix with a sink behind it, and the program of a filter that may be started and started again."""

    def __init__(self, folder: Path, front: tuple[str, Postfix, Sink], workers: int) -> None:
        self.address, self.mta, self.sink = front
        self.workers = workers
        self.host = f"{uuid.uuid4().hex}.example"
        self.program = folder / "program.py"
        self.book = folder / "book"
        self.write("first")

    def write(self, mark: str) -> None:
        """Change the program's code."""
        self.program.write_text(FILTER.read_text().replace('MARK = "first"', f'MARK = "{mark}"'))

    @contextmanager
    def filter(self) -> Iterator[FilterProcess]:
        """The program, serving; it must end well."""
        argv: list[str | Path] = [sys.executable, self.program, self.address, self.book, str(self.workers)]
        with FilterProcess(argv, self.address, timeout=30) as process:
            self.serves(process)
            yield process
            if process.returncode is None:
                process.stop()
            assert process.returncode == 0, process.stderr
            assert "Traceback" not in process.stderr

    def serves(self, process: FilterProcess, times: int = 1) -> None:
        """Wait until it has said so often that it is ready."""
        word = f"{self.workers} workers serve" if self.workers else "listening on"
        eventually(lambda: process.stderr.count(word), lambda count: count >= times)

    def lines(self) -> list[Line]:
        """The filter's answers."""
        rows = [row.split() for row in self.book.read_text().splitlines()]
        return [Line(*row) for row in rows if row[0] not in ("begun", "abort")]

    def begun(self) -> list[str]:
        """The keys of the messages that the filter has heard of and that were not given up."""
        rows = [row.split() for row in self.book.read_text().splitlines()]
        given_up = {row[1] for row in rows if row[0] == "abort"}
        return [row[1] for row in rows if row[0] == "begun" and row[1] not in given_up]


@pytest.fixture(scope="module", params=["unix", "inet"])
def front(request: pytest.FixtureRequest) -> Iterator[tuple[str, Postfix, Sink]]:
    """The filter's address, a Postfix that asks there, and the sink behind it."""
    require.root("a mail server of our own")
    folder = socket_folder()
    address = f"unix:{folder}/filter" if request.param == "unix" else f"inet:{free_port()}@127.0.0.1"
    try:
        with Sink() as sink, Postfix([address], sink.port, SETTINGS) as mta:
            yield address, mta, sink
    finally:
        shutil.rmtree(folder)


@pytest.fixture
def workers() -> int:
    return 2


@pytest.fixture
def site(front: tuple[str, Postfix, Sink], workers: int, tmp_path: Path) -> Site:
    return Site(tmp_path, front, workers)


def right(key: str) -> str:
    """What the message asks for."""
    return RIGHT.get(number_of(key) % 10, "accept")


def is_ours(answer: Answer) -> bool:
    """Whether the filter gave it, and not Postfix for want of a filter."""
    return answer.queue_id is not None or answer.text.endswith(f" {answer.key}")


def is_ours_and_after(run: int) -> Callable[[Answer], bool]:
    """The same of those that a later run has sent."""
    return lambda answer: is_ours(answer) and run_of(answer.key) > run


def is_put_off(answer: Answer) -> bool:
    """Whether Postfix put the message off for want of a filter."""
    return answer.code == 451 and not is_ours(answer)


def word_of(answer: Answer) -> str:
    """What smtp-source can know of the filter's word."""
    if answer.queue_id is not None:
        return "taken"
    return "reject" if answer.code == 554 else "tempfail"


def queue_id_of(delivery: Delivery) -> str:
    """Under which Postfix had it."""
    return delivery.header("Received")[0].partition(" id ")[2].split()[0].rstrip(";")


def compare(site: Site, load: Load, *, lost_answers: bool = False) -> Counter[str]:
    """The three books must agree; how many messages were marked by which code.

    With `lost_answers` the filter may have been killed between its line and its answer.
    """
    site.mta.settle()
    assert load.faults == []
    lines = {line.key: line for line in site.lines()}
    answers = {answer.key: answer for answer in load.answers if is_ours(answer)}
    deliveries = {queue_id_of(delivery): delivery for delivery in site.sink.deliveries(site.host)}
    assert len(lines) == len(site.lines()), "the filter has answered a message twice"
    assert len(deliveries) == len(site.sink.deliveries(site.host)), "a message came twice"

    # Whatever was told is an answer of the filter, and the right one, or that it is put off for want of a filter.
    assert [answer for answer in load.answers if not is_ours(answer) and not is_put_off(answer)] == []
    for key, answer in answers.items():
        assert lines[key].word == right(key)
        assert word_of(answer) == {"reject": "reject", "tempfail": "tempfail"}.get(right(key), "taken")
        assert answer.queue_id in (None, lines[key].queue_id)
    # Nothing that the filter has answered was put off on the way to the client.
    if not lost_answers:
        assert set(lines) == set(answers)

    taken = {answer.queue_id: key for key, answer in answers.items() if answer.queue_id is not None}
    kept = {queue_id: key for queue_id, key in taken.items() if right(key) != "discard"}
    assert set(deliveries) == set(kept), "the sink does not hold what was accepted"
    for queue_id, key in kept.items():
        delivery = deliveries[str(queue_id)]
        assert delivery.addresses == [f"<{key}@example.net>"]
        [mark] = delivery.header("X-Mark")
        was_replaced = right(key) == "replace"
        assert mark.split()[:2] == [lines[key].mark, key]
        assert int(mark.split()[2]) >= 3000
        assert delivery.body == NEW_BODY if was_replaced else len(delivery.body) == int(mark.split()[2])
    return Counter(lines[key].mark for key in kept.values())


def test_reload_puts_nothing_off(site: Site) -> None:
    with site.filter() as process, Load(site.mta.port, site.host) as load:
        load.wait_for(SOME, is_ours)
        for number, mark in enumerate(("second", "third"), 2):
            site.write(mark)
            process.send_signal(signal.SIGHUP)
            site.serves(process, number)
            # Sessions that were under way go on with the code that they began with.
            last = load.runs
            load.wait_for(SOME, is_ours_and_after(last))
    assert [answer for answer in load.answers if not is_ours(answer)] == []
    marks = compare(site, load)
    assert list(marks) == ["first", "second", "third"]
    assert {line.mark for line in site.lines() if run_of(line.key) > last} == {"third"}


@pytest.mark.parametrize("workers", [0, 2])
def test_stop_and_restart(site: Site) -> None:
    with site.filter() as process, Load(site.mta.port, site.host) as load:
        load.wait_for(SOME, is_ours)
        begun = site.begun()
        assert process.stop() == 0, process.stderr
        load.wait_for(SOME, is_put_off)
        site.write("second")
        with site.filter():
            load.wait_for(SOME, is_ours)
            load.stop()
    marks = compare(site, load)
    assert set(marks) == {"first", "second"}
    # What the first filter had begun when it was told to stop, it brought to its end.
    assert set(begun) <= {line.key for line in site.lines()}


def test_drain_lets_a_message_end_under_load(site: Site) -> None:
    message = Message()
    with site.filter() as process, Load(site.mta.port, site.host) as load, site.mta.client() as client:
        load.wait_for(SOME, is_ours)
        client.ehlo()
        client.mail("<from@example.org>")
        client.rcpt(f"<{DRAINED}@example.net>")
        eventually(lambda: DRAINED in site.begun(), bool)
        begun = site.begun()
        process.send_signal(signal.SIGTERM)
        load.wait_for(SOME, is_put_off)
        assert process.returncode is None, "it did not wait for the message under way"
        assert refuses(site)
        code, text = client.data(bytes(message))
        assert code == 250, text
        assert process.wait() == 0, process.stderr
        with site.filter():
            load.wait_for(SOME, is_ours)
            load.stop()
    site.mta.settle()
    [delivery] = site.sink.deliveries(message.token)
    assert delivery.header("X-Mark") == [f"first {DRAINED} {len(message.body)}"]
    site.book.write_text("".join(row for row in site.book.read_text().splitlines(True) if DRAINED not in row))
    compare(site, load)
    assert set(begun) - {DRAINED} <= {line.key for line in site.lines()}


def refuses(site: Site) -> bool:
    try:
        Client(site.address).close()
    except (FilterUnreachable, FilterGone):
        return True
    return False


def test_killed_workers_lose_no_message(site: Site) -> None:
    """What they had begun is put off; nothing goes by them unmarked."""
    with site.filter() as process, Load(site.mta.port, site.host) as load:
        for number in range(1, 4):
            load.wait_for(SOME, is_ours)
            children = Path(f"/proc/{process.pid}/task/{process.pid}/children").read_text().split()
            os.kill(int(children[0]), signal.SIGKILL)
            eventually(lambda: process.stderr.count("status -9"), number.__le__)
        load.wait_for(SOME, is_ours)
    marks = compare(site, load, lost_answers=True)
    assert marks.total() > SOME
