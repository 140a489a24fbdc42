"""Builds what the benchmark needs: C programs and bodies in benchmarks/build, a virtual environment for each peer."""

import os
import random
import subprocess
import sys
from pathlib import Path

BENCHMARKS = Path(__file__).resolve().parent.parent
ROOT = BENCHMARKS.parent
BUILD = BENCHMARKS / "build"
# Outside the tree: one peer is GPL, and no search in our sources may come upon its files.
ENVIRONMENTS = Path(os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache") / "pymilter-benchmarks"

PEERS = {
    "pymilter105": ("pymilter==1.0.5", "Milter"),
    "purepython": ("purepythonmilter==0.0.1", "purepythonmilter"),
    "pylibmilter": ("python-libmilter==2.0.0", "libmilter"),
}

_C_PROGRAMS = {
    "load": (["client/load.c", "client/session.c", "client/packets.c"], []),
    "sink": (["client/sink.c"], []),
    "c_filter": (["filters/c_filter.c"], ["-lmilter"]),
}
_C_FLAGS = ["-std=gnu11", "-O2", "-Wall", "-Wextra", "-Werror", "-pthread"]
# FreeBSD's ports and Homebrew install libmilter outside the compiler's own folders.
_C_FOLDERS = [Path("/usr/local"), Path("/opt/homebrew")]


class MissingError(Exception):
    """A part that a side needs is not there; the text says which and how to get it."""


def compile_programs() -> None:
    """Compile the client, the sink and the C filter where their source is newer than the program."""
    BUILD.mkdir(exist_ok=True)
    folders = [flag for base in _C_FOLDERS for flag in (f"-I{base}/include", f"-L{base}/lib") if base.is_dir()]
    for name, (sources, libraries) in _C_PROGRAMS.items():
        program = BUILD / name
        paths = [BENCHMARKS / source for source in sources]
        newest = max(path.stat().st_mtime for path in [*paths, *BENCHMARKS.glob("client/*.h")])
        if program.exists() and program.stat().st_mtime > newest:
            continue
        command = ["cc", *_C_FLAGS, "-o", str(program), *map(str, paths), *folders, *libraries]
        done = subprocess.run(command, capture_output=True, text=True)
        if done.returncode != 0:
            raise MissingError(f"cannot build {name} (are a C compiler and libmilter-dev installed?):\n{done.stderr}")


def _pip_install(python: Path, *requirements: str) -> None:
    done = subprocess.run(
        [python, "-m", "pip", "install", "--quiet", "--disable-pip-version-check", *requirements],
        stdout=subprocess.DEVNULL,
        stderr=subprocess.PIPE,
        text=True,
    )
    if done.returncode != 0:
        raise MissingError(f"pip cannot install {' '.join(requirements)}:\n{done.stderr[-2000:]}")


def environment(name: str, module: str, *requirements: str) -> Path:
    """Return the interpreter of the virtual environment `name`, made now if it cannot import `module` yet."""
    folder = ENVIRONMENTS / name
    python = folder / "bin" / "python"
    if not _imports(python, module):
        subprocess.run([sys.executable, "-m", "venv", "--clear", folder], check=True)
        _pip_install(python, *requirements)
    return python


def peer_python(name: str) -> Path:
    """The interpreter that has the peer `name` and nothing else."""
    requirement, module = PEERS[name]
    return environment(name, module, requirement)


def plot_python() -> Path:
    """The interpreter that has matplotlib."""
    return environment("bench", "matplotlib", "-r", str(BENCHMARKS / "requirements.txt"))


def our_python() -> Path:
    """The interpreter that has our pymilter: the one in $BENCH_PYTHON, else this one, else the working tree's .venv."""
    given = os.environ.get("BENCH_PYTHON")
    candidates = [Path(given)] if given else [Path(sys.executable), ROOT / ".venv" / "bin" / "python"]
    for python in candidates:
        if _imports(python, "pymilter._core"):
            return python
    raise MissingError("our pymilter is not installed: `make bench` does it, or `pip install .` and give --python")


def _imports(python: Path, module: str) -> bool:
    if not python.exists():
        return False
    # -I: neither the working folder nor PYTHONPATH may lend a module that the environment does not have
    return subprocess.run([python, "-I", "-c", f"import {module}"], capture_output=True).returncode == 0


def body_file(size: int, seed: int = 1) -> Path:
    """A text of exactly `size` bytes in CRLF lines, the same on every run."""
    folder = BUILD / "data"
    folder.mkdir(parents=True, exist_ok=True)
    path = folder / f"body-{seed}-{size}"
    if not path.exists() or path.stat().st_size != size:
        generator = random.Random(seed)
        alphabet = b"abcdefghijklmnopqrstuvwxyz ABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789+"
        words = [bytes(generator.choices(alphabet, k=76)) + b"\r\n" for _ in range(4096)]
        text = b"".join(generator.choices(words, k=size // 78 + 1))
        path.write_bytes(text[: max(size - 2, 0)] + b"\r\n"[:size])
    return path
