"""Prints a result for people: the steps, the verdict, the SMTP reply, and a diff of the changes."""

from __future__ import annotations

import difflib
import sys
from collections.abc import Iterator
from typing import TextIO

from ._constants import Command, Verdict
from ._paint import BOLD, CYAN, GREEN, GREY, PLAIN, RED, YELLOW, Screen, clean, fitted, padded
from ._result import Result, Step
from ._words import LEGEND, count, edit_text, reply_text

_MOST_ALIKE = 3
_MOST_LINES = 2000
_WIDEST = 120
_ANSWER = 12
"""Columns for an answer beside its step; a longer one goes on in the lines below."""
_TEXT = 12
"""Columns before the text of a step."""
_LABEL = 12

COLOURS = {
    Verdict.ACCEPT: GREEN,
    Verdict.CONTINUE: GREEN,
    Verdict.REJECT: RED,
    Verdict.TEMPFAIL: RED,
    Verdict.CONN_FAIL: RED,
    Verdict.SHUTDOWN: RED,
    Verdict.DISCARD: YELLOW,
    Verdict.SKIP: YELLOW,
    Verdict.NO_REPLY: GREY,
    Verdict.NOT_SENT: GREY,
}

_DIFF_COLOURS = {"+": GREEN, "-": RED, "@": CYAN}


def print_result(result: Result, file: TextIO | None = None, *, colour: bool | None = None) -> None:
    """Print a result in readable form, as wide as the terminal (72 columns elsewhere, unless COLUMNS says more).

    Args:
        result: What `send_message` or `Client.play` returned.
        file: the file to print to; by default sys.stdout.
        colour: None for colours if the file is a terminal and TERM is not "dumb"; NO_COLOR forbids them and
            FORCE_COLOR demands them.
    """
    out = sys.stdout if file is None else file
    for line in result_lines(result, Screen.of(out, colour)):
        print(line, file=out)


def result_lines(result: Result, screen: Screen) -> Iterator[str]:
    """The lines of `print_result`."""
    yield screen(BOLD, "Session")
    yield from _session(result, screen)
    yield ""
    if result.edits:
        yield screen(BOLD, "Edits" if result.delivered else "Edits (not used: the message is not delivered)")
        yield from (f"  {clean(edit_text(edit))}" for edit in result.edits)
        yield ""
    verdict = screen(COLOURS[result.verdict], result.verdict.value)
    yield f"{_label('Verdict', screen)}{verdict}, decided at {result.decided_at.name}"
    first, *rest = str(result.reply).split("\n")
    yield f"{_label('SMTP reply', screen)}{clean(first)}"
    yield from (f"{'':{_LABEL}}{clean(line)}" for line in rest)
    if result.delivered:
        params = f" {result.envelope.sender_params}" if result.envelope.sender_params else ""
        yield f"{_label('From', screen)}{clean(result.sender + params)}"
        yield f"{_label('To', screen)}{clean(', '.join(result.recipients)) or '(nobody)'}"
    if result.quarantine is not None:
        yield f"{_label('On hold', screen)}{screen(YELLOW, clean(result.quarantine))}"
    yield ""
    if not result.delivered:
        yield "The message is not delivered."
    elif not result.changed:
        yield "The message is unchanged, byte for byte."
    else:
        yield screen(BOLD, "Message as changed")
        yield from (f"  {line}" for line in diff_lines(result, screen))


def _label(name: str, screen: Screen) -> str:
    return f"{screen(BOLD, name)}{'':{_LABEL - len(name)}}"


def _session(result: Result, screen: Screen) -> Iterator[str]:
    for steps in _runs(result.transcript):
        shown = steps if len(steps) <= _MOST_ALIKE + 1 else steps[:_MOST_ALIKE]
        for step in shown:
            yield from _step(step, screen)
        if len(shown) < len(steps):
            more = f"{len(steps) - len(shown)} more, answered alike"
            yield f"  {steps[0].command.name:<9} {screen(GREY, more)}"
    seen = {step.response.verdict for step in result.transcript}
    for verdict, meaning in LEGEND.items():
        if verdict in seen:
            yield from (screen(GREY, line) for line in screen.wrapped(f"({meaning})", "  "))


def _runs(steps: tuple[Step, ...]) -> Iterator[list[Step]]:
    """Group consecutive body steps, and consecutive steps that were not sent, if they have the same answer."""
    run: list[Step] = []
    for step in steps:
        alike = run and step.response == run[-1].response
        if alike and (step.command is Command.BODY or step.response.verdict is Verdict.NOT_SENT):
            run.append(step)
            continue
        if run:
            yield run
        run = [step]
    if run:
        yield run


def _step(step: Step, screen: Screen) -> Iterator[str]:
    room = min(screen.width, _WIDEST) - _TEXT - _ANSWER
    text = padded(fitted(clean(step.text.replace("\n", " ")), room - 1), room)
    response = step.response
    verdict, more = response.verdict.value, ""
    if response.reply is not None:
        more = f": {clean(reply_text(response))}"
    if response.edits:
        more += f", {count(len(response.edits), 'edit')}"
    start = f"  {step.command.name:<9} {text}"
    if not screen.is_narrow or len(verdict + more) <= _ANSWER:
        yield f"{start}{screen(COLOURS[response.verdict], verdict)}{more}"
        return
    first, *rest = screen.wrapped(verdict + more, " " * _TEXT)
    yield start.rstrip()
    yield first.replace(verdict, screen(COLOURS[response.verdict], verdict), 1)
    yield from rest


def diff_lines(result: Result, screen: Screen) -> Iterator[str]:
    """What the filter changed, as a unified diff; nothing if the message is as it was."""
    if not result.changed:
        return
    old, new = (_text_lines(data) for data in (result.original, result.message))
    most = slice(_MOST_LINES)
    none = True
    for line in difflib.unified_diff(old[most], new[most], "as received", "as changed", lineterm=""):
        none = False
        yield screen(_DIFF_COLOURS.get(line[0], PLAIN), line)
    if none:
        yield "only line ends, or lines further on, differ"
    if max(len(old), len(new)) > _MOST_LINES:
        yield f"(lines after the first {_MOST_LINES} were not compared)"


def _text_lines(data: bytes) -> list[str]:
    text = data.decode("utf-8", "surrogateescape").removesuffix("\n")
    return [clean(line.removesuffix("\r")) for line in text.split("\n")]
