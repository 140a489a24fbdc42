"""Which test files run which lines: of Python by coverage.py, in all processes that a test starts, of C++ by gcov.

`make(...)` runs each test file by itself, in a build with gcov; the result is kept in build/mutants/lines.json.
"""

from __future__ import annotations

import difflib
import json
import os
import subprocess
import sys
import time
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]
KEPT = ROOT / "build" / "mutants"
CONFIGURATION = """\
[run]
source_dirs = {root}/python
parallel = true
patch = subprocess,_exit
concurrency = thread,multiprocessing
"""
# What says nothing of a line: these read the code, or measure it.
LEFT_OUT = ("tests/meta/", "tests/typing/", "tests/docs/", "tests/build/", "tests/soak/", "tests/cost/")

# Builds what is below the folder by itself, where gcov does not look: it may run each of those lines.
BUILDS_ITSELF = {"tests/native/test_core.py": "cpp/core/"}


@dataclass
class Lines:
    """For each file and line of a commit the test files that run it, and how long each test file takes, in seconds."""

    commit: str
    seconds: dict[str, float] = field(default_factory=dict)
    files: dict[str, dict[int, list[str]]] = field(default_factory=dict)

    def add(self, path: str, line: int, test: str | None) -> None:
        """`test` runs the line; None: the line is code."""
        tests = self.files.setdefault(path, {}).setdefault(line, [])
        if test is not None and test not in tests:
            tests.append(test)

    def tests(self, path: str, line: int) -> list[str] | None:
        """The test files that run the line, those first that may see a mistake soon; None if it is no code."""
        lines = self.files.get(path, {})
        if line not in lines:
            return None
        share = dict.fromkeys(lines[line], 0)
        for tests in lines.values():
            for test in tests:
                if test in share:
                    share[test] += 1
        return sorted(share, key=lambda test: self.seconds[test] / share[test])

    def save(self) -> None:
        """Writes build/mutants/lines.json."""
        KEPT.mkdir(parents=True, exist_ok=True)
        (KEPT / "lines.json").write_text(
            json.dumps({"commit": self.commit, "seconds": self.seconds, "files": self.files})
        )

    @classmethod
    def load(cls) -> Lines:
        """Reads what `save` wrote, and finds the lines again in the files as they are now.

        Raises:
            SystemExit: nothing was written yet.
        """
        path = KEPT / "lines.json"
        if not path.exists():
            raise SystemExit("which tests run which lines is not known yet: python -m mutants lines")
        kept = json.loads(path.read_text())
        lines = cls(kept["commit"], kept["seconds"])
        for name, found in kept["files"].items():
            if (ROOT / name).exists():
                lines.files[name] = {int(line): tests for line, tests in found.items()}
        for name in git("diff", "--name-only", lines.commit, "--", "python", "cpp").split():
            if name in lines.files:
                before = git("show", f"{lines.commit}:{name}").splitlines()
                lines.files[name] = moved(lines.files[name], before, (ROOT / name).read_text().splitlines())
        return lines


def moved(found: dict[int, list[str]], before: list[str], now: list[str]) -> dict[int, list[str]]:
    """The lines of a file that was changed, under their new numbers; a new line stands for those around it."""
    result: dict[int, list[str]] = {}
    for kind, i, i_end, j, j_end in difflib.SequenceMatcher(None, before, now, autojunk=False).get_opcodes():
        near = sorted({test for line in range(i - 2, i_end + 4) for test in found.get(line, [])})
        for place in range(j, j_end):
            if kind != "equal":
                result[place + 1] = near
            elif i + place - j + 1 in found:
                result[place + 1] = found[i + place - j + 1]
    return result


def git(*words: str) -> str:
    """What git says of this repository."""
    return subprocess.run(["git", *words], cwd=ROOT, capture_output=True, text=True, check=True).stdout


def test_files() -> list[str]:
    """Of the repository, without those that run no code of ours or measure it."""
    return [
        path
        for path in git("ls-files", "tests").split()
        if Path(path).name.startswith("test_") and not path.startswith(LEFT_OUT)
    ]


def make(lanes: int) -> Lines:
    """Runs each test file by itself, `lanes` at a time, and reads what coverage.py and gcov wrote.

    A red test is no matter here: the build is slow and its timing is another one.
    """
    python = KEPT / "venv" / "bin" / "python"
    build(python)
    (KEPT / "coverage.ini").write_text(CONFIGURATION.format(root=ROOT))
    lines = Lines(git("rev-parse", "HEAD").strip())
    with ThreadPoolExecutor(lanes) as pool:
        for test, seconds in pool.map(lambda test: run(python, test), test_files()):
            lines.seconds[test] = seconds
            read_python(python, test, lines)
            read_cpp(test, lines)
            print(f"{seconds:6.1f} s  {test}", flush=True)
    for test, below in BUILDS_ITSELF.items():
        for path, found in lines.files.items():
            for line in found if path.startswith(below) else ():
                lines.add(path, line, test)
    return lines


