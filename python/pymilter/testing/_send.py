"""One call for the most common test: connect to a filter, play one message, and return what became of it."""

from __future__ import annotations

import email.message
import os
from collections.abc import Mapping, Sequence

from ._client import Client
from ._delivery import Mta
from ._play import check_play
from ._result import Result
from ._wire import Text


def send_message(
    address: str | os.PathLike[str],
    message: bytes | email.message.Message,
    sender: Text = "<sender@example.com>",
    recipients: Sequence[Text] = ("<recipient@example.net>",),
    *,
    timeout: float = 10.0,
    progress_timeout: float | None = None,
    macros: Mapping[str, Text] | None = None,
    hostname: Text = "client.example.com",
    client_address: Text | None = "192.0.2.1",
    helo: Text | None = None,
    mta: Mta = "postfix",
) -> Result:
    """Connect to the filter at `address`, play one message as an MTA would, and quit.

    `Client.play` does the same on a connection that stays open, and has more options.

    Args:
        address: the filter's socket, in libmilter's notation.
        message: the whole message, with CRLF or LF as line ends.
        sender, recipients: addresses, with or without angle brackets.
        timeout: how many seconds each operation may take; smfi_progress restarts the time.
        progress_timeout: how many seconds one step may take in total, as in `Client`.
        macros: values by name, as in `Client`.
        hostname, client_address: the name and the IP address of the SMTP client.
        helo: the HELO name; by default `hostname`.
        mta: the mail server whose behaviour decides the result of the edits: "postfix" or "sendmail" (`apply_edits`).

    Raises:
        ClientError: the filter cannot be reached, dies, hangs, or violates the protocol.
        ValueError: an argument is invalid, such as an unknown `mta` or a timeout of 0.
    """
    check_play(recipients, mta)  # before anybody is asked for a connection
    with Client(address, timeout=timeout, progress_timeout=progress_timeout, macros=macros) as client:
        return client.play(message, sender, recipients, hostname=hostname, address=client_address, helo=helo, mta=mta)
