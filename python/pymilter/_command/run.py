"""`pymilter run`: serves a user's filter, with the settings of the function `run`."""

from __future__ import annotations

import argparse
import os
from typing import Final

from pymilter._run import serve
from pymilter.errors import MilterError

from .arguments import new_parser
from .loading import load_filter
from .logs import log_to_stderr
from .options import RELOADED, OfCommand, add_all, chosen, config_of, served
from .output import Failure, Output
from .reload import run_reloading

_EPILOG: Final = """\
A setting may be given on the command line, in the environment, and in the TOML file (socket_mode = 0o660); the first
of these that has it counts. The module may be in the current folder. SIGTERM ends the filter, SIGHUP replaces the
workers. The exit status is 0 after a signal, 1 if the filter cannot be served, and 2 for wrong settings.
"""


def parser(program: str) -> argparse.ArgumentParser:
    """The parser of its arguments."""
    result = new_parser(program, "Serve a filter until a signal ends it.", _EPILOG)
    add_all(result)
    return result


def run(options: argparse.Namespace, output: Output) -> int:
    """Serve, and return the exit status."""
    values = chosen(options)
    settings = served(values)
    filter_, socket = values.get("filter"), values.get("socket")
    if filter_ is None or socket is None:
        raise Failure(f"{'FILTER' if filter_ is None else 'SOCKET'} is missing: see --help", 2)
    if values.get("reload") and RELOADED not in os.environ:
        if socket.startswith(("fd:", "systemd:")):
            raise Failure(f"--reload needs a socket that the filter opens itself, not {socket}", 2)
        return run_reloading(config_of(options), settings.grace, output)
    log_to_stderr(
        values.get("log_level", OfCommand.log_level.default), values.get("log_json", OfCommand.log_json.default)
    )
    factory = load_filter(filter_)
    try:
        serve(factory, socket, settings)
    except (TypeError, ValueError) as error:
        raise Failure(str(error), 2) from None
    except (MilterError, ImportError) as error:
        raise Failure(str(error)) from None
    except OSError as error:
        raise Failure(error.strerror or str(error)) from None
    return 0
