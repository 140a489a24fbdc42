"""What each answer ends, as the page on callbacks says it: each cell of its table is played to real libmilter."""

from __future__ import annotations

import re
from collections.abc import Iterator
from pathlib import Path
from typing import NamedTuple

import pytest

import pymilter
from pymilter import Base, Outcome, Status
from pymilter.testing import Client, Verdict, session
from sphinx_pymilter.pictures.events import EVENTS, Event

PAGE = Path(__file__).parents[2] / "docs" / "explanation" / "callbacks.md"
MESSAGE = b"From: a@example.org\r\nSubject: hello\r\n\r\ntext\r\n"
RECIPIENTS = ["one@example.net", "two@example.net"]
STEPS = [*(event.name for event in EVENTS[1:]), "unknown", "abort"]
ANSWERS = {
    "REJECT, TEMPFAIL": (Status.REJECT, Status.TEMPFAIL),
    "ACCEPT": (Status.ACCEPT,),
    "DISCARD": (Status.DISCARD,),
}


class Fate(NamedTuple):
    """What becomes of the message in which a handler answers so, and of the next one of the same connection.

    Seen by the handlers to its end, refused, gone, or passed unseen from there on; or without the first recipient.
    """

    first: str
    second: str


MEANS = {
    "refuse each message of this connection": Fate("refused", "refused"),
    "let all its messages pass unseen": Fate("unseen", "unseen"),
    "not possible there": Fate("seen", "seen"),
    "refuse the message; the client may try the next": Fate("refused", "seen"),
    "lets the message pass unseen": Fate("unseen", "seen"),
    "takes the message, and it vanishes": Fate("gone", "seen"),
    "refuse **this recipient alone**": Fate("without the recipient", "seen"),
    "lets the whole message pass unseen": Fate("unseen", "seen"),
    "takes the whole message, and it vanishes": Fate("gone", "seen"),
    "refuse the message": Fate("refused", "seen"),
    "lets the rest pass unseen": Fate("unseen", "seen"),
    "refuse the message; edits are not made": Fate("refused", "seen"),
    "the same as CONTINUE": Fate("seen", "seen"),
    "the command is refused whatever you answer; a reply chooses its words": Fate("seen", "seen"),
    "the answer is ignored": Fate("seen", "seen"),
}


class Answering(Base):
    """Answers with `status` when it first comes to `step`, and with CONTINUE everywhere else."""

    def __init__(self, step: str, status: Status) -> None:
        self.step = step
        self.status = status
        self.called: list[str] = []

    def answer(self, step: str) -> Outcome:
        is_first = step not in self.called
        self.called.append(step)
        return self.status if step == self.step and is_first else Status.CONTINUE

    def connect(self, hostname: str, family: int, hostaddr: pymilter.Hostaddr) -> Outcome:
        return self.answer("connect")

    def hello(self, name: str) -> Outcome:
        return self.answer("hello")

    def envfrom(self, sender: str, *params: str) -> Outcome:
        return self.answer("envfrom")

    def envrcpt(self, recipient: str, *params: str) -> Outcome:
        return self.answer("envrcpt")

    def data(self) -> Outcome:
        return self.answer("data")

    def header(self, name: str, value: str) -> Outcome:
        return self.answer("header")

    def eoh(self) -> Outcome:
        return self.answer("eoh")

    def body(self, chunk: bytes) -> Outcome:
        return self.answer("body")

    def eom(self) -> Outcome:
        self.addheader("X-Seen", "to the end")
        return self.answer("eom")

    def unknown(self, command: str) -> Outcome:
        return self.answer("unknown")

    def abort(self) -> Outcome:
        return self.answer("abort")

    def close(self) -> Outcome:
        return self.answer("close")


def fate_of(client: Client, gate: Answering) -> str:
    """Play a message, and say what becomes of it."""
    begun = len(gate.called)
    result = client.play(MESSAGE, "a@example.org", RECIPIENTS)
    called = [name for name in gate.called[begun:] if name not in ("abort", "close")]
    if ("X-Seen", "to the end") in result.headers:
        assert called[-1] == "eom"
        return "seen" if len(result.recipients) == 2 else "without the recipient"
    # Nothing is called after the answer, and nothing is changed.
    assert gate.step in gate.called
    assert called == [] or called.index(gate.step) == len(called) - 1
    assert not result.changed
    if result.verdict.refuses:
        return "refused"
    return "gone" if result.verdict is Verdict.DISCARD else "unseen"


def played(step: str, status: Status) -> Fate:
    """Play two messages on one connection."""
    with session(lambda: Answering(step, status)) as server:
        with server.client() as client:
            if step in ("unknown", "abort"):
                client.connect()
                client.helo()
            if step == "unknown":
                client.unknown("FOO")
            if step == "abort":
                client.mail("<x@example.org>")
                client.abort()
            fate = Fate(fate_of(client, server.filter), fate_of(client, server.filter))
            if not client.closed:
                client.quit()
        gate = server.filter
    assert step in gate.called
    return fate


def cells() -> Iterator[tuple[str, Status, str]]:
    """The step, the answer and the words of each cell."""
    text = PAGE.read_text("utf-8").partition("\n## What a verdict ends\n")[2].partition("\n- ")[0]
    head, _, *rows = ([cell.strip() for cell in line.split("|")[1:-1]] for line in text.splitlines() if line[:1] == "|")
    for row in rows:
        words = dict(zip(head[1:], row[1:], strict=True))
        for step in re.findall(r"`(\w+)`", row[0]):
            for answers, meant in words.items():
                for status in ANSWERS[answers]:
                    yield step, status, meant or row[1]  # one cell for the whole row


CELLS = list(cells())


@pytest.mark.parametrize(("step", "status", "words"), CELLS, ids=[f"{step}-{status.name}" for step, status, _ in CELLS])
def test_a_cell_says_what_libmilter_does(step: str, status: Status, words: str) -> None:
    assert played(step, status) == MEANS[words]


def test_the_table_has_each_step() -> None:
    assert {step for step, _, _ in CELLS} == set(STEPS)
    assert len(CELLS) == len(STEPS) * 4


@pytest.mark.parametrize("event", EVENTS[1:], ids=lambda event: event.name)
def test_the_picture_says_what_the_table_says(event: Event) -> None:
    fates = {status: MEANS[words] for step, status, words in CELLS if step == event.name}
    if fates[Status.REJECT].second != "seen":
        ends = "connection"
    elif fates[Status.REJECT].first == "without the recipient":
        ends = "recipient"
    elif fates[Status.REJECT].first == "seen":
        ends = ""
    else:
        ends = "message"
    assert event.ends == ends
