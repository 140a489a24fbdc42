"""The matrix: what the MTA sees when a handler fails, for each step, each kind of failure and each policy."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import ExitStack

import pytest

from pymilter import Status
from pymilter.testing import Client, SmtpReply, Verdict
from support.puppet import SOURCE, Puppet
from support.wire import Script, Start, free_address, running

STEPS = ("connect", "hello", "envfrom", "envrcpt", "unknown", "data", "header", "eoh", "body", "eom")
POLICIES = ("TEMPFAIL", "REJECT", "ACCEPT", "CONTINUE")
FAILURES = {
    "exception": "raise LookupError('SECRET')",
    "SystemExit": "raise SystemExit('SECRET')",
    "sys.exit": "import sys\nsys.exit(0)",
    "KeyboardInterrupt": "raise KeyboardInterrupt('SECRET')",
    "GeneratorExit": "raise GeneratorExit",
    "BaseException": "raise BaseException('SECRET')",
    "huge": "return 1 << 80",
    "huge negative": "return -(1 << 80)",
    "str": "return 'SECRET'",
    "-1": "return -1",
    "99": "return 99",
    "ALL_OPTS": "return ALL_OPTS",
    "object": "return object()",
    "list": "return [REJECT]",
    "float": "return 1.0",
    "class": "return Reject",
    "wire raises": "return type('X', (), {'_wire': property(lambda self: 1 // 0)})()",
    "wire exits": "import sys\nreturn type('X', (), {'_wire': property(lambda self: sys.exit(1))})()",
    "wire is None": "return type('X', (), {'_wire': None})()",
    "wire is short": "return type('X', (), {'_wire': (1, b'550')})()",
    "wire holds rubbish": "return type('X', (), {'_wire': (None, None, None, None)})()",
    "wire holds a bad code": "return type('X', (), {'_wire': (1, b'999', b'', ())})()",
    "wire holds lines of int": "return type('X', (), {'_wire': (1, b'550', b'', (1, 2))})()",
    "bad repr": "return type('X', (), {'__repr__': lambda self: 1 // 0})()",
    "recursion": "def f(): f()\nf()",
}
FAILED = {
    "TEMPFAIL": (Verdict.TEMPFAIL, SmtpReply(451, "4.3.0", ("Mail filter failed, please try again later",))),
    "REJECT": (Verdict.REJECT, SmtpReply(554, "5.3.0", ("Mail filter failed",))),
    "ACCEPT": (Verdict.ACCEPT, None),
    "CONTINUE": (Verdict.CONTINUE, None),
}


@pytest.fixture(scope="module")
def puppets(tmp_path_factory: pytest.TempPathFactory) -> Iterator[dict[str, Puppet]]:
    """A filter for each policy."""
    with ExitStack() as stack:
        puppets = {}
        for policy in POLICIES:
            folder, address = tmp_path_factory.mktemp(policy), stack.enter_context(free_address("unix"))
            status = int(Status[policy])
            puppets[policy] = Puppet(stack.enter_context(running(SOURCE, folder, address, exception_policy=status)))
        yield puppets


@pytest.mark.parametrize(
    "reply", ["", "'550', '5.7.1', 'set before'", "'450', '4.7.1', 'set before'"], ids=["", "5xx", "4xx"]
)
@pytest.mark.parametrize("policy", POLICIES)
@pytest.mark.parametrize("step", STEPS)
def test_a_failure_is_answered_by_the_policy(puppets: dict[str, Puppet], step: str, policy: str, reply: str) -> None:
    for failure, code in FAILURES.items():
        before = f"self.setreply({reply})\n" if reply else ""
        answers = puppets[policy].play(before + code, step).answers
        answer = answers[step]
        assert (answer.verdict, answer.reply) == FAILED[policy], failure
        others = [name for name, answer in answers.items() if answer.verdict is not Verdict.CONTINUE]
        assert others == ([] if policy == "CONTINUE" else [step]), failure


@pytest.mark.parametrize("policy", POLICIES)
@pytest.mark.parametrize("step", ["abort", "close"])
def test_a_failure_that_nobody_waits_for_harms_nothing(start: Start, step: str, policy: str) -> None:
    process = start(
        f"""
        class Filter(Base):
            def envfrom(self, mailfrom, *params): return CONTINUE
            def eom(self): return ACCEPT
            def {step}(self):
                note("{step}")
                raise SystemExit("SECRET")
        """,
        exception_policy=int(Status[policy]),
    )
    with Client(process.address) as client:
        client.connect()
        client.mail("<>")
        client.abort()
        client.mail("<>")
        client.rcpt("<b@x>")
        assert client.eom().verdict is Verdict.ACCEPT
    assert process.seen() == [(step,)]
    assert f"{step}() failed (connection 1" in process.stderr


LOGGED = """
    class Filter(Base):
        def hello(self, hostname):
            helper(hostname)
        def eom(self):
            helper("at eom")
    def helper(text):
        raise LookupError(f"SECRET {text}")
