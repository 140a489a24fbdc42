"""One set of checks: `make lint`, `make test`, which CI runs, and pre-commit run the same ones, and they see faults."""

from __future__ import annotations

import re
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
BIN = Path(sys.executable).parent
CHECKS = re.search(r"set -- (.*)", (ROOT / "scripts/lint").read_text("utf-8"))


def checks() -> list[str]:
    """What scripts/lint does when it is not told what."""
    assert CHECKS
    return CHECKS[1].split()


def test_pre_commit_runs_each_check() -> None:
    text = (ROOT / ".pre-commit-config.yaml").read_text("utf-8")
    assert re.findall(r"^ +entry: (.*)$", text, re.M) == [f"scripts/lint {check}" for check in checks()]


def test_ci_and_make_run_all_checks() -> None:
    assert (ROOT / ".ci/run").read_text("utf-8").splitlines()[-1] == "exec make test"
    for target in ("lint", "test"):
        done = subprocess.run(["make", "-n", target], cwd=ROOT, capture_output=True, text=True, timeout=60, check=True)
        assert re.findall(r"\bscripts/lint\b[^'\n]*", done.stdout) == ["scripts/lint"], done.stdout


@pytest.fixture
def tree(tmp_path: Path) -> Path:
    """A copy of what is checked, to break."""
    for name in ("cpp", "fuzz", "python", "scripts"):
        ignored = shutil.ignore_patterns("*.so", "corpus", "__pycache__")
        shutil.copytree(ROOT / name, tmp_path / name, ignore=ignored, symlinks=True)
    for name in ("pyproject.toml", ".clang-format", ".clang-tidy"):
        shutil.copy(ROOT / name, tmp_path)
    for name in ("tests", "examples", "benchmarks", "docs"):
        (tmp_path / name).mkdir()
        (tmp_path / name / f"{name}_empty.py").write_text('"""Empty."""\n')
    return tmp_path


def lint(tree: Path, *arguments: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        ["sh", tree / "scripts/lint", *arguments],
        env={"BIN": str(BIN), "PATH": "/usr/bin:/bin"},
        capture_output=True,
        text=True,
        timeout=100,
        check=False,
    )


@pytest.mark.parametrize(
    ("check", "file", "line"),
    [
        ("clang-format", "cpp/core/protocol/checks.cpp", "int  f( );"),
        ("clang-format", "fuzz/input.hpp", "int  f( );"),
        ("ruff-format", "python/milter.py", "x = ( 1 )"),
        ("ruff-check", "python/pymilter/_run.py", "import os, ctypes"),
        ("ruff-check", "python/pymilter/replies.py", 'def f() -> None:\n    """Begins well and does not end"""'),
        ("ruff-check", "python/pymilter/replies.py", 'def f() -> None:\n    """End."""\n    raise ValueError'),
        ("codespell", "python/pymilter/_run.py", "# what we rec{}ve".format("ie")),
        ("mypy", "python/Milter/utils.py", 'x: int = "1"'),
        ("mypy", "examples/examples_empty.py", "def f(x): ..."),
    ],
)
def test_fault_is_seen(tree: Path, check: str, file: str, line: str) -> None:
    done = lint(tree, check)
    assert done.returncode == 0, done.stdout + done.stderr
    assert re.search(rf"^   {check} passed, \d+ s$", done.stdout, re.M)
    with (tree / file).open("a") as text:
        text.write(f"{line}\n")
    done = lint(tree, check)
    assert done.returncode == 1, done.stdout + done.stderr
    assert file in done.stdout + done.stderr
    assert re.search(rf"^   {check} FAILED, \d+ s$", done.stdout, re.M)


def test_clang_tidy_sees_a_fault(tree: Path) -> None:
    """On one small file, as a build would compile it."""
    for path in (tree / "cpp").rglob("*.cpp"):
        path.unlink()
    (tree / "cpp/core/body/one.cpp").write_text("int one(int *p) { if (p == 0) return 0; return *p; }\n")
    (tree / "build/any").mkdir(parents=True)
    source = tree / "cpp/core/body/one.cpp"
    (tree / "build/any/compile_commands.json").write_text(
        f'[{{"directory": "{tree}", "file": "{source}", "command": "c++ -std=c++17 -c {source}"}}]'
    )
    done = lint(tree, "clang-tidy")
    assert done.returncode == 1
    assert "modernize-use-nullptr" in done.stdout


def test_unknown_check_is_refused(tree: Path) -> None:
    done = lint(tree, "clang-tidi")
    assert done.returncode == 2
    assert "there is no check clang-tidi" in done.stderr
