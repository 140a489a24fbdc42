"""`pymilter check`: shows what a filter will negotiate, and everything that is wrong with it, without serving it."""

from __future__ import annotations

import argparse
import json
import logging
from collections.abc import Callable, Iterable, Mapping
from typing import Any, Final

from pymilter import _core
from pymilter._class.base import Base, options_of
from pymilter._class.decorators import GATHERED_MARK, HOOKS_MARK
from pymilter._class.faults import faults_of_factory, faults_of_handlers, near_misses_of
from pymilter._class.handlers import Handlers
from pymilter._class.negotiate import Wishes, wishes_of
from pymilter._serve.opening import wanted_address
from pymilter.testing._agreement import Negotiation
from pymilter.testing._constants import VERSION, Action, Command, Protocol, Stage
from pymilter.testing._paint import BOLD, GREEN, PLAIN, RED, YELLOW, clean

from .agreement import agreement_as_json, agreement_lines, listed
from .arguments import new_parser
from .loading import load_filter, users_frames
from .mta_limits import warnings_about
from .options import add_all, chosen, served
from .output import Failure, Output

_EPILOG: Final = """\
The exit status is 0 if the filter can be served, 1 if not (with --strict, also if there are warnings), and 2 for wrong
settings. In a systemd unit, put ExecReload=pymilter check gate:Gate before ExecReload=kill -HUP $MAINPID.
"""
_NAMES: Final = {
    Command.CONNECT: "connect",
    Command.HELO: "hello",
    Command.MAIL: "envfrom",
    Command.RCPT: "envrcpt",
    Command.DATA: "data",
    Command.HEADER: "header",
    Command.EOH: "eoh",
    Command.BODY: "body",
    Command.EOM: "eom",
    Command.UNKNOWN: "unknown",
}
_HOOKS: Final = {"mail": Command.MAIL, "recipient": Command.RCPT, "message": Command.EOM}
_GATHERED: Final = "(gathered)"


def parser(program: str) -> argparse.ArgumentParser:
    """The parser of its arguments."""
    result = new_parser(
        program,
        "Import a filter and show its plan: which steps it gets and answers, who handles them, what it may do, the"
        " macros it asks for; and everything that is wrong with it or its settings. Nothing is served.",
        _EPILOG,
    )
    result.add_argument("--strict", action="store_true", help="fail also if there are warnings")
    result.add_argument("--json", action="store_true", help="show the plan as one line of JSON")
    add_all(result)
    return result


def run(options: argparse.Namespace, output: Output) -> int:
    """Check, show the plan, and return the exit status."""
    values = chosen(options)
    settings = served(values)
    if "filter" not in values:
        raise Failure("FILTER is missing: see --help", 2)
    if "socket" in values:
        try:
            wanted_address(values["socket"], settings)
        except ValueError as error:
            raise Failure(str(error), 2) from None
    logging.getLogger("pymilter").addHandler(logging.NullHandler())  # what would be logged is shown below
    factory = load_filter(values["filter"])
    faults = list(faults_of_factory(factory))
    handlers = None if faults else _handlers(factory, faults)
    agreed = None if handlers is None else _agreement(handlers)
    warnings = list(near_misses_of(factory)) if isinstance(factory, type) and issubclass(factory, Base) else []
    if handlers is not None and agreed is not None:
        warnings += _warnings(handlers, agreed)
    library = _core.build()
    version = _dotted(library["version"])
    if options.json:
        plan = {} if agreed is None else agreement_as_json(agreed)
        build = {**library, "version": version, "header": _dotted(library["header"])}
        found = {"filter": values["filter"], "libmilter": build, **plan, "faults": faults, "warnings": warnings}
        output.lines([json.dumps(found)])
    else:
        screen = output.screen
        output.lines([f"{screen(BOLD, clean(values['filter']))}, on libmilter {version}"])
        if handlers is not None and agreed is not None:
            output.lines(["", *agreement_lines(agreed, _handled(handlers), screen)])
        output.lines(listed("libmilter", _build_lines(library), PLAIN, screen))
        output.lines(listed("Faults", faults, RED, screen))
        output.lines(listed("Warnings", warnings, YELLOW, screen))
        if not faults and not warnings:
            output.lines(["", screen(GREEN, "Nothing is wrong with it.")])
    return 1 if faults or (options.strict and warnings) else 0


