"""Milter.plock and Milter.cache between processes: one that is killed anywhere, and many at the same time."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest

PROGRAM = Path(__file__).with_name("programs") / "shared_files.py"


@pytest.mark.parametrize("name", ["kill_commit", "kill_load", "load_and_append", "load_at_start", "dies_with_lock"])
def test_processes_that_share_a_file(name: str, tmp_path: Path) -> None:
    environment = {**os.environ, "PYTHONPATH": os.pathsep.join(sys.path)}
    done = subprocess.run(
        [sys.executable, PROGRAM, name, tmp_path],
        env=environment, capture_output=True, text=True, timeout=100, check=False,
    )  # fmt: skip
    assert done.returncode == 0, done.stderr + done.stdout
