"""Finds the subcommand, and turns whatever ends it into an exit status, and an error into one line."""

from __future__ import annotations

import argparse
import io
import os
import sys
from collections.abc import Callable, Sequence
from importlib import import_module
from pathlib import Path
from typing import Final, NoReturn

from pymilter.testing._errors import ClientError

from .output import Failure, Output

SUBCOMMANDS: Final = {
    "run": "serve a filter: a class or a function of a module",
    "check": "show the plan of a filter, and everything that is wrong with it",
    "send": "play messages to a running filter, and show what it does",
    "inspect": "show what a running filter negotiates: steps, actions, macros",
    "trace": "stand between an MTA and a filter, show their dialogue and record it",
    "replay": "play a recording to a filter, and fail if its answers differ",
}
"""Each is a module of this room, with `parser(program)` and `run(options, output)`, which returns the exit status."""


def main(argv: Sequence[str] | None = None) -> int:
    """Run the command `pymilter` and return its exit status."""
    arguments = list(sys.argv[1:] if argv is None else argv)
    name = arguments[0] if arguments else ""
    if name in SUBCOMMANDS:
        return run_subcommand(name, f"pymilter {name}", arguments[1:])
    return guarded("pymilter", lambda _: _without_subcommand(arguments))


def run_subcommand(name: str, program: str, argv: Sequence[str] | None = None) -> int:
    """Run one subcommand and return its exit status; error messages begin with `program`."""

    def run(output: Output) -> int:
        module = import_module(f"pymilter._command.{name}")
        parser: argparse.ArgumentParser = module.parser(program)
        status: int = module.run(parser.parse_intermixed_args(argv), output)
        return status

    return guarded(program, run)


def guarded(program: str, run: Callable[[Output], int]) -> int:
    """The exit status of `run`: 1 with a line on stderr after a failure, 130 after Ctrl-C.

    A reader that closes the output early, as `head` does, is no failure.
    """
    if sys.stdout is None:  # the shell has closed it
        sys.stdout = Path(os.devnull).open("w")  # noqa: SIM115 - until the end
    if isinstance(sys.stdout, io.TextIOWrapper):
        sys.stdout.reconfigure(errors="backslashreplace")  # a terminal that cannot show a letter is no reason to fail
    output = Output(program, sys.stdout)
    try:
        status = run(output)
    except KeyboardInterrupt:
        status = 130  # as a shell reports SIGINT
    except (Failure, ClientError) as error:
        output.complain(str(error))
        status = error.status if isinstance(error, Failure) else 1
    except SystemExit as end:  # argparse has printed why
        status = end.code if isinstance(end.code, int) else 0
    return output.finish(status)


def _without_subcommand(arguments: Sequence[str]) -> NoReturn:
    width = max(map(len, SUBCOMMANDS))
    parser = argparse.ArgumentParser(
        prog="pymilter",
        usage="%(prog)s SUBCOMMAND ...",
        description="Tools for mail filters that speak the milter protocol.",
        epilog="\n".join(
            ("subcommands:", *(f"  {name:<{width}}  {what}" for name, what in SUBCOMMANDS.items()), "", _MORE)
        ),
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    parser.add_argument("--version", action="version", version=_version(), help="show the versions, and exit")
    if not arguments:
        parser.print_help()
        raise SystemExit(2)
    if not arguments[0].startswith("-"):
        parser.error(f"there is no subcommand {arguments[0]!r}: choose from {', '.join(SUBCOMMANDS)}")
    parser.parse_args(arguments)
    parser.error(f"write the subcommand before its options: {', '.join(SUBCOMMANDS)}")


_MORE = "For details: `pymilter SUBCOMMAND --help`. `python -m pymilter` is the same command."


def _version() -> str:
    import platform
    from importlib import metadata

    return f"pymilter {metadata.version('pymilter')}, CPython {platform.python_version()}"
