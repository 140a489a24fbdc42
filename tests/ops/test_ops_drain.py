"""Draining: messages that are under way end, new connections are refused, and what is left gets TEMPFAIL."""

from __future__ import annotations

import contextlib
import signal
from collections.abc import Iterator

import pytest

from pymilter.testing import Client, ClientError, FilterGone, FilterUnreachable, Verdict
from support.wire import Start, WireFilter, eventually, message

SOURCE = """
    class Filter(Base):
        def connect(self, hostname, family, hostaddr): note("connect")
        def envfrom(self, *args): return CONTINUE
        def eom(self):
            self.addheader("X-Seen", "yes")
            return ACCEPT
        def close(self): note("close")
"""
BY_CALL = """
    import threading
    def main(address):
        with Server(Filter, address) as server:
            def on_line():
                import sys, signal
                signal.sigwait([signal.SIGUSR1])
                note("draining")
                server.stop(grace={grace})
                server.request_stop()
            import signal
            signal.pthread_sigmask(signal.SIG_BLOCK, [signal.SIGUSR1])
            threading.Thread(target=on_line).start()
            server.wait()
        note("ended")
"""


@contextlib.contextmanager
def under_way(process: WireFilter) -> Iterator[Client]:
    """A connection with a message that has begun; the filter may be gone at the end."""
    client = Client(process.address)
    try:
        client.connect()
        client.helo()
        client.mail("<a@example.org>")
        client.rcpt("<b@example.org>")
        yield client
    finally:
        with contextlib.suppress(ClientError):
            client.close()


def refuses(process: WireFilter) -> bool:
    try:
        Client(process.address).close()
    except (FilterUnreachable, FilterGone):
        return True
    return False


def test_a_message_under_way_gets_its_answer(start: Start, kind: str) -> None:
    process = start(SOURCE, kind=kind, grace=30, keeps_connections=True)
    with under_way(process) as client:
        process.send_signal(signal.SIGTERM)
        eventually(lambda: refuses(process), bool)
        client.data()
        client.header("Subject", "x")
        client.eoh()
        client.body(b"x")
        answer = client.eom()
        assert answer.verdict is Verdict.ACCEPT
        assert len(answer.edits) == 1
        assert process.wait() == 0, process.stderr
    assert "TEMPFAIL" not in process.stderr


def test_a_call_drains_as_a_signal_does(start: Start, kind: str) -> None:
    process = start(SOURCE + BY_CALL.format(grace=30), kind=kind, keeps_connections=True)
    with under_way(process) as client:
        process.send_signal(signal.SIGUSR1)
        process.wait_for(lambda seen: ("draining",) in seen)
        eventually(lambda: refuses(process), bool)
        client.data()
        assert client.eom().verdict is Verdict.ACCEPT
        assert process.wait() == 0, process.stderr


@pytest.mark.parametrize("end", ["abort", "close", "refused"])
def test_each_way_in_which_a_message_ends(start: Start, end: str) -> None:
    process = start(
        """
        class Filter(Base):
            def envfrom(self, *args): return CONTINUE
            def data(self): return REJECT
        """,
        grace=60,
        keeps_connections=True,
    )
    with under_way(process) as client:
        process.send_signal(signal.SIGTERM)
        eventually(lambda: refuses(process), bool)
        if end == "abort":
            client.abort()
        elif end == "refused":
            assert client.data().verdict is Verdict.REJECT
        else:
            client.close()
        assert process.wait() == 0, process.stderr


def test_an_idle_connection_is_not_waited_for(start: Start) -> None:
    process = start(SOURCE, grace=60, keeps_connections=True)
    with under_way(process) as client:
        client.abort()
        assert message(client)["eom"].verdict is Verdict.ACCEPT
        process.send_signal(signal.SIGTERM)
        assert process.wait() == 0, process.stderr


@pytest.mark.parametrize("verdict", ["ACCEPT", "DISCARD"])
@pytest.mark.parametrize("step", ["envrcpt", "eoh"])
def test_a_message_that_has_its_verdict_is_not_waited_for(start: Start, step: str, verdict: str) -> None:
    """Whatever the step that gave it: the MTA sends nothing more of the message."""
    process = start(
        f"class Filter(Base):\n    def {step}(self, *args): return {verdict}", grace=60, keeps_connections=True
    )
    with under_way(process) as client:
        client.eoh()
        process.send_signal(signal.SIGTERM)
        assert process.wait() == 0, process.stderr


