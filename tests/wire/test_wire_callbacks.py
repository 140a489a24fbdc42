"""Each callback, with the very arguments that the MTA sent, and each status."""

from __future__ import annotations

import socket

import pytest

from pymilter.testing import Client, Family, Verdict
from support.puppet import Puppet
from support.wire import Start

EVERYTHING = """
    class Filter(Base):
        def negotiate(self, opts):
            note("negotiate", *opts)
            return super().negotiate(opts)
        def connect(self, *args): note("connect", *args)
        def hello(self, *args): note("hello", *args)
        def envfrom(self, *args): note("envfrom", *args)
        def envrcpt(self, *args): note("envrcpt", *args)
        def data(self, *args): note("data", *args)
        def unknown(self, *args): note("unknown", *args)
        def header(self, *args): note("header", *args)
        def eoh(self, *args): note("eoh", *args)
        def body(self, *args): note("body", *args)
        def eom(self, *args): note("eom", *args)
        def abort(self, *args): note("abort", *args)
        def close(self, *args): note("close", *args)
"""
ANSWERED = ("connect", "hello", "envfrom", "envrcpt", "unknown", "data", "header", "eoh", "body", "eom")


def test_every_callback_gets_what_was_sent(start: Start, kind: str) -> None:
    process = start(EVERYTHING, kind=kind)
    with Client(process.address) as client:
        answers = [
            client.connect("mail.example.org", "198.51.100.7", 2525),
            client.helo("helo.example.org"),
            client.mail("<a@example.org>", "SIZE=100", "BODY=8BITMIME"),
            client.rcpt("<b@example.net>", "NOTIFY=NEVER"),
            client.rcpt("<c@example.net>"),
            client.unknown("FOO bar"),
            client.data(),
            client.header("Subject", "one\n two\n\tthree"),
            client.header("X-Empty", ""),
            client.eoh(),
            client.body(b"first\r\n"),
            client.body(b"second\r\n"),
            client.eom(),
            client.mail("<>"),
        ]
        client.abort()
    assert {answer.verdict for answer in answers} == {Verdict.CONTINUE}
    assert process.seen() == [
        ("negotiate", 0x1FF, 0x1FFFFF, 0, 0),
        ("connect", "mail.example.org", socket.AF_INET, ("198.51.100.7", 2525)),
        ("hello", "helo.example.org"),
        ("envfrom", "<a@example.org>", "SIZE=100", "BODY=8BITMIME"),
        ("envrcpt", "<b@example.net>", "NOTIFY=NEVER"),
        ("envrcpt", "<c@example.net>"),
        ("unknown", "FOO bar"),
        ("data",),
        ("header", "Subject", "one\n two\n\tthree"),
        ("header", "X-Empty", ""),
        ("eoh",),
        ("body", b"first\r\n"),
        ("body", b"second\r\n"),
        ("eom",),
        ("envfrom", "<>"),
        ("abort",),
        ("close",),
    ]


@pytest.mark.parametrize(
    ("sent", "family", "seen"),
    [
        (("h", "192.0.2.9", 25), None, ("h", socket.AF_INET, ("192.0.2.9", 25))),
        (("[192.0.2.9]", "192.0.2.9", 65535), None, ("[192.0.2.9]", socket.AF_INET, ("192.0.2.9", 65535))),
        (("h", "2001:db8::9", 26), None, ("h", socket.AF_INET6, ("2001:db8::9", 26, 0, 0))),
        (("h", "IPv6:2001:DB8:0:0::9", 0), None, ("h", socket.AF_INET6, ("2001:db8::9", 0, 0, 0))),
        (("localhost", "/var/run/x.sock"), None, ("localhost", socket.AF_UNIX, "/var/run/x.sock")),
        (("localhost", "x" * 107), Family.UNIX, ("localhost", socket.AF_UNIX, "x" * 107)),
        (("localhost", b"/\xe9"), Family.UNIX, ("localhost", socket.AF_UNIX, "/\udce9")),
        (("unknown", None), None, ("unknown", 0, None)),
    ],
)
def test_connect_of_each_family(
    start: Start, sent: tuple[str, str | None, int], family: Family | None, seen: tuple[object, ...]
) -> None:
    process = start(EVERYTHING)
    with Client(process.address) as client:
        assert client.connect(*sent, family=family).verdict is Verdict.CONTINUE
    assert process.seen("connect") == [("connect", *seen)]


def test_any_number_of_esmtp_parameters(start: Start) -> None:
    process = start(EVERYTHING)
    params = [f"P{number}={number}" for number in range(40)]
    counts = (0, 4, 5, 6, 7, 8, 9, 40)
    with Client(process.address) as client:
        client.connect()
        for count in counts:
            client.mail("<a@example.org>", *params[:count])
            client.rcpt("<b@example.org>", *params[:count])
            client.abort()
    assert process.seen("envfrom", "envrcpt") == [
        (step, address, *params[:count])
        for count in counts
        for step, address in (("envfrom", "<a@example.org>"), ("envrcpt", "<b@example.org>"))
    ]


def test_base_itself_accepts_everything(start: Start, kind: str) -> None:
    process = start("Filter = Base", kind=kind)
    with Client(process.address) as client:
        result = client.play(b"Subject: x\r\n\r\nbody\r\n")
    assert result.delivered
    assert not result.edits


@pytest.mark.parametrize("step", ANSWERED)
@pytest.mark.parametrize(
    ("returned", "verdict"),
    [
        ("CONTINUE", Verdict.CONTINUE),
        ("None", Verdict.CONTINUE),
        ("NOREPLY", Verdict.CONTINUE),
        ("ACCEPT", Verdict.ACCEPT),
        ("REJECT", Verdict.REJECT),
        ("TEMPFAIL", Verdict.TEMPFAIL),
        ("DISCARD", Verdict.DISCARD),
        ("1", Verdict.REJECT),
    ],
)
def test_each_status_at_each_step(puppet: Puppet, step: str, returned: str, verdict: Verdict) -> None:
    answers = puppet.play(f"return {returned}", step).answers
    assert answers[step].verdict is verdict
    assert answers[step].reply is None
    others = {answer.verdict for name, answer in answers.items() if name != step}
    assert others <= {Verdict.CONTINUE}


@pytest.mark.parametrize("step", ["abort", "close"])
def test_what_abort_and_close_return_is_ignored(puppet: Puppet, step: str) -> None:
    played = puppet.play("note('called')\nreturn REJECT", step)
    assert {answer.verdict for answer in played.answers.values()} == {Verdict.CONTINUE}
    assert played.seen == ([("called",)] if step == "close" else [])
