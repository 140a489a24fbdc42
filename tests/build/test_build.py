"""Building: the wheel holds what it should, no more, and works where it is installed; a missing libmilter is named."""

from __future__ import annotations

import os
import re
import shutil
import subprocess
import sys
import sysconfig
import venv
import zipfile
from pathlib import Path

import pytest

from pymilter import _core

ROOT = Path(__file__).parents[2]
CMAKE = Path(sys.executable).with_name("cmake")
SOURCES = ROOT / "python"
OF_THE_WHEEL = {f"pymilter-1.9.0.dist-info/{name}" for name in ("METADATA", "WHEEL", "RECORD", "licenses/LICENSE")}


def run(*command: str | Path, cwd: Path | None = None, env: dict[str, str] | None = None) -> str:
    done = subprocess.run(
        command, cwd=cwd, env=env, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True, timeout=400, check=False
    )
    assert done.returncode == 0, done.stdout
    return done.stdout


@pytest.fixture(scope="module")
def wheel(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """In the build tree that `make` has used with the same settings, so that nothing is compiled again."""
    folder = tmp_path_factory.mktemp("wheel")
    warnings = "--config-settings=cmake.define.PYMILTER_WERROR=ON"
    run(sys.executable, "-m", "pip", "wheel", "--no-deps", "--no-build-isolation", warnings, "-w", folder, ROOT)
    [wheel] = folder.iterdir()
    assert wheel.name.startswith("pymilter-1.9.0-cp")
    return wheel


@pytest.fixture(scope="module")
def installed(wheel: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The Python of a new environment that has the wheel and nothing else."""
    folder = tmp_path_factory.mktemp("installed")
    venv.create(folder, with_pip=True)
    python = folder / "bin/python"
    run(python, "-m", "pip", "install", "--no-deps", "--no-index", wheel)
    return python


@pytest.mark.timeout(500)
def test_the_wheel_holds_packages_stubs_and_licence_and_nothing_else(wheel: Path) -> None:
    names = set(zipfile.ZipFile(wheel).namelist())
    sources = {
        path.relative_to(SOURCES).as_posix()
        for path in SOURCES.rglob("*")
        if path.suffix in (".py", ".pyi") or path.name == "py.typed"
    }
    assert {f"{package}/py.typed" for package in ("pymilter", "Milter")} <= sources
    assert {f"{package}/__init__.pyi" for package in ("pymilter", "milter-stubs", "mime-stubs")} <= sources
    extension = f"pymilter/_core{sysconfig.get_config_var('EXT_SUFFIX')}"
    assert names == sources | OF_THE_WHEEL | {extension, "pymilter/_core.pyi"}


@pytest.mark.timeout(500)
def test_every_module_can_be_imported_where_it_is_installed(installed: Path, tmp_path: Path) -> None:
    script = """
import importlib, importlib.metadata, pkgutil, sys
import pymilter, Milter, milter, mime
found = [name for package in (pymilter, Milter)
         for _, name, _ in pkgutil.walk_packages(package.__path__, f"{package.__name__}.")]
assert len(found) > 60, found
for name in found:
    if name == "pymilter.prometheus":
        continue  # needs the extra, and says so
    module = importlib.import_module(name)
    assert module.__file__.startswith(sys.prefix), module.__file__
try:
    import pymilter.prometheus
except ImportError as error:
    assert "pip install prometheus_client" in str(error)
else:
    raise AssertionError("the environment is not new")
assert importlib.metadata.version("pymilter") == pymilter.__version__ == "1.9.0"
assert importlib.metadata.metadata("pymilter")["License-Expression"] == "MIT"
needed = importlib.metadata.requires("pymilter") or []
assert all("extra ==" in requirement for requirement in needed), needed
assert Milter.Base is pymilter.Base
"""
    run(installed, "-W", "error", "-c", script, cwd=tmp_path)


def test_pip_shows_it(installed: Path, tmp_path: Path) -> None:
    shown = run(installed, "-m", "pip", "show", "pymilter", cwd=tmp_path).splitlines()
    assert {"Name: pymilter", "Version: 1.9.0", "Requires: "} <= set(shown)


def test_an_installed_filter_works(installed: Path, tmp_path: Path) -> None:
    shown = run(installed, "-W", "error", ROOT / "examples/demo.py", cwd=tmp_path)
    assert "=== examples/message.eml from <spam@example.com>" in shown


RIGHT = """import milter, Milter, mime, pymilter
from pymilter import CONTINUE, Outcome, Reject

class Gate(pymilter.Base):
    def envfrom(self, mailfrom: str, *params: str) -> Outcome:
        return Reject(550, "5.7.1", "go away") if mailfrom == "<spam@example.com>" else CONTINUE

    def header(self, name: str, value: str) -> None:
        self.seen = name

    def eom(self) -> Outcome:
        self.addheader("X-Gate", self.seen)
        return CONTINUE

class Classic(Milter.Base):
    def eom(self) -> pymilter.Status:
        return Milter.ACCEPT

def main() -> None:
    Milter.factory = Classic
    milter.settimeout(1)
    mime.check_ext("x.txt")
    pymilter.run(Gate, "unix:/x")
"""
PLANTED = """
milter.settimeout("1")
Milter.runmilter("filter", 25)
mime.check_ext(3)
pymilter.run("Filter", "unix:/x")
class Filter(Milter.Base):
    def eom(self) -> str: return "x"
print(milter.CONTINUE.name, Milter.CONTINUE.name)
"""
WRONG_LINES = {1, 2, 3, 4, 6}  # of PLANTED


@pytest.mark.parametrize(
    "checker", [("mypy", "--strict", "--python-executable"), ("basedpyright", "--pythonpath")], ids=["mypy", "pyright"]
)
def test_type_checkers_know_what_is_installed(installed: Path, tmp_path: Path, checker: tuple[str, ...]) -> None:
    """A filter passes, and with mistakes planted behind it exactly these are found."""
    program = tmp_path / "program.py"
    (tmp_path / "pyrightconfig.json").write_text('{"typeCheckingMode": "strict"}')

    def wrong_lines() -> tuple[set[int], str]:
        tool, *options = checker
        command: list[str | Path] = [Path(sys.executable).with_name(tool), *options, installed, program]
        done = subprocess.run(command, cwd=tmp_path, capture_output=True, text=True, timeout=100, check=False)
        found = re.findall(r"program\.py:(\d+)(?::\d+)?(?: -|:) error", done.stdout)
        assert bool(found) == bool(done.returncode), done.stdout + done.stderr
        return {int(number) for number in found}, done.stdout

    program.write_text(RIGHT)
    assert wrong_lines()[0] == set(), wrong_lines()[1]
    program.write_text(RIGHT + PLANTED)
    lines, told = wrong_lines()
    assert lines == {RIGHT.count("\n") + 1 + line for line in WRONG_LINES}, told


def configured(folder: Path, *settings: str, env: dict[str, str] | None = None) -> str:
    """What CMake says where it cannot configure, with the line breaks taken out."""
    done = subprocess.run(
        [CMAKE, "-S", ROOT, "-B", folder / "build", f"-DPython_EXECUTABLE={sys.executable}", *settings],
        env={**os.environ, **(env or {})},
        capture_output=True,
        text=True,
        timeout=100,
        check=False,
    )
    assert done.returncode != 0
    return " ".join(done.stderr.split())


def test_a_missing_libmilter_is_named_with_the_packages_that_bring_it(tmp_path: Path) -> None:
    told = configured(
        tmp_path,
        *("-DMilter_LIBRARY=Milter_LIBRARY-NOTFOUND", f"-DCMAKE_FIND_ROOT_PATH={tmp_path}"),
        *("-DCMAKE_FIND_ROOT_PATH_MODE_LIBRARY=ONLY", "-DCMAKE_FIND_ROOT_PATH_MODE_INCLUDE=ONLY"),
    )
    for package in ("libmilter-dev", "sendmail-milter-devel", "pkg install libmilter", "brew install libmilter"):
        assert package in told


def test_a_missing_compiler_is_named_with_the_packages_that_bring_it(tmp_path: Path) -> None:
    told = configured(tmp_path, env={"CXX": str(tmp_path / "none")})
    for package in ("A C++ compiler was not found", "apt-get install g++", "dnf install gcc-c++"):
        assert package in told


def test_a_missing_python_h_is_named_with_the_packages_that_bring_it(tmp_path: Path) -> None:
    told = configured(tmp_path, f"-DPython_INCLUDE_DIR={tmp_path}")
    version = sys.version.split()[0]
    for package in (f"Python.h of Python {version} was not found", "apt-get install python3-dev", "python3-devel"):
        assert package in told


# Python without site-packages, and with another folder in front.
FRESH = (sys.executable, "-I", "-S", "-W", "error", "-c")


def imported(folder: Path, module: str) -> str:
    program = f"import sys; sys.path.insert(0, {str(folder)!r}); import {module}"
    done = subprocess.run([*FRESH, program], capture_output=True, text=True, timeout=60, check=False)
    assert done.returncode == 1
    return done.stderr.rstrip().splitlines()[-1]


@pytest.fixture
def copied(tmp_path: Path) -> Path:
    """The packages, and a copy of the extension module."""
    folder = tmp_path / "copied"
    shutil.copytree(SOURCES, folder, ignore=shutil.ignore_patterns("__pycache__", "*-stubs"))
    shutil.copy(_core.__file__, folder / "pymilter")
    subprocess.run([*FRESH, f"import sys; sys.path.insert(0, {str(folder)!r}); import Milter"], check=True, timeout=60)
    return folder


def test_a_missing_library_is_named_with_the_packages_that_bring_it(copied: Path) -> None:
    [extension] = (copied / "pymilter").glob("_core*.so")
    binary = extension.read_bytes()
    [needed] = set(re.findall(rb"libmilter\.so\.[0-9.]+\0", binary))
    extension.write_bytes(binary.replace(needed, needed.replace(b"1", b"7")))
    told = imported(copied, "pymilter")
    for package in ("ImportError", "apt-get install libmilter1.0.1", "dnf install sendmail-milter", "cannot open"):
        assert package in told


@pytest.mark.parametrize("module", ["pymilter", "milter", "Milter"])
def test_an_extension_module_that_is_not_there_is_named(copied: Path, module: str) -> None:
    [extension] = (copied / "pymilter").glob("_core*.so")
    extension.unlink()
    told = imported(copied, module)
    assert f"pymilter is not built for this Python ({sys.version.split()[0]}, {sys.executable}): install it" in told


def test_an_older_milter_that_hides_ours_is_named(copied: Path) -> None:
    older = copied / f"milter{sysconfig.get_config_var('EXT_SUFFIX')}"
    older.write_bytes(b"not to be loaded")
    told = imported(copied, "Milter")
    assert told == f"ImportError: {older} was left by an older pymilter, and hides milter.py: remove this file"
    older.unlink()
    subprocess.run([*FRESH, f"import sys; sys.path.insert(0, {str(copied)!r}); import Milter"], check=True, timeout=60)
