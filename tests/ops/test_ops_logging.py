"""What the library itself logs about connections, messages and the end: nothing is lost in silence."""

from __future__ import annotations

import logging
import re
import signal

import pytest

from pymilter.testing import Client, Verdict
from support.wire import Start, WireFilter, eventually, message, session

PEER = "client.example.com[192.0.2.1]"
FORMAT = """
    import logging
    root = logging.getLogger()
    root.handlers[0].addFilter(LogFilter())
    root.handlers[0].setFormatter(logging.Formatter("|%(levelname)s %(connection)s %(queue_id)s %(peer)s| %(message)s"))
"""


def logged(process: WireFilter, word: str = "") -> list[str]:
    """The lines of the log with `word` in them."""
    return [line for line in process.stderr.splitlines() if line.startswith("|") and word in line]


@pytest.mark.parametrize("level", ["DEBUG", "INFO"])
@pytest.mark.parametrize("wanted", ["connect", "eom"])
def test_connections_are_told_at_debug(start: Start, level: str, wanted: str) -> None:
    """The peer of the one that is closed is known also where connect is not wanted."""
    source = f"""
    root.setLevel(logging.{level})
    class Filter(Base):
        def {wanted}(self, *args): return CONTINUE
        def close(self): note("close")
    """
    process = start(FORMAT + source)
    with Client(process.address) as client:
        session(client)
    with Client(process.address) as client:
        client.close()
        process.wait_for(lambda seen: len(seen) == 2)
    process.stop()
    expected = [
        "|DEBUG 1 - -| negotiate: the connection is open (connection 1)",
        f"|DEBUG 1 - {PEER}| close: the connection is closed (connection 1, {PEER})",
        "|DEBUG 2 - -| negotiate: the connection is open (connection 2)",
        "|DEBUG 2 - -| close: the connection is closed (connection 2)",
    ]
    assert logged(process, "connection is") == (expected if level == "DEBUG" else [])


GATHERING = (
    FORMAT
    + """
    class Filter(Base):
        def envfrom(self, *args): return CONTINUE
        @gather(limit=1000{more})
        def body(self, body):
            note(len(body))
            return CONTINUE
"""
)


@pytest.mark.parametrize(("level", "calls"), [("DEBUG", 2), ("INFO", 0)])
def test_connections_that_are_not_told_cost_no_call(start: Start, level: str, calls: int) -> None:
    process = start(f"""
    import logging
    import pymilter._run
    logging.getLogger().setLevel(logging.{level})
    pymilter._run.report = note
    Filter = Base
    """)
    with Client(process.address) as client:
        session(client)
    process.stop()
    assert len(process.seen(logging.DEBUG)) == calls


