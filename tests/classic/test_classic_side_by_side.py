"""Classic programs on pymilter 1.0.5 and on ours: the same script, the same transcript."""

from __future__ import annotations

import signal
import sys
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import pytest

from pymilter.testing import Client

from .side_by_side import Transcript, play

BODY = b"first line\r\nNUL \0 and 8-bit \xe9\r\n"


def whole_message(client: Client) -> Iterator[object]:
    yield client.connect("caf\u00e9.example.com", "192.0.2.1", 4321)
    yield client.helo("client.example.com")
    # One that is given up. It is not the last: 1.0.5 tells of the ABORT before QUIT too, when no message is under way.
    yield client.mail("<>")
    yield client.rcpt("<second@example.net>")
    yield client.unknown("FOO bar")
    client.abort()
    yield client.mail("<caf\u00e9@example.org>", "SIZE=100", "BODY=8BITMIME", "SMTPUTF8")
    yield client.rcpt("<nobody@example.net>")
    yield client.rcpt("<full@example.net>")
    yield client.rcpt("<refused@example.net>", rejected="550 5.1.1 no such user")
    yield client.rcpt("<first@example.net>", "NOTIFY=NEVER")
    yield client.data()
    yield client.header("Subject", "a\n\tfolded one")
    yield client.header("Subject", b"caf\xe9")
    yield client.header("X-Gone", "")
    yield client.eoh()
    yield client.body(BODY, chunk_size=16)
    yield client.eom()


def refused_at_connect(client: Client) -> Iterator[object]:
    yield client.connect("refused.example", "::1", 4321)


def refused_at_helo(client: Client) -> Iterator[object]:
    yield client.connect("[192.0.2.7]", None)
    yield client.helo("bad.example")


def later_and_discarded(client: Client) -> Iterator[object]:
    yield client.connect("local.example", "/var/run/x")
    yield client.helo()
    yield client.mail("<later@example.org>")
    yield client.mail("<sender@example.org>")
    yield client.rcpt("<first@example.net>")
    yield client.data()
    yield client.header("X-Discard", "yes")


def bad_bytes(client: Client) -> Iterator[object]:
    yield client.connect()
    yield client.helo()
    yield client.mail(b"<\xe9@example.org>")
    yield client.rcpt(b"<\xe9@example.net>")
    yield client.data()
    yield client.header("X-Good", b"good \xe9")
    yield client.header("X-Bad", b"bad \xe9")


SCRIPTS = [whole_message, refused_at_connect, refused_at_helo, later_and_discarded]


def attachments(client: Client) -> Iterator[object]:
    for name in ("report.txt", "virus.exe"):
        yield client.play(_with_attachment(name)).message


def _with_attachment(name: str) -> bytes:
    return (
        "From: somebody@example.org\r\nSubject: a file\r\nMIME-Version: 1.0\r\n"
        'Content-Type: multipart/mixed; boundary="BOUNDARY"\r\n\r\n'
        "preamble\r\n--BOUNDARY\r\nContent-Type: text/plain\r\n\r\nhello\r\n"
        f'--BOUNDARY\r\nContent-Type: application/octet-stream; name="{name}"\r\n'
        "Content-Transfer-Encoding: base64\r\n\r\nTVqQAAMAAAA=\r\n--BOUNDARY--\r\n"
    ).encode()


def single_attachment(client: Client) -> Iterator[object]:
    message = (
        b"Subject: one part\r\nMIME-Version: 1.0\r\nContent-Type: application/octet-stream; name=virus.exe\r\n"
        b"Content-Transfer-Encoding: base64\r\n\r\nTVqQAAMAAAA=\r\n"
    )
    yield client.play(message).message


CASES = {
    "functions": ("low_level.py", SCRIPTS, ()),
    "subclass of Milter": ("milter_subclass.py", SCRIPTS, ()),
    "hooks for bytes": ("header_bytes.py", [whole_message, bad_bytes], ()),
    "negotiate and Base's": ("negotiate.py", [whole_message], ("picky",)),
    "negotiate by hand": ("negotiate.py", [whole_message], ("manual",)),
    "defanging": ("defang.py", [attachments, single_attachment], ()),
}


@pytest.mark.parametrize("case", CASES)
def test_transcript_is_that_of_1_0_5(old_python: Path, case: str) -> None:
    program, scripts, args = CASES[case]
    expected = play(old_python, program, scripts, *args)
    # mime.defang of 1.0.5 prints what it looks at.
    output = [line for line in expected.output if not line.startswith("chk")]
    assert len(expected.wire) > len(scripts)
    assert play(sys.executable, program, scripts, *args) == replace(expected, output=output)


def _template(python: str | Path, log: Path, kind: str) -> tuple[Transcript, list[str]]:
    transcript = play(python, "template.py", [whole_message, whole_message], str(log), kind)
    return transcript, log.read_text("utf-8", "surrogateescape").splitlines()


def test_template_with_a_logging_process(old_python: Path, tmp_path: Path) -> None:
    expected = _template(old_python, tmp_path / "old.log", "process")
    assert expected[0].output == ["startup", "shutdown"]
    assert any("eom" in line for line in expected[1])
    assert _template(sys.executable, tmp_path / "new.log", "process") == expected


def test_template_with_a_logging_thread(old_python: Path, tmp_path: Path) -> None:
    expected, log = _template(old_python, tmp_path / "old.log", "thread")
    # Mended: a thread that was there before runmilter took the signal, which ended the process at once.
    assert (expected.output, expected.status) == (["startup"], -signal.SIGTERM)
    ours = replace(expected, output=["startup", "shutdown"], status=0)
    transcript, our_log = _template(sys.executable, tmp_path / "new.log", "thread")
    assert transcript == ours
    # 1.0.5 may have died before its thread had written the rest.
    assert our_log[: len(log)] == log
    assert our_log[-1] == "[2] close"
