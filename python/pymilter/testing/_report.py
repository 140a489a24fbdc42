"""Prints a result for people: the steps, the verdict, the SMTP reply, and a diff of the changes."""

from __future__ import annotations

import difflib
import os
import sys
from collections.abc import Iterator
from typing import TextIO

from pymilter.message._edits import (
    AddHeader,
    AddRecipient,
    ChangeFrom,
    ChangeHeader,
    DeleteRecipient,
    Edit,
    InsertHeader,
    Quarantine,
    ReplaceBody,
)

from ._constants import Command, Verdict
from ._result import Result, Step

_MOST_ALIKE = 3
_MOST_LINES = 2000
_WIDTH = 72

_BOLD = "1"
_RED = "31"
_GREEN = "32"
_YELLOW = "33"
_CYAN = "36"
_GREY = "90"

_COLOURS = {
    Verdict.ACCEPT: _GREEN,
    Verdict.CONTINUE: _GREEN,
    Verdict.REJECT: _RED,
    Verdict.TEMPFAIL: _RED,
    Verdict.CONN_FAIL: _RED,
    Verdict.SHUTDOWN: _RED,
    Verdict.DISCARD: _YELLOW,
    Verdict.SKIP: _YELLOW,
    Verdict.NO_REPLY: _GREY,
    Verdict.NOT_SENT: _GREY,
}

_DIFF_COLOURS = {"+": _GREEN, "-": _RED, "@": _CYAN}


def print_result(result: Result, file: TextIO | None = None, *, colour: bool | None = None) -> None:
    """Print a result in readable form.

    Args:
        file: the file to print to; by default sys.stdout.
        colour: None for colour on a terminal only (and not if the variable NO_COLOR is set).
    """
    out = sys.stdout if file is None else file
    if colour is None:
        colour = out.isatty() and not os.environ.get("NO_COLOR")
    for line in _lines(result, _Paint(colour)):
        print(line, file=out)


class _Paint:
    def __init__(self, colour: bool) -> None:
        self._colour = colour

    def __call__(self, code: str, text: str) -> str:
        return f"\x1b[{code}m{text}\x1b[0m" if self._colour and code and text else text


def _lines(result: Result, paint: _Paint) -> Iterator[str]:
    yield paint(_BOLD, "Session")
    yield from _session(result, paint)
    yield ""
    if result.edits:
        yield paint(_BOLD, "Edits" if result.delivered else "Edits (not used: the message is not delivered)")
        yield from (f"  {_clean(_edit(edit))}" for edit in result.edits)
        yield ""
    verdict = paint(_COLOURS[result.verdict], result.verdict.value)
    yield f"{paint(_BOLD, 'Verdict')}     {verdict}, decided at {result.decided_at.name}"
    first, *rest = str(result.reply).split("\n")
    yield f"{paint(_BOLD, 'SMTP reply')}  {_clean(first)}"
    yield from (f"            {_clean(line)}" for line in rest)
    if result.delivered:
        params = f" {result.envelope.sender_params}" if result.envelope.sender_params else ""
        yield f"{paint(_BOLD, 'From')}        {_clean(result.sender + params)}"
        yield f"{paint(_BOLD, 'To')}          {_clean(', '.join(result.recipients)) or '(nobody)'}"
    if result.quarantine is not None:
        yield f"{paint(_BOLD, 'On hold')}     {paint(_YELLOW, _clean(result.quarantine))}"
    yield ""
    if not result.delivered:
        yield "The message is not delivered."
    elif not result.changed:
        yield "The message is unchanged, byte for byte."
    else:
        yield paint(_BOLD, "Message as changed")
        yield from _diff(result, paint)


def _session(result: Result, paint: _Paint) -> Iterator[str]:
    for steps in _runs(result.transcript):
        shown = steps if len(steps) <= _MOST_ALIKE + 1 else steps[:_MOST_ALIKE]
        yield from (_step(step, paint) for step in shown)
        if len(shown) < len(steps):
            more = f"{len(steps) - len(shown)} more, answered alike"
            yield f"  {steps[0].command.name:<9} {paint(_GREY, more)}"


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


def _step(step: Step, paint: _Paint) -> str:
    text = _clean(step.text.replace("\n", " "))
    if len(text) > _WIDTH - 24:
        text = f"{text[: _WIDTH - 27]}..."
    response = step.response
    answer = paint(_COLOURS[response.verdict], response.verdict.value)
    if response.reply is not None:
        answer += f": {_clean(str(response.reply).replace(chr(10), ' / '))}"
    if response.edits:
        answer += f", {len(response.edits)} edit{'s' if len(response.edits) > 1 else ''}"
    return f"  {step.command.name:<9} {text:<{_WIDTH - 24}} {answer}"


def _edit(edit: Edit) -> str:
    match edit:
        case AddHeader(name, value):
            return f"add header       {name}: {value}"
        case InsertHeader(index, name, value):
            return f"insert header    at {index}, {name}: {value}"
        case ChangeHeader(index, name, ""):
            return f"delete header    {name}, number {index}"
        case ChangeHeader(index, name, value):
            return f"change header    {name}, number {index}, to: {value}"
        case ChangeFrom(address, params):
            return f"change sender    {address} {params or ''}".rstrip()
        case AddRecipient(address, params):
            return f"add recipient    {address} {params or ''}".rstrip()
        case DeleteRecipient(address):
            return f"delete recipient {address}"
        case ReplaceBody(data):
            return f"replace body     {len(data)} bytes"
        case Quarantine(reason):
            return f"quarantine       {reason}"


def _diff(result: Result, paint: _Paint) -> Iterator[str]:
    old, new = (_text_lines(data) for data in (result.original, result.message))
    most = slice(_MOST_LINES)
    none = True
    for line in difflib.unified_diff(old[most], new[most], "as received", "as changed", lineterm=""):
        none = False
        yield f"  {paint(_DIFF_COLOURS.get(line[0], ''), line)}"
    if none:
        yield "  only line ends, or lines further on, differ"
    if max(len(old), len(new)) > _MOST_LINES:
        yield f"  (lines after the first {_MOST_LINES} were not compared)"


def _text_lines(data: bytes) -> list[str]:
    text = data.decode("utf-8", "surrogateescape").removesuffix("\n")
    return [_clean(line.removesuffix("\r")) for line in text.split("\n")]


def _clean(text: str) -> str:
    """`text` without anything that a terminal would obey or that UTF-8 cannot say: as \\xNN instead."""
    known = text.encode("utf-8", "surrogateescape").decode("utf-8", "backslashreplace")
    return "".join(
        char if char.isprintable() or char == "\t" else char.encode("unicode_escape").decode() for char in known
    )
