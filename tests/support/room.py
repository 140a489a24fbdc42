"""A Postfix before a sink, and programs of the how-to pages that take turns as its filter."""

from __future__ import annotations

import contextlib
import smtplib
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from pymilter.testing import FilterProcess
from support.name_server import NameServer
from support.postfix import Postfix
from support.sink import Delivery, Sink

PROGRAMS = Path(__file__).parents[2] / "examples" / "howto"


class Room:
    """A Postfix that asks the filter at `address`, and a sink behind it."""

    def __init__(self, address: str, sink: Sink, postfix: Postfix, folder: Path) -> None:
        self.address = address
        self.sink = sink
        self.postfix = postfix
        self.folder = folder  # open to all
        self._count = 0

    @contextlib.contextmanager
    def running(
        self, program: str | Path, *arguments: str | Path, names: NameServer | None = None
    ) -> Iterator[FilterProcess]:
        """A program of the pages as its first line says, at the address that Postfix asks."""
        command = [sys.executable, PROGRAMS / program, self.address, *arguments]
        if names is not None:
            command = [*names.prefix, *command]
        with FilterProcess(command, self.address, timeout=30) as process:
            try:
                yield process
            finally:
                print(process.stderr)  # pytest shows it with a test that failed
            assert process.stop() == 0, process.stderr

    def client(self, **attributes: str) -> smtplib.SMTP:
        """Return a client of Postfix; `attributes` say who it claims to be (XCLIENT), such as addr or login."""
        client = self.postfix.client()
        if attributes:
            client.ehlo()
            words = " ".join(f"{name.upper()}={value}" for name, value in attributes.items())
            assert client.docmd("XCLIENT", words)[0] == 220
            client.ehlo(attributes.get("helo", "client.example"))
        return client

    def deliver(
        self, message: bytes, sender: str = "some@example.org", *recipients: str, **attributes: str
    ) -> Delivery:
        """Send a message through Postfix and return what the sink gets of it."""
        self._count += 1
        token = f"howto-{self._count}"
        with self.client(**attributes) as client:
            refused = client.sendmail(
                sender, recipients or ["a@example.net"], f"Message-ID: <{token}@host>\r\n".encode() + message
            )
        assert refused == {}
        return self.sink.wait(token)


def refused(client: smtplib.SMTP, message: bytes, sender: str = "some@example.org") -> tuple[int, str]:
    """Return the reply to a message that is refused."""
    with client, pytest.raises(smtplib.SMTPResponseException) as caught:
        client.sendmail(sender, ["a@example.net"], message)
    error = caught.value.smtp_error
    return caught.value.smtp_code, error if isinstance(error, str) else error.decode()
