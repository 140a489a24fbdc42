"""Options of the command that are settings of `run`: from the command line, from PYMILTER_* and from a TOML file."""

from __future__ import annotations

import argparse
import os
import tomllib
from collections.abc import Callable, Iterable, Mapping
from contextlib import suppress
from enum import Enum
from pathlib import Path
from typing import Any, Final

from pymilter._process.inheritance import VARIABLE
from pymilter._serve import kinds
from pymilter._serve.settings import Setting, Settings

from .output import Failure

LEVELS: Final = ("DEBUG", "INFO", "WARNING", "ERROR", "CRITICAL")


def _check_level(word: str) -> None:
    if word.upper() not in LEVELS:
        raise ValueError


class OfCommand:
    """What `pymilter run` and `check` take besides the settings of `run`."""

    filter = Setting(
        kinds.optional(kinds.text()), None, "The filter as MODULE:ATTRIBUTE, such as gate:Gate: a class or a function."
    )
    socket = Setting(
        kinds.optional(kinds.text()),
        None,
        "Where to listen: unix:PATH, inet:PORT@HOST, inet6:PORT@HOST, fd:NUMBER or systemd:NAME.",
    )
    log_level = Setting(
        kinds.text(f"one of {', '.join(LEVELS)}", _check_level), "INFO", "The lowest level that is logged to stderr."
    )
    log_json = Setting(kinds.boolean(), False, "Whether each line of the log is a JSON object.")
    reload = Setting(
        kinds.boolean(),
        False,
        "Whether the filter starts anew when a Python file in or below its folder changes; for development.",
    )


OF_COMMAND: Final[Mapping[str, Setting[Any]]] = {
    name: value for name, value in vars(OfCommand).items() if isinstance(value, Setting)
}
POSITIONAL: Final = ("filter", "socket")
OF_RUN: Final[Mapping[str, Setting[Any]]] = {
    name: setting for name, setting in Settings.known().items() if setting.kind.read is not None
}
ALL: Final = {**OF_COMMAND, **OF_RUN}
CONFIG: Final = "PYMILTER_CONFIG"
RELOADED: Final = "PYMILTER_RELOADED"
"""Set for the child that serves under --reload."""
_METAVARS: Final = {
    "exception_policy": "STATUS",
    "max_rss": "BYTES",
    **dict.fromkeys(("timeout", "grace", "start_timeout"), "SECONDS"),
}


def add_settings(
    parser: argparse._ActionsContainer, settings: Iterable[Setting[Any]], note: Callable[[Setting[Any]], str]
) -> None:
    """Add an option for each setting; one that is not given is no attribute of the parsed options.

    Args:
        parser: What gets the options.
        settings: The settings.
        note: What to say in parentheses after the help of a setting.
    """
    for setting in settings:
        shown = note(setting)
        text = f"{setting.help.removesuffix('.')}{f' ({shown})' if shown else ''}".replace("%", "%%")
        flag = f"--{setting.name.replace('_', '-')}"
        if setting.default is False:
            parser.add_argument(flag, action="store_true", default=argparse.SUPPRESS, help=text)
            continue
        metavar = "BOOL" if setting.default is True else setting.name.rpartition("_")[2].upper()
        parser.add_argument(
            flag,
            dest=setting.name,
            metavar=_METAVARS.get(setting.name, metavar),
            type=_argument(setting),
            default=argparse.SUPPRESS,
            help=text,
        )


def add_all(parser: argparse.ArgumentParser) -> None:
    """Add everything that `run` and `check` take."""
    for name in POSITIONAL:
        setting = OF_COMMAND[name]
        text = f"{setting.help.removesuffix('.')} (variable: {variable(name)})"
        parser.add_argument(name, metavar=name.upper(), nargs="?", default=argparse.SUPPRESS, help=text)
    parser.add_argument(
        "--config", metavar="FILE", type=Path, help=f"a TOML file with any of these settings (variable: {CONFIG})"
    )
    add_settings(parser, (ALL[name] for name in ALL if name not in POSITIONAL), _note)


def variable(name: str) -> str:
    """The environment variable for a setting."""
    return f"PYMILTER_{name.upper()}"


def config_of(options: argparse.Namespace) -> Path | None:
    """The TOML file with settings, if there is one."""
    return options.config or (Path(os.environ[CONFIG]) if os.environ.get(CONFIG) else None)


def chosen(options: argparse.Namespace) -> dict[str, Any]:
    """The settings that are given anywhere; the command line wins over variables, and these over the file.

    Raises:
        Failure: There is no such setting, or it has a value that is not allowed.
    """
    file = config_of(options)
    given = {name: value for name, value in vars(options).items() if name in ALL}
    return {**({} if file is None else _of_file(file)), **_of_environment(), **given}


def served(values: Mapping[str, Any]) -> Settings:
    """The settings that are arguments of `run`, checked together.

    Raises:
        Failure: They do not go together.
    """
    try:
        return Settings(**{name: value for name, value in values.items() if name in OF_RUN})
    except (TypeError, ValueError) as error:
        raise Failure(str(error), 2) from None


def _note(setting: Setting[Any]) -> str:
    default = setting.default.name if isinstance(setting.default, Enum) else setting.default
    shown = "" if default is None or default is False else f"default: {str(default).lower()}, "
    return f"{shown}variable: {variable(setting.name)}"


def _of_environment() -> dict[str, Any]:
    found: dict[str, Any] = {}
    names = {variable(name): name for name in ALL}
    for name, word in os.environ.items():
        if name in names:
            found[names[name]] = _read(ALL[names[name]], word, name)
        elif name.startswith("PYMILTER_") and name not in (VARIABLE, CONFIG, RELOADED):
            raise Failure(f"{name} is no variable of pymilter: there are {', '.join([*names, CONFIG])}", 2)
    return found


def _of_file(file: Path) -> dict[str, Any]:
    try:
        table = tomllib.loads(file.read_text("utf-8"))
    except OSError as error:
        raise Failure(f"cannot read {file}: {error.strerror}", 2) from None
    except ValueError as error:  # TOML's own error, or text that is no UTF-8
        raise Failure(f"{file} is no TOML: {error}", 2) from None
    for name in table.keys() - ALL.keys():
        raise Failure(f"{file}: {name!r} is not a setting: there are {', '.join(ALL)}", 2)
    return {name: _read(ALL[name], value, str(file)) for name, value in table.items()}


def _read(setting: Setting[Any], value: object, origin: str) -> object:
    try:
        return _value(setting, value)
    except (TypeError, ValueError) as error:
        raise Failure(f"{origin}: {error}", 2) from None


def _argument(setting: Setting[Any]) -> Callable[[str], object]:
    def read(word: str) -> object:
        try:
            return _value(setting, word)
        except (TypeError, ValueError) as error:
            raise argparse.ArgumentTypeError(str(error)) from None

    return read


def _value(setting: Setting[Any], value: object) -> object:
    """The value of a setting, from a word or a TOML value. Raises TypeError or ValueError with what is allowed."""
    try:
        if isinstance(value, str) and setting.kind.read is not None:
            with suppress(ValueError):  # then check() refuses the word, and says what is allowed
                value = setting.kind.read(value)
        return setting.kind.check(setting.name, value)
    except (TypeError, ValueError) as error:
        raise type(error)(str(error).removesuffix(", or None")) from None
