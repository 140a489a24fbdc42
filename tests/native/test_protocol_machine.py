"""The protocol in any order and length that it allows, and beyond it: a legal session is answered rightly each time.

PYMILTER_EXAMPLES says how many sequences are tried; without it, a few and always the same ones.
"""

from __future__ import annotations

import contextlib
import hashlib
import os
import socket
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import hypothesis.strategies as st
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis.stateful import RuleBasedStateMachine, initialize, precondition, rule, run_state_machine_as_test

from pymilter.testing import AddHeader, Client, ClientError, Command, Response, Verdict
from support.wire import WireFilter, free_address, running

EXAMPLES = int(os.environ.get("PYMILTER_EXAMPLES", "0"))
SETTINGS = settings(
    max_examples=EXAMPLES or 40,
    derandomize=not EXAMPLES,
    database=None,
    deadline=None,
    stateful_step_count=30,
    suppress_health_check=list(HealthCheck),
)

# What is asked for is the text up to the first blank. Steps named in MUTE are annotated to give no verdict.
SOURCE = """
    import hashlib

    def verdict(text):
        match text.split(" ")[0].strip("<>"):
            case "raise": raise LookupError(text)
            case "exit": raise SystemExit(text)
            case "wrong": return object()
            case "huge": return 1 << 80
            case "reply": return Reject(554, "5.7.7", ascii(text)[:100])
            case "later": return TempFail(452, "4.2.2", "full")
            case "reject": return REJECT
            case "tempfail": return TEMPFAIL
            case "discard": return DISCARD
            case "accept": return ACCEPT
            case "skip": return SKIP
            case "none": return None
        return CONTINUE

    class Filter(Base):
        seen = ()
        def hello(self, hostname):
            return verdict(hostname)
        def envfrom(self, mailfrom, *params):
            self.seen = [mailfrom, *params]
            return verdict(mailfrom)
        def envrcpt(self, to, *params):
            self.seen += [to, *params]
            return verdict(to)
        def data(self):
            self.seen += ["data"]
        def header(self, name, value):
            self.seen += [name, value]
            return verdict(value)
        def eoh(self):
            self.seen += ["eoh"]
        def body(self, chunk):
            self.seen += [chunk.decode("utf-8", "surrogateescape")]
            return verdict(self.seen[-1])
        def unknown(self, command):
            return verdict(command)
        def abort(self):
            self.seen = ["aborted"]
        def eom(self):
            text = repr(self.seen).encode("utf-8", "surrogateescape")
            self.addheader("X-Seen", hashlib.sha256(text).hexdigest())
            return verdict(self.seen[0])

    for name in "MUTE".split():
        getattr(Filter, name).__annotations__["return"] = None
"""

FAILING = {"raise", "exit", "wrong", "huge"}
WORDS = sorted(FAILING | {"reply", "later", "reject", "tempfail", "discard", "accept", "none", "go", "on"})
VERDICTS = {
    "reply": Verdict.REJECT,
    "later": Verdict.TEMPFAIL,
    "reject": Verdict.REJECT,
    "tempfail": Verdict.TEMPFAIL,
    "discard": Verdict.DISCARD,
    "accept": Verdict.ACCEPT,
    "skip": Verdict.SKIP,
    **dict.fromkeys(FAILING, Verdict.TEMPFAIL),
}
REPLIES = {"reply": 554, "later": 452, **dict.fromkeys(FAILING, 451)}

# Bytes of any kind except NUL, which ends a string on the wire.
anything = st.binary(max_size=40).map(lambda data: data.replace(b"\0", b" ").decode("utf-8", "surrogateescape"))
texts = st.tuples(st.sampled_from(WORDS), anything).map(" ".join)
quiet_texts = st.tuples(st.sampled_from(["go", "none", "on", *sorted(FAILING)]), anything).map(" ".join)
chunks = st.one_of(
    st.tuples(st.sampled_from([*WORDS, "skip"]), st.binary(max_size=200)).map(
        lambda parts: parts[0].encode() + b" " + parts[1]
    ),
    st.integers(1, 200_000).map(lambda size: b"go " + b"x" * size),
)


def word_of(text: str) -> str:
    return text.split(" ")[0].strip("<>")


