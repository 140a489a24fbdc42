"""Building: the wheel holds all that it should and works in a new environment; a missing libmilter is named."""

from __future__ import annotations

import re
import subprocess
import sys
import venv
import zipfile
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
CMAKE = Path(sys.executable).with_name("cmake")


def run(*command: str | Path, cwd: Path | None = None, env: dict[str, str] | None = None) -> str:
    done = subprocess.run(
        command, cwd=cwd, env=env, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True, timeout=400, check=False
    )
    assert done.returncode == 0, done.stdout
    return done.stdout


@pytest.fixture(scope="module")
def wheel(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("wheel")
    build = f"--config-settings=build-dir={tmp_path_factory.mktemp('build')}"
    run(sys.executable, "-m", "pip", "wheel", "--no-deps", "--no-build-isolation", build, "-w", folder, ROOT)
    return next(folder.glob("pymilter-1.9.0-*.whl"))


@pytest.mark.timeout(500)
def test_the_wheel_holds_packages_stubs_and_licence(wheel: Path) -> None:
    names = set(zipfile.ZipFile(wheel).namelist())
    wanted = {
        "pymilter/__init__.py",
        "pymilter/__init__.pyi",
        "pymilter/_core.pyi",
        "pymilter/py.typed",
        "pymilter/testing/__init__.py",
        "pymilter/mime/__init__.py",
        "Milter/__init__.py",
        "Milter/py.typed",
        "milter.py",
        "milter-stubs/__init__.pyi",
        "mime.py",
        "mime-stubs/__init__.pyi",
    }
    assert wanted <= names
    assert any(name.startswith("pymilter/_core.") and name.endswith(".so") for name in names)
    assert any(name.endswith("licenses/LICENSE") for name in names)
    assert not [name for name in names if "__pycache__" in name or name.endswith((".cpp", ".hpp"))]


@pytest.mark.timeout(500)
def test_the_wheel_works_in_a_new_environment(wheel: Path, tmp_path: Path) -> None:
    venv.create(tmp_path / "env", with_pip=True)
    python = tmp_path / "env/bin/python"
    run(python, "-m", "pip", "install", "--no-deps", "--no-index", wheel)
    script = """
import importlib.metadata, pymilter, pymilter.testing, pymilter.mime, milter, Milter, mime
assert importlib.metadata.version("pymilter") == pymilter.__version__ == "1.9.0"
needed = importlib.metadata.requires("pymilter") or []
assert all("extra ==" in requirement for requirement in needed), needed
assert Milter.Base is pymilter.Base
print(pymilter.Reject(550, "5.7.1", "works"))
"""
    assert "works" in run(python, "-W", "error", "-c", script, cwd=tmp_path)
    see_types(python, tmp_path)


def see_types(python: Path, folder: Path) -> None:
    """What a user's mypy and pyright know of the four modules where the wheel is installed."""
    program = folder / "program.py"
    program.write_text("""import milter, Milter, mime, pymilter
milter.settimeout("1")
Milter.runmilter("filter", 25)
mime.check_ext(3)
pymilter.run("Filter", "unix:/x")
class Filter(Milter.Base):
    def eom(self) -> milter.Status: ...
print(milter.CONTINUE.name, Milter.CONTINUE.name)
""")
    for tool, chosen in (("mypy", "--python-executable"), ("basedpyright", "--pythonpath")):
        command: list[str | Path] = [Path(sys.executable).with_name(tool), chosen, python, program]
        if tool == "mypy":
            command.insert(1, "--strict")
        done = subprocess.run(command, cwd=folder, capture_output=True, text=True, timeout=100, check=False)
        lines = {int(number) for number in re.findall(r"program\.py:(\d+)(?::\d+)?(?: -|:) error", done.stdout)}
        assert lines == {2, 3, 4, 5, 7}, done.stdout


def test_a_missing_libmilter_is_named_with_the_packages_that_bring_it(tmp_path: Path) -> None:
    done = subprocess.run(
        [
            *(CMAKE, "-S", ROOT, "-B", tmp_path / "build", f"-DPython_EXECUTABLE={sys.executable}"),
            *("-DMilter_LIBRARY=Milter_LIBRARY-NOTFOUND", f"-DCMAKE_FIND_ROOT_PATH={tmp_path}"),
            *("-DCMAKE_FIND_ROOT_PATH_MODE_LIBRARY=ONLY", "-DCMAKE_FIND_ROOT_PATH_MODE_INCLUDE=ONLY"),
        ],
        capture_output=True,
        text=True,
        timeout=100,
        check=False,
    )
    assert done.returncode != 0
    told = " ".join(done.stderr.split())
    for package in ("libmilter-dev", "sendmail-milter-devel", "pkg install libmilter", "brew install libmilter"):
        assert package in told, done.stderr
