"""The code in README.md and docs/: each block of Python passes mypy --strict by itself, and the rest can be read."""

from __future__ import annotations

import json
import os
import re
import shlex
import subprocess
import sys
import tomllib
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
HELP = ROOT / "tests/command/help"
OTHER = re.compile(r"^```(sh|toml|json)\n(.*?)^```$", re.DOTALL | re.MULTILINE)
BLOCK = re.compile(r"^```python\n(.*?)^```$", re.DOTALL | re.MULTILINE)
# What the page on migrating shows are pieces of programs for 1.0, which have no types.
UNTYPED = {"docs/migrating.md"}
PAGES = ("README.md", *sorted(str(page.relative_to(ROOT)) for page in (ROOT / "docs").rglob("*.md")))
FRAGMENT = "import pymilter\nfrom pymilter import CONTINUE, Base, Outcome, Reject\n\n"


def test_code_in_the_docs_passes_mypy(tmp_path: Path) -> None:
    files = []
    for page in sorted(set(PAGES) - UNTYPED):
        for number, block in enumerate(BLOCK.findall((ROOT / page).read_text("utf-8"))):
            path = tmp_path / f"{Path(page).stem.lower()}_{number}.py"
            path.write_text(block if "import" in block else FRAGMENT + block, "utf-8")
            files.append(path)
    assert len(files) > 8
    done = subprocess.run(
        [sys.executable, "-m", "mypy", "--strict", "--config-file=", "--no-error-summary", *files],
        cwd=tmp_path,
        env={**os.environ, "MYPYPATH": f"{ROOT / 'python'}:{ROOT / 'examples'}"},
        capture_output=True,
        text=True,
        timeout=100,
    )
    assert done.stdout + done.stderr == ""


def test_untyped_code_in_the_docs_can_be_compiled() -> None:
    blocks = [block for page in UNTYPED for block in BLOCK.findall((ROOT / page).read_text("utf-8"))]
    assert blocks
    for block in blocks:
        compile(block, "block", "exec")


@pytest.mark.parametrize("page", PAGES)
def test_other_code_in_the_docs_can_be_read(page: str) -> None:
    """Commands are words of a shell, and what they name of `pymilter` is there; TOML and JSON can be parsed."""
    for language, block in OTHER.findall((ROOT / page).read_text("utf-8")):
        if language == "toml":
            tomllib.loads(block)
        elif language == "json":
            json.loads(block)
        else:
            done = subprocess.run(["sh", "-n"], input=block, capture_output=True, text=True, timeout=10)
            assert done.returncode == 0, done.stderr
            for line in block.splitlines():
                for command in re.findall(r"(?:^|\|) *pymilter ((?:(?! #)[^|])*)", line):
                    check_command(shlex.split(command, comments=True))


def check_command(words: list[str]) -> None:
    name, *arguments = words
    text = (HELP / f"{'pymilter' if name.startswith('-') else name}.txt").read_text("utf-8")
    for option in (word.partition("=")[0] for word in [name, *arguments] if word.startswith("--")):
        assert re.search(rf"{option}\b", text), f"pymilter {name} has no {option}"


def test_a_wrong_option_would_be_seen() -> None:
    with pytest.raises(AssertionError, match="pymilter send has no --colour"):
        check_command(["send", "--colour", "message.eml"])
