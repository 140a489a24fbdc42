"""`pymilter replay`: plays a recording of `trace` to a filter, and fails if the answers differ."""

from __future__ import annotations

import argparse
import difflib
import json
import textwrap
from collections.abc import Iterator
from pathlib import Path
from typing import Final

from pymilter.testing._connection import Connection
from pymilter.testing._errors import ClientError
from pymilter.testing._paint import BOLD, CYAN, GREEN, PLAIN, RED, Screen, clean
from pymilter.testing._words import count

from .arguments import add_socket, add_timeout, new_parser
from .ignored import NAMES, Ignored, ignored
from .output import Output
from .playback import Compared, Playback
from .recording import RecordedConnection, read_recording

_EPILOG: Final = f"""\
The connections are played one after another, in the order in which they were opened. --ignore takes
{"; ".join(f"{name} ({meaning})" for name, meaning in NAMES.items())}; field:NAME, the values of that header field;
and /REGEX/, whatever matches it. The exit status is 0 if all answers are those of the recording, 1 if not, or if the
filter could not be reached.
"""
_COLOURS: Final = {"+": GREEN, "-": RED, "@": CYAN}


def parser(program: str) -> argparse.ArgumentParser:
    """The parser of its arguments."""
    result = new_parser(
        program,
        "Play a recording of `pymilter trace --save` to a filter, packet for packet, and show each answer that differs"
        " from the recorded one: another verdict, reply or edit.",
        _EPILOG,
    )
    result.add_argument("recording", metavar="FILE", type=Path, help="the recording")
    add_socket(result)
    add_timeout(result)
    result.add_argument(
        "--ignore",
        metavar="WHAT",
        type=ignored,
        action="append",
        default=[],
        help="what may differ (see below); may be given more than once",
    )
    result.add_argument("--json", action="store_true", help="a line of JSON for each answer that differs")
    return result


def run(options: argparse.Namespace, output: Output) -> int:
    """Play the recording, show what differs, and return the exit status."""
    connections = read_recording(options.recording)
    answers = differing = failed = 0
    for recorded in connections:
        differences = 0
        try:
            for compared in _compared(recorded, options, Ignored(options.ignore)):
                answers += 1
                if compared.is_equal:
                    continue
                differences += 1
                output.lines([_json(compared)] if options.json else _difference(compared, output.screen))
        except ClientError as error:
            failed += 1
            output.complain(f"connection {recorded.number}: {error}")
        differing += differences
    if not options.json:
        summary = f"{count(len(connections), 'connection')}, {count(answers, 'answer')}, {differing} of them differ"
        output.lines(output.screen.wrapped(f"{summary}, {failed} not played to the end" if failed else summary))
    return 1 if differing or failed else 0


def _compared(recorded: RecordedConnection, options: argparse.Namespace, ignored: Ignored) -> Iterator[Compared]:
    if recorded.fault:
        raise ClientError(f"not played: {recorded.fault}")
    with Connection(options.socket, timeout=options.timeout, negotiate=False) as connection:
        yield from Playback(recorded, connection, ignored).run()
        connection.close()


def _difference(compared: Compared, screen: Screen) -> Iterator[str]:
    yield from (
        screen(BOLD, one) for one in screen.wrapped(clean(f"connection {compared.connection}, {compared.step}"))
    )
    lines = difflib.unified_diff(compared.recorded, compared.now, "recorded", "now", lineterm="", n=2)
    for line in lines:
        # What does not fit goes on below: whoever compares wants all of it.
        shown = (
            textwrap.wrap(clean(line), screen.width - 2, drop_whitespace=False) if screen.is_narrow else [clean(line)]
        )
        yield from (f"  {screen(_COLOURS.get(line[:1], PLAIN), part)}" for part in shown)


def _json(compared: Compared) -> str:
    return json.dumps(
        {
            "connection": compared.connection,
            "step": compared.step,
            "recorded": compared.recorded,
            "now": compared.now,
        }
    )