"""


def test_the_log_has_the_traceback_and_the_queue_id(start: Start) -> None:
    process = start(LOGGED)
    with Client(process.address) as client:
        client.connect()
        reply = client.helo("h").reply
    with Client(process.address, protocol=client.negotiation.protocol) as client:
        client.connect()
        client.mail("<>")
        client.rcpt("<b@x>")
        queue_id = client.queue_id
        eom_reply = client.eom().reply
    assert reply == eom_reply == FAILED["TEMPFAIL"][1]
    log = process.stderr
    place = "connection 1, client.example.com[192.0.2.1]"
    assert f"ERROR:pymilter:hello() failed ({place})\nTraceback (most recent call last):\n" in log
    place = f"connection 2, queue id {queue_id}, client.example.com[192.0.2.1]"
    assert f"ERROR:pymilter:eom() failed ({place})\nTraceback (most recent call last):\n" in log
    assert "line 4, in hello\n    helper(hostname)\n" in log
    assert "LookupError: SECRET at eom\n" in log
    assert "program.py" in log


def test_each_bad_result_is_named_in_the_log(start: Start) -> None:
    process = start("""
        results = iter(["x", 99, 1 << 80, SKIP])
        class Filter(Base):
            def envrcpt(self, to, *params):
                return next(results)
    """)
    with Client(process.address) as client:
        client.connect()
        client.mail("<>")
        assert {client.rcpt("<b@x>").code for _ in range(4)} == {451}
    for line in (
        "TypeError: envrcpt() returned 'x': allowed are a Status, a Reply (Reject, TempFail) and None",
        "ValueError: envrcpt() returned 99: this is no status that libmilter knows for this step",
        f"ValueError: envrcpt() returned {1 << 80}: this is no status",
        "ValueError: envrcpt() returned <Status.SKIP: 8>: this is no status",
    ):
        assert line in process.stderr


def test_logging_that_fails_changes_no_answer(start: Start) -> None:
    process = start("""
        import logging
        class Broken(logging.Handler):
            def emit(self, record):
                raise SystemExit(3)
        class Filter(Base):
            def connect(self, hostname, family, hostaddr):
                logger = logging.getLogger("pymilter")
                logger.handlers, logger.propagate = [Broken(logging.ERROR)], False
                raise LookupError
    """)
    for _ in range(3):
        with Client(process.address) as client:
            assert client.connect().code == 451


def test_a_failed_recipient_is_refused_alone(start: Start) -> None:
    process = start("""
        class Filter(Base):
            def envrcpt(self, to, *params):
                if to == "<bad@x>":
                    raise LookupError
    """)
    with Client(process.address) as client:
        result = client.play(b"A: b\r\n\r\nx\r\n", "<>", ["<one@x>", "<bad@x>", "<two@x>"])
    assert result.recipients == ("<one@x>", "<two@x>")
    assert result.refused[0].reply.code == 451


def test_a_failed_message_leaves_the_next_alone(start: Start) -> None:
    process = start("""
        class Filter(Base):
            count = 0
            def header(self, name, value):
                self.count += 1
                if self.count == 1:
                    raise LookupError
    """)
    with Client(process.address) as client:
        assert client.play(b"A: b\r\n\r\nx\r\n").verdict is Verdict.TEMPFAIL
        assert client.play(b"A: b\r\n\r\nx\r\n").delivered


@pytest.mark.parametrize("step", ["connect", "hello"])
def test_a_failed_connection_stays_failed(start: Start, step: str) -> None:
    process = start(f"""
        class Filter(Base):
            def {step}(self, *args): raise LookupError
            def envfrom(self, mailfrom, *params): note("envfrom")
            def eom(self): note("eom")
    """)
    with Client(process.address) as client:
        client.connect()
        client.helo()
        for _ in range(2):
            assert client.mail("<>").code == 451
            client.abort()
    assert process.seen() == []


def test_a_classic_policy_must_be_a_number(script: Script) -> None:
    """False would be 0, CONTINUE: mail would pass because the filter is broken."""
    done = script("""
        import milter
        def main(address):
            for policy in (False, True, Action.CHGBODY, "x"):
                try:
                    milter.set_exception_policy(policy)
                except TypeError as error:
                    note(str(error).split(":")[0])
            milter.set_exception_policy(4)
            milter.set_exception_policy(milter.ACCEPT)
    """)
    assert len(done.seen) == 4


def test_a_policy_must_be_one_of_four(start: Start) -> None:
    process = start("""
        def main(address):
            for policy in (DISCARD, SKIP, 99):
                try:
                    run(Base, address, exception_policy=policy)
                except (ValueError, TypeError) as error:
                    note(str(error))
            run(Base, address)
    """)
    allowed = "it must be TEMPFAIL, REJECT, ACCEPT or CONTINUE"
    shown = ("<Status.DISCARD: 2>", "<Status.SKIP: 8>", "99")
    assert process.seen() == [(f"exception_policy is {value}: {allowed}",) for value in shown]
