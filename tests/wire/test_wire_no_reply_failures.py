"""A failure where the MTA does not wait is answered at the next step that it waits for, and never forgotten before."""

from __future__ import annotations

import pytest

from pymilter import Status
from pymilter.testing import Client, Protocol, Response, SmtpReply, Verdict
from support.wire import Start, WireFilter, message, play_steps

LATER = SmtpReply(451, "4.3.0", ("Mail filter failed, please try again later",))
ALL_MUTE = """
    class Filter(Base):
        def _at(self, step):
            note(step)
            if (step, self.count) in FAIL:
                HOW
        count = 1
        def connect(self, hostname, family, hostaddr) -> None: return self._at("connect")
        def hello(self, hostname) -> None: return self._at("hello")
        def envfrom(self, mailfrom, *params) -> None: return self._at("envfrom")
        def envrcpt(self, to, *params) -> None: return self._at("envrcpt")
        def unknown(self, command) -> None: return self._at("unknown")
        def data(self) -> None: return self._at("data")
        def header(self, name, value) -> None: return self._at("header")
        def eoh(self) -> None: return self._at("eoh")
        def body(self, chunk) -> None: return self._at("body")
        def eom(self):
            note("eom")
            self.count += 1
            return ACCEPT
        def abort(self):
            note("abort")
            self.count += 1
"""
MESSAGE_STEPS = ("envfrom", "envrcpt", "data", "header", "eoh", "body")
FAILURES = {
    "exception": "raise LookupError",
    "SystemExit": "raise SystemExit",
    "verdict": "return REJECT",
    "reply": "return Reject(550, '5.7.1', 'no')",
    "rubbish": "return 'x'",
}


def mute_filter(
    start: Start, *fails: tuple[str, int], how: str = "raise LookupError", kind: str = "unix", policy: str = "TEMPFAIL"
) -> WireFilter:
    """A filter whose steps are all unanswered but eom; `fails` are steps, and of which message."""
    source = ALL_MUTE.replace("FAIL", repr(list(fails))).replace("HOW", how)
    return start(source, kind=kind, exception_policy=int(Status[policy]))


def greet(client: Client) -> list[Response]:
    return [client.connect(), client.helo()]


@pytest.mark.parametrize("how", FAILURES)
@pytest.mark.parametrize("step", MESSAGE_STEPS)
def test_a_message_fails_at_its_end_and_the_next_is_free(start: Start, step: str, how: str) -> None:
    process = mute_filter(start, (step, 1), how=FAILURES[how])
    with Client(process.address) as client:
        greet(client)
        first = message(client)
        assert first.pop("eom").reply == LATER
        assert {answer.verdict for answer in first.values()} == {Verdict.NO_REPLY}
    assert process.seen("eom") == []
    assert f"ERROR:pymilter:{step}() failed (connection 1" in process.stderr


@pytest.mark.parametrize("step", MESSAGE_STEPS)
def test_the_next_step_answers_where_one_alone_is_unanswered(start: Start, step: str) -> None:
    """Each step has its own bit: with all of them unanswered, one taken for another would not show."""
    process = start(
        """
        class Filter(Base):
            def envfrom(self, mailfrom, *params): return CONTINUE
            def envrcpt(self, to, *params): return CONTINUE
            def data(self): return CONTINUE
            def header(self, name, value): return CONTINUE
            def eoh(self): return CONTINUE
            def body(self, chunk): return CONTINUE
            def eom(self): return CONTINUE

        def fails(*_) -> None:
            raise LookupError

        Filter.STEP = fails
    """.replace("STEP", step)
    )
    with Client(process.address) as client:
        client.connect()
        answers = message(client)
    following = [*MESSAGE_STEPS, "eom"][MESSAGE_STEPS.index(step) + 1]
    assert answers[step].verdict is Verdict.NO_REPLY
    assert answers[following].reply == LATER
    assert [name for name, answer in answers.items() if answer.verdict is Verdict.NO_REPLY] == [step]


@pytest.mark.parametrize("step", MESSAGE_STEPS)
def test_nothing_more_is_called_for_a_failed_message(start: Start, step: str) -> None:
    process = mute_filter(start, (step, 1))
    with Client(process.address) as client:
        greet(client)
        message(client)
    assert process.seen()[-1] == (step,)


