"""A DKIM signer in the plain way: its signature, which has CRLF and TAB in its folds, verifies at the recipient's."""

from __future__ import annotations

import base64
import subprocess
import sys
from pathlib import Path

import dkim  # type: ignore[import-untyped]
import pytest

from pymilter.testing import Client, FilterProcess, temporary_socket
from support import require

from .side_by_side import PROGRAMS

MESSAGE = (
    b"From: Somebody <somebody@example.org>\r\nTo: other@example.net\r\nSubject: folded\r\n\tin two\r\n"
    b"Date: Mon, 2 Mar 2026 10:00:00 +0000\r\nMessage-ID: <1@example.org>\r\n\r\nthe text\r\n"
)


@pytest.fixture(scope="module")
def key(tmp_path_factory: pytest.TempPathFactory) -> Path:
    path = tmp_path_factory.mktemp("dkim") / "key.pem"
    subprocess.run([require.command("openssl", "openssl"), "genrsa", "-out", path, "2048"], check=True, timeout=60)
    return path


def _record(key: Path) -> bytes:
    command = ["openssl", "rsa", "-in", str(key), "-pubout", "-outform", "DER"]
    done = subprocess.run(command, capture_output=True, check=True, timeout=60)
    return b"v=DKIM1; k=rsa; p=" + base64.b64encode(done.stdout)


def test_signature_verifies(key: Path) -> None:
    program: list[str | Path] = [sys.executable, PROGRAMS / "dkim_signer.py"]
    with temporary_socket() as address, FilterProcess([*program, address, key], address) as process:
        with Client(address) as client:
            result = client.play(MESSAGE)
        process.stop()
        assert int(process.stdout) > 2  # the folds, and the line end at the end
    assert result.message != MESSAGE
    assert dkim.verify(result.message, dnsfunc=lambda name, timeout=5: _record(key))
    assert not dkim.verify(result.message.replace(b"the text", b"a text"), dnsfunc=lambda name, timeout=5: _record(key))
