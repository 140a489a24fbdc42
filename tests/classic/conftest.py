"""Fixtures of the classic tests: a Python with pymilter 1.0.5, made once and kept."""

from __future__ import annotations

import fcntl
import os
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

from support.require import missing

_RELEASE = "pymilter==1.0.5"


@pytest.fixture(scope="session")
def old_python() -> Path:
    """A Python of this version, in an environment of its own with pymilter 1.0.5 from PyPI.

    Building it needs a compiler and libmilter-dev. It is kept
    in ${XDG_CACHE_HOME:-~/.cache}/pymilter-tests, and its source is not to be read.
    """
    cache = Path(os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache") / "pymilter-tests"
    cache.mkdir(parents=True, exist_ok=True)
    home = cache / f"pymilter-1.0.5-py{sys.version_info.major}{sys.version_info.minor}"
    python, complete = home / "bin" / "python", home / "complete"
    with (cache / f"{home.name}.lock").open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        if complete.exists() and python.exists():
            return python
        shutil.rmtree(home, ignore_errors=True)
        base = getattr(sys, "_base_executable", sys.executable)
        commands: list[list[str | Path]] = [
            [base, "-m", "venv", home],
            [python, "-m", "pip", "install", "--quiet", _RELEASE],
        ]
        for command in commands:
            done = subprocess.run(command, capture_output=True, text=True, timeout=300, check=False)
            if done.returncode:
                reason = (done.stderr.strip() or done.stdout.strip() or "no reason given").splitlines()[-1]
                missing(f"cannot install {_RELEASE} from PyPI to compare with: {reason}")
        complete.touch()
    return python