@pytest.mark.parametrize(
    ("more", "answer"),
    [("", "452 4.3.4"), (", exceeded=Reject(552, '5.3.4', 'no')", "552 5.3.4"), (", exceeded=Reject(554)", "554")],
)
def test_a_body_over_its_limit(start: Start, more: str, answer: str) -> None:
    process = start(GATHERING.format(more=more))
    with Client(process.address) as client:
        client.connect()
        for size in (1000, 1001, 0):
            client.mail("<>")
            client.rcpt("<b@x>")
            client.data()
            client.eoh()
            for _ in range(2):
                client.body(b"x" * (size // 2))
            client.body(b"x" * (size % 2))
            verdict = client.eom().verdict
            assert verdict.refuses == (size > 1000)
    assert process.seen() == [(1000,), (0,)]
    place = f"(connection 1, queue id 0000000002, {PEER})"
    assert logged(process, "WARNING") == [
        f"|WARNING 1 0000000002 {PEER}| body: the body has more than 1000 bytes, the answer is {answer} {place}"
    ]


def test_a_body_that_cannot_be_kept(start: Start) -> None:
    process = start(
        FORMAT
        + """
    import os, tempfile
    os.environ["TMPDIR"] = "/nonexistent"
    class Filter(Base):
        def envfrom(self, *args): return CONTINUE
        @gather(in_memory=10)
        def body(self, body): return CONTINUE
    """
    )
    with Client(process.address) as client:
        assert session(client)["body"].verdict.passes
        client.mail("<>")
        client.rcpt("<b@x>")
        client.data()
        client.eoh()
        client.body(b"x" * 100)
        assert client.eom().verdict is Verdict.TEMPFAIL
    (line,) = logged(process, "ERROR")
    assert line == f"|ERROR 1 0000000002 {PEER}| body() failed (connection 1, queue id 0000000002, {PEER})"


SLOW = (
    FORMAT
    + """
    class Filter(Base):
        def connect(self, *args): return CONTINUE
        def envfrom(self, *args): return CONTINUE
        def header(self, name, value) -> None: pass
        def eom(self): return ACCEPT
"""
)


def test_what_is_left_at_the_deadline(start: Start) -> None:
    """Once for a message, however many steps it still has."""
    process = start(SLOW, grace=0.2, keeps_connections=True)
    with Client(process.address) as client, Client(process.address) as other:
        for each in (client, other):
            each.connect()
            each.mail("<a@example.org>")
            each.rcpt("<b@example.org>")
        process.send_signal(signal.SIGTERM)
        eventually(lambda: process.stderr, lambda text: "under way after" in text)
        client.data()
        client.header("a", "b")
        client.header("a", "b")
        client.eoh()
        assert client.eom().verdict is Verdict.TEMPFAIL
        assert process.wait() == 0, process.stderr
        for each in (client, other):
            each.close()
    place = f"(connection 1, queue id 0000000001, {PEER})"
    assert logged(process, "WARNING") == [
        "|WARNING - - -| 2 messages are still under way after 0.2 s: TEMPFAIL",
        f"|WARNING 1 0000000001 {PEER}| header: the filter has stopped, the answer is TEMPFAIL {place}",
        "|WARNING - - -| 1 messages are under way at the end, and may get no answer",
    ]


def test_stopping_at_once_tells_what_is_cut_off(start: Start) -> None:
    process = start(
        SLOW
        + """
    import signal, threading
    def main(address):
        with Server(Filter, address) as server:
            signal.signal(signal.SIGUSR1, lambda *args: server.request_stop())
            server.wait()
    """,
        keeps_connections=True,
    )
    client = Client(process.address)
    client.connect()
    client.mail("<a@example.org>")
    process.send_signal(signal.SIGUSR1)
    assert process.wait() == 0, process.stderr
    client.close()
    assert [re.sub(r" on .*", "", line) for line in logged(process)] == [
        "|INFO - - -| listening",
        "|INFO - - -| stopping",
        "|WARNING - - -| 1 messages are under way at the end, and may get no answer",
        "|INFO - - -| stopped listening",
    ]


def test_an_edit_that_does_not_reach_the_mta(start: Start) -> None:
    """What is edited after the body waits for the end of eom; nobody is in a call then that could raise."""
    process = start(
        FORMAT
        + """
    import threading
    gone = threading.Event()
    class Filter(Base):
        def eom(self):
            self.replacebody(b"x")
            for _ in range(9):
                self.addheader("a", "b" * 60_000)
            note("ready")
            gone.wait(10)
            return ACCEPT
    def main(address):
        import signal
        signal.signal(signal.SIGUSR1, lambda *args: gone.set())
        run(Filter, address)
    """
    )
    client = Client(process.address)
    client.connect()
    client.mail("<>")
    client.rcpt("<b@x>")
    client.data()
    client.eoh()
    client.send(b"E")
    process.wait_for(lambda seen: ("ready",) in seen)
    client.close()
    process.send_signal(signal.SIGUSR1)
    lines = eventually(lambda: logged(process, "WARNING"), bool)
    place = f"(connection 1, queue id 0000000001, {PEER})"
    assert lines == [
        f"|WARNING 1 0000000001 {PEER}| eom: an edit did not reach the MTA, the answer is TEMPFAIL {place}"
    ]


def test_a_handler_that_outlasts_the_end(start: Start) -> None:
    process = start(
        FORMAT
        + """
    import time
    from pymilter._process import process
    process.EXIT_GRACE = 0.1
    class Filter(Base):
        def connect(self, *args):
            note("connect")
            time.sleep(30)
    """,
        keeps_connections=True,
    )
    client = Client(process.address)
    client.send(b"C", b"name\0U")
    process.wait_for(lambda seen: ("connect",) in seen)
    process.stop()
    client.close()
    assert logged(process, "WARNING") == [
        "|WARNING - - -| handlers are still running 0.1 s after the end: they are cut off"
    ]


def test_a_quiet_life_is_told_in_three_lines(start: Start) -> None:
    process = start(FORMAT + "    class Filter(Base):\n        def eom(self): return ACCEPT\n")
    for _ in range(3):
        with Client(process.address) as client:
            session(client)
            message(client)
    process.stop()
    assert [re.sub(r" on .*", "", line) for line in process.stderr.splitlines()] == [
        "|INFO - - -| listening",
        "|INFO - - -| stopping",
        "|INFO - - -| stopped listening",
    ]


def test_the_last_words_of_a_connection(start: Start) -> None:
    process = start(
        FORMAT
        + """
    class Filter(Base):
        def eom(self): return ACCEPT
        def close(self): raise LookupError
        def __del__(self): logging.error("__del__")
    """
    )
    with Client(process.address) as client:
        assert session(client)["eom"].verdict is Verdict.ACCEPT
    assert logged(process, "ERROR") == [
        f"|ERROR 1 - {PEER}| close() failed (connection 1, {PEER})",
        f"|ERROR 1 - {PEER}| __del__",
    ]
