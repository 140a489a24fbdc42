"""The bare C filter probe.c: compiled once, started with options, its log of callbacks read."""

from __future__ import annotations

import contextlib
import shutil
import signal
import subprocess
from collections.abc import Iterator
from pathlib import Path

from pymilter.testing import FilterProcess, temporary_socket
from support.require import missing

SOURCE = Path(__file__).with_name("probe.c")


def build(folder: Path) -> Path:
    """Compile probe.c into `folder`; where compiler or libmilter is missing, the test says so."""
    compiler = shutil.which("cc")
    if compiler is None:
        missing("no C compiler: apt-get install gcc")
    program = folder / "probe"
    warnings = ("-Wall", "-Wextra", "-Werror", "-D_GNU_SOURCE")
    check = subprocess.run(
        [compiler, "-E", "-"], input=b"#include <libmilter/mfapi.h>\n", capture_output=True, check=False, timeout=60
    )
    if check.returncode != 0:
        missing("no libmilter headers: apt-get install libmilter-dev")
    done = subprocess.run(
        [compiler, *warnings, "-O1", "-o", program, SOURCE, "-lmilter", "-lpthread"],
        capture_output=True,
        text=True,
        check=False,
        timeout=60,
    )
    assert done.returncode == 0, done.stderr
    return program


@contextlib.contextmanager
def running(program: Path, *options: str, address: str | None = None) -> Iterator[FilterProcess]:
    """The probe with `options`, on a unix socket of its own if no address is given.

    It is killed at the end: libmilter's orderly stop takes seconds.
    """
    with contextlib.ExitStack() as stack:
        where = stack.enter_context(temporary_socket()) if address is None else address
        argv = [str(program), "-p", where, *options]
        yield stack.enter_context(FilterProcess(argv, where, stop_signal=signal.SIGKILL))


def log(process: FilterProcess) -> list[str]:
    """What the filter saw, one line a callback, the negotiation left out."""
    return [line for line in process.stdout.splitlines() if not line.startswith("negotiate ")]


def body_line(data: bytes) -> str:
    """How the probe logs a body chunk of more than 64 bytes."""
    total = 0
    for byte in data:
        total = (total * 31 + byte) % 1000000007
    return f"body {len(data)} {total}"
