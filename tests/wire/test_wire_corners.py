"""Corners of the boundary where it once broke: look-alike replies, late edits, dead contexts, a stop at once."""

from __future__ import annotations

from pathlib import Path

import pytest

from pymilter.testing import Client, SmtpReply, Verdict
from support.puppet import Puppet
from support.wire import Start, finished, free_address, message

LATER = SmtpReply(451, "4.3.0", ("Mail filter failed, please try again later",))


@pytest.mark.parametrize(
    "wire",
    [
        "(99, b'550', b'', ())",
        "(-1, b'550', b'', ())",
        "(0, b'550', b'', ())",
        "(8, b'550', b'', ())",
        "(10, b'550', b'', ())",
        "(1 << 80, b'550', b'', ())",
        "(1, b'550', b'', 7)",
        "(1, b'550', b'', 'abc')",
        "(1, b'550', b'', None)",
        "(1, b'550', b'', [b'x'])",
        "(1, b'550', b'5.7.1', (b'a\\r\\n250 ok',))",
    ],
)
def test_an_object_that_only_looks_like_a_reply(start: Start, wire: str) -> None:
    process = start(f"""
        class Lookalike:
            _wire = {wire}
        class Filter(Base):
            def envfrom(self, mailfrom, *params):
                return Lookalike()
    """)
    with Client(process.address) as client:
        client.connect()
        assert client.mail("<>").reply == LATER


def test_setsymlist_outside_negotiate(puppet: Puppet) -> None:
    for step in ("connect", "eom", "close"):
        assert puppet.errors("note_error(self.setsymlist, 'eom', 'i')", step) == [
            ("MilterError", f"setsymlist is possible only at negotiate, not at {step}")
        ]


AFTER_QUIT_NC = """
    class Filter(Base):
        def connect(self, hostname, family, hostaddr): pass
        def header(self, name, value) -> None:
            if value == "fail":
                raise LookupError
        def eom(self): note("eom")
"""


@pytest.mark.parametrize("values", [("fail",), ("fail", "ok"), ("ok", "fail", "ok")])
def test_a_failure_after_quit_nc_is_not_forgotten(start: Start, kind: str, values: tuple[str, ...]) -> None:
    # libmilter keeps the no-reply of the first negotiation to itself and overrides what header() answers.
    process = start(AFTER_QUIT_NC, kind=kind)
    with Client(process.address) as client:
        for name in ("one", "two"):
            client.connect(name)
            client.mail("<>")
            client.rcpt("<b@x>")
            if name == "one":
                assert client.eom().verdict is Verdict.CONTINUE
                client.quit_nc()
        answers = [client.header("A", value) for value in values]
        refused = [answer for answer in answers if answer.verdict is not Verdict.NO_REPLY]
        if not refused:
            refused = [client.eom()]
        assert refused[-1].reply == LATER
    assert process.seen() == [("eom",)]


def test_a_failure_after_quit_nc_ends_with_its_message(start: Start, kind: str) -> None:
    # It is kept past its answer, which libmilter may have dropped. A message that begins is another one all the same.
    process = start(
        """
        class Filter(Base):
            def envfrom(self, mailfrom, *params): return CONTINUE
            def body(self, chunk):
                if chunk == b"fail":
                    raise LookupError
                return CONTINUE
        """,
        kind=kind,
    )
    with Client(process.address) as client:
        client.connect("one")
        message(client)
        client.quit_nc()
        client.connect("two")
        for chunk, verdict in ((b"fail", Verdict.TEMPFAIL), (b"ok", Verdict.CONTINUE)):
            assert client.mail("<>").verdict is Verdict.CONTINUE
            assert client.body(chunk).verdict is verdict
        assert client.eom().verdict is Verdict.CONTINUE


def test_a_late_edit_by_another_thread_is_refused_not_lost(start: Start) -> None:
    process = start("""
        import threading
        class Filter(Base):
            def eom(self):
                self.replacebody(b"x")
                self.sent, self.stop = 0, threading.Event()
                self.worker = threading.Thread(target=self.work)
                self.worker.start()
                while self.sent < 100: pass
            def work(self):
                while not self.stop.is_set():
                    try:
                        self.addheader("X-N", str(self.sent))
                    except MilterError:
                        return
                    self.sent += 1
            def abort(self): pass
            def close(self):
                self.stop.set()
                self.worker.join()
                note(self.sent)
    """)
    counts = []
    for _ in range(20):
        with Client(process.address) as client:
            client.connect()
            client.mail("<>")
            client.rcpt("<b@x>")
            counts.append(len(client.eom().edits) - 1)
    assert [(count,) for count in counts] == process.seen()


def test_the_object_in_a_dead_context_is_not_to_be_had(start: Start) -> None:
    process = start(
        """
        kept = []
        class Filter(Base):
            def connect(self, hostname, family, hostaddr):
                if kept:
                    for call in (kept[0].getpriv, lambda: kept[0].setpriv(1)):
                        try:
                            call()
                        except MilterError as error:
                            note(str(error))
                kept.append(self._ctx)
        """,
        keeps_connections=True,
    )
    for _ in range(2):
        with Client(process.address) as client:
            client.connect()
    assert process.seen() == [(f"{call} is not possible: the connection is closed",) for call in ("getpriv", "setpriv")]


def test_a_server_that_is_stopped_at_once(tmp_path: Path) -> None:
    # libmilter's loop that finds the stop flag before it has begun returns failure, which is none.
    for number in range(20):
        with free_address("unix") as address:
            done = finished("def main(address):\n    with Server(Base, address): pass\n", tmp_path, address)
            assert done.returncode == 0, (number, done.stderr)
