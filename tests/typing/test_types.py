"""What mypy --strict and pyright say of code that must check, of code that must not, and of the whole package."""

from __future__ import annotations

import json
import os
import re
import shutil
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

from support.require import missing

HERE = Path(__file__).parent
ROOT = HERE.parents[1]
PYTHON = ROOT / "python"
NAMES = ("accepted.py", "refused.py", "accepted_message.py", "refused_message.py")
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


def pyright(folder: Path, *arguments: str | Path, path: Path = PYTHON) -> subprocess.CompletedProcess[str]:
    """Runs pyright in its strict mode in `folder`; modules come from `path`."""
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
        env={**os.environ, "PATH": search, "PYTHONPATH": os.fspath(path)},
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


def verified_types(folder: Path, module: str, path: Path) -> dict[str, Any]:
    """What pyright's --verifytypes says of the module that lies in `path`."""
    report: dict[str, Any] = json.loads(pyright(folder, "--verifytypes", module, "--outputjson", path=path).stdout)
    return report


def as_package(module: str, folder: Path) -> Path:
    """A copy of all, with a module as a package with inline types: pyright verifies no other."""
    path = Path(shutil.copytree(PYTHON, folder / "path", ignore=shutil.ignore_patterns("*-stubs", "*.so")))
    (path / module).mkdir()
    (path / f"{module}.py").rename(path / module / "__init__.py")
    (path / module / "py.typed").touch()
    return path


@pytest.mark.parametrize(("module", "least"), [("pymilter", 150), ("Milter", 200), ("milter", 70), ("mime", 25)])
def test_every_type_is_known(tmp_path: Path, module: str, least: int) -> None:
    """What a user's checker sees of the installed package (PEP 561)."""
    path = PYTHON if (PYTHON / module / "py.typed").exists() else as_package(module, tmp_path)
    report = verified_types(tmp_path, module, path)
    completeness = report["typeCompleteness"]
    unknown = [
        f"{symbol['name']}: {found['message']}"
        for symbol in completeness["symbols"]
        for found in symbol["diagnostics"]
        if not symbol["isTypeKnown"] or symbol["isTypeAmbiguous"]
    ]
    assert unknown == []
    assert completeness["completenessScore"] == 1.0, completeness["exportedSymbolCounts"]
    errors = [found["message"] for found in report["generalDiagnostics"] if found["severity"] == "error"]
    assert errors == []
    assert completeness["exportedSymbolCounts"]["withKnownType"] >= least


def test_unknown_type_would_be_seen(tmp_path: Path) -> None:
    path = as_package("milter", tmp_path)
    source = path / "milter" / "__init__.py"
    text = source.read_text("utf-8")
    assert "def settimeout(seconds: int, /)" in text
    source.write_text(text.replace("def settimeout(seconds: int, /)", "def settimeout(seconds, /)"), "utf-8")
    completeness = verified_types(tmp_path, "milter", path)["typeCompleteness"]
    unknown = [symbol["name"] for symbol in completeness["symbols"] if not symbol["isTypeKnown"]]
    assert unknown == ["milter.settimeout"]
    assert completeness["completenessScore"] < 1.0


def test_package_passes_mypy_strict(tmp_path: Path) -> None:
    modules = [path for name in ("milter.py", "mime.py") if (path := PYTHON / name).exists()]
    packages = [PYTHON / "pymilter", *(path for path in (PYTHON / "Milter",) if (path / "__init__.py").exists())]
    assert mypy(tmp_path, *packages, *modules) == ""
