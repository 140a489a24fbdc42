"""SMTP replies: of Reject and TempFail, and of setreply, as the SMTP client will read them."""

from __future__ import annotations

import pytest

from pymilter.testing import Client, SmtpReply, Verdict
from support.puppet import Puppet
from support.wire import Start

STEPS = ("connect", "hello", "envfrom", "envrcpt", "unknown", "data", "header", "eoh", "body", "eom")
LINES = tuple(f"line {number}" for number in range(32))


@pytest.mark.parametrize("step", STEPS)
@pytest.mark.parametrize(
    ("code", "verdict", "reply"),
    [
        ("return Reject(550, '5.7.1', 'go away')", Verdict.REJECT, SmtpReply(550, "5.7.1", ("go away",))),
        ("return TempFail(451, '4.3.0', 'later')", Verdict.TEMPFAIL, SmtpReply(451, "4.3.0", ("later",))),
        (
            "self.setreply('554', '5.0.0', 'no')\nreturn REJECT",
            Verdict.REJECT,
            SmtpReply(554, "5.0.0", ("no",)),
        ),
        (
            "self.setreply('450', '4.0.0', 'wait')\nreturn TEMPFAIL",
            Verdict.TEMPFAIL,
            SmtpReply(450, "4.0.0", ("wait",)),
        ),
    ],
    ids=["Reject", "TempFail", "setreply 5xx", "setreply 4xx"],
)
def test_a_reply_at_each_step(puppet: Puppet, step: str, code: str, verdict: Verdict, reply: SmtpReply) -> None:
    answer = puppet.play(code, step).answers[step]
    assert answer.verdict is verdict
    assert answer.reply == reply


@pytest.mark.parametrize(
    ("returned", "reply"),
    [
        ("Reject(550)", SmtpReply(550, "", ("",))),
        ("Reject(550, '5.7.1')", SmtpReply(550, "5.7.1", ("",))),
        ("Reject(554, None, 'no status')", SmtpReply(554, "", ("no status",))),
        ("Reject(550, '5.7.1', 'one', 'two', 'three')", SmtpReply(550, "5.7.1", ("one", "two", "three"))),
        ("Reject(550, '5.7.1', *(f'line {n}' for n in range(32)))", SmtpReply(550, "5.7.1", LINES)),
        ("Reject(550, None, 'one', '', 'three')", SmtpReply(550, "5.0.0", ("one", "", "three"))),
        ("Reject(550, '5.7.1', '50% off, 100%% sure %s %')", SmtpReply(550, "5.7.1", ("50% off, 100%% sure %s %",))),
        ("Reject(550, '5.7.1', '%', '%%')", SmtpReply(550, "5.7.1", ("%", "%%"))),
        ("Reject(550, '5.7.1', 'x' * 980)", SmtpReply(550, "5.7.1", ("x" * 980,))),
        ("Reject(550, '5.7.1', '%' * 490)", SmtpReply(550, "5.7.1", ("%" * 490,))),
        ("Reject(550, '5.7.1', 'f\u00fcr \\udce9')", SmtpReply(550, "5.7.1", ("f\u00fcr \udce9",))),
        ("Reject(599, '5.999.999', 'x')", SmtpReply(599, "5.999.999", ("x",))),
        ("TempFail(421, '4.3.2', 'closing')", SmtpReply(421, "4.3.2", ("closing",))),
        ("TempFail(400)", SmtpReply(400, "", ("",))),
    ],
)
def test_what_a_reply_may_hold(puppet: Puppet, returned: str, reply: SmtpReply) -> None:
    answer = puppet.play(f"return {returned}", "envfrom").answers["envfrom"]
    assert answer.reply == reply
    assert answer.verdict is (Verdict.TEMPFAIL if reply.code < 500 else Verdict.REJECT)


