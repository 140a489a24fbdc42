"""Reject and TempFail as values: what they hold, when they are equal, and what they refuse when they are made."""

from __future__ import annotations

import dataclasses

import pytest

from pymilter import REJECT, TEMPFAIL, Reject, Reply, TempFail


def test_a_reply_holds_what_it_was_made_of() -> None:
    reply = Reject(550, "5.7.1", "one", "two")
    assert (reply.status, reply.code, reply.xcode, reply.text) == (REJECT, 550, "5.7.1", ("one", "two"))
    assert (TempFail(451).status, TempFail(451).code, TempFail(451).xcode, TempFail(451).text) == (
        TEMPFAIL,
        451,
        None,
        (),
    )


def test_replies_are_values() -> None:
    assert Reject(550, "5.7.1", "x") == Reject(550, "5.7.1", "x")
    assert len({Reject(550, "5.7.1", "x"), Reject(550, "5.7.1", "x"), Reject(550, "5.7.1", "y")}) == 2
    assert Reject(550, None) != Reject(551, None)
    assert Reject(550, "5.7.1") != Reject(550)
    different: tuple[Reply, Reply] = (Reject(550), TempFail(450))
    assert different[0] != different[1]
    assert repr(Reject(550, "5.7.1", "x")) == "Reject(code=550, xcode='5.7.1', text=('x',))"


@pytest.mark.parametrize("name", ["code", "xcode", "text", "_wire", "status", "other"])
def test_replies_are_frozen(name: str) -> None:
    with pytest.raises((dataclasses.FrozenInstanceError, AttributeError, TypeError)):
        setattr(Reject(550), name, 1)


def test_only_the_two_kinds_can_be_made() -> None:
    with pytest.raises(TypeError, match="make one of these"):
        Reply(550)


@pytest.mark.parametrize("code", [500, 550, 599])
def test_reject_takes_5xx(code: int) -> None:
    assert Reject(code).code == code


@pytest.mark.parametrize("code", [400, 421, 499])
def test_tempfail_takes_4xx(code: int) -> None:
    assert TempFail(code).code == code


@pytest.mark.parametrize(
    ("kind", "code", "message"),
    [
        (Reject, 450, "reply code is 450: Reject allows 500 to 599"),
        (Reject, 250, "Reject allows 500 to 599"),
        (Reject, 600, "Reject allows 500 to 599"),
        (Reject, 5500, "Reject allows 500 to 599"),
        (Reject, 55, "Reject allows 500 to 599"),
        (Reject, -550, "Reject allows 500 to 599"),
        (TempFail, 550, "reply code is 550: TempFail allows 400 to 499"),
        (TempFail, 0, "TempFail allows 400 to 499"),
    ],
)
def test_the_code_must_fit_the_kind(kind: type[Reply], code: int, message: str) -> None:
    with pytest.raises(ValueError, match=message):
        kind(code)


@pytest.mark.parametrize("xcode", ["4.7.1", "2.0.0"])
def test_the_enhanced_code_must_fit_the_code(xcode: str) -> None:
    with pytest.raises(ValueError, match="must be of the same class"):
        Reject(550, xcode)


@pytest.mark.parametrize(
    "xcode", ["5", "5.7", "5.712", "5.7.1.1", "5.7.", "5..1", "5.7.1234", "5.1234.1", "5.a.1", "x.7.1", " 5.7.1"]
)
def test_the_enhanced_code_has_a_form(xcode: str) -> None:
    with pytest.raises(ValueError, match="enhanced status code"):
        Reject(550, xcode)


@pytest.mark.parametrize(
    ("lines", "message"),
    [
        (("a\nb",), r"\\x0a at position 1"),
        (("a\r",), r"\\x0d at position 1"),
        (("\0",), r"\\x00 at position 0"),
        (("ok", "bad\n"), r"\\x0a at position 3"),
        (("x" * 981,), "981 bytes in one line: at most 980"),
        (("\u00e9" * 491,), "982 bytes in one line: at most 980"),
        (("%" * 491,), "982 bytes in one line: at most 980"),
        (("x",) * 33, "33 lines: at most 32"),
    ],
)
def test_a_line_that_cannot_be_sent(lines: tuple[str, ...], message: str) -> None:
    with pytest.raises(ValueError, match=message):
        Reject(550, "5.7.1", *lines)


@pytest.mark.parametrize(
    "arguments", [("550",), (550, 571), (550, "5.7.1", 5), (550, "5.7.1", None), (550, "5.7.1", b"x"), (5.5,), (True,)]
)
def test_arguments_of_the_wrong_type(arguments: tuple[object, ...]) -> None:
    with pytest.raises(TypeError):
        Reject(*arguments)  # type: ignore[call-overload]


def test_text_that_is_no_text() -> None:
    with pytest.raises(UnicodeEncodeError):
        Reject(550, "5.7.1", "\ud800")


@pytest.mark.parametrize(
    ("text", "wire"),
    [("50% off", b"50%% off"), ("%%", b"%%%%"), ("f\u00fcr", b"f\xc3\xbcr"), ("\udce9", b"\xe9"), ("", b"")],
)
def test_what_libmilter_gets(text: str, wire: bytes) -> None:
    assert Reject(550, "5.7.1", text)._wire == (int(REJECT), b"550", b"5.7.1", (wire,))
