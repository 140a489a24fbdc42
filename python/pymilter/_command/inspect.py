"""`pymilter inspect`: negotiates with a running filter, and shows what it asked for."""

from __future__ import annotations

import argparse
import json
from collections.abc import Iterator
from typing import Any, Final

from pymilter.testing._agreement import Negotiation, exists, is_answered, is_wanted
from pymilter.testing._connection import Connection
from pymilter.testing._constants import VERSION, Action, Command, Protocol, Stage, Verdict
from pymilter.testing._errors import ProtocolError
from pymilter.testing._paint import BOLD, GREEN, GREY, YELLOW, Screen, clean
from pymilter.testing._wire import describe, offer, read_agreement
from pymilter.testing._words import LEGEND

from .arguments import add_socket, add_timeout, new_parser
from .mta_limits import warnings_about
from .output import Output

_EPILOG: Final = """\
It offers what Postfix and Sendmail offer, and quits before any step: the filter sees a connection without an SMTP
client. The exit status is 0, with warnings too, and 1 if there is no filter or what answers is none.
"""
_STEPS: Final = (
    Command.CONNECT,
    Command.HELO,
    Command.MAIL,
    Command.RCPT,
    Command.DATA,
    Command.HEADER,
    Command.EOH,
    Command.BODY,
    Command.EOM,
    Command.UNKNOWN,
)
_STAGES: Final = {
    Command.CONNECT: Stage.CONNECT,
    Command.HELO: Stage.HELO,
    Command.MAIL: Stage.ENVFROM,
    Command.RCPT: Stage.ENVRCPT,
    Command.DATA: Stage.DATA,
    Command.EOH: Stage.EOH,
    Command.EOM: Stage.EOM,
}
_ACTIONS: Final = {
    Action.ADDHDRS: "add header fields",
    Action.CHGHDRS: "change and delete header fields",
    Action.CHGBODY: "replace the body",
    Action.CHGFROM: "change the sender",
    Action.ADDRCPT: "add recipients",
    Action.ADDRCPT_PAR: "add recipients with ESMTP parameters",
    Action.DELRCPT: "delete recipients",
    Action.QUARANTINE: "hold the message",
    Action.SETSYMLIST: "choose the macros",
}
_EXTRAS: Final = {
    Protocol.SKIP: "may ask for no more of the body",
    Protocol.RCPT_REJ: "sees recipients that the MTA refuses",
    Protocol.HDR_LEADSPC: "gets the space after a field's colon",
    Protocol.MDS_256K: "takes packets of 256 KB",
    Protocol.MDS_1M: "takes packets of 1 MB",
}
_OWN_LIST: Final = "the MTA's own list"
_SHOWN: Final = {"answered": GREEN, Verdict.NO_REPLY.value: YELLOW, Verdict.NOT_SENT.value: GREY}


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
    result.add_argument("--json", action="store_true", help="as one line of JSON")
    return result


def run(options: argparse.Namespace, output: Output) -> int:
    """Negotiate, show what was agreed, and return the exit status."""
    agreed = _negotiated(options.socket, options.timeout)
    warnings = warnings_about(agreed)
    if options.json:
        output.lines([json.dumps(_as_json(options.socket, agreed, warnings))])
    else:
        output.lines(_lines(options.socket, agreed, warnings, output.screen))
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


def _how(command: Command, agreed: Negotiation) -> str:
    """What becomes of a step."""
    if not exists(command, agreed.version) or not is_wanted(command, agreed):
        return Verdict.NOT_SENT.value
    return "answered" if is_answered(command, agreed) else Verdict.NO_REPLY.value


def _macros(command: Command, agreed: Negotiation) -> list[str] | None:
    """The macros that the filter asked for at a step; None if it did not, and the MTA has a list of its own."""
    stage = _STAGES.get(command)
    names = agreed.macro_lists.get(stage) if stage is not None else None
    return list(names) if names else None


def _lines(address: str, agreed: Negotiation, warnings: list[str], screen: Screen) -> Iterator[str]:
    yield f"{screen(BOLD, clean(address))}: milter protocol, version {agreed.version}"
    yield ""
    yield screen(BOLD, "The filter may")
    yield from (f"  {meaning}" for action, meaning in _ACTIONS.items() if action in agreed.actions)
    if not any(action in agreed.actions for action in _ACTIONS):
        yield "  not change messages"
    if any(extra in agreed.protocol for extra in _EXTRAS):
        yield screen(BOLD, "The filter")
        yield from (f"  {meaning}" for extra, meaning in _EXTRAS.items() if extra in agreed.protocol)
    yield ""
    yield screen(BOLD, f"{'Step':<9} {'Answer':<10} Macros")
    for command in _STEPS:
        how = _how(command, agreed)
        start = f"{command.name:<9} {screen(_SHOWN[how], how)}{'':{10 - len(how)}} "
        names = _macros(command, agreed)
        if names is None:
            yield f"{start}{screen(GREY, _OWN_LIST) if command in _STAGES else ''}".rstrip()
            continue
        first, *rest = screen.wrapped(clean(" ".join(names)), " " * 21)
        yield f"{start}{first.lstrip()}"
        yield from rest
    hows = {_how(command, agreed) for command in _STEPS}
    for verdict, meaning in LEGEND.items():
        if verdict.value in hows:
            yield from (screen(GREY, line) for line in screen.wrapped(f"({meaning})"))
    if warnings:
        yield ""
        yield screen(BOLD, "Warnings")
        for warning in warnings:
            first, *rest = screen.wrapped(clean(warning), "    ")
            yield f"  {screen(YELLOW, '-')} {first.lstrip()}"
            yield from rest


def _as_json(address: str, agreed: Negotiation, warnings: list[str]) -> dict[str, Any]:
    return {
        "socket": address,
        "version": agreed.version,
        "actions": [str(action.name) for action in _ACTIONS if action in agreed.actions],
        "extras": [str(extra.name) for extra in _EXTRAS if extra in agreed.protocol],
        "steps": {
            command.name: {"answer": _how(command, agreed), "macros": _macros(command, agreed)} for command in _STEPS
        },
        "warnings": warnings,
    }