@pytest.mark.parametrize(
    ("arguments", "reply"),
    [
        ("'550'", SmtpReply(550, "", ("",))),
        ("'550', '5.7.1'", SmtpReply(550, "5.7.1", ("",))),
        ("'550', None, 'text'", SmtpReply(550, "", ("text",))),
        ("'550', '', 'text'", SmtpReply(550, "", ("text",))),
        ("'550', '5.7.1', 'one', 'two', 'three'", SmtpReply(550, "5.7.1", ("one", "two", "three"))),
        ("'550', '5.7.1', *(f'line {n}' for n in range(32))", SmtpReply(550, "5.7.1", LINES)),
        ("'550', '5.7.1', '50% off'", SmtpReply(550, "5.7.1", ("50% off",))),
        ("'550', '5.7.1', '50%% off'", SmtpReply(550, "5.7.1", ("50% off",))),
        ("'550', '5.7.1', 'one', '50% off', '%s', '100%%'", SmtpReply(550, "5.7.1", ("one", "50% off", "%s", "100%"))),
        ("rcode='550', xcode='5.7.1', msg='named'", SmtpReply(550, "5.7.1", ("named",))),
    ],
)
def test_setreply(puppet: Puppet, arguments: str, reply: SmtpReply) -> None:
    answer = puppet.play(f"self.setreply({arguments})\nreturn REJECT", "envfrom").answers["envfrom"]
    assert answer.reply == reply


@pytest.mark.parametrize(
    ("arguments", "reason"),
    [
        ("'250'", "reply code is '250': allowed are three digits, 4xx or 5xx"),
        ("'55'", "allowed are three digits"),
        ("'5500'", "allowed are three digits"),
        ("'5x0'", "allowed are three digits"),
        ("''", "allowed are three digits"),
        ("'550', '4.7.1'", "must be of the same class"),
        ("'550', '5.7'", "the form is class.subject.detail"),
        ("'550', '5.7.1234'", "the form is class.subject.detail"),
        ("'550', '5.7.1', 'a\\nb'", r"\x0a at position 1"),
        ("'550', '5.7.1', 'a', 'b\\r'", r"\x0d at position 1"),
        ("'550', '5.7.1', 'a\\0b'", r"\x00 at position 1"),
        ("'550', '5.7.1', 'x' * 981", "981 bytes in one line: at most 980"),
        ("'550', '5.7.1', *('x' * 33)", "33 lines: at most 32"),
    ],
)
def test_setreply_refuses_what_libmilter_would_drop(puppet: Puppet, arguments: str, reason: str) -> None:
    played = puppet.play(f"note_error(self.setreply, {arguments})\nreturn REJECT", "envfrom")
    [(error, text)] = played.seen
    assert error == "BadValue"
    assert reason in text
    assert played.answers["envfrom"].verdict is Verdict.REJECT
    assert played.answers["envfrom"].reply is None


def test_setreply_wants_text(puppet: Puppet) -> None:
    [(error, text)] = puppet.errors("note_error(self.setreply, 550)", "envfrom")
    assert (error, text) == ("TypeError", "reply code must be str or bytes, not int")


def test_a_reply_whose_class_does_not_fit_is_not_used(puppet: Puppet) -> None:
    answer = puppet.play("self.setreply('450', '4.7.1', 'x')\nreturn REJECT", "envfrom").answers["envfrom"]
    assert (answer.verdict, answer.reply) == (Verdict.REJECT, None)


def test_a_returned_reply_wins_over_one_that_was_set(puppet: Puppet) -> None:
    code = "self.setreply('450', '4.7.1', 'set')\nreturn Reject(550, '5.7.1', 'returned')"
    assert puppet.play(code, "envfrom").answers["envfrom"].reply == SmtpReply(550, "5.7.1", ("returned",))


def test_one_reply_object_serves_many_times(start: Start) -> None:
    process = start("""
        NO = Reject(550, "5.1.1", "100% unknown")
        class Filter(Base):
            def envrcpt(self, to, *params):
                return NO
    """)
    with Client(process.address) as client:
        client.connect()
        client.mail("<>")
        replies = {client.rcpt(f"<{number}@example.org>").reply for number in range(20)}
    assert replies == {SmtpReply(550, "5.1.1", ("100% unknown",))}


def test_a_reply_refuses_one_recipient_only(start: Start, kind: str) -> None:
    process = start(
        """
        class Filter(Base):
            def envrcpt(self, to, *params):
                if to.startswith("<bad"):
                    return Reject(550, "5.1.1", f"no {to}")
        """,
        kind=kind,
    )
    with Client(process.address) as client:
        result = client.play(b"A: b\r\n\r\nx\r\n", "<a@b.c>", ["<bad1@x.y>", "<good@x.y>", "<bad2@x.y>"])
    assert result.delivered
    assert result.recipients == ("<good@x.y>",)
    assert [refusal.reply.text for refusal in result.refused] == ["no <bad1@x.y>", "no <bad2@x.y>"]
