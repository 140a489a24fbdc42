"""What a handler may return: a Status, a plain int, a reply or None; what only looks like a status is refused."""

from __future__ import annotations

import pytest

import Milter
from Milter.testctx import TestCtx
from pymilter.testing import Client, SmtpReply, Verdict
from support.puppet import Puppet
from support.wire import Start, message

FAILED = (Verdict.TEMPFAIL, SmtpReply(451, "4.3.0", ("Mail filter failed, please try again later",)))
ALLOWED = "allowed are a Status, a Reply (Reject, TempFail) and None"

# Each is an int, and as an int a status that libmilter knows.
LOOK_ALIKES = {
    "True": "True",
    "False": "False",
    "socket.AF_INET": "<AddressFamily.AF_INET: 2>",
    "socket.SOCK_STREAM": "<SocketKind.SOCK_STREAM: 1>",
    "Action.CHGBODY": "<Action.CHGBODY: 2>",
    "Action.ADDRCPT": "<Action.ADDRCPT: 4>",
    "Stage.ENVRCPT": "<Stage.ENVRCPT: 3>",
    "Stage.CONNECT": "<Stage.CONNECT: 0>",
    "Protocol.NOCONNECT": "<Protocol.NOCONNECT: 1>",
    "signal.SIGHUP": "<Signals.SIGHUP: 1>",
    "type('Number', (int,), {})(1)": "1",
    "enum.IntEnum('Mine', {'REJECT': 1}).REJECT": "<Mine.REJECT: 1>",
}
IMPORTS = "import enum, signal, socket\n"


@pytest.mark.parametrize("step", ["hello", "envrcpt", "header", "body", "eom"])
def test_only_a_status_and_a_plain_int_are_statuses(puppet: Puppet, step: str) -> None:
    for result, shown in LOOK_ALIKES.items():
        answer = puppet.play(f"{IMPORTS}return {result}", step).answers[step]
        assert (answer.verdict, answer.reply) == FAILED, result
        assert f"TypeError: {step}() returned {shown}: {ALLOWED}" in puppet.process.stderr, result


def test_statuses_and_their_numbers_are_taken(puppet: Puppet) -> None:
    for result, verdict in {
        "REJECT": Verdict.REJECT,
        "1": Verdict.REJECT,
        "ACCEPT": Verdict.ACCEPT,
        "3": Verdict.ACCEPT,
        "0": Verdict.CONTINUE,
        "Status(4)": Verdict.TEMPFAIL,
        "None": Verdict.CONTINUE,
    }.items():
        assert puppet.play(f"return {result}").answers["eom"].verdict is verdict, result


def test_quarantine_says_what_to_do_instead(puppet: Puppet) -> None:
    assert puppet.play("return QUARANTINE").answers["eom"].code == 451
    told = "call self.quarantine(reason) in eom, then return ACCEPT or CONTINUE"
    line = f"eom() returned <Action.QUARANTINE: 32>: quarantine is an edit and not a status: {told}"
    assert line in puppet.process.stderr


def test_negotiate_is_held_to_it_too(start: Start) -> None:
    process = start("""
        class Filter(Base):
            def negotiate(self, opts): return True
    """)
    with Client(process.address) as client:
        assert client.connect().code == 451
    assert f"TypeError: negotiate() returned True: {ALLOWED}" in process.stderr


@pytest.mark.parametrize(("piece", "verdict"), [("", Verdict.CONTINUE), ("(piece=3)", Verdict.CONTINUE)])
def test_skip_from_a_gathered_body_is_no_answer_to_the_message(start: Start, piece: str, verdict: Verdict) -> None:
    process = start(f"""
        class Filter(Base):
            @gather{piece}
            def body(self, chunk):
                note(chunk)
                return SKIP
    """)
    with Client(process.address) as client:
        client.connect()
        answers = message(client)
    assert answers["eom"].verdict is verdict
    assert process.seen() == [(b"text\r\n",)]


def test_skip_from_the_last_piece_is_no_answer_to_the_message(start: Start) -> None:
    process = start("""
        class Filter(Base):
            @gather(piece=1000)
            def body(self, chunk):
                note(len(chunk))
                return SKIP
    """)
    with Client(process.address) as client:
        client.connect()
        assert message(client)["eom"].verdict is Verdict.CONTINUE
    assert process.seen() == [(6,)]


