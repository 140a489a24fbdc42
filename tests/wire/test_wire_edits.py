"""Each edit at the end of a message, as the MTA gets it."""

from __future__ import annotations

import pytest

from pymilter.testing import (
    Action,
    AddHeader,
    AddRecipient,
    ChangeFrom,
    ChangeHeader,
    Client,
    DeleteRecipient,
    Edit,
    InsertHeader,
    Quarantine,
    Verdict,
)
from support.puppet import Puppet
from support.wire import Start


@pytest.mark.parametrize(
    ("call", "edit"),
    [
        ("addheader('X-A', 'b')", AddHeader("X-A", "b")),
        ("addheader('X-A', '')", AddHeader("X-A", "")),
        ("addheader('X-A', b'\\xa6')", AddHeader("X-A", "\udca6")),
        ("addheader('X-A', 'caf\u00e9 \\udce9')", AddHeader("X-A", "caf\u00e9 \udce9")),
        ("addheader('X-A', 'b', -1)", AddHeader("X-A", "b")),
        ("addheader('X-A', 'one\\n two\\n\\tthree')", AddHeader("X-A", "one\n two\n\tthree")),
        ("addheader('X-A', 'one\\r\\n two\\r\\n\\tthree\\n four')", AddHeader("X-A", "one\n two\n\tthree\n four")),
        ("addheader('X-A', b'\\r\\n\\tb=2')", AddHeader("X-A", "\n\tb=2")),
        ("addheader('X-A', 'b\\n')", AddHeader("X-A", "b")),
        ("addheader('X-A', 'b\\r\\n')", AddHeader("X-A", "b")),
        ("addheader('X-A', 'b\\r\\n\\tc\\r\\n\\r\\n')", AddHeader("X-A", "b\n\tc")),
        ("addheader('X-A', '\\n')", AddHeader("X-A", "")),
        ("addheader('X-A', 'a\\r\\n\\tb\\r\\n', 0)", InsertHeader(0, "X-A", "a\n\tb")),
        ("chgheader('X-A', 1, 'a\\r\\n\\tb\\r\\n')", ChangeHeader(1, "X-A", "a\n\tb")),
        ("addheader('X-A', 'b', 0)", InsertHeader(0, "X-A", "b")),
        ("addheader('X-A', 'b', idx=7)", InsertHeader(7, "X-A", "b")),
        ("chgheader('Subject', 1, 'new')", ChangeHeader(1, "Subject", "new")),
        ("chgheader('Subject', 0, 'new')", ChangeHeader(0, "Subject", "new")),
        ("chgheader('Subject', 3, b'new')", ChangeHeader(3, "Subject", "new")),
        ("chgheader('Subject', 1, None)", ChangeHeader(1, "Subject", "")),
        ("chgheader('Subject', 1, '')", ChangeHeader(1, "Subject", "")),
        ("addrcpt('<n@example.org>')", AddRecipient("<n@example.org>")),
        ("addrcpt('n@example.org')", AddRecipient("n@example.org")),
        ("addrcpt('<\u00fc@example.org>')", AddRecipient("<\u00fc@example.org>")),
        ("addrcpt('<n@example.org>', None)", AddRecipient("<n@example.org>")),
        ("addrcpt('<n@example.org>', '')", AddRecipient("<n@example.org>")),
        ("addrcpt('<n@example.org>', [])", AddRecipient("<n@example.org>")),
        ("addrcpt('<n@example.org>', 'NOTIFY=NEVER')", AddRecipient("<n@example.org>", "NOTIFY=NEVER")),
        ("addrcpt('<n@example.org>', params=['A=1', 'B=2'])", AddRecipient("<n@example.org>", "A=1 B=2")),
        ("addrcpt('<n@example.org>', ('A=1', 'B=2'))", AddRecipient("<n@example.org>", "A=1 B=2")),
        ("addrcpt('<n@example.org>', (f'A={n}' for n in range(3)))", AddRecipient("<n@example.org>", "A=0 A=1 A=2")),
        ("addrcpt('<n@example.org>', {'A=1': None})", AddRecipient("<n@example.org>", "A=1")),
        (r"""addrcpt('<"a,b> c\\"d"@example.org>')""", AddRecipient(r'<"a,b> c\"d"@example.org>')),
        ("addrcpt('<n o@example.org>')", AddRecipient("<n o@example.org>")),
        ("addrcpt('<@one,@two:n@example.org>')", AddRecipient("<@one,@two:n@example.org>")),
        ("addrcpt('n@[IPv6:::1]')", AddRecipient("n@[IPv6:::1]")),
        ("delrcpt('<b@example.org>')", DeleteRecipient("<b@example.org>")),
        ("chgfrom('<n@example.org>')", ChangeFrom("<n@example.org>")),
        ("chgfrom('<>')", ChangeFrom("<>")),
        ("chgfrom('<n@example.org>', None)", ChangeFrom("<n@example.org>")),
        ("chgfrom('<n@example.org>', [])", ChangeFrom("<n@example.org>")),
        ("chgfrom('<n@example.org>', 'RET=HDRS')", ChangeFrom("<n@example.org>", "RET=HDRS")),
        ("chgfrom('<n@example.org>', ['RET=HDRS', 'ENVID=1'])", ChangeFrom("<n@example.org>", "RET=HDRS ENVID=1")),
        (
            "chgfrom('<n@example.org>', iter(['RET=HDRS', 'ENVID=1']))",
            ChangeFrom("<n@example.org>", "RET=HDRS ENVID=1"),
        ),
        ("quarantine('look at it')", Quarantine("look at it")),
        ("quarantine('look at it\\r\\n')", Quarantine("look at it")),
    ],
)
def test_an_edit_reaches_the_mta(puppet: Puppet, call: str, edit: Edit) -> None:
    played = puppet.play(f"self.{call}")
    assert played.edits == [edit]
    assert played.answers["eom"].verdict is Verdict.CONTINUE


