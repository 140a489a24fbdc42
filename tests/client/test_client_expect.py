"""What a test expects of a result: equal where it is so, and otherwise a line for each thing that is not."""

from __future__ import annotations

import re
import sys
from inspect import signature

import pytest

from pymilter.testing import (
    Command,
    Envelope,
    Expected,
    Refusal,
    Result,
    SmtpReply,
    Verdict,
    accepted,
    discarded,
    rejected,
    tempfailed,
)
from pytest_pymilter import pytest_assertrepr_compare

MESSAGE = b"X-A: one two\r\nX-A: three\r\n\r\nthe body\r\n"
REFUSED = (Refusal("<c@example.net>", SmtpReply(550, "5.1.1", ("nobody", "here"))),)


def result(verdict: Verdict = Verdict.ACCEPT, at: Command = Command.EOM, **fields: object) -> Result:
    values: dict[str, object] = {
        "transcript": (),
        "verdict": verdict,
        "decided_at": at,
        "reply": SmtpReply(250, "2.0.0", ("Ok",)),
        "accepted": ("<b@example.net>",),
        "refused": REFUSED,
        "edits": (),
        "envelope": Envelope("<a@example.org>", ("<b@example.net>",), quarantine="looked odd"),
        "original": MESSAGE,
        "message": MESSAGE,
        "queue_id": "1",
    }
    return Result(**(values | fields))  # type: ignore[arg-type]


@pytest.mark.parametrize(
    "expected",
    [
        accepted(),
        accepted(headers={"x-a": "three", "X-B": None}),
        accepted(headers={"X-A": re.compile("wo$")}),
        accepted(headers={"X-A": ["one two", re.compile("hre")]}),
        accepted(sender="a@example.org", recipients=["b@example.net"], refused=["<c@example.net>"]),
        accepted(body=re.compile(b"body"), quarantine=re.compile("odd"), changed=False),
        accepted(body=b"the body\r\n", quarantine="looked odd"),
    ],
)
def test_what_is_as_expected(expected: Expected) -> None:
    assert result() == expected
    assert expected.differences(result()) == []


@pytest.mark.parametrize(
    ("expected", "difference"),
    [
        (rejected(), "verdict: ACCEPT at EOM, not REJECT (the client got 250 2.0.0 Ok)"),
        (discarded(), "verdict: ACCEPT at EOM, not DISCARD (the client got 250 2.0.0 Ok)"),
        (accepted(headers={"X-A": "two"}), "header X-A: 'one two', 'three', not 'two'"),
        (accepted(headers={"X-A": re.compile("^two")}), "header X-A: 'one two', 'three', not /^two/"),
        (accepted(headers={"X-A": None}), "header X-A: ['one two', 'three'], but there should be none"),
        (accepted(headers={"X-B": "x"}), "header X-B: there is none, not 'x'"),
        (accepted(headers={"X-A": ["one two"]}), "header X-A: ['one two', 'three'], not ['one two']"),
        (accepted(headers={"X-A": ("three", "one two")}), "header X-A: ['one two', 'three'], not ['three', 'one two']"),
        (accepted(sender="b@example.org"), "sender: '<a@example.org>', not '<b@example.org>'"),
        (accepted(recipients=[]), "recipients: ('<b@example.net>',), not ()"),
        (accepted(refused=[]), "refused: ('<c@example.net>',), not ()"),
        (accepted(body=b"body"), "body: b'the body\\r\\n', not b'body'"),
        (accepted(quarantine=None), "quarantine: 'looked odd', not None"),
        (accepted(changed=True), "changed: False, not True"),
    ],
)
def test_what_is_not_as_expected_is_named(expected: Expected, difference: str) -> None:
    assert result() != expected
    assert expected.differences(result()) == [difference]


def test_a_reply_is_that_of_the_filter() -> None:
    every = result(Verdict.REJECT, Command.RCPT, reply=SmtpReply(554, "5.5.1", ("no valid recipients",)))
    assert every == rejected(550, "5.1.1", re.compile("here"))
    assert rejected(554).differences(every) == ["code: 550, not 554"]
    late = result(Verdict.TEMPFAIL, reply=SmtpReply(451, "4.7.1", ("later",)))
    assert late == tempfailed(451, "4.7.1", "later")
    assert tempfailed(enhanced="4.0.0", text="soon").differences(late) == [
        "enhanced: '4.7.1', not '4.0.0'",
        "text: 'later', not 'soon'",
    ]
    nobody = result(Verdict.REJECT, Command.RCPT, refused=(), reply=SmtpReply(554, "", ("none",)))
    assert nobody == rejected(554, "", "none")


def test_how_it_is_shown() -> None:
    assert repr(accepted(sender="a@b", changed=True)) == "accepted(sender='a@b', changed=True)"
    assert repr(rejected()) == "rejected()"
    assert accepted() != "accepted()"
    assert str(signature(rejected).parameters["code"]).endswith("= ...")


def test_a_failed_comparison_is_described(monkeypatch: pytest.MonkeyPatch) -> None:
    expected, found = rejected(550), result()
    told = ["the message was not rejected(code=550)", *expected.differences(found)]
    assert len(told) == 2
    assert pytest_assertrepr_compare("==", found, expected) == told
    assert pytest_assertrepr_compare("==", expected, found) == told
    for op, left, right in (
        ("!=", found, expected),
        ("==", found, found),
        ("==", expected, expected),
        ("==", 1, expected),
    ):
        assert pytest_assertrepr_compare(op, left, right) is None
    monkeypatch.delitem(sys.modules, "pymilter.testing")  # no test has used it
    assert pytest_assertrepr_compare("==", found, expected) is None