def test_a_piece_of_just_that_size_does_not_wait(start: Start) -> None:
    process = start("""
        class Filter(Base):
            @gather(piece=100_000)
            def body(self, chunk): note(len(chunk))
            def eom(self): note("eom")
    """)
    with Client(process.address) as client:
        client.connect()
        client.mail("<>")
        client.rcpt("<b@x>")
        client.body(b"x" * 50_000)
        client.body(b"y" * 50_000)
        assert process.wait_for(lambda seen: seen) == [(100_000,)]
        client.body(b"z" * 50_000)
        client.eom()
    assert process.seen() == [(100_000,), (50_000,), ("eom",)]


@pytest.mark.parametrize("kind", ["unix", "inet"])
def test_a_reply_that_was_not_answered_is_not_found_by_a_later_refusal(start: Start, kind: str) -> None:
    process = start(
        """
        class Filter(Base):
            @noreply
            def envfrom(self, *args): return Reject(550, "5.7.1", "text of the first")
            def envrcpt(self, *args): return REJECT
        """,
        kind=kind,
        exception_policy=0,
    )
    with Client(process.address) as client:
        client.connect()
        client.mail("<>")
        answer = client.rcpt("<b@x>")
    assert answer.verdict is Verdict.REJECT
    assert "text of the first" not in str(answer.reply)
    assert "envfrom() returned Reject(code=550" in process.stderr
    assert "it is declared to give no verdict" in process.stderr


def test_a_bytes_hook_set_between_two_messages_is_called(start: Start) -> None:
    process = start("""
        class Filter(Base):
            def header(self, name, value): note("header", value)
            def eom(self): self.header_bytes = lambda name, value: note("hook", value)
    """)
    with Client(process.address) as client:
        client.connect()
        message(client)
        message(client)
    assert process.seen() == [("header", "hello"), ("hook", b"hello")]


FIXED = """
    class Filter(Base):
        def envfrom(self, mailfrom): note("envfrom", mailfrom)
        def envrcpt(self, to, notify="-"): note("envrcpt", to, notify)
        def eom(self): return ACCEPT
"""


@pytest.mark.parametrize("static", [False, True])
def test_handlers_with_fixed_arguments_get_no_more(start: Start, static: bool) -> None:
    source = FIXED.replace("def env", "@staticmethod\n        def env").replace("(self, ", "(") if static else FIXED
    process = start(source)
    with Client(process.address) as client:
        client.connect()
        for _ in range(2):
            assert client.mail("<a@x>", "SIZE=10", "BODY=8BITMIME").verdict is Verdict.CONTINUE
            assert client.rcpt("<b@x>", "NOTIFY=NEVER", "ORCPT=rfc822;b").verdict is Verdict.CONTINUE
            assert client.rcpt("<c@x>").verdict is Verdict.CONTINUE
            assert client.eom().verdict is Verdict.ACCEPT
    one = [("envfrom", "<a@x>"), ("envrcpt", "<b@x>", "NOTIFY=NEVER"), ("envrcpt", "<c@x>", "-")]
    assert process.seen() == one * 2
    assert "failed" not in process.stderr


def test_handlers_with_fixed_arguments_over_testctx() -> None:
    heard: list[tuple[str, ...]] = []

    class Gate(Milter.Base):
        def envfrom(self, mailfrom: str) -> int | None:  # type: ignore[override]
            heard.append((mailfrom,))
            return Milter.CONTINUE

        def envrcpt(self, to: str, notify: str = "-") -> int | None:  # type: ignore[override]
            heard.append((to, notify))
            return Milter.CONTINUE

    Milter.factory = Gate
    try:
        ctx = TestCtx()
        ctx._connect()
        ctx._envfrom("<a@x>", "SIZE=10", "BODY=8BITMIME")
        ctx._envrcpt("<b@x>", "NOTIFY=NEVER", "ORCPT=rfc822;b")
    finally:
        Milter.factory = Milter.Milter
    assert heard == [("<a@x>",), ("<b@x>", "NOTIFY=NEVER")]


def test_a_name_with_del_is_no_header_name(start: Start) -> None:
    process = start("""
        class Filter(Base):
            def eom(self):
                for name in ("A\\x7f", "\\x7f", "A\\x00", "A B", "A:", ""):
                    try:
                        self.addheader(name, "v")
                    except ValueError as error:
                        note(str(error))
                return ACCEPT
    """)
    with Client(process.address) as client:
        client.connect()
        answer = message(client)["eom"]
    assert answer.verdict is Verdict.ACCEPT
    assert answer.edits == ()
    assert len(process.seen()) == 6