@pytest.mark.parametrize(
    ("given", "without"),
    [
        ("<@one.example:b@example.org>", "<b@example.org>"),
        ("<@one,@two:b@example.org>", "<b@example.org>"),
        ("@one:b@example.org", "b@example.org"),
    ],
)
def test_a_recipient_with_a_source_route_is_removed_without_it_too(puppet: Puppet, given: str, without: str) -> None:
    played = puppet.play(f"self.delrcpt({given!r})")
    assert played.edits == [DeleteRecipient(given), DeleteRecipient(without)]


@pytest.mark.parametrize("given", ["<@one.example:>", "<@one.example>", "@one.example", "@one.example:"])
def test_a_recipient_that_only_looks_like_a_source_route_is_removed_once(puppet: Puppet, given: str) -> None:
    assert puppet.play(f"self.delrcpt({given!r})").edits == [DeleteRecipient(given)]


def test_edits_arrive_in_their_order(puppet: Puppet) -> None:
    played = puppet.play("""
        self.quarantine("q")
        self.addheader("X-A", "1")
        self.delrcpt("<b@example.org>")
        self.chgheader("Subject", 1, None)
        self.addheader("X-B", "2", 0)
        return ACCEPT
    """)
    assert played.edits == [
        Quarantine("q"),
        AddHeader("X-A", "1"),
        DeleteRecipient("<b@example.org>"),
        ChangeHeader(1, "Subject", ""),
        InsertHeader(0, "X-B", "2"),
    ]
    assert played.answers["eom"].verdict is Verdict.ACCEPT


def test_the_message_after_all_edits(start: Start, kind: str) -> None:
    process = start(
        """
        class Filter(Base):
            def eom(self):
                self.addheader("X-Last", "end")
                self.addheader("X-First", "top", 0)
                self.chgheader("Subject", 1, "changed")
                self.chgheader("X-Old", 1, None)
                self.addrcpt("<new@example.org>", "NOTIFY=NEVER")
                self.delrcpt("<old@example.org>")
                self.chgfrom("<sender@example.net>", ["RET=HDRS"])
                self.replacebody(b"new body\\r\\n")
                self.quarantine("to be read")
                return ACCEPT
        """,
        kind=kind,
    )
    with Client(process.address) as client:
        result = client.play(
            b"Subject: as it was\r\nX-Old: gone\r\n\r\nold body\r\n",
            "<a@example.org>",
            ["<old@example.org>", "<b@example.org>"],
        )
    assert result.message == b"X-First: top\r\nSubject: changed\r\nX-Last: end\r\n\r\nnew body\r\n"
    assert result.sender == "<sender@example.net>"
    assert result.envelope.sender_params == "RET=HDRS"
    assert result.recipients == ("<b@example.org>", "<new@example.org>")
    assert result.quarantine == "to be read"


def test_what_came_in_goes_out_byte_for_byte(start: Start) -> None:
    process = start("""
        class Filter(Base):
            def envrcpt(self, to, *params):
                self.to = to
            def header(self, name, value):
                self.value = value
            def eom(self):
                self.addheader("X-Copy", self.value)
                self.chgfrom(self.to)
                self.addrcpt(self.to)
    """)
    with Client(process.address) as client:
        client.connect()
        client.mail("<>")
        client.rcpt(b"<\xe9\xff@example.org>")
        client.header("Subject", b"\xa6 caf\xc3\xa9\n\t\x80")
        edits = client.eom().edits
    assert edits == (
        AddHeader("X-Copy", b"\xa6 caf\xc3\xa9\n\t\x80".decode("utf-8", "surrogateescape")),
        ChangeFrom("<\udce9\udcff@example.org>"),
        AddRecipient("<\udce9\udcff@example.org>"),
    )


@pytest.mark.parametrize("status", ["REJECT", "TEMPFAIL", "DISCARD", "Reject(550, None, 'no')"])
def test_a_refusal_after_edits_is_a_refusal(puppet: Puppet, status: str) -> None:
    answer = puppet.play(f"self.addheader('X-A', 'b')\nself.replacebody(b'x')\nreturn {status}").answers["eom"]
    assert answer.verdict.refuses or answer.verdict is Verdict.DISCARD


def test_progress_restarts_the_mtas_timer(puppet: Puppet) -> None:
    answer = puppet.play("self.progress()\nself.progress()\nself.addheader('A', 'b')\nself.progress()").answers["eom"]
    assert answer.progress == 3
    assert answer.edits == (AddHeader("A", "b"),)


def test_progress_needs_no_action(puppet: Puppet) -> None:
    assert puppet.play("self.progress()", actions=Action.SETSYMLIST).answers["eom"].progress == 1
