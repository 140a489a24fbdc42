"""`pymilter trace`: stands between an MTA and a filter, shows their dialogue, and records it."""

from __future__ import annotations

import argparse
import os
import signal
import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import IO, Final, NoReturn

from pymilter._serve.address import bound_address
from pymilter._serve.listener import Listener
from pymilter._serve.opening import wanted_address
from pymilter._serve.settings import Settings
from pymilter._serve.sockets import open_listener
from pymilter.testing._address import Address

from .arguments import filter_socket, new_file, new_parser
from .dialogue import Dialogues
from .options import add_settings
from .output import Failure, Output
from .recording import first_line
from .relay import Event, new_relay
from .writer import Patience, WriterProcess, write_events

_EPILOG: Final = """\
Ctrl-C or SIGTERM ends it. The exit status is then 0; it is 1 if it cannot listen, or if the recording could not be
written completely. What each side sends is passed on at once and unchanged, and shown a moment later; macros are shown
only when they change. The open connections end with it: the MTA then does what it is configured to do without the
filter.
"""
_BACKLOG: Final = 4096
_ENDING: Final = (signal.SIGINT, signal.SIGTERM)


def parser(program: str) -> argparse.ArgumentParser:
    """The parser of its arguments."""
    result = new_parser(
        program,
        "Stand between an MTA and any milter: pass on what they send without changing a byte, show it, and"
        " record it for `pymilter replay`.",
        _EPILOG,
    )
    result.add_argument(
        "listen", metavar="LISTEN", help="where the MTA connects: unix:/path, inet:port@host or inet6:port@host"
    )
    result.add_argument("target", metavar="TARGET", type=filter_socket, help="where the filter listens")
    result.add_argument("--save", metavar="FILE", type=new_file, help="record everything in this file, as JSON lines")
    result.add_argument("--quiet", action="store_true", help="show nothing (for --save)")
    add_settings(result, (Settings.socket_mode, Settings.socket_owner, Settings.socket_group), note=lambda _: "")
    return result


def run(options: argparse.Namespace, output: Output) -> int:
    """Trace until a signal ends it, and return the exit status."""
    if options.quiet and options.save is None:
        raise Failure("--quiet without --save leaves nothing to do", 2)
    signal.signal(signal.SIGTTOU, signal.SIG_IGN)  # a terminal that stops background jobs must not stop the mail
    listener = _listener(options)
    try:
        with _saved(options.save, options.target) as recording:
            receiver, pipe = os.pipe()
            relay = new_relay(listener, Address.parse(options.target), pipe)
            dialogues = Dialogues(time.time(), output.screen)

            def write(batches: Iterator[list[Event]], patience: Patience) -> int:
                listener.close()
                return write_events(batches, dialogues, output, patience, not options.quiet, recording)

            writer = WriterProcess(pipe, receiver, write)
            with suppress(KeyboardInterrupt):
                for number in _ENDING:
                    signal.signal(number, _end)
                relay.start()
                output.complain(f"listening on {bound_address(listener)}, passing on to {options.target}")
                writer.wait()
            writer.hasten()
            relay.stop()
            return writer.finish()
    finally:
        listener.discard()


def _end(number: int, frame: object) -> NoReturn:
    """Handle the first signal to end: those that follow, before `hasten` handles them, must not raise outside of it."""
    for each in _ENDING:
        signal.signal(each, _pass)
    raise KeyboardInterrupt


def _pass(number: int, frame: object) -> None:
    """Not SIG_IGN: of a signal that has just come, CPython would complain that it is ignored."""


def _listener(options: argparse.Namespace) -> Listener:
    try:
        settings = Settings.among(vars(options))
        return open_listener(wanted_address(options.listen, settings), backlog=_BACKLOG, access=settings.access)
    except ValueError as error:
        raise Failure(str(error), 2) from None
    except OSError as error:
        raise Failure(error.strerror or str(error)) from None


@contextmanager
def _saved(file: Path | None, target: str) -> Iterator[IO[str] | None]:
    """The file for the recording with its first line written, or None without --save."""
    if file is None:
        yield None
        return
    try:
        # What passes here is other people's mail.
        recording = open(  # noqa: SIM115 - closed below
            file, "w", encoding="ascii", opener=lambda path, flags: os.open(path, flags, 0o600)
        )
    except OSError as error:
        raise Failure(f"cannot write {file}: {error.strerror}") from None
    try:
        try:
            recording.write(f"{first_line(target)}\n")
            recording.flush()
        except OSError as error:
            raise Failure(f"cannot write {file}: {error.strerror}") from None
        yield recording
    finally:
        with suppress(OSError):
            recording.close()
