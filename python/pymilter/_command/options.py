"""Options of the command that are settings of `run`: read from words, and shown with default and variable."""

from __future__ import annotations

import argparse
from collections.abc import Callable, Iterable
from typing import Any

from pymilter._serve.settings import Setting


def add_settings(
    parser: argparse._ActionsContainer, settings: Iterable[Setting[Any]], note: Callable[[str], str]
) -> None:
    """Add an option for each setting; one that is not given is no attribute of the parsed options.

    Args:
        parser: What gets the options.
        settings: The settings.
        note: What to say in parentheses after the help of a setting, given its name.
    """
    for setting in settings:
        shown = note(setting.name)
        parser.add_argument(
            flag(setting.name),
            dest=setting.name,
            metavar=_METAVARS.get(setting.name, setting.name.rpartition("_")[2].upper()),
            type=reader(setting),
            default=argparse.SUPPRESS,
            help=f"{setting.help.removesuffix('.')}{f' ({shown})' if shown else ''}".replace("%", "%%"),
        )


def flag(name: str) -> str:
    """The option for a setting."""
    return f"--{name.replace('_', '-')}"


def reader(setting: Setting[Any]) -> Callable[[str], object]:
    """A function that makes the value of a setting of a word, and says what is allowed if it cannot."""

    def read(word: str) -> object:
        allowed = setting.kind.allowed.removesuffix(", or None")
        try:
            found = None if setting.kind.read is None else setting.kind.read(word)
        except ValueError:
            raise argparse.ArgumentTypeError(f"{setting.name} is {word!r}: it must be {allowed}") from None
        try:
            return setting.kind.check(setting.name, found)
        except (TypeError, ValueError) as error:
            raise argparse.ArgumentTypeError(str(error).removesuffix(", or None")) from None

    return read


_METAVARS = {"exception_policy": "STATUS", "noreply_over_tcp": "BOOL", "max_rss": "BYTES", "timeout": "SECONDS"}
