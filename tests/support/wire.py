"""Filters for the wire tests: a few lines of source, run on real libmilter in a process of their own."""

from __future__ import annotations

import ast
import contextlib
import json
import subprocess
import sys
import textwrap
import time
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Protocol, TypeVar

from pymilter.testing import Client, FilterProcess, Response, free_port, temporary_socket
from support.require import missing

_RUNNER = Path(__file__).with_name("wire_runner.py")
_DEADLINE = 30.0  # seconds, for something that takes a moment, on a slow and busy machine

T = TypeVar("T")

Seen = list[tuple[Any, ...]]
"""What a filter reported with note(), one tuple per call."""


class Start(Protocol):
    """Starts a filter from its source: see `running`."""

    def __call__(
        self, source: str, *, kind: str = "unix", keeps_connections: bool = False, **options: object
    ) -> WireFilter: ...


class WireFilter(FilterProcess):
    """The process of a filter, and what it reported with note()."""

    def seen(self, *first: object) -> Seen:
        """Return the notes so far; with `first`, only those that begin with one of these words."""
        lines = self.stdout.splitlines(keepends=True)
        notes = [ast.literal_eval(line) for line in lines if line.endswith("\n")]
        return [values for values in notes if not first or values[0] in first]

    def wait_for(self, is_there: Callable[[Seen], object]) -> Seen:
        """Return the notes as soon as `is_there` is true of them."""
        return eventually(self.seen, is_there)

    def connections(self) -> tuple[int, int]:
        """Return how many connections were made and freed. Call this after the end."""
        _, made, freed = self.seen("end")[0]
        return made, freed


def eventually(look: Callable[[], T], holds: Callable[[T], object]) -> T:
    """Return the result of `look` as soon as `holds` is true of it; fail the test if that takes too long."""
    deadline = time.monotonic() + _DEADLINE
    while not holds(found := look()):
        assert time.monotonic() < deadline, f"still not there after {_DEADLINE} s: {found!r}"
        time.sleep(0.005)
    return found


@contextlib.contextmanager
def free_address(kind: str) -> Iterator[str]:
    """Yield a free address of the kind unix, inet or inet6, in libmilter's notation."""
    if kind == "unix":
        with temporary_socket() as address:
            yield address
        return
    host = "127.0.0.1" if kind == "inet" else "::1"
    try:
        port = free_port(host)
    except OSError as error:
        missing(f"no {kind} loopback address: {error}")
    yield f"{kind}:{port}@{host}"


def prepared(source: str, folder: Path, address: str, options: dict[str, object]) -> WireFilter:
    """A process for `source`, not started yet; see `running`."""
    file = folder / "program.py"
    file.write_text(textwrap.dedent(source))
    return WireFilter([sys.executable, str(_RUNNER), str(file), address, json.dumps(options)], address)


@contextlib.contextmanager
def running(
    source: str, folder: Path, address: str, *, keeps_connections: bool = False, **options: object
) -> Iterator[WireFilter]:
    """Run `source`, which defines `Filter` (a class or a factory), with run()'s `options`.

    It finds all that pymilter exports, and note(), whose values come back from `WireFilter.seen`. At the end the
    process must have ended well, with as many connections freed as made, unless it
    `keeps_connections`: open ones, or handles on dead ones.
    """
    process = prepared(source, folder, address, options)
    with process:
        # The socket is there a moment before the signals are watched.
        eventually(lambda: process.stderr, lambda text: f"listening on {address}\n" in text)
        yield process
        if process.returncode is None:
            process.stop()
        assert process.returncode == 0, process.stderr
        made, freed = process.connections()
        assert keeps_connections or made == freed, f"{made} connections were made, {freed} freed"


@dataclass(frozen=True)
class Finished:
    """A program that has come to its end."""

    returncode: int
    seen: Seen
    stderr: str


Script = Callable[[str], Finished]


def finished(source: str, folder: Path, address: str) -> Finished:
    """Run `source`, whose main(address) ends by itself."""
    file = folder / "script.py"
    file.write_text(textwrap.dedent(source))
    done = subprocess.run(
        [sys.executable, str(_RUNNER), str(file), address, "{}"],
        capture_output=True,
        text=True,
        timeout=_DEADLINE,
        check=False,
    )
    notes = [ast.literal_eval(line) for line in done.stdout.splitlines()]
    return Finished(done.returncode, [values for values in notes if values[0] != "end"], done.stderr)


def session(client: Client, last: str = "eom", macros: Mapping[str, str] | None = None) -> dict[str, Response]:
    """Send each step of a connection with one message; the answers by the methods' names. See `message`."""
    steps = {"connect": lambda: client.connect(macros=macros), "hello": client.helo}
    answers = play_steps(steps, last)
    if last not in answers and all(answer.verdict.passes for answer in answers.values()):
        answers |= message(client, last)
    return answers


def message(client: Client, last: str = "eom") -> dict[str, Response]:
    """Send each step of one message up to `last`, or to the answer after which an MTA stops.

    The answers by the methods' names. A message that was not brought to its end is given up, as after RSET.
    """
    steps: dict[str, Callable[[], Response]] = {
        "envfrom": lambda: client.mail("<a@example.org>"),
        "envrcpt": lambda: client.rcpt("<b@example.org>"),
        "unknown": lambda: client.unknown("FOO"),
        "data": client.data,
        "header": lambda: client.header("Subject", "hello"),
        "eoh": client.eoh,
        "body": lambda: client.body(b"text\r\n"),
        "eom": client.eom,
    }
    answers = play_steps(steps, last)
    if "eom" not in answers:
        client.abort()
    return answers


def play_steps(steps: Mapping[str, Callable[[], Response]], last: str) -> dict[str, Response]:
    """Send the steps up to `last`, or to the answer after which an MTA stops."""
    answers = {}
    for name, send in steps.items():
        answers[name] = send()
        verdict = answers[name].verdict
        if name == last or not (verdict.passes or (verdict.refuses and name in ("envrcpt", "unknown"))):
            break
    return answers