def build(python: Path) -> None:
    """An environment of its own, with a build that writes what gcov reads."""
    version = sys.version_info
    if not python.exists():
        subprocess.run([sys.executable, "-m", "venv", python.parent.parent], check=True)
    pip: list[str | Path] = [python, "-m", "pip", "install", "--quiet"]
    subprocess.run([*pip, "--upgrade", "pip"], cwd=ROOT, check=True)  # that of a new environment may know no groups
    subprocess.run([*pip, "--group", "build", "--group", "test", "--group", "check"], cwd=ROOT, check=True)
    flags = {"CXXFLAGS": "--coverage -fprofile-update=atomic -O1", "LDFLAGS": "--coverage"}
    settings = [
        "--config-settings=cmake.build-type=None",
        f"--config-settings=build-dir={KEPT}/gcov-{version.major}{version.minor}",
        "--config-settings=cmake.define.CMAKE_INTERPROCEDURAL_OPTIMIZATION=OFF",
    ]
    subprocess.run(
        [*pip, "--no-build-isolation", *settings, "--editable", "."], cwd=ROOT, env=os.environ | flags, check=True
    )


def folder(test: str) -> Path:
    """Where the processes of one test file leave what they ran; some run as another user."""
    path = KEPT / "ran" / test.replace("/", "+")
    for each in (path, path / "python", path / "cpp"):
        each.mkdir(parents=True, exist_ok=True)
        each.chmod(0o777)
    return path


def run(python: Path, test: str) -> tuple[str, float]:
    """One test file; how long it took, in seconds."""
    here = folder(test)
    strip = len(KEPT.parts) - 1
    environment = {
        "COVERAGE_CORE": "sysmon",  # sees the threads of libmilter as well
        "COVERAGE_FILE": str(here / "python" / "c"),
        "GCOV_PREFIX": str(here / "cpp"),
        "GCOV_PREFIX_STRIP": str(strip),
    }
    begin = time.monotonic()
    coverage: list[str | Path] = [python, "-m", "coverage", "run", f"--rcfile={KEPT}/coverage.ini"]
    subprocess.run(
        [*coverage, "-m", "pytest", "-q", "-p", "no:cacheprovider", test],
        cwd=ROOT,
        env=os.environ | environment,
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
        timeout=1200,
        check=False,
    )
    return test, time.monotonic() - begin


def read_python(python: Path, test: str, lines: Lines) -> None:
    """Takes over what coverage.py wrote."""
    data = folder(test) / "python"
    coverage: list[str | Path] = [python, "-m", "coverage"]
    files = [str(path) for path in data.glob("c.*")]
    if not files:
        return
    rc = f"--rcfile={KEPT}/coverage.ini"
    at = f"--data-file={data}/all"
    subprocess.run([*coverage, "combine", "-q", rc, at, *files], cwd=ROOT, check=False, stdout=subprocess.DEVNULL)
    report = data / "all.json"
    subprocess.run(
        [*coverage, "json", "-q", "-i", rc, at, "-o", report], cwd=ROOT, check=False, stdout=subprocess.DEVNULL
    )
    if report.exists():
        for path, found in json.loads(report.read_text())["files"].items():
            name = str((ROOT / path).resolve().relative_to(ROOT))
            for line in found["executed_lines"]:
                lines.add(name, line, test)
            for line in found["missing_lines"]:
                lines.add(name, line, None)


def read_cpp(test: str, lines: Lines) -> None:
    """Takes over what gcov reads beside the notes of the compiler."""
    data = folder(test) / "cpp"
    for counts in data.rglob("*.gcda"):
        notes = KEPT / counts.relative_to(data).with_suffix(".gcno")
        beside = counts.with_suffix(".gcno")
        if not notes.exists():
            continue
        if not beside.exists():
            beside.symlink_to(notes)
        told = subprocess.run(
            ["gcov", "--json-format", "--stdout", counts], capture_output=True, text=True, check=False, cwd=ROOT
        )
        for report in told.stdout.splitlines():
            read = json.loads(report)
            for found in read["files"]:
                path = (Path(read["current_working_directory"]) / found["file"]).resolve()
                if path.is_relative_to(ROOT / "cpp"):
                    name = str(path.relative_to(ROOT))
                    for line in found["lines"]:
                        lines.add(name, line["line_number"], test if line["count"] else None)
