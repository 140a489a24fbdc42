"""Whole messages, and gathered bodies, in filters that are served by workers: edits, deaths, limits and failures."""

from __future__ import annotations

import contextlib
import os
import signal
import textwrap
from collections.abc import Callable
from pathlib import Path

import pytest

from pymilter.testing import AddHeader, AddRecipient, Client, ClientError, ReplaceBody, Response, Verdict, send_message
from support.crew import Crew, Name, serving
from support.wire import eventually

KINDS = pytest.mark.parametrize("kind", ["unix", "inet"])
MESSAGE = b"From: a@example.org\r\nSubject: one\r\n\r\nbody\r\n"

EDITS = """
    class Filter(MessageFilter):
        def connect(self, *arguments):
            print("connect", os.getpid(), flush=True)
            return CONTINUE

        def message(self, message):
            if "die" in message.headers["Subject"].value:
                os.kill(os.getpid(), signal.SIGKILL)
            message.headers.append("X-Worker", str(os.getpid()))
            message.recipients.add("archive@example.net")
            message.body += b"more\\n"
"""


def worker_of(crew: Crew, client: Client) -> int:
    """Open the connection, and return the process number of the worker that serves it."""
    before = crew.process.stdout.count("connect ")
    client.connect()
    lines = eventually(crew.process.stdout.splitlines, lambda found: len(found) > before)
    return int(lines[-1].split()[1])


@KINDS
def test_the_edits_of_each_worker_arrive(tmp_path: Path, kind: str) -> None:
    with serving(tmp_path, kind, before=EDITS, workers=2) as crew:
        workers = crew.pids()
        seen: set[int] = set()

        def send() -> set[int]:
            result = send_message(crew.process.address, MESSAGE, "<a@example.org>", ["<b@example.org>"])
            worker = int(crew.process.stdout.split()[-1])
            assert result.edits == (
                AddRecipient("<archive@example.net>"),
                AddHeader("X-Worker", f" {worker}"),
                ReplaceBody(b"body\r\nmore\r\n"),
            )
            seen.add(worker)
            return seen

        eventually(send, workers.__eq__)
        assert crew.process.stop() == 0, crew.process.stderr


def steps(client: Client, subject: bytes = b" one") -> dict[str, Callable[[], Response]]:
    return {
        "mail": lambda: client.mail("<a@example.org>"),
        "rcpt": lambda: client.rcpt("<b@example.org>"),
        "data": client.data,
        "header": lambda: client.header("Subject", subject),
        "eoh": client.eoh,
        "body": lambda: client.body(b"body\r\n"),
        "eom": client.eom,
    }


@KINDS
def test_a_worker_that_is_killed_within_a_message_accepts_nothing(tmp_path: Path, kind: str) -> None:
    """The MTA sees that the connection has ended, whatever came last, and a message on a new one is handled."""
    before = "import pymilter._workers.supervisor as s; s.QUICK = 0; s.FIRST_PAUSE = s.LONGEST_PAUSE = 0.01\n"
    with serving(tmp_path, kind, before=before + textwrap.dedent(EDITS), workers=2) as crew:
        for number, last in enumerate(("mail", "rcpt", "data", "header", "eoh", "body", "eom"), 1):
            client = Client(crew.process.address)
            with contextlib.suppress(ClientError), client:
                worker = worker_of(crew, client)
                plays = steps(client, b" die" if last == "eom" else b" one")
                names = list(plays)
                for name in names[: names.index(last) + 1]:
                    answer = plays[name]()
                    assert answer.verdict in (Verdict.NO_REPLY, Verdict.NOT_SENT), name
                os.kill(worker, signal.SIGKILL)
                crew.wait_for("ended with status -9 (SIGKILL) while it served", number)
                for name in names[names.index(last) + 1 :]:
                    answer = plays[name]()
                    assert answer.verdict in (Verdict.NO_REPLY, Verdict.NOT_SENT, Verdict.TEMPFAIL), name
                pytest.fail(f"the message was answered after the death at {last}: {answer}")
            crew.wait_for("ended with status -9 (SIGKILL) while it served", number)
            assert len(send_message(crew.process.address, MESSAGE).edits) == 3
        assert crew.process.stop() == 0, crew.process.stderr


@KINDS
def test_a_worker_that_stops_within_a_message_sends_its_edits(tmp_path: Path, kind: str) -> None:
    with serving(tmp_path, kind, before=EDITS, workers=2, grace=60) as crew:
        with Client(crew.process.address) as client:
            worker_of(crew, client)
            *before, eom = steps(client).values()
            for play in before:
                play()
            crew.process.send_signal(signal.SIGTERM)
            crew.wait_for("stopped listening")  # the other worker
            answer = eom()
            assert (answer.verdict, len(answer.edits)) == (Verdict.CONTINUE, 3)
        assert crew.process.wait() == 0, crew.process.stderr


LIMITED = {
    "message": """
        class Filter(MessageFilter, limit=1000, header_limit=500, in_memory=10):
            def message(self, message):
                return answer(message.body, message.headers["Subject"].value)
    """,
    "gather": """
        class Filter(Base):
            def header(self, name, value) -> None:
                self.subject = value
            @gather(limit=1000, in_memory=10)
            def body(self, body):
                return answer(body, self.subject)
            def eom(self):
                return CONTINUE
    """,
}
ANSWER = """
    def answer(body, subject):
        if subject == "fail":
            raise ValueError("it broke")
        return CONTINUE if bytes(body) == b"x" * (len(body) - 2) + b"\\r\\n" else Reject(550, "5.7.1", "other bytes")
"""


@pytest.mark.parametrize("workers", [0, 2])
@pytest.mark.parametrize("way", LIMITED)
@pytest.mark.parametrize("policy", [Verdict.TEMPFAIL, Verdict.REJECT])
def test_limits_and_failures_are_the_same_in_workers(tmp_path: Path, workers: int, way: str, policy: Verdict) -> None:
    before = textwrap.dedent(ANSWER) + textwrap.dedent(LIMITED[way])
    with serving(tmp_path, before=before, workers=workers, exception_policy=Name(policy.name)) as crew:

        def send(size: int, subject: str = "x", times: int = 1) -> tuple[Verdict, str]:
            data = f"Subject: {subject}\r\n".encode() * times + b"\r\n" + b"x" * (size - 2) + b"\r\n"
            result = send_message(crew.process.address, data)
            return result.verdict, f"{result.reply.code} {result.reply.enhanced}"

        for _ in range(4):  # so that both workers get some
            assert send(1000)[0] is Verdict.ACCEPT
            assert send(1001) == (Verdict.TEMPFAIL, "452 4.3.4")
            assert send(100, "fail")[0] is policy
            if way == "message":
                assert send(100, "x" * 400, times=2) == (Verdict.REJECT, "552 5.3.4")
        assert crew.process.stop() == 0, crew.process.stderr
        failures = crew.process.stderr.count("ValueError: it broke")
        assert failures == 4
