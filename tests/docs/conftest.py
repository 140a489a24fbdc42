"""The site, built once for these tests as `make docs` builds it."""

from __future__ import annotations

import importlib.util
import subprocess
import sys
from pathlib import Path

import pytest

from support import require

ROOT = Path(__file__).parents[2]


@pytest.fixture(scope="session")
def site() -> Path:
    """The folder of the built site; after `make docs` only what has changed since then is built."""
    if importlib.util.find_spec("sphinx") is None:
        require.missing("sphinx is not installed: make docs")
    folder = ROOT / "build" / "docs"
    options = ["-q", "-W", "--keep-going", "-n", "-d", "build/doctrees"]
    command = [sys.executable, "-m", "sphinx", *options, "docs", str(folder)]
    done = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, timeout=100)
    assert done.returncode == 0, done.stderr
    return folder
