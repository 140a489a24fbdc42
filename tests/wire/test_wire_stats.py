"""stats(): what is counted without Python, and which way unanswered steps take over TCP."""

from __future__ import annotations

from typing import Any

import pytest

from pymilter.testing import Client, Protocol, Verdict
from support.wire import Start, message

PROGRAM = """
    class Filter(Base):
        def header(self, name, value) -> None:
            if value == "boom":
                raise RuntimeError(value)

        def close(self):
            now = stats()
            note("stats", now.connections_opened, now.messages, now.body_bytes, now.failures, now.in_flight)
            note("headers", now.callbacks["header"], {int(status): n for status, n in now.answers["header"].items()})
            note("eom", {int(status): n for status, n in now.answers["eom"].items()})
            note("transports", now.transports.local, now.transports.acknowledged_tcp, now.transports.plain_tcp)
"""


def test_what_a_connection_did_is_counted(start: Start) -> None:
    filter_ = start(
        PROGRAM.replace("def close", "def body(self, chunk):\n            return None\n\n        def close")
    )
    with Client(filter_.address) as client:
        client.connect()
        assert message(client)["eom"].verdict is Verdict.CONTINUE
        client.mail("<a@example.org>")
        client.rcpt("<b@example.org>")
        client.header("Subject", "boom")
        assert client.eom().verdict is Verdict.TEMPFAIL
    assert filter_.wait_for(lambda seen: len(seen) == 4) == [
        ("stats", 1, 2, len(b"text\r\n"), 1, 1),
        ("headers", 2, {7: 2}),
        ("eom", {0: 1, 4: 1}),
        ("transports", 1, 0, 0),
    ]


@pytest.mark.parametrize(
    ("kind", "options", "transports", "unanswered"),
    [
        ("unix", {}, (1, 0, 0), True),
        ("unix", {"noreply_over_tcp": False}, (1, 0, 0), True),
        ("inet", {}, (0, 1, 0), True),
        ("inet6", {}, (0, 1, 0), True),
        ("inet", {"noreply_over_tcp": False}, (0, 0, 1), False),
    ],
)
def test_the_way_of_unanswered_steps_is_shown(
    start: Start, kind: str, options: dict[str, Any], transports: tuple[int, int, int], unanswered: bool
) -> None:
    filter_ = start(PROGRAM, kind=kind, **options)
    with Client(filter_.address) as client:
        asked = client.negotiation.protocol
        client.connect()
        message(client)
    filter_.wait_for(lambda seen: len(seen) == 4)
    assert filter_.seen("transports") == [("transports", *transports)]
    assert bool(asked & Protocol.NR_HDR) is unanswered
    # Over TCP the macros of DATA would travel alone if DATA were left out.
    assert bool(asked & Protocol.NODATA) is (kind == "unix")


def test_a_connection_counts_as_closed_although_its_context_is_kept(start: Start) -> None:
    filter_ = start(
        """
        import threading, time
        kept = []

        def watch():
            while stats().connections_closed == 0:
                time.sleep(0.01)
            note("closed", stats().connections_closed, pymilter._core.connections())

        class Filter(Base):
            def close(self):
                kept.append(self._ctx)
                threading.Thread(target=watch, daemon=True).start()
        """,
        keeps_connections=True,
    )
    with Client(filter_.address) as client:
        client.connect()
    assert filter_.wait_for(bool) == [("closed", 1, (1, 0))]


def test_edits_are_counted_by_kind(start: Start) -> None:
    source = """
        class Filter(Base):
            def eom(self):
                self.addheader("X", "1")
                self.addheader("Y", "1", 0)
                self.addheader("Z", "1", 1)
                self.chgheader("X", 1, "2")
                self.addrcpt("<a@example.org>")
                self.addrcpt("<b@example.org>", "NOTIFY=NEVER")
                self.delrcpt("<c@example.org>")
                self.chgfrom("<d@example.org>")
                self.replacebody(b"one")
                self.replacebody(b"two")
                self.quarantine("held")  # waits for the end of eom, behind the body
                try:
                    self.addheader("X:", "1")
                except ValueError:
                    pass
                note("edits", dict(stats().edits))
                return CONTINUE
    """
    filter_ = start(source)
    with Client(filter_.address) as client:
        client.connect()
        client.mail("<a@example.org>")
        client.rcpt("<b@example.org>")
        assert client.eom().verdict is Verdict.CONTINUE
    counted = {"addheader": 1, "insheader": 2, "chgheader": 1, "addrcpt": 2, "delrcpt": 1, "chgfrom": 1}
    assert filter_.seen("edits") == [("edits", {**counted, "replacebody": 2, "quarantine": 1})]