@pytest.mark.parametrize("end", ["eom", "abort"])
@pytest.mark.parametrize("step", MESSAGE_STEPS)
def test_a_failed_message_does_not_spoil_the_next(start: Start, step: str, end: str) -> None:
    source = (
        "count = 0\n"
        + """
class Filter(Base):
    def envfrom(self, mailfrom, *params) -> None:
        global count
        count += 1
        self._at("envfrom")
    def _at(self, step):
        if step == "STEP" and count == 2:
            raise LookupError
    def envrcpt(self, to, *params) -> None: self._at("envrcpt")
    def data(self) -> None: self._at("data")
    def header(self, name, value) -> None: self._at("header")
    def eoh(self) -> None: self._at("eoh")
    def body(self, chunk) -> None: self._at("body")
    def eom(self): return ACCEPT
""".replace("STEP", step)
    )
    process = start(source)
    with Client(process.address) as client:
        client.connect()
        ends: list[Verdict] = []
        for _ in range(4):
            answers = message(client, "body" if end == "abort" and len(ends) == 1 else "eom")
            ends.append(answers.get("eom", answers["body"]).verdict)
    second = Verdict.TEMPFAIL if end == "eom" else Verdict.NO_REPLY
    assert ends == [Verdict.ACCEPT, second, Verdict.ACCEPT, Verdict.ACCEPT]


@pytest.mark.parametrize("step", ["connect", "hello"])
def test_a_failed_connection_stays_failed(start: Start, step: str) -> None:
    process = mute_filter(start, (step, 1))
    with Client(process.address) as client:
        assert {answer.verdict for answer in greet(client)} == {Verdict.NO_REPLY}
        assert [message(client)["eom"].reply for _ in range(3)] == [LATER] * 3
        message(client, "header")
        assert message(client)["eom"].reply == LATER
    with Client(process.address) as client:
        client.connect()
    assert process.seen("eom", "abort") == []


def test_an_unknown_command_that_fails_is_logged_and_over(start: Start) -> None:
    # It is refused whatever is answered, so no mail can come through it.
    process = mute_filter(start, ("unknown", 1))
    with Client(process.address) as client:
        greet(client)
        assert message(client)["eom"].verdict is Verdict.ACCEPT
    assert "unknown() failed" in process.stderr


@pytest.mark.parametrize(
    ("policy", "verdict", "code"),
    [
        ("TEMPFAIL", Verdict.TEMPFAIL, 451),
        ("REJECT", Verdict.REJECT, 554),
        ("ACCEPT", Verdict.ACCEPT, None),
        ("CONTINUE", Verdict.ACCEPT, None),
    ],
)
@pytest.mark.parametrize("step", ["connect", *MESSAGE_STEPS])
def test_each_policy(start: Start, step: str, policy: str, verdict: Verdict, code: int | None) -> None:
    process = mute_filter(start, (step, 1), policy=policy)
    with Client(process.address) as client:
        greet(client)
        answer = message(client)["eom"]
    assert (answer.verdict, answer.code) == (verdict, code)
    assert len(process.seen("eom")) == (policy == "CONTINUE")


NEXT_THAT_ANSWERS = """
    class Filter(Base):
        def envfrom(self, mailfrom, *params) -> None:
            self.setreply("450", "4.7.1", "set before")
            raise LookupError
        def envrcpt(self, to, *params): note("envrcpt")
        def data(self): note("data")
"""


def test_the_next_step_that_answers_tells_of_it(start: Start, kind: str) -> None:
    process = start(NEXT_THAT_ANSWERS, kind=kind)
    with Client(process.address) as client:
        client.connect()
        first = client.mail("<>")
        if kind == "unix":
            assert first.verdict is Verdict.NO_REPLY
            assert client.rcpt("<b@x>").reply == LATER
            assert client.rcpt("<c@x>").reply == LATER
            assert client.data().reply == LATER
        else:
            answered = first if first.verdict is not Verdict.NO_REPLY else client.rcpt("<b@x>")
            assert answered.reply == LATER
        client.abort()
    assert process.seen() == []


@pytest.mark.parametrize("step", ["header", "body", "data"])
def test_the_outcome_is_the_same_over_tcp(start: Start, step: str) -> None:
    process = mute_filter(start, (step, 1), kind="inet")
    with Client(process.address) as client:
        result = client.play(b"A: b\r\n\r\nx\r\n")
    assert result.verdict is Verdict.TEMPFAIL
    assert result.reply == LATER
    assert ("eom",) not in process.seen()


def test_an_mta_that_waits_for_every_step(start: Start) -> None:
    process = mute_filter(start, ("data", 1))
    with Client(process.address, protocol=Protocol.ALL & ~Protocol.NR_ALL) as client:
        greet(client)
        answers = message(client)
    assert answers["data"].verdict is Verdict.CONTINUE
    assert answers["eom"].reply == LATER


def test_both_failures_of_a_message_are_answered_once(start: Start) -> None:
    process = mute_filter(start, ("connect", 1), ("header", 1))
    with Client(process.address) as client:
        steps = {"connect": client.connect}
        play_steps(steps, "connect")
        assert message(client)["eom"].reply == LATER
    assert process.stderr.count("Traceback") == 1


def test_a_verdict_from_a_handler_that_declared_none_is_named_in_the_log(start: Start) -> None:
    process = mute_filter(start, ("body", 1), how="return Reject(550, '5.7.1', 'no')")
    with Client(process.address) as client:
        greet(client)
        message(client)
    assert "it is declared to give no verdict (-> None or @noreply)" in process.stderr
