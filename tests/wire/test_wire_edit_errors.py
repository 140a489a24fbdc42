"""Edits that must not be: each raises, and nothing of it reaches the MTA."""

from __future__ import annotations

import pytest

from pymilter.testing import Action, AddRecipient, Verdict
from support.puppet import Puppet

EDITS = {
    "addheader('A', 'b')": "ADDHDRS",
    "addheader('A', 'b', 0)": "ADDHDRS",
    "chgheader('A', 1, 'b')": "CHGHDRS",
    "chgheader('A', 1, None)": "CHGHDRS",
    "addrcpt('<n@example.org>')": "ADDRCPT",
    "addrcpt('<n@example.org>', 'NOTIFY=NEVER')": "ADDRCPT_PAR",
    "delrcpt('<n@example.org>')": "DELRCPT",
    "chgfrom('<n@example.org>')": "CHGFROM",
    "chgfrom('<n@example.org>', 'RET=HDRS')": "CHGFROM",
    "replacebody(b'x')": "CHGBODY",
    "quarantine('why')": "QUARANTINE",
}


def attempt(call: str) -> str:
    """Code that makes the call and notes what it raised."""
    name, _, arguments = call.partition("(")
    return f"note_error(self.{name}, {arguments}"


@pytest.mark.parametrize("call", EDITS)
def test_an_action_that_was_not_granted(puppet: Puppet, call: str) -> None:
    action = EDITS[call]
    [(error, text)] = puppet.errors(attempt(call), actions=Action.ALL & ~Action[action])
    assert error == "DisabledAction"
    assert f"needs the action {action}," in text
    assert text.startswith("insheader" if call.endswith(" 0)") else call.partition("(")[0])


def test_each_kind_of_recipient_has_its_own_action(puppet: Puppet) -> None:
    with_parameters = "self.addrcpt('<n@example.org>', 'A=1')"
    assert puppet.play(with_parameters, actions=Action.ADDRCPT_PAR).edits == [AddRecipient("<n@example.org>", "A=1")]
    assert puppet.play("self.addrcpt('<n@example.org>')", actions=Action.ADDRCPT).edits == [
        AddRecipient("<n@example.org>")
    ]


def test_disabled_action_can_be_caught_by_its_three_names(puppet: Puppet) -> None:
    code = """
        for kind in (DisabledAction, MilterError, RuntimeError):
            try:
                self.quarantine("why")
            except kind as error:
                note(kind.__name__)
    """
    assert puppet.errors(code, actions=Action.SETSYMLIST) == [("DisabledAction",), ("MilterError",), ("RuntimeError",)]


@pytest.mark.parametrize("call", [*EDITS, "progress()"])
@pytest.mark.parametrize(
    "step", ["connect", "hello", "envfrom", "envrcpt", "unknown", "data", "header", "eoh", "body", "close"]
)
def test_an_edit_outside_eom(puppet: Puppet, call: str, step: str) -> None:
    [(error, text)] = puppet.errors(attempt(call), step)
    assert error == "MilterError"
    assert text.endswith(f"is possible only at eom, not at {step}")


