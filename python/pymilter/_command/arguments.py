"""Arguments that several subcommands take: how they are read, and how `--help` shows them."""

from __future__ import annotations

import argparse
import ipaddress
import os
from pathlib import Path

from pymilter.testing._address import Address
from pymilter.testing._channel import check_seconds

SOCKET_HELP = "where the filter listens: unix:/path, inet:port@host or inet6:port@host"


class _Formatter(argparse.HelpFormatter):
    """Shows the default of each option that has one."""

    def _get_help_string(self, action: argparse.Action) -> str | None:
        shown = action.help or ""
        has_default = action.default not in (None, False, [], argparse.SUPPRESS) and "default" not in shown
        return f"{shown} (default: %(default)s)" if has_default else shown


def new_parser(program: str, description: str, epilog: str | None = None) -> argparse.ArgumentParser:
    """A parser without arguments. Options have to be written out, so that a new one breaks no script."""
    return argparse.ArgumentParser(
        prog=program, description=description, epilog=epilog, formatter_class=_Formatter, allow_abbrev=False
    )


def add_socket(parser: argparse.ArgumentParser) -> None:
    """Add SOCKET, where a filter listens."""
    parser.add_argument("socket", metavar="SOCKET", type=filter_socket, help=SOCKET_HELP)


def add_timeout(parser: argparse._ActionsContainer) -> None:
    """Add --timeout, the deadline of a step."""
    parser.add_argument("--timeout", metavar="SECONDS", type=seconds, default=10.0, help="deadline of each step")


def filter_socket(text: str) -> str:
    """The address of a filter to connect to."""
    try:
        Address.parse(text)
    except ValueError as error:
        raise argparse.ArgumentTypeError(str(error)) from None
    return text


def seconds(text: str) -> float:
    """A number of seconds above 0."""
    try:
        number = float(text)
        check_seconds("it", number)
    except ValueError:
        raise argparse.ArgumentTypeError(f"{text!r} is not a number of seconds above 0") from None
    return number


def positive(text: str) -> int:
    """A whole number of at least 1."""
    if not (text.isascii() and text.isdigit() and int(text) > 0):
        raise argparse.ArgumentTypeError(f"{text!r} is not a whole number of at least 1")
    return int(text)


def client_address(text: str) -> str:
    """The IP address of an SMTP client, or the path of its socket."""
    if not text.startswith("/"):
        try:
            ipaddress.ip_address(text)
        except ValueError as error:
            raise argparse.ArgumentTypeError(str(error)) from None
    return text


def macro(text: str) -> tuple[str, str]:
    """Name and value of a macro."""
    name, equal, value = text.partition("=")
    if not equal or not name:
        raise argparse.ArgumentTypeError(f"NAME=VALUE is needed, not {text!r}")
    return name, value


def new_file(text: str) -> Path:
    """The path of a file that looks writable. The file itself is not touched."""
    file = Path(text)
    problem = _not_writable(file)
    if problem is not None:
        raise argparse.ArgumentTypeError(f"cannot write {file}: {problem}")
    return file


def _not_writable(file: Path) -> str | None:
    if file.is_dir():
        return "it is a directory"
    if not file.parent.is_dir():
        return f"there is no directory {file.parent}"
    place = file if file.exists() else file.parent
    return None if os.access(place, os.W_OK) else f"no permission to write to {place}"
