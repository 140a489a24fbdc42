"""examples/tested_filter: a project of its own, as users copy it."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

EXAMPLE = Path(__file__).parents[2] / "examples" / "tested_filter"


def run(*command: str | Path) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [sys.executable, "-m", *command], cwd=EXAMPLE, capture_output=True, text=True, timeout=100, check=False
    )


def test_its_tests_pass() -> None:
    done = run("pytest", "-q", "-p", "no:cacheprovider")
    assert done.returncode == 0, done.stdout + done.stderr
    assert "8 passed" in done.stdout


def test_a_mistake_is_shown_in_few_lines(tmp_path: Path) -> None:
    for file in ("pyproject.toml", "external_tag.py", "tests/test_external_tag.py"):
        (tmp_path / file).parent.mkdir(exist_ok=True)
        (tmp_path / file).write_text(
            (EXAMPLE / file).read_text().replace('"[EXTERNAL] {subject', '"[OUTSIDE] {subject')
        )
    done = subprocess.run(
        [sys.executable, "-m", "pytest", "-q", "-p", "no:cacheprovider"],
        cwd=tmp_path, capture_output=True, text=True, timeout=100, check=False,
    )  # fmt: skip
    assert "header Subject: ['[OUTSIDE] hello'], not ['[EXTERNAL] hello']" in done.stdout, done.stdout


def test_it_passes_mypy_strict(tmp_path: Path) -> None:
    done = run("mypy", "--strict", "--cache-dir", tmp_path, "external_tag.py", "tests")
    assert done.returncode == 0, done.stdout + done.stderr
