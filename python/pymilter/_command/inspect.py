"""`pymilter inspect`: negotiates with a running filter, and shows what it asked for."""

from __future__ import annotations

import argparse
import json
from typing import Final

from pymilter.testing._agreement import Negotiation
from pymilter.testing._connection import Connection
from pymilter.testing._constants import VERSION, Action, Command, Protocol
from pymilter.testing._errors import ProtocolError
from pymilter.testing._paint import BOLD, YELLOW, clean
from pymilter.testing._wire import describe, offer, read_agreement

from .agreement import agreement_as_json, agreement_lines, listed
from .arguments import add_socket, add_timeout, new_parser
from .mta_limits import warnings_about
from .output import Output

_EPILOG: Final = """\
It offers what Postfix and Sendmail offer, and quits before the first step: the filter sees a connection without an
SMTP client. The exit status is 0, also if there are warnings, and 1 if no filter answers.
"""


def parser(program: str) -> argparse.ArgumentParser:
    """The parser of its arguments."""
    result = new_parser(
        program,
        "Show what a running filter negotiates: the version of the protocol, what it may do to messages, which steps it"
        " wants and answers, and the macros it asks for. The filter may be any milter.",
        _EPILOG,
    )
    add_socket(result)
    add_timeout(result)
    result.add_argument("--json", action="store_true", help="show it as one line of JSON")
    return result


def run(options: argparse.Namespace, output: Output) -> int:
    """Negotiate, show what was agreed, and return the exit status."""
    agreed = _negotiated(options.socket, options.timeout)
    warnings = warnings_about(agreed)
    screen = output.screen
    if options.json:
        found = {"socket": options.socket, **agreement_as_json(agreed), "warnings": warnings}
        output.lines([json.dumps(found)])
    else:
        output.lines([f"{screen(BOLD, clean(options.socket))}: milter protocol, version {agreed.version}", ""])
        output.lines(agreement_lines(agreed, None, screen))
        output.lines(listed("Warnings", warnings, YELLOW, screen))
    return 0


def _negotiated(address: str, timeout: float) -> Negotiation:
    """What the filter answers, also if it asks for more than was offered."""
    with Connection(address, timeout=timeout, negotiate=False) as connection:
        connection.send(Command.NEGOTIATE, offer(VERSION, Action.ALL, Protocol.ALL))
        code, payload = connection.receive("the negotiation")
        if code != Command.NEGOTIATE.value:
            raise ProtocolError(f"the filter answered the negotiation with {describe(code)}")
        agreed = Negotiation(*read_agreement(payload))
        connection.send(Command.QUIT)
        connection.close()
    return agreed
