"""Puts one mistake in, runs the tests that run its line, and takes it out again."""

from __future__ import annotations

import contextlib
import os
import shutil
import signal
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

from mutants.covering import KEPT, ROOT, Lines
from mutants.site import Site

BUILD = KEPT / "plain"


def core() -> Path:
    """The extension module that the tests import."""
    code = "import pymilter._core as core; print(core.__file__)"
    return Path(subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True).stdout.strip())


def compile_core() -> bool:
    """Builds the extension module anew, the quickest way: file by file, not optimized. Tells whether it compiles."""
    if not (BUILD / "CMakeCache.txt").exists():
        settings = {
            "CMAKE_BUILD_TYPE": "Debug",
            "CMAKE_CXX_FLAGS_DEBUG": "-O0 -DNDEBUG",
            "CMAKE_INTERPROCEDURAL_OPTIMIZATION": "OFF",
            "PYMILTER_UNITY": "OFF",
            "Python_EXECUTABLE": sys.executable,
        }
        cmake = ["cmake", "-G", "Ninja", "-S", str(ROOT), "-B", str(BUILD)]
        cmake += [f"-D{name}={value}" for name, value in settings.items()]
        subprocess.run(cmake, check=True, stdout=subprocess.DEVNULL)
    return subprocess.run(["ninja", "-C", BUILD, "_core"], check=False, stdout=subprocess.DEVNULL).returncode == 0


@contextlib.contextmanager
def mistaken(site: Site) -> Iterator[bool]:
    """The mistake is in; yields whether it compiles."""
    path = ROOT / site.path
    is_cpp = site.path.startswith("cpp/")
    source, times = path.read_bytes(), path.stat()
    try:
        path.write_bytes(site.apply(source))
        with installed() if is_cpp else contextlib.nullcontext(True) as compiles:
            yield compiles
    finally:
        path.write_bytes(source)
        # Bytecode that was compiled before is right again. An object file has the mistake in it, so the C++ file stays
        # newer than that and is compiled again.
        if not is_cpp:
            os.utime(path, ns=(times.st_atime_ns, times.st_mtime_ns))


@contextlib.contextmanager
def installed() -> Iterator[bool]:
    """The extension module as the files are now stands where the tests import it; yields whether it compiles."""
    if not compile_core():
        yield False
        return
    module = core()
    kept = KEPT / module.name
    shutil.copy(module, kept)
    try:
        install(BUILD / module.name, module)
        yield True
    finally:
        install(kept, module)


def install(built: Path, module: Path) -> None:
    """Not written over: a process may have the old one mapped."""
    shutil.copy(built, f"{module}.new")
    Path(f"{module}.new").replace(module)


def judge(site: Site, lines: Lines, seconds: float) -> str:
    """`killed`, `survived`, `no test runs it`, or `does not compile`; the test that saw it."""
    tests = lines.tests(site.path, site.line)
    if not tests:
        return "survived: no test runs this line"
    chosen: list[str] = []
    spent = 0.0
    for test in tests:
        spent += lines.seconds[test]
        if chosen and spent > seconds:
            break
        chosen.append(test)
    with mistaken(site) as compiles:
        if not compiles:
            return "does not compile"
        red = first_red(chosen, 4 * seconds)
    if red is not None:
        return f"killed by {red}"
    return f"survived {len(chosen)} of {len(tests)} test files: {' '.join(chosen)}"


def first_red(tests: list[str], seconds: float) -> str | None:
    """Of these files the first test that failed, hung or could not begin."""
    options = ["-x", "-q", "--no-header", "-p", "no:cacheprovider", "--timeout", "60"]
    command = [sys.executable, "-m", "pytest", *options, *tests]
    environment = {**os.environ, "PYTHONDONTWRITEBYTECODE": "1"}
    process = subprocess.Popen(
        command,
        cwd=ROOT,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        errors="replace",
        env=environment,
        start_new_session=True,
    )
    try:
        told, _ = process.communicate(timeout=seconds)
    except subprocess.TimeoutExpired:
        return "a test that hung"
    finally:
        with contextlib.suppress(ProcessLookupError):
            os.killpg(process.pid, signal.SIGKILL)
        process.wait()
    if process.returncode == 0:
        return None
    failed = [line for line in told.splitlines() if line.startswith(("FAILED", "ERROR"))]
    return failed[0][:160] if failed else f"pytest, status {process.returncode}"