def _dotted(numbers: Iterable[int]) -> str:
    return ".".join(map(str, numbers))


def _build_lines(library: Mapping[str, Any]) -> list[str]:
    """What is known of the build of libmilter. What it does not show may be there all the same."""
    header = (
        ""
        if library["header"] == library["version"]
        else f", built here with the header of {_dotted(library['header'])}"
    )
    return [
        f"version {_dotted(library['version'])}{header}; protocol {library['protocol']} in the header",
        f"loaded from {library['file'] or 'a place that is not known'}",
        "one pool of threads for all connections, and poll" if library["pool"] else "a thread for each connection",
        "IPv6" if library["ipv6"] else "no sign of IPv6",
        "larger packets can be set (smfi_setmaxdatasize)" if library["data_size"] else "packets of 64 KiB only",
    ]


def _handlers(factory: Callable[[], Base], faults: list[str]) -> Handlers | None:
    """The handlers of a class, or of an object that a function makes; adds to `faults` why there are none."""
    if isinstance(factory, type):
        return Handlers.of(factory)
    try:
        made: Any = factory()
    except Exception as error:
        faults.append(f"the factory failed:\n{users_frames(error)}")
        return None
    klass = made if isinstance(made, type) else type(made)
    if not issubclass(klass, Base) or klass is made:
        what = f"the class {klass.__qualname__} itself" if klass is made else f"a {klass.__qualname__}"
        faults.append(f"the factory made {what}: it must make an object derived from pymilter.Base")
        return None
    found = Handlers.of(made)
    faults += faults_of_handlers(found)
    return None if faults else found


def _agreement(handlers: Handlers) -> Negotiation:
    """What the filter will answer an MTA that offers everything."""
    wishes = wishes_of(handlers, Base)
    lists: dict[Stage, tuple[str, ...]] = {}
    for stage, names in wishes.macros:
        lists[Stage(stage)] = (*lists.get(Stage(stage), ()), *names.split())
    actions = Action(handlers._wanted_actions & int(Action.ALL))
    return Negotiation(VERSION, actions, Protocol(options_of(handlers)), lists)


def _warnings(handlers: Handlers, agreed: Negotiation) -> list[str]:
    wishes = wishes_of(handlers, Base)
    found: list[str] = []
    if not _steps_of(wishes, handlers):
        found.append("it handles no step: the MTA asks it nothing, and every message passes")
    if wishes.negotiates:
        found.append("it has a negotiate() of its own, which may change this plan for each connection")
    return found + warnings_about(agreed)


def _steps_of(wishes: Wishes, handlers: Handlers) -> list[str]:
    gathered: tuple[str, ...] = getattr(handlers, GATHERED_MARK, ())
    return [*(name for name in wishes.steps if name not in ("abort", "close")), *gathered]


def _handled(handlers: Handlers) -> Mapping[Command, str]:
    """The method that handles each step, with the class that defines it."""
    wishes = wishes_of(handlers, Base)
    found: dict[Command, str] = {}
    for command, name in _NAMES.items():
        if name in wishes.steps:
            found[command] = f"{_owner(handlers.klass, name).__name__}.{name}"
        elif name in wishes.no_reply:
            found[command] = _GATHERED
    for name in getattr(handlers.klass, HOOKS_MARK, ()):  # of a MessageFilter
        owner = _owner(handlers.klass, name)
        if HOOKS_MARK not in vars(owner):
            found[_HOOKS[name]] = f"{owner.__name__}.{name}"
    return found


def _owner(klass: type[Any], name: str) -> type[Any]:
    """The class that defines a method."""
    return next((one for one in klass.__mro__ if name in vars(one)), klass)
