"""Fixtures of the command's tests: the C filter, and a message."""

from __future__ import annotations

from pathlib import Path

import pytest

from support.cfilter.fixtures import probe, probe_program

__all__ = ["probe", "probe_program"]

MESSAGE = b"From: Ann <ann@example.org>\nTo: bob@example.net\nSubject: hello\n\nline\n"


@pytest.fixture
def eml(tmp_path: Path) -> Path:
    """A message as a file."""
    path = tmp_path / "message.eml"
    path.write_bytes(MESSAGE)
    return path
