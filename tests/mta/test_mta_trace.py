"""`pymilter trace` between a real Postfix and a filter: the mail does not notice, and the recording can be replayed."""

from __future__ import annotations

import shutil
import smtplib
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from pymilter.testing import FilterProcess, free_port
from support import require
from support.commands import in_pipe
from support.mta import socket_folder
from support.postfix import Postfix
from support.sink import Sink
from support.tracing import recorded, tracing

GATE = Path(__file__).parents[2] / "examples" / "gate.py"
MESSAGE = (
    b"From: a@example.org\r\nTo: b@example.net\r\nSubject: x\r\nMessage-ID: <m@example.org>\r\n\r\none\r\n.two\r\n"
)


@pytest.fixture
def folder() -> Iterator[Path]:
    """A folder for sockets that Postfix may enter."""
    require.root("a mail server of our own")
    made = socket_folder()
    yield made
    shutil.rmtree(made)


@pytest.mark.parametrize("kind", ["unix", "inet"])
def test_a_recorded_session_is_replayed(folder: Path, kind: str) -> None:
    listen = f"unix:{folder}/trace" if kind == "unix" else f"inet:{free_port()}@127.0.0.1"
    access = ["--socket-mode=666"] if kind == "unix" else []
    address, file = f"unix:{folder}/gate", folder / "recording"
    with FilterProcess([sys.executable, GATE, address], address):
        with (
            tracing(address, "--save", file, *access, listen=listen) as trace,
            Sink() as sink,
            Postfix([listen], sink.port) as server,
        ):
            with server.client() as smtp:
                smtp.sendmail("a@example.org", ["b@example.net", "nobody@example.net"], MESSAGE)
                with pytest.raises(smtplib.SMTPSenderRefused):
                    smtp.sendmail("spam@example.com", ["b@example.net"], MESSAGE)
            taken = sink.wait("m@example.org")
            while trace.stdout.count("the MTA has closed") < 2:
                pass
        done = in_pipe("replay", file, address)
    assert (done.returncode, done.stderr) == (0, ""), done.stdout
    assert b"X-Gate: open" in taken.data
    names = [line["name"] for line in recorded(file) if line["c"] == 2 and line.get("from") == "mta"]
    assert names.count("MAIL") == 2
