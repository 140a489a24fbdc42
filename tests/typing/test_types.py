"""What mypy --strict and pyright say of code that must check, of code that must not, and of the whole package."""

from __future__ import annotations

import json
import os
import re
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

from support.require import missing

HERE = Path(__file__).parent
ROOT = HERE.parents[1]
PYTHON = ROOT / "python"
NAMES = ("accepted.py", "refused.py")
REFUSAL = re.compile(r"# type: ignore\[[^]]+\]  # pyright: ignore\[[^]]+\]$", re.MULTILINE)


def mypy(folder: Path, *files: Path) -> str:
    """What mypy --strict says of files that lie in `folder`; empty for no error."""
    done = subprocess.run(
        [sys.executable, "-m", "mypy", "--strict", "--config-file=", "--no-error-summary", *files],
        cwd=folder,
        env={**os.environ, "MYPYPATH": os.fspath(PYTHON)},
        capture_output=True,
        text=True,
        timeout=100,
    )
    assert done.returncode in (0, 1), done.stderr + done.stdout
    return done.stdout


def pyright(folder: Path, *arguments: str | Path) -> subprocess.CompletedProcess[str]:
    """Runs pyright in its strict mode in `folder`."""
    search = os.pathsep.join((os.fspath(Path(sys.executable).parent), os.environ.get("PATH", os.defpath)))
    program = shutil.which("basedpyright", path=search) or shutil.which("pyright", path=search)
    if program is None:
        missing("pyright is not installed: pip install basedpyright")
    config = {
        "typeCheckingMode": "strict",
        "enableTypeIgnoreComments": False,  # those are for mypy
        "reportUnnecessaryTypeIgnoreComment": True,
    }
    (folder / "pyrightconfig.json").write_text(json.dumps(config))
    return subprocess.run(
        [program, "--pythonpath", sys.executable, *arguments],
        cwd=folder,
        env={**os.environ, "PYTHONPATH": os.fspath(PYTHON)},
        capture_output=True,
        text=True,
        timeout=100,
    )


@pytest.fixture(params=NAMES)
def program(request: pytest.FixtureRequest, tmp_path: Path) -> Path:
    """A copy of one of the two files, away from the settings of this repository."""
    return Path(shutil.copy(HERE / request.param, tmp_path))


def test_mypy(program: Path) -> None:
    assert mypy(program.parent, program) == ""


def test_pyright(program: Path) -> None:
    done = pyright(program.parent, program)
    assert done.returncode == 0, done.stdout + done.stderr


def test_each_mistake_is_reported_by_both(tmp_path: Path) -> None:
    """Without the comments, each of the lines must have an error of each checker: no comment hides another's line."""
    text = (HERE / "refused.py").read_text("utf-8")
    lines = {number for number, line in enumerate(text.splitlines(), 1) if REFUSAL.search(line)}
    assert len(lines) > 40
    bare = tmp_path / "bare.py"
    bare.write_text(REFUSAL.sub("", text))
    by_mypy = {int(number) for number in re.findall(r"^bare\.py:(\d+): error:", mypy(tmp_path, Path("bare.py")), re.M)}
    assert by_mypy == lines
    report = json.loads(pyright(tmp_path, "--outputjson", bare).stdout)
    by_pyright = {
        found["range"]["start"]["line"] + 1 for found in report["generalDiagnostics"] if found["severity"] == "error"
    }
    assert by_pyright == lines


def test_every_type_of_the_package_is_known(tmp_path: Path) -> None:
    """What a user's checker sees of the installed package (PEP 561)."""
    done = pyright(tmp_path, "--verifytypes", "pymilter", "--outputjson")
    report = json.loads(done.stdout)
    completeness = report["typeCompleteness"]
    unknown = [
        f"{symbol['name']}: {found['message']}"
        for symbol in completeness["symbols"]
        for found in symbol["diagnostics"]
        if not symbol["isTypeKnown"]
    ]
    assert unknown == []
    assert completeness["completenessScore"] == 1.0, completeness["exportedSymbolCounts"]
    errors = [found["message"] for found in report["generalDiagnostics"] if found["severity"] == "error"]
    assert errors == []
    assert completeness["exportedSymbolCounts"]["withKnownType"] > 100


def test_package_passes_mypy_strict(tmp_path: Path) -> None:
    modules = [path for name in ("milter.py", "mime.py") if (path := PYTHON / name).exists()]
    packages = [PYTHON / "pymilter", *(path for path in (PYTHON / "Milter",) if (path / "__init__.py").exists())]
    assert mypy(tmp_path, *packages, *modules) == ""
