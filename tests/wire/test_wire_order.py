"""No command goes unanswered: every set of handlers, in each order that an MTA and its senders can bring about."""

from __future__ import annotations

import itertools
import random
from collections.abc import Iterator
from pathlib import Path
from typing import Final

import pytest

from pymilter.testing import AddHeader, Client, Protocol, Verdict
from support import engine
from support.wire import Start

STEPS: Final = {
    "C": "connect",
    "H": "hello",
    "M": "envfrom",
    "R": "envrcpt",
    "T": "data",
    "U": "unknown",
    "L": "header",
    "N": "eoh",
    "B": "body",
}

# The file named in PATH says which handlers the class of the next connection has, and whether they give a verdict.
SOURCE = """
    from pathlib import Path

    def handler(letter, answers):
        def answering(self, *args):
            self.seen += letter
            return CONTINUE
        def silent(self, *args) -> None:
            self.seen += letter
        return answering if answers else silent

    class Order(Base):
        seen = ""
        def eom(self):
            self.addheader("X-Seen", self.seen or "nothing")
            self.seen = ""
            return CONTINUE
        def abort(self):
            self.seen = ""

    classes = {}

    def Filter():
        spec = Path(PATH).read_text()
        if spec not in classes:
            letters, answers = spec.split("/")
            classes[spec] = type("Order", (Order,), {STEPS[letter]: handler(letter, answers) for letter in letters})
        return classes[spec]()
"""

Set = tuple[str, str]
"""The handlers of a class, by their commands' letters, and "answers" if they give a verdict."""


def sets() -> Iterator[Set]:
    """Every set of handlers, answering and not."""
    for answers in ("answers", ""):
        for length in range(len(STEPS) + 1):
            for letters in itertools.combinations(STEPS, length):
                yield "".join(letters), answers


class Orders:
    """A filter whose next connection has the handlers of a set."""

    def __init__(self, start: Start, kind: str, folder: Path) -> None:
        self._spec = folder / "spec"
        source = SOURCE.replace("PATH", repr(str(self._spec))).replace("STEPS", repr(STEPS))
        self._address = start(source, kind=kind).address

    def connect(self, handlers: Set) -> Client:
        self._spec.write_text("/".join(handlers))
        return Client(self._address, timeout=20)

    def agreed(self, handlers: Set) -> Protocol:
        with self.connect(handlers) as client:
            return client.negotiation.protocol

    def play(self, handlers: Set, walk: str) -> None:
        """Send each command of `walk`; each must be answered, and each handler must have heard of what is its own."""
        with self.connect(handlers) as client:
            expected = Expected(handlers[0], engine.left_out(client.negotiation.protocol))
            for place, command in enumerate(walk):
                where = f"{handlers}, {walk} at {place}"
                try:
                    answer = engine.send_one(client, command)
                except Exception as error:
                    error.add_note(where)
                    raise
                seen = expected.after(command)
                if answer is not None:
                    assert answer.verdict in (Verdict.CONTINUE, Verdict.NO_REPLY, Verdict.NOT_SENT), where
                    assert answer.edits == (() if seen is None else (AddHeader("X-Seen", seen),)), where


class Expected:
    """What the handlers of a class hear of a walk."""

    def __init__(self, handled: str, absent: frozenset[str]) -> None:
        self._handled = handled
        self._absent = absent
        self._heard = ""
        self._is_under_way = False

    def after(self, command: str) -> str | None:
        """At the end of a message: what eom is to tell."""
        if command in self._absent:
            return None
        # A message ends early with ABORT, or with what cannot come within a message.
        if command == "K" or (command in "CHMA" and self._is_under_way):
            self._end()
        if command in "MRTLNB":
            self._is_under_way = True
        if command in self._handled:
            self._heard += command
        if command != "E":
            return None
        heard = self._heard or "nothing"
        self._end()
        return heard

    def _end(self) -> None:
        self._heard = ""
        self._is_under_way = False


@pytest.fixture(params=["unix", "inet"])
def orders(request: pytest.FixtureRequest, start: Start, tmp_path: Path) -> Orders:
    return Orders(start, str(request.param), tmp_path)


def test_each_walk_in_order_is_answered_whatever_libmilter_may_skip(orders: Orders) -> None:
    # By the model, for a libmilter that has just been started and takes nothing out of order.
    agreed = {orders.agreed(handlers) for handlers in sets()}
    assert len(agreed) > 500
    walks = list(engine.in_order())
    for protocol in agreed:
        assert engine.all_unanswered(walks, protocol, engine.left_out(protocol)) == [], protocol


def test_each_walk_is_answered_once_every_step_was_negotiated_off(orders: Orders) -> None:
    walks = [*engine.in_order(), *engine.out_of_order()]
    assert engine.all_unanswered(walks, Protocol.NONE, frozenset(engine.SKIPPABLE)) == []
    # And without that, many of them are not.
    assert len(engine.all_unanswered(walks, Protocol.NONE, frozenset())) > 100


def test_handlers_of_every_kind_hear_of_every_order(orders: Orders) -> None:
    chosen = random.Random(10)
    for handlers in chosen.sample(list(sets()), 250):
        for walks in (list(engine.in_order()), list(engine.out_of_order())):
            orders.play(handlers, chosen.choice(walks))


@pytest.mark.parametrize("first", ["CH", "CHMRTLNBE", "CHMRA", ""])
def test_a_message_without_mail_reaches_no_handler(start: Start, kind: str, first: str) -> None:
    # No MTA does that. A handler may rely on what envfrom() noted.
    process = start(
        """
        class Filter(Base):
            sender = None
            def envfrom(self, mailfrom, *params): self.sender = mailfrom
            def heard(self, *args):
                note("heard", self.sender is not None)
            def eom(self):
                note("heard", self.sender is not None)
                self.sender = None
            def abort(self): self.sender = None
            envrcpt = data = header = eoh = body = heard
        """,
        kind=kind,
    )
    for rest in ("RTLNBE", "TLNBE", "LNBE", "E"):
        with Client(process.address) as client:
            engine.send_all(client, first)
            for answer in engine.send_all(client, rest):
                assert (answer.verdict, answer.code) == (Verdict.TEMPFAIL, 451), (first, rest)
            assert [answer.verdict for answer in engine.send_all(client, "MRTLNBE")] == [Verdict.CONTINUE] * 7
    heard = [letter for letter in 4 * (first + "MRTLNBE") if letter in "RTLNBE"]
    assert process.seen("heard") == [("heard", True)] * len(heard)
    assert "envrcpt: it came without MAIL" in process.stderr


@pytest.mark.long
@pytest.mark.timeout(3600)
def test_all_handlers_hear_of_all_orders(orders: Orders) -> None:
    # The walks of one class on one connection: what follows the first HELO of each, in turn.
    walks = [*engine.in_order(), *engine.out_of_order()]
    for handlers in sets():
        orders.play(handlers, "CH" + "".join(walk.removeprefix("CH") for walk in walks))
