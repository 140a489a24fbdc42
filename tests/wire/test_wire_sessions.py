"""Connections in their order of events: several messages, RSET, QUIT_NC, and ends that come too early."""

from __future__ import annotations

import socket
from contextlib import suppress

import pytest

from pymilter.testing import Client, Command, Verdict
from support.wire import Start, message

EVENTS = """
    class Filter(Base):
        def connect(self, hostname, family, hostaddr): note("connect", hostname)
        def hello(self, hostname): note("hello", hostname)
        def envfrom(self, mailfrom, *params): note("envfrom", mailfrom)
        def envrcpt(self, to, *params): note("envrcpt", to)
        def header(self, name, value): note("header", name)
        def eom(self): note("eom")
        def abort(self): note("abort")
        def close(self): note("close")
"""


def test_two_messages_and_an_rset_on_one_connection(start: Start, kind: str) -> None:
    process = start(EVENTS, kind=kind)
    with Client(process.address) as client:
        client.connect("h")
        client.helo("h")
        client.mail("<1@x>")
        client.rcpt("<b@x>")
        assert client.eom().verdict is Verdict.CONTINUE
        client.mail("<2@x>")
        client.rcpt("<b@x>")
        client.header("A", "b")
        client.abort()
        client.helo("again")
        client.mail("<3@x>")
        client.rcpt("<b@x>")
        assert client.eom().verdict is Verdict.CONTINUE
    assert process.seen() == [
        ("connect", "h"),
        ("hello", "h"),
        ("envfrom", "<1@x>"),
        ("envrcpt", "<b@x>"),
        ("eom",),
        ("envfrom", "<2@x>"),
        ("envrcpt", "<b@x>"),
        ("header", "A"),
        ("abort",),
        ("hello", "again"),
        ("envfrom", "<3@x>"),
        ("envrcpt", "<b@x>"),
        ("eom",),
        ("close",),
    ]


@pytest.mark.parametrize("last", ["envfrom", "envrcpt", "header", "body"])
def test_what_the_connection_holds_outlives_an_abort(start: Start, last: str) -> None:
    process = start("""
        class Filter(Base):
            def connect(self, hostname, family, hostaddr): self.peer = hostname
            def envfrom(self, mailfrom, *params): self.mailfrom = mailfrom
            def envrcpt(self, to, *params): pass
            def header(self, name, value): pass
            def body(self, chunk): pass
            def abort(self): note("abort", self.peer, self.mailfrom)
            def eom(self): note("eom", self.peer)
    """)
    with Client(process.address) as client:
        client.connect("h")
        message(client, last)
        message(client)
    assert process.seen() == [("abort", "h", "<a@example.org>"), ("eom", "h")]


def test_a_connection_that_ends_in_the_middle_of_a_message(start: Start, kind: str) -> None:
    process = start(EVENTS, kind=kind)
    with Client(process.address) as client:
        client.connect("h")
        client.mail("<1@x>")
        client.close()
    assert process.wait_for(lambda seen: ("close",) in seen)[-2:] == [("abort",), ("close",)]


@pytest.mark.parametrize("last", ["nothing", "negotiation", "connect"])
def test_a_connection_that_ends_too_early(start: Start, kind: str, last: str) -> None:
    process = start(EVENTS + "        def __init__(self): note('made')\n", kind=kind)
    for _ in range(3):
        client = Client(process.address, negotiate=last != "nothing")
        if last == "connect":
            client.connect("h")
        client.close()
    count = 0 if last == "nothing" else 3
    process.wait_for(lambda seen: seen.count(("close",)) == count)
    with Client(process.address) as client:
        assert client.connect("after").verdict is Verdict.CONTINUE
    assert process.seen("connect").count(("connect", "h")) == (3 if last == "connect" else 0)
    assert process.seen().count(("made",)) == count + 1


@pytest.mark.parametrize(
    "rubbish", [b"\0\0\0\0", b"\xff\xff\xff\xff", b"\0\0\0\1!", b"\0\0\0\5C", b"GET / HTTP/1.0\r\n\r\n"]
)
def test_rubbish_from_the_peer(start: Start, rubbish: bytes) -> None:
    process = start(EVENTS)
    with socket.socket(socket.AF_UNIX) as peer:
        peer.settimeout(10)
        peer.connect(process.address.removeprefix("unix:"))
        peer.sendall(rubbish)
        peer.shutdown(socket.SHUT_WR)
        with suppress(ConnectionResetError):
            assert peer.recv(100) == b""
    with Client(process.address) as client:
        assert client.connect("h").verdict is Verdict.CONTINUE


def test_quit_nc_begins_a_new_connection_on_the_same_socket(start: Start, kind: str) -> None:
    process = start(EVENTS + "        def __init__(self): note('made')\n", kind=kind)
    with Client(process.address) as client:
        for name in ("one", "two", "three"):
            assert client.connect(name).verdict is Verdict.CONTINUE
            client.mail(f"<{name}@x>")
            client.rcpt("<b@x>")
            assert client.eom().verdict is Verdict.CONTINUE
            if name != "three":
                client.quit_nc()
    assert process.seen() == [
        event
        for name in ("one", "two", "three")
        for event in (
            ("made",),
            ("connect", name),
            ("envfrom", f"<{name}@x>"),
            ("envrcpt", "<b@x>"),
            ("eom",),
            ("close",),
        )
    ]


AFTER_QUIT_NC = """
    class Filter(Base):
        def connect(self, hostname, family, hostaddr): self.name = hostname
        def header(self, name, value) -> None:
            if value == "fail":
                raise LookupError
        def body(self, chunk): return SKIP
        def eom(self):
            self.addheader("X-Name", self.name)
"""


def test_the_connection_after_quit_nc_works_as_the_first(start: Start, kind: str) -> None:
    process = start(AFTER_QUIT_NC, kind=kind)
    with Client(process.address) as client:
        for name in ("one", "two"):
            client.connect(name)
            client.mail("<>")
            client.rcpt("<b@x>")
            client.header("A", "b")
            assert client.body(b"x").verdict is Verdict.SKIP
            eom = client.eom()
            assert eom.verdict is Verdict.CONTINUE
            assert [str(edit) for edit in eom.edits] == [f"AddHeader(name='X-Name', value={name!r})"]
            client.quit_nc()


@pytest.mark.parametrize(
    ("step", "verdict"),
    [("connect", "REJECT"), ("hello", "REJECT"), ("envfrom", "ACCEPT"), ("envrcpt", "ACCEPT"), ("envrcpt", "DISCARD")],
)
def test_after_a_final_status_nothing_more_of_the_message_comes(start: Start, step: str, verdict: str) -> None:
    process = start(
        EVENTS + f"        def {step}(self, *args):\n            note('last', {step!r})\n            return {verdict}\n"
    )
    with Client(process.address) as client:
        client.play(b"A: b\r\n\r\nx\r\n")
    events = [values[0] for values in process.seen()]
    assert set(events[events.index("last") + 1 :]) <= {"abort", "close"}


def test_a_body_that_comes_with_the_end_of_the_message(start: Start) -> None:
    process = start("""
        class Filter(Base):
            def body(self, chunk): note("body", chunk)
            def eom(self): note("eom")
    """)
    with Client(process.address) as client:
        client.connect()
        client.mail("<>")
        client.body(b"one")
        assert client.eom(b"two").verdict is Verdict.CONTINUE
        client.send(Command.ABORT)
    assert process.seen() == [("body", b"one"), ("body", b"two"), ("eom",)]
