"""A refusal at DATA and a failure without an answer outlive whatever a sender says next, until the message ends."""

from __future__ import annotations

import itertools
from typing import Final

import pytest

from pymilter import Status
from pymilter.testing import Client, Verdict
from support.engine import send_all
from support.wire import Start

EXTRA: Final = ["".join(words) for length in (0, 1, 2) for words in itertools.product("TRU", repeat=length)]
"""What a sender, or the MTA after another filter's refusal, may say after DATA."""


REFUSALS: Final = {
    "REJECT": (Verdict.REJECT, None),
    "TEMPFAIL": (Verdict.TEMPFAIL, None),
    'Reject(554, "5.7.1", "not so")': (Verdict.REJECT, 554),
    "1 // 0": (Verdict.TEMPFAIL, 451),
}


@pytest.mark.parametrize("refusal", REFUSALS)
@pytest.mark.parametrize("kind", ["unix", "inet"])
@pytest.mark.parametrize("others", ["header", "envfrom envrcpt unknown eoh body"])
def test_data_is_refused_as_often_as_it_is_said(start: Start, kind: str, others: str, refusal: str) -> None:
    process = start(
        f"""
        class Filter(Base):
            def data(self):
                note("data")
                return {refusal}
            def abort(self): note("abort")
            def eom(self): note("eom")
        for name in {others.split()}:
            setattr(Filter, name, lambda self, *args: CONTINUE)
        """,
        kind=kind,
    )
    told = 0
    for extra in EXTRA:
        with Client(process.address) as client:
            client.connect()
            client.helo()
            for command, answer in zip(f"MRT{extra}T", send_all(client, f"MRT{extra}T"), strict=True):
                if command == "T":
                    told += 1
                    assert (answer.verdict, answer.code) == REFUSALS[refusal], extra
                else:
                    assert answer.verdict in (Verdict.CONTINUE, Verdict.NO_REPLY, Verdict.NOT_SENT), (extra, command)
            client.abort()
            send_all(client, "MR")
    seen = [values[0] for values in process.seen()]
    assert seen.count("data") == told
    assert "eom" not in seen


FAILING: Final = ["envfrom", "envrcpt", "data", "header", "eoh", "body"]


@pytest.mark.parametrize("failing", FAILING)
@pytest.mark.parametrize(("kind", "policy"), [("unix", "REJECT"), ("inet", "TEMPFAIL")])
def test_a_failure_without_an_answer_is_not_forgotten(start: Start, kind: str, failing: str, policy: str) -> None:
    # It raises in the first message of each connection alone; the next one must be as if nothing had been.
    process = start(
        f"""
        class Filter(Base):
            has_failed = False
            def eom(self):
                note("eom")
                return ACCEPT
        def fail(self, *args) -> None:
            if not self.has_failed:
                self.has_failed = True
                raise LookupError("once")
        setattr(Filter, "{failing}", fail)
        """,
        kind=kind,
        exception_policy=int(Status[policy]),
    )
    accepted = 0
    # Without headers and body too, unless they are what fails.
    for extra, content in itertools.product(EXTRA, ["LNB", "LNB" if failing in ("header", "body") else "N"]):
        with Client(process.address) as client:
            client.connect()
            client.helo()
            walk = f"MRT{extra}{content}E"
            answers = send_all(client, walk)
            assert {answer.verdict for answer in answers if answer.verdict.refuses} == {Verdict[policy]}, walk
            assert answers[-1].verdict is Verdict[policy], walk
            assert len(process.seen("eom")) == accepted, walk
            assert send_all(client, f"MRT{content}E")[-1].verdict is Verdict.ACCEPT, walk
            accepted += 1
