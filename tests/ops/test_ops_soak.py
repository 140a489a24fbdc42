"""The soak in short, so that the program of `make soak` keeps working."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest

TESTS = Path(__file__).parents[1]


@pytest.mark.parametrize("plan", [["--workers", "2", "--kind", "inet"], ["--workers", "0", "--kind", "unix"]])
def test_soak_in_short(plan: list[str]) -> None:
    done = subprocess.run(
        [sys.executable, "-m", "soak", "--minutes", "0.1", *plan],
        env={**os.environ, "PYTHONPATH": str(TESTS)},
        capture_output=True,
        text=True,
        timeout=110,
        check=False,
    )
    assert done.returncode == 0, done.stdout + done.stderr
    assert done.stdout.splitlines()[-1] == "soak: all held"
    assert done.stderr == ""
