"""`pymilter send`: plays message files to a running filter as an MTA does, and shows what became of them."""

from __future__ import annotations

import argparse
import email
import email.utils
import json
import sys
import time
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Final, NamedTuple

from pymilter.testing._client import Client
from pymilter.testing._delivery import MTAS
from pymilter.testing._paint import BOLD, clean
from pymilter.testing._report import diff_lines, result_lines
from pymilter.testing._result import Result

from .arguments import add_socket, add_timeout, client_address, macro, new_file, new_parser, positive
from .output import Failure, Output
from .results import STATUSES, outcome_of, result_as_json, times_lines

_EPILOG: Final = f"""\
exit status: 0 if the messages were played, whatever the verdicts; 1 if the filter could not be reached, broke the
protocol, or gave a verdict other than that of --expect; 2 for wrong arguments. With --exit-code, it shows the verdict:
{", ".join(f"{status} {name}" for name, status in STATUSES.items())}; the highest of several messages counts.
"""


class _Source(NamedTuple):
    """A message to play: its name for people, and its bytes."""

    name: str
    data: bytes


def parser(program: str) -> argparse.ArgumentParser:
    """The parser of its arguments."""
    result = new_parser(
        program, "Play message files to a mail filter, as an MTA would, and show what the filter did.", _EPILOG
    )
    result.add_argument("messages", nargs="+", metavar="MESSAGE", help="a file with a message; - for standard input")
    add_socket(result)
    smtp = result.add_argument_group("the SMTP session")
    smtp.add_argument("--from", dest="sender", metavar="ADDRESS", help="envelope sender (default: the From field)")
    smtp.add_argument(
        "--to",
        dest="recipients",
        metavar="ADDRESS",
        action="append",
        help="envelope recipient; may be given more than once (default: the To and Cc fields)",
    )
    smtp.add_argument(
        "--client-name", metavar="NAME", default="client.example.com", help="host name of the SMTP client"
    )
    smtp.add_argument(
        "--client-address",
        metavar="ADDRESS",
        type=client_address,
        default="192.0.2.1",
        help="IP address of the SMTP client, or a socket's path",
    )
    smtp.add_argument("--helo", metavar="NAME", help="HELO name (default: the client's name)")
    smtp.add_argument(
        "--macro",
        type=macro,
        action="append",
        default=[],
        metavar="NAME=VALUE",
        help="value of a macro; may be given more than once",
    )
    smtp.add_argument("--mta", choices=MTAS, default="postfix", help="the MTA whose habits decide how edits are made")
    add_timeout(smtp)
    smtp.add_argument(
        "--repeat", metavar="N", type=positive, default=1, help="play the messages N times, and show how long they took"
    )
    shown = result.add_argument_group("what is shown")
    forms = shown.add_mutually_exclusive_group()
    forms.add_argument("--json", action="store_true", help="a line of JSON for each message")
    forms.add_argument("--diff", action="store_true", help="only what the filter changed, as a unified diff")
    shown.add_argument(
        "--output", type=new_file, metavar="FILE", help="write the message as changed to this file (for one message)"
    )
    status = result.add_argument_group("exit status").add_mutually_exclusive_group()
    status.add_argument("--expect", choices=STATUSES, help="fail if a message gets another verdict")
    status.add_argument("--exit-code", action="store_true", help="let the exit status show the verdict, see below")
    return result


def run(options: argparse.Namespace, output: Output) -> int:
    """Play the messages, and return the exit status."""
    if options.output is not None and len(options.messages) * options.repeat > 1:
        raise Failure("--output is for one message; --json has the messages as changed of any number", 2)
    sources = _read(options.messages)
    results: list[Result] = []
    times: list[float] = []
    for number, (source, result, seconds) in enumerate(_played(sources, options)):
        if options.output is not None:
            _write(options.output, result.message)
        if options.json:
            output.lines([json.dumps(result_as_json(source.name, result, seconds))])
        elif options.diff:
            output.lines(diff_lines(result, output.screen) if number < len(sources) else ())
        elif options.repeat == 1:
            if len(sources) > 1:
                output.lines([*([""] if number else []), output.screen(BOLD, f"== {clean(source.name)}")])
            output.lines(result_lines(result, output.screen))
        if options.expect not in (None, outcome := outcome_of(result)):
            output.complain(f"{source.name}: expected {options.expect}, got {outcome}: {result.reply}")
        results.append(result)
        times.append(seconds)
    if options.repeat > 1 and not options.json and not options.diff:
        output.lines(times_lines(results, times, output.screen))
    outcomes = {outcome_of(result) for result in results}
    if options.expect is not None:
        return 0 if outcomes == {options.expect} else 1
    return max(STATUSES[outcome] for outcome in outcomes) if options.exit_code else 0


def _read(names: Sequence[str]) -> list[_Source]:
    if names.count("-") > 1:
        raise Failure("standard input (-) can be read only once", 2)
    sources: list[_Source] = []
    for name in names:
        try:
            data = sys.stdin.buffer.read() if name == "-" else Path(name).read_bytes()
        except OSError as error:
            raise Failure(f"cannot read {name}: {error.strerror}", 2) from None
        sources.append(_Source("standard input" if name == "-" else name, data))
    return sources


def _write(file: Path, data: bytes) -> None:
    try:
        file.write_bytes(data)
    except OSError as error:
        raise Failure(f"cannot write {file}: {error.strerror}") from None


def _played(sources: Sequence[_Source], options: argparse.Namespace) -> Iterator[tuple[_Source, Result, float]]:
    """Play each source as often as asked for, on one connection while it lasts; with the seconds each took."""
    client: Client | None = None
    try:
        for source in [*sources] * options.repeat:
            began = time.perf_counter()
            if client is None or client.closed:  # a reply 421 ends the connection
                client = Client(options.socket, timeout=options.timeout, macros=dict(options.macro))
            result = _play(client, source.data, options)
            yield source, result, time.perf_counter() - began
        if client is not None and not client.closed:
            client.quit()
    except ValueError as error:
        raise Failure(str(error)) from None
    finally:
        if client is not None:
            client.close()


def _play(client: Client, data: bytes, options: argparse.Namespace) -> Result:
    parsed = email.message_from_bytes(data)
    sender = options.sender
    if sender is None:
        sender = next(iter(_addresses(parsed, "From")), "sender@example.com")
    recipients = options.recipients or _addresses(parsed, "To", "Cc") or ["recipient@example.net"]
    return client.play(
        data,
        sender,
        recipients,
        hostname=options.client_name,
        address=options.client_address,
        helo=options.helo,
        mta=options.mta,
    )


def _addresses(message: email.message.Message, *names: str) -> list[str]:
    values = [str(value) for name in names for value in message.get_all(name, [])]
    return [address for _, address in email.utils.getaddresses(values) if address]