class Session(RuleBasedStateMachine):
    """An MTA that sends what it may in each state, beside a model of the filter above."""

    address = ""
    mute: frozenset[str] = frozenset()

    @initialize()
    def connect(self) -> None:
        self.client = Client(self.address)
        assert self.client.connect().verdict is Verdict.NOT_SENT
        self.state = "connected"
        self.seen: list[str] = []
        self.failed = self.skipping = False

    def teardown(self) -> None:
        # By QUIT, which waits: what is closed at once may still be open for libmilter when the filter is stopped.
        if hasattr(self, "client") and not self.client.closed:
            with contextlib.suppress(ClientError):
                self.client.abort()
                self.client.quit()

    def answered(self, step: str, text: str, response: Response) -> Verdict:
        """Checks an answer: as the text asks, or as an earlier failure in a step without answer has it."""
        word = word_of(text)
        if step in self.mute:
            assert response.verdict is Verdict.NO_REPLY
            self.failed = self.failed or VERDICTS.get(word, Verdict.CONTINUE) is not Verdict.CONTINUE
            return Verdict.CONTINUE
        expected = Verdict.TEMPFAIL if self.failed else VERDICTS.get(word, Verdict.CONTINUE)
        if expected is Verdict.SKIP and step != "body":
            expected = Verdict.TEMPFAIL
        assert response.verdict is expected, (step, text, response)
        assert response.code == (451 if self.failed else REPLIES.get(word)), (step, text, response)
        return expected

    def after(self, verdict: Verdict, state: str) -> None:
        """Where a message goes on, or ends."""
        self.state = state if verdict in (Verdict.CONTINUE, Verdict.SKIP) else "connected"
        self.failed = self.failed and self.state != "connected"

    @precondition(lambda self: self.state == "connected")
    @rule(text=texts)
    def helo(self, text: str) -> None:
        verdict = self.answered("hello", text, self.client.helo(text))
        if verdict is not Verdict.CONTINUE or word_of(text) in FAILING:
            # It holds for the whole connection: the MTA ends it, and the filter goes on refusing after a failure.
            self.client.quit()
            self.connect()

    @precondition(lambda self: self.state == "connected")
    @rule(text=texts, params=st.lists(anything, max_size=12))
    def mail(self, text: str, params: list[str]) -> None:
        text = f"<{text}>" if word_of(text) else text
        self.seen, self.failed, self.skipping = [text, *params], False, False
        self.after(self.answered("envfrom", text, self.client.mail(text, *params)), "mail")

    @precondition(lambda self: self.state in ("mail", "rcpt"))
    @rule(text=texts, params=st.lists(anything, max_size=12))
    def rcpt(self, text: str, params: list[str]) -> None:
        was_failed = self.failed
        verdict = self.answered("envrcpt", text, self.client.rcpt(text, *params))
        if not was_failed:
            self.seen += [text, *params]
        if verdict in (Verdict.ACCEPT, Verdict.DISCARD):
            self.after(verdict, "")
        elif verdict is Verdict.CONTINUE:
            self.state = "rcpt"

    @precondition(lambda self: self.state in ("rcpt", "header"))
    @rule()
    def data(self) -> None:
        # Once more when another filter has refused it, and in the middle of a message, which no MTA does.
        verdict = self.answered("data", "", self.client.data())
        self.seen += ["data"]
        # A refusal leaves the recipients as they are, and an earlier failure too.
        self.state = "header" if verdict is Verdict.CONTINUE else "rcpt"

    @precondition(lambda self: self.state == "header")
    @rule(name=anything.filter(bool), text=texts)
    def header(self, name: str, text: str) -> None:
        self.seen += [name, text]
        self.after(self.answered("header", text, self.client.header(name, text)), "header")

    @precondition(lambda self: self.state == "header")
    @rule()
    def eoh(self) -> None:
        self.seen += ["eoh"]
        self.after(self.answered("eoh", "", self.client.eoh()), "body")

    @precondition(lambda self: self.state == "body")
    @rule(chunk=chunks)
    def body(self, chunk: bytes) -> None:
        for start in range(0, len(chunk), 65535):
            piece = chunk[start : start + 65535]
            text = piece.decode("utf-8", "surrogateescape")
            response = self.client.body(piece)
            if self.skipping:
                assert response.verdict is Verdict.NOT_SENT
                continue
            self.seen += [text]
            verdict = self.answered("body", text, response)
            self.skipping = verdict is Verdict.SKIP
            self.after(verdict, "body")
            if self.state != "body":
                return

    @precondition(lambda self: self.state in ("mail", "rcpt", "header", "connected"))
    @rule(text=quiet_texts)
    def unknown(self, text: str) -> None:
        response = self.client.unknown(text)
        if not self.failed:
            assert response.code == REPLIES.get(word_of(text))

    @precondition(lambda self: self.state == "body")
    @rule()
    def eom(self) -> None:
        response = self.client.eom()
        failed = self.failed
        self.answered("eom", self.seen[0], response)
        seen = hashlib.sha256(repr(self.seen).encode("utf-8", "surrogateescape")).hexdigest()
        if not failed:
            assert response.edits == (AddHeader("X-Seen", seen),)
        self.state, self.failed = "connected", False

    @precondition(lambda self: self.state != "connected")
    @rule()
    def abort(self) -> None:
        self.client.abort()
        self.state, self.failed = "connected", False

    @rule(polite=st.booleans())
    def begin_anew(self, polite: bool) -> None:
        self.client.quit() if polite else self.client.close()
        self.connect()


