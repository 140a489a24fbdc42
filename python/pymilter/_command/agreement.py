"""What a filter negotiates, shown as a table and as JSON: for a running one, and for a class that is not served yet."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any, Final

from pymilter.testing._agreement import Negotiation, exists, is_answered, is_wanted
from pymilter.testing._constants import Action, Command, Protocol, Stage, Verdict
from pymilter.testing._paint import BOLD, GREEN, GREY, YELLOW, Screen, clean
from pymilter.testing._words import LEGEND

STEPS: Final = (
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
_MACROS_AT: Final = 21
"""Column of the macros if no handlers are shown."""
_SHOWN: Final = {"answered": GREEN, Verdict.NO_REPLY.value: YELLOW, Verdict.NOT_SENT.value: GREY}


def agreement_lines(agreed: Negotiation, handlers: Mapping[Command, str] | None, screen: Screen) -> Iterator[str]:
    """What a filter may do, and its steps; with `handlers`, who handles each."""
    yield screen(BOLD, "The filter may")
    yield from (f"  {meaning}" for action, meaning in _ACTIONS.items() if action in agreed.actions)
    if not any(action in agreed.actions for action in _ACTIONS):
        yield "  not change messages"
    if any(extra in agreed.protocol for extra in _EXTRAS):
        yield screen(BOLD, "The filter")
        yield from (f"  {meaning}" for extra, meaning in _EXTRAS.items() if extra in agreed.protocol)
    yield ""
    yield from _table(agreed, handlers, screen)
    hows = {_how(command, agreed) for command in STEPS}
    for verdict, meaning in LEGEND.items():
        if verdict.value in hows:
            yield from (screen(GREY, line) for line in screen.wrapped(f"({meaning})"))


def listed(title: str, texts: list[str], colour: str, screen: Screen) -> Iterator[str]:
    """Texts under a title, if there are any."""
    if texts:
        yield ""
        yield screen(BOLD, title)
    for text in texts:
        head, *tail = text.split("\n")
        first, *rest = screen.wrapped(clean(head), "    ")
        yield f"  {screen(colour, '-')} {first.lstrip()}"
        yield from rest
        yield from (f"    {clean(line)}" for line in tail)


def _table(agreed: Negotiation, handlers: Mapping[Command, str] | None, screen: Screen) -> Iterator[str]:
    room = 0 if handlers is None else max(map(len, ("Handler", *handlers.values()))) + 1
    indent = _MACROS_AT + room
    words = {_OWN_LIST, *(name for command in STEPS for name in _macros(command, agreed) or ())}
    if screen.is_narrow and indent + max(map(len, words)) > screen.width:
        yield from _narrow_table(agreed, handlers or {}, screen)
        return
    yield screen(BOLD, f"{'Step':<9} {'Answer':<10} {'Handler' if room else '':<{room}}Macros")
    for command in STEPS:
        handler = "" if handlers is None else clean(handlers.get(command, ""))
        start = f"{_start(command, agreed, screen)} {handler:<{room}}"
        first, *rest = _macros_shown(command, agreed, screen, " " * indent) or [""]
        yield f"{start}{first.removeprefix(' ' * indent)}".rstrip()
        yield from rest


def _narrow_table(agreed: Negotiation, handlers: Mapping[Command, str], screen: Screen) -> Iterator[str]:
    """The same, with the handler and the macros on lines below the step."""
    yield screen(BOLD, f"{'Step':<9} Answer")
    for command in STEPS:
        yield _start(command, agreed, screen).rstrip()
        if command in handlers:
            yield f"    {clean(handlers[command])}"
        yield from _macros_shown(command, agreed, screen, "    ")


def _start(command: Command, agreed: Negotiation, screen: Screen) -> str:
    how = _how(command, agreed)
    return f"{command.name:<9} {screen(_SHOWN[how], how)}{'':{10 - len(how)}}"


def _macros_shown(command: Command, agreed: Negotiation, screen: Screen, indent: str) -> list[str]:
    """The lines for the macros of a step, each behind `indent`; none for a step that has no list of its own."""
    names = _macros(command, agreed)
    if names is not None:
        return screen.wrapped(clean(" ".join(names)), indent)
    return [f"{indent}{screen(GREY, _OWN_LIST)}"] if command in _STAGES else []


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


def agreement_as_json(agreed: Negotiation) -> dict[str, Any]:
    """The agreement as values for json.dumps."""
    return {
        "version": agreed.version,
        "actions": [str(action.name) for action in _ACTIONS if action in agreed.actions],
        "extras": [str(extra.name) for extra in _EXTRAS if extra in agreed.protocol],
        "steps": {
            command.name: {"answer": _how(command, agreed), "macros": _macros(command, agreed)} for command in STEPS
        },
    }
