"""What an MTA's habits are on the wire: one write a command, macros with it; and the package's own borders."""

from __future__ import annotations

import ast
import contextlib
import inspect
import socket
import subprocess
import sys
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

import pymilter.testing
from pymilter.testing import Action, Command, Edit, Protocol, ProtocolError, SmtpReply, Verdict
from pymilter.testing._agreement import Answer, Negotiation
from pymilter.testing._channel import Channel
from pymilter.testing._dialogue import Dialogue
from pymilter.testing._macros import Macros
from pymilter.testing._wire import read_agreement, read_edit, read_reply_code

PACKAGE = Path(pymilter.testing.__file__).parent


def test_macros_and_command_go_in_one_write_and_each_command_in_its_own() -> None:
    """On a SOCK_SEQPACKET socket every write is one read."""
    near, far = socket.socketpair(socket.AF_UNIX, socket.SOCK_SEQPACKET)
    with near, far:
        far.settimeout(5)
        dialogue = Dialogue(Channel(near, 5), Macros(), 25)
        agree = b"\0\0\0\x0dO" + b"\0\0\0\x06" + b"\0\0\1\xff" + int(Protocol.NR_ALL).to_bytes(4, "big")
        far.send(agree)
        dialogue.negotiate(6, Action.ALL, Protocol.ALL)
        assert far.recv(1000) == b"\0\0\0\x0dO" + b"\0\0\0\x06" + b"\0\0\1\xff" + b"\x00\x1f\xff\xff"
        dialogue.step(Command.HELO, b"name\0", {"x": "1", "who": "me"}, False)
        dialogue.step(Command.DATA, b"", None, False)
        assert far.recv(1000) == b"\0\0\0\x0fDHx\x001\0{who}\0me\0" + b"\0\0\0\x06Hname\0"
        assert far.recv(1000) == b"\0\0\0\x01T"


@given(st.binary(max_size=60), st.sampled_from(list(b"+2-bhimeq?c")))
def test_any_edit_is_read_or_refused_clearly(payload: bytes, code: int) -> None:
    with contextlib.suppress(ProtocolError):
        assert isinstance(read_edit(bytes([code]), payload), Edit)
        assert code not in b"?c"


@given(st.binary(max_size=60))
def test_any_reply_code_is_read_or_refused_clearly(payload: bytes) -> None:
    for data in (payload, payload + b"\0", b"550 " + payload + b"\0"):
        try:
            reply = read_reply_code(data)
        except ProtocolError:
            continue
        assert 400 <= reply.code <= 599
        assert reply.lines


@given(st.binary(max_size=60))
def test_any_negotiation_is_read_or_refused_clearly(payload: bytes) -> None:
    for data in (payload, b"\0\0\0\6" + b"\0" * 8 + payload):
        try:
            version, _, _, _ = read_agreement(data)
        except ProtocolError:
            continue
        assert 0 <= version < 2**32


@pytest.mark.parametrize(
    ("wire", "reply"),
    [
        (b"550 5.7.1 no\0", SmtpReply(550, "5.7.1", ("no",))),
        (b"550 no\0", SmtpReply(550, "", ("no",))),
        (b"550\0", SmtpReply(550, "", ("",))),
        (b"550 5.7.1\0", SmtpReply(550, "5.7.1", ("",))),
        (b"451-4.3.0 a\r\n451 4.3.0 b\0", SmtpReply(451, "4.3.0", ("a", "b"))),
        (b"550 100%% sure, 5% not\0", SmtpReply(550, "", ("100% sure, 5 not",))),
        (b"550 5.7.10 x\0", SmtpReply(550, "5.7.10", ("x",))),
        (b"550 5.7.1x\0", SmtpReply(550, "", ("5.7.1x",))),
        (b"550 \xe9\0", SmtpReply(550, "", ("\udce9",))),
    ],
)
def test_reply_codes(wire: bytes, reply: SmtpReply) -> None:
    assert read_reply_code(wire) == reply


@pytest.mark.parametrize(
    ("wire", "verdict"),
    [
        (b"400 x\0", Verdict.TEMPFAIL),
        (b"499 x\0", Verdict.TEMPFAIL),
        (b"500 x\0", Verdict.REJECT),
        (b"599 x\0", Verdict.REJECT),
    ],
)
def test_the_class_of_a_reply_is_its_verdict(wire: bytes, verdict: Verdict) -> None:
    answer = Answer(Command.MAIL, Negotiation(6, Action.NONE, Protocol.NONE))
    response = answer.take(b"y", wire)
    assert response is not None
    assert (response.verdict, response.code) == (verdict, int(wire[:3]))


def test_a_reply_prints_as_it_was_written() -> None:
    for text in ("550 5.7.1 no", "451-4.3.0 a\n451-4.3.0 b\n451 4.3.0 c", "554 plain"):
        assert str(SmtpReply.parse(text)) == text


def test_every_verdict_has_one_meaning() -> None:
    for verdict in Verdict:
        assert verdict.passes + verdict.refuses + (verdict in (Verdict.ACCEPT, Verdict.DISCARD)) == 1


SHARED = ("pymilter._serve.address", "pymilter.message._edits")
"""All that the package takes from the rest of pymilter: how an address is read, and the names of the edits."""


def test_the_package_shares_no_code_with_the_filter_that_it_judges() -> None:
    """A mistake in shared code would be made on both sides, and no test would see it."""
    for source in PACKAGE.glob("*.py"):
        if source.name in ("_session.py", "_fixtures.py", "__main__.py"):
            continue  # they run filters or the command, and judge none
        for node in ast.walk(ast.parse(source.read_text())):
            if isinstance(node, ast.ImportFrom):
                is_standard = (node.module or "").partition(".")[0] in sys.stdlib_module_names
                assert node.level == 1 or is_standard or node.module in SHARED, source
            elif isinstance(node, ast.Import):
                assert {alias.name.partition(".")[0] for alias in node.names} <= sys.stdlib_module_names, source


def test_it_works_alone(tmp_path: Path) -> None:
    (tmp_path / "simulator").symlink_to(PACKAGE)
    code = "import simulator; print(sorted(simulator.__all__) == sorted(set(simulator.__all__)), simulator.Client)"
    done = subprocess.run(
        [sys.executable, "-I", "-c", f"import sys; sys.path.insert(0, {str(tmp_path)!r}); {code}"],
        capture_output=True,
        text=True,
        check=True,
        timeout=60,
    )
    assert done.stdout == "True <class 'simulator._client.Client'>\n"


def test_every_public_name_is_there_and_documented() -> None:
    for name in pymilter.testing.__all__:
        thing = getattr(pymilter.testing, name)
        if not callable(thing) or name in ("Edit", "Mta"):
            continue
        assert thing.__doc__, name
        for attribute in dir(thing):
            member = inspect.getattr_static(thing, attribute)
            if attribute.startswith("_") or not (callable(member) or isinstance(member, property)):
                continue
            assert member.__doc__, f"{name}.{attribute}"
