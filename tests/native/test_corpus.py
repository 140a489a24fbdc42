"""What fuzzing kept and what it found: each input of fuzz/corpus, run with the sanitizers of g++ and without clang."""

from __future__ import annotations

import os
import subprocess
from pathlib import Path

import pytest

from support import require
from support.require import missing

ROOT = Path(__file__).parents[2]
FUZZ = ROOT / "fuzz"
TARGETS = sorted(path.stem.removeprefix("fuzz_") for path in FUZZ.glob("fuzz_*.cpp"))
# A sanitized extension's run preloads its sanitizer into all that it starts, the compiler too.
ENVIRONMENT = {name: value for name, value in os.environ.items() if name != "LD_PRELOAD"}


def test_each_target_has_a_corpus() -> None:
    assert sorted(path.name for path in (FUZZ / "corpus").iterdir()) == TARGETS


@pytest.mark.parametrize("target", TARGETS)
def test_corpus(target: str, tmp_path: Path) -> None:
    compiler = require.command("c++", "g++")
    program = tmp_path / target
    sources = [FUZZ / "replay.cpp", FUZZ / f"fuzz_{target}.cpp", *(ROOT / "cpp" / "core").glob(f"*/{target}.cpp")]
    options = ["-std=c++17", "-g", "-fsanitize=address,undefined", "-fno-sanitize-recover=all", f"-I{ROOT / 'cpp'}"]
    built = subprocess.run(
        [compiler, *options, *sources, "-o", program], capture_output=True, text=True, timeout=100, env=ENVIRONMENT
    )
    if "cannot find -lasan" in built.stderr or "cannot find -lubsan" in built.stderr:
        missing("the sanitizers of g++ are not installed: apt-get install g++")
    assert built.returncode == 0, built.stderr
    inputs = sorted((FUZZ / "corpus" / target).iterdir())
    assert inputs
    done = subprocess.run([program, *inputs], capture_output=True, text=True, timeout=60, env=ENVIRONMENT)
    assert done.returncode == 0, done.stderr
