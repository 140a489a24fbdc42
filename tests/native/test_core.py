"""The core at its edges, in C++ and without Python: builds and runs the program of tests/native/core."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

from support.require import missing

ROOT = Path(__file__).parents[2]
BUILD = ROOT / "build" / "core_tests"
# The tools of the build are beside this Python. A sanitized extension's run preloads its sanitizer into all that it
# starts, the compiler too.
ENVIRONMENT = {name: value for name, value in os.environ.items() if name != "LD_PRELOAD"}
ENVIRONMENT["PATH"] = f"{Path(sys.executable).parent}{os.pathsep}{os.environ.get('PATH', os.defpath)}"

pytestmark = pytest.mark.skipif(sys.platform != "linux", reason="the cases put faults into the system calls of Linux")


def run(*command: str | Path, seconds: float) -> None:
    done = subprocess.run(command, capture_output=True, text=True, timeout=seconds, env=ENVIRONMENT, check=False)
    assert done.returncode == 0, f"{done.stdout}{done.stderr}"


@pytest.mark.timeout(400)
def test_all_cases() -> None:
    for name in ("cmake", "ninja", "c++"):
        if shutil.which(name, path=ENVIRONMENT["PATH"]) is None:
            missing(f"{name} is needed to build the cases: pip install cmake ninja, apt-get install g++")
    run("cmake", "-G", "Ninja", "-S", ROOT / "tests" / "native" / "core", "-B", BUILD, seconds=60)
    run("ninja", "-C", BUILD, seconds=300)
    run(BUILD / "core_tests", seconds=60)