def test_what_is_left_at_the_deadline_gets_tempfail(start: Start, kind: str) -> None:
    process = start(SOURCE, kind=kind, grace=0.3, keeps_connections=True)
    with under_way(process) as client:
        process.send_signal(signal.SIGTERM)
        eventually(lambda: process.stderr, lambda text: "1 messages are still under way after 0.3 s" in text)
        assert client.eom().verdict is Verdict.TEMPFAIL
        assert process.wait() == 0, process.stderr


HELD_END = """
    import signal
    import pymilter._core as core
    import pymilter._serve.drain as drain
    drain.TEMPFAIL_TIME = 60
    signal.pthread_sigmask(signal.SIG_BLOCK, [signal.SIGUSR1])
    end_messages_when_none, messages_too_late = core.end_messages_when_none, core.messages_too_late
    def hold():
        if ended := end_messages_when_none():
            note("nothing is under way")
            signal.sigwait([signal.SIGUSR1])
        return ended
    def tell():
        note("too late", messages_too_late())
        return messages_too_late()
    core.end_messages_when_none, core.messages_too_late = hold, tell
"""


@contextlib.contextmanager
def idle_at_the_end(process: WireFilter) -> Iterator[Client]:
    """An open connection, when the filter has seen that no message is under way; it goes on at SIGUSR1."""
    with under_way(process) as client:
        client.abort()
        assert message(client)["eom"].verdict is Verdict.ACCEPT
        process.send_signal(signal.SIGTERM)
        process.wait_for(lambda seen: ("nothing is under way",) in seen)
        yield client


def test_no_message_begins_once_none_is_under_way(start: Start, kind: str) -> None:
    process = start(HELD_END + SOURCE, kind=kind, grace=60, keeps_connections=True)
    with idle_at_the_end(process) as client:
        for _ in range(2):
            assert client.mail("<a@example.org>").verdict is Verdict.TEMPFAIL
        process.send_signal(signal.SIGUSR1)
        assert process.wait() == 0, process.stderr
    assert process.stderr.count("the filter has stopped, the answer is TEMPFAIL") == 1


def test_a_message_that_begins_unanswered_then_is_told_at_its_next_step(start: Start, kind: str) -> None:
    source = """
    class Filter(Base):
        def envfrom(self, *args) -> None: note("envfrom")
        def data(self):
            note("data")
            return CONTINUE
        def eom(self): return ACCEPT
"""
    process = start(HELD_END + source, kind=kind, grace=60, keeps_connections=True)
    with idle_at_the_end(process) as client:
        before = process.seen("envfrom", "data")
        client.mail("<a@example.org>")
        eventually(lambda: process.stderr, lambda text: "the filter has stopped, the answer is TEMPFAIL" in text)
        process.send_signal(signal.SIGUSR1)
        process.wait_for(lambda seen: ("too late", 1) in seen)
        assert client.data().verdict is Verdict.TEMPFAIL
        assert process.wait() == 0, process.stderr
        assert process.seen("envfrom", "data") == before


ABORTED = """
    class Filter(Base):
        def {step}(self, *args): return CONTINUE
        def eom(self): return ACCEPT
        def abort(self): note("abort")
"""


@pytest.mark.parametrize("step", ["envfrom", "data"])
def test_a_message_that_came_too_late_is_not_aborted(start: Start, step: str) -> None:
    """The filter knows nothing of it."""
    process = start(HELD_END + ABORTED.format(step=step), grace=60, keeps_connections=True)
    with idle_at_the_end(process) as client:
        before = process.seen("abort")  # of the one that had come as far as MAIL
        assert before == ([("abort",)] if step == "envfrom" else [])
        answers = {"envfrom": client.mail("<a@example.org>"), "data": client.data()}
        assert answers[step].verdict is Verdict.TEMPFAIL
        client.abort()
        process.send_signal(signal.SIGUSR1)
        assert process.wait() == 0, process.stderr
    assert process.seen("abort") == before


def test_a_message_that_the_deadline_cuts_off_is_aborted(start: Start) -> None:
    hold = """
    import signal
    import pymilter._core as core
    signal.pthread_sigmask(signal.SIG_BLOCK, [signal.SIGUSR1])
    messages_too_late = core.messages_too_late
    def hold():
        core.messages_too_late = messages_too_late
        signal.sigwait([signal.SIGUSR1])
        return 0
    core.messages_too_late = hold
"""
    process = start(hold + ABORTED.format(step="envrcpt"), grace=0.1, keeps_connections=True)
    with under_way(process) as client:
        process.send_signal(signal.SIGTERM)
        eventually(lambda: process.stderr, lambda text: "still under way" in text)
        assert client.rcpt("<c@example.org>").verdict is Verdict.TEMPFAIL
        client.abort()
        process.wait_for(lambda seen: ("abort",) in seen)
        process.send_signal(signal.SIGUSR1)
        assert process.wait() == 0, process.stderr