@pytest.fixture(
    params=["", "header eoh body data", "envfrom envrcpt header body"], ids=lambda names: names or "answered"
)
def process(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[WireFilter]:
    """The filter with these steps unanswered."""
    with (
        free_address("unix") as address,
        running(SOURCE.replace("MUTE", request.param), tmp_path, address) as filter_process,
    ):
        filter_process.mute = frozenset(request.param.split())  # type: ignore[attr-defined]
        yield filter_process


@pytest.mark.timeout(1800)
def test_every_order_that_the_protocol_allows(process: WireFilter) -> None:
    mute: frozenset[str] = process.mute  # type: ignore[attr-defined]
    session = type("SessionHere", (Session,), {"address": process.address, "mute": mute})
    run_state_machine_as_test(session, settings=SETTINGS)


packets = st.tuples(
    st.one_of(st.sampled_from([command.value for command in Command]), st.binary(min_size=1, max_size=1)),
    st.one_of(
        st.binary(max_size=60),
        st.lists(anything, max_size=4).map(
            lambda parts: b"".join(f"{part}\0".encode("utf-8", "surrogateescape") for part in parts)
        ),
        st.sampled_from(
            [
                b"\0\0\0\6\0\0\1\xff\0\x1f\xff\xff",
                b"\0\0\0\2\0\0\0\0\0\0\0\0",
                b"h\x004\0\0001.2.3.4\0",
                b"\xff" * 70_000,
            ]
        ),
    ),
)
LIES = st.sampled_from([0, 0, 0, 0, 0, 0, 1, -1, 1000, 2**31, 2**32 - 100])


@pytest.mark.timeout(1800)
def test_what_the_protocol_does_not_allow(process: WireFilter) -> None:
    """Any packets in any order, some with a wrong length: the filter ends that connection and serves the next."""

    @SETTINGS
    @given(negotiates=st.booleans(), sent=st.lists(st.tuples(packets, LIES), max_size=25), waits=st.booleans())
    def check(negotiates: bool, sent: list[tuple[tuple[bytes, bytes], int]], waits: bool) -> None:
        stream = b"".join(
            ((len(payload) + 1 + lie) % 2**32).to_bytes(4, "big") + code + payload for (code, payload), lie in sent
        )
        if negotiates:
            stream = b"\0\0\0\rO\0\0\0\6\0\0\1\xff\0\x1f\xff\xff" + stream
        throw_at(process.address, stream, waits=waits)
        assert_serves(process)

    check()
    assert process.returncode is None


def throw_at(address: str, stream: bytes, *, waits: bool) -> None:
    """Send bytes and, if it waits, read until the filter closes too; else TimeoutError."""
    with socket.socket(socket.AF_UNIX) as peer:
        peer.settimeout(20)
        peer.connect(address.removeprefix("unix:"))
        with contextlib.suppress(BrokenPipeError, ConnectionResetError):
            peer.sendall(stream)
            peer.shutdown(socket.SHUT_WR)
            while waits and peer.recv(65536):
                pass


def assert_serves(process: WireFilter) -> None:
    """A legal session is answered as ever."""
    with Client(process.address) as client:
        client.helo("go")
        client.mail("<go on>")
        client.rcpt("<on>")
        client.data()
        client.header("Subject", "go")
        client.eoh()
        client.body(b"go")
        response: Any = client.eom()
        assert response.verdict is Verdict.CONTINUE
        assert [type(edit) for edit in response.edits] == [AddHeader]
