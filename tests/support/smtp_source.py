"""Load on a mail server by Postfix's smtp-source, and a record of the answer to each message."""

from __future__ import annotations

import re
import subprocess
import threading
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from types import TracebackType
from typing import Self

from support import require

_REPLY = re.compile(r"<<< (\d{3}) (.*)")
_QUEUED = re.compile(r"queued as (\S+)")
_KEY = re.compile(r"(\d*)r(\d+)m(\d*)")


def number_of(key: str) -> int:
    """The number of a message in its run, from its recipient's local part."""
    found = _KEY.fullmatch(key)
    assert found, key
    return int(found[1] or found[3])


def run_of(key: str) -> int:
    """The run of smtp-source that sent the message."""
    found = _KEY.fullmatch(key)
    assert found, key
    return int(found[2])


@dataclass(frozen=True)
class Answer:
    """The final answer to a message: at the end of its data, or at the step at which it was refused."""

    key: str
    """The local part of the recipient, which no other message has; empty if it was refused before RCPT."""
    code: int
    text: str

    @property
    def queue_id(self) -> str | None:
        """The queue id under which the server accepted the message; None if it did not."""
        found = _QUEUED.search(self.text) if self.code == 250 else None
        return found[1] if found else None


class Load:
    """Sends messages over `sessions` sessions at a time, from ``with`` to `stop` or its end; none is broken off.

    The recipient of message n of run r, counted from 1, is ``<NrRm@example.net>``, or ``<rRmN@example.net>`` from
    Postfix 3.10 on, which puts its number last. Runs with one session for each message and runs with a session for all
    take turns. The name of the client, `host`, is in each Message-ID.
    """

    def __init__(self, port: int, host: str, *, sessions: int = 3, messages: int = 20) -> None:
        self._command = str(require.command("smtp-source", "postfix"))
        self._port = port
        self._host = host
        self._messages = messages
        self._runs = 0
        self._enough = threading.Event()
        self._changed = threading.Condition()
        self._answers: list[Answer] = []
        self._faults: list[str] = []
        self._threads = [threading.Thread(target=self._source, name="smtp-source") for _ in range(sessions)]

    def __enter__(self) -> Self:
        for thread in self._threads:
            thread.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.stop()

    def stop(self) -> None:
        """Let the runs that are under way end, and wait for it."""
        self._enough.set()
        for thread in self._threads:
            thread.join()

    @property
    def runs(self) -> int:
        """The last run that has begun."""
        with self._changed:
            return self._runs

    @property
    def answers(self) -> list[Answer]:
        """The record so far, in the order of the answers."""
        with self._changed:
            return self._answers.copy()

    @property
    def faults(self) -> list[str]:
        """The complaints of smtp-source that were not about an answer of the server."""
        with self._changed:
            return self._faults.copy()

    def wait_for(self, count: int, wanted: Callable[[Answer], object], timeout: float = 40.0) -> None:
        """Wait until `count` more answers that are `wanted` have come.

        Raises ``TimeoutError`` when they have not after `timeout` seconds.
        """
        with self._changed:
            begun = len(self._answers)
            if not self._changed.wait_for(lambda: sum(map(bool, map(wanted, self._answers[begun:]))) >= count, timeout):
                raise TimeoutError(f"no {count} such answers within {timeout} s; the last are {self._answers[-5:]}")

    def _source(self) -> None:
        while not self._enough.is_set():
            with self._changed:
                self._runs += 1
                run = self._runs
            options = ["-d"] if run % 2 else []
            command = [self._command, "-v", "-A", "-N", *options, "-m", str(self._messages), "-l", "3000"]
            command += ["-f", "from@example.org", "-t", f"r{run}m@example.net", "-M", self._host]
            with subprocess.Popen(
                [*command, f"127.0.0.1:{self._port}"], stderr=subprocess.PIPE, text=True, errors="replace"
            ) as process:
                assert process.stderr is not None
                for answer in _transcript(process.stderr):
                    with self._changed:
                        self._answers.append(answer)
                        self._changed.notify_all()
            if process.returncode != 0:
                with self._changed:
                    self._faults.append(f"run {run} ended with status {process.returncode}")


def _transcript(lines: Iterator[str]) -> Iterator[Answer]:
    """Read what smtp-source -v tells of one session at a time."""
    key, asked = "", ""
    for line in lines:
        said = line.rstrip("\n").partition("smtp-source: ")[2]
        if said.startswith("MAIL FROM:"):
            key, asked = "", "MAIL"
        elif said.startswith("RCPT TO:"):
            key, asked = said.partition("<")[2].partition("@")[0], "RCPT"
        elif said in ("DATA", ".", "RSET", "QUIT"):
            asked = said
        elif (reply := _REPLY.fullmatch(said)) and (
            (asked == "." or int(reply[1]) >= 400) and asked not in ("RSET", "QUIT", "")
        ):
            yield Answer(key, int(reply[1]), reply[2])
            asked = ""