@pytest.mark.parametrize(
    ("call", "reason"),
    [
        ("addheader('', 'b')", "header name is empty"),
        ("addheader('A:', 'b')", "':' at position 1"),
        ("addheader('A B', 'b')", r"\x20 at position 1"),
        ("addheader('A\\n', 'b')", r"\x0a at position 1"),
        ("addheader('\u00e9', 'b')", r"\xc3 at position 0"),
        ("addheader('A', 'b\\nBcc: x')", "LF at position 1 that no space or tab follows"),
        ("addheader('A', 'b\\r\\nBcc: x')", "CRLF at position 1 that no space or tab follows"),
        ("addheader('A', b'b\\r\\nBcc: x\\r\\n')", "CRLF at position 1 that no space or tab follows"),
        ("addheader('A', 'b\\n\\n c')", "LF at position 1 that no space or tab follows"),
        ("addheader('A', 'b\\r\\n\\r\\n c')", "CRLF at position 1 that no space or tab follows"),
        ("addheader('A', 'b\\rc')", r"\x0d at position 1: NUL and a CR without LF"),
        ("addheader('A', 'b\\r\\r\\n c')", r"\x0d at position 1: NUL and a CR without LF"),
        ("addheader('A', 'b\\n ')", "LF at position 1 and nothing but blanks in the line after it"),
        ("addheader('A', 'b\\r\\n \\t\\r\\n')", "CRLF at position 1 and nothing but blanks"),
        ("addheader('A', 'b\\n \\n c')", "LF at position 1 and nothing but blanks"),
        ("addheader('A', 'b\\n\\t\\r\\n c', 0)", "LF at position 1 and nothing but blanks"),
        ("chgheader('A', 1, 'b\\r\\n c\\n\\t')", "LF at position 5 and nothing but blanks"),
        ("addheader('A', 'b\\0c')", r"\x00 at position 1"),
        ("addheader('A', 'b', -2)", "allowed are 0 and up, or -1"),
        ("addheader('A', 'b\\nBcc: x', 0)", "LF at position 1"),
        ("chgheader('A', 1, 'b\\nBcc: x')", "LF at position 1"),
        ("chgheader('A\\0', 1, 'b')", r"\x00 at position 1"),
        ("chgheader('A', -1, 'b')", "the first header of a name is 1"),
        ("addrcpt('')", "recipient is empty"),
        ("addrcpt('<a@example.org>\\n')", r"\x0a at position 15"),
        ("addrcpt('a\\0b')", r"\x00 at position 1"),
        ("addrcpt('<a@example.org')", "only one of its angle brackets"),
        ("addrcpt('a@example.org>')", "only one of its angle brackets"),
        ("addrcpt('<a@example.org>,<b@example.org>')", "'>' at position 14: allowed is one address"),
        ("addrcpt('<a>b<c>')", "'>' at position 2: allowed is one address"),
        ("addrcpt('a@example.org,b@example.org')", "',' at position 13: allowed is one address"),
        ("addrcpt('<a@example.org,b@example.org>')", "',' at position 14: allowed is one address"),
        ("addrcpt('a@example.org;b@example.org')", "';' at position 13: allowed is one address"),
        ("addrcpt('<@one,two:a@example.org>')", "',' at position 5: allowed is one address"),
        ("addrcpt('@one,@two:a@example.org')", "',' at position 4: allowed is one address"),
        ("addrcpt('a@example.org b@example.org')", r"\x20 at position 13: write <user@example.com>"),
        ("""addrcpt('<a@example.org(">,<b)">')""", "'(' at position 14: allowed is one address"),
        (r"""addrcpt('<a\\">,<x\\"@example.org>')""", r"'\' at position 2: such a backslash is allowed only in a"),
        ("""addrcpt('<"a@example.org>')""", "has a quoted string that is not closed"),
        (r"""addrcpt('<"a\\"@example.org>')""", "has a quoted string that is not closed"),
        ("addrcpt('<a\\tb@example.org>')", r"\x09 at position 2: control characters are not allowed"),
        ("addrcpt('<a\\x7fb@example.org>')", r"\x7f at position 2: control characters are not allowed"),
        ("delrcpt('<a@example.org>,<b@example.org>')", "recipient contains '>' at position 14"),
        ("delrcpt('<\\x1ba@example.org>')", r"recipient contains \x1b at position 1"),
        ("chgfrom('<a@example.org>,<b@example.org>')", "sender contains '>' at position 14"),
        ("chgfrom('<a\\x01@example.org>')", r"sender contains \x01 at position 2"),
        ("addrcpt('<a@example.org>', ['A=1', 'B\\n'])", r"\x0a at position"),
        ("addrcpt('<a@example.org>', 'A\\0')", r"\x00 at position 1"),
        ("delrcpt('')", "recipient is empty"),
        ("delrcpt('<a\\r@example.org>')", r"\x0d at position 2"),
        ("chgfrom('')", "sender is empty"),
        ("chgfrom('<a@example.org>', 'RET=\\n')", r"\x0a at position 4"),
        ("quarantine('')", "quarantine reason is empty"),
        ("quarantine('\\n')", "quarantine reason is empty"),
        ("quarantine('a\\nb')", r"\x0a at position 1"),
    ],
)
def test_a_value_that_must_not_reach_the_mta(puppet: Puppet, call: str, reason: str) -> None:
    [(error, text)] = puppet.errors(attempt(call))
    assert error == "BadValue"
    assert reason in text


@pytest.mark.parametrize(
    ("call", "reason"),
    [
        ("addheader(1, 'b')", "header name must be str or bytes, not int"),
        ("addheader('A', None)", "header value must be str or bytes, not NoneType"),
        ("addheader('A', 'b', '0')", "incompatible function arguments"),
        ("addrcpt(None)", "recipient must be str or bytes, not NoneType"),
        ("addrcpt('<a@example.org>', 5)", "'int' object is not iterable"),
        ("addrcpt('<a@example.org>', [5])", "ESMTP parameter must be str or bytes, not int"),
        ("delrcpt(['<a@example.org>'])", "recipient must be str or bytes, not list"),
        ("replacebody(None)", "bytes-like object is required, not 'NoneType'"),
        ("quarantine(5)", "quarantine reason must be str or bytes, not int"),
    ],
)
def test_an_argument_of_the_wrong_type(puppet: Puppet, call: str, reason: str) -> None:
    [(error, text)] = puppet.errors(attempt(call))
    assert error == "TypeError"
    assert reason in text


def test_lone_surrogates_that_stand_for_no_byte_are_refused(puppet: Puppet) -> None:
    [(error, _)] = puppet.errors(attempt("addheader('A', '\\ud800')"))
    assert error == "UnicodeEncodeError"


def test_a_generator_that_fails_fails_the_call(puppet: Puppet) -> None:
    [(error, _)] = puppet.errors(attempt("addrcpt('<a@example.org>', (1 // n for n in (1, 0)))"))
    assert error in ("ZeroDivisionError", "TypeError")


def test_an_uncaught_disabled_action_is_answered_by_the_policy(puppet: Puppet) -> None:
    answer = puppet.play("self.quarantine('why')", actions=Action.SETSYMLIST).answers["eom"]
    assert answer.verdict is Verdict.TEMPFAIL
    assert answer.edits == ()
