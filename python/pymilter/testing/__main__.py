"""`python -m pymilter.testing MESSAGE.eml SOCKET`: play a message file to a running filter and print what it did."""

from __future__ import annotations

import argparse
import email
import email.utils
import io
import ipaddress
import os
import sys
from collections.abc import Sequence
from pathlib import Path

from ._channel import check_seconds
from ._delivery import MTAS
from ._errors import ClientError
from ._report import print_result
from ._send import send_message


def main(argv: Sequence[str] | None = None) -> int:
    """Run the command; the exit status is 0 if the message was played, whatever the verdict."""
    if isinstance(sys.stdout, io.TextIOWrapper):
        sys.stdout.reconfigure(errors="backslashreplace")  # a terminal that cannot show a letter is no reason to fail
    try:
        status = _run(argv)
        sys.stdout.flush()
    except BrokenPipeError:
        # The reader of the output has seen enough, as `head` does. What is left goes nowhere, without a complaint.
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        return 0
    except KeyboardInterrupt:
        return 130  # as a shell reports SIGINT
    return status


def _run(argv: Sequence[str] | None) -> int:
    parser = argparse.ArgumentParser(
        prog="python -m pymilter.testing",
        description="Play a message file to a mail filter, as an MTA would, and print what the filter did.",
    )
    parser.add_argument("message", type=Path, metavar="MESSAGE.eml", help="the message, as a file")
    parser.add_argument(
        "socket", metavar="SOCKET", help="where the filter listens: unix:/path, inet:port@host or inet6:port@host"
    )
    parser.add_argument("--from", dest="sender", metavar="ADDRESS", help="envelope sender (default: the From field)")
    parser.add_argument(
        "--to",
        dest="recipients",
        metavar="ADDRESS",
        action="append",
        help="envelope recipient, may be given more than once (default: the To and Cc fields)",
    )
    parser.add_argument("--client-name", default="client.example.com", help="host name of the SMTP client")
    parser.add_argument(
        "--client-address", type=_address, default="192.0.2.1", help="IP address of the SMTP client, or a socket's path"
    )
    parser.add_argument("--helo", help="HELO name (default: the client's name)")
    parser.add_argument(
        "--macro", action="append", default=[], metavar="NAME=VALUE", help="value of a macro, more than once if needed"
    )
    parser.add_argument(
        "--mta",
        choices=MTAS,
        default="postfix",
        help="whose habits decide what becomes of the edits (postfix)",
    )
    parser.add_argument("--timeout", type=_seconds, default=10.0, help="deadline of each step in seconds (default: 10)")
    parser.add_argument("--output", type=Path, metavar="FILE", help="write the message as changed to this file")
    options = parser.parse_args(argv)
    macros: dict[str, str] = {}
    for item in options.macro:
        name, equal, value = item.partition("=")
        if not equal or not name:
            parser.error(f"--macro needs NAME=VALUE, not {item!r}")
        macros[name] = value
    try:
        data = options.message.read_bytes()
    except OSError as error:
        parser.error(f"cannot read {options.message}: {error.strerror}")
    if options.output is not None and (problem := _not_writable(options.output)):
        parser.error(f"cannot write {options.output}: {problem}")
    parsed = email.message_from_bytes(data)
    sender = options.sender
    if sender is None:
        sender = next(iter(_addresses(parsed, "From")), "sender@example.com")
    recipients = options.recipients or _addresses(parsed, "To", "Cc") or ["recipient@example.net"]
    try:
        result = send_message(
            options.socket,
            data,
            sender,
            recipients,
            timeout=options.timeout,
            macros=macros,
            hostname=options.client_name,
            client_address=options.client_address,
            helo=options.helo,
            mta=options.mta,
        )
    except (ClientError, ValueError) as error:
        print(f"{parser.prog}: {error}", file=sys.stderr)
        return 1
    if options.output is not None:
        try:
            options.output.write_bytes(result.message)
        except OSError as error:
            print(f"{parser.prog}: cannot write {options.output}: {error.strerror}", file=sys.stderr)
            return 1
    print_result(result)
    return 0


def _seconds(text: str) -> float:
    try:
        seconds = float(text)
        check_seconds("it", seconds)
    except ValueError:
        raise argparse.ArgumentTypeError(f"{text!r} is not a number of seconds above 0") from None
    return seconds


def _address(text: str) -> str:
    if not text.startswith("/"):
        try:
            ipaddress.ip_address(text)
        except ValueError as error:
            raise argparse.ArgumentTypeError(str(error)) from None
    return text


def _not_writable(file: Path) -> str | None:
    """Why `file` cannot be written, found before the message is played; it is not touched."""
    if file.is_dir():
        return "it is a directory"
    if not file.parent.is_dir():
        return f"there is no directory {file.parent}"
    place = file if file.exists() else file.parent
    return None if os.access(place, os.W_OK) else f"no permission to write to {place}"


def _addresses(message: email.message.Message, *names: str) -> list[str]:
    values = [str(value) for name in names for value in message.get_all(name, [])]
    return [address for _, address in email.utils.getaddresses(values) if address]


if __name__ == "__main__":
    sys.exit(main())
