"""`pymilter run --reload`: runs the filter in a child, and starts a new one when a file of the program changes.

watchfiles reports changes if it is installed (the extra `reload`); otherwise the files are checked at intervals.
"""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path
from types import FrameType
from typing import Final

try:
    from watchfiles import watch
except ImportError:
    watch = None  # type: ignore[assignment]

from .options import RELOADED
from .output import Output

_PAUSE: Final = 0.25
"""Seconds between two looks at the files."""
_STOP_WITHIN: Final = 5.0
"""Seconds that a child gets to end, beyond its grace."""

Files = dict[Path, tuple[int, int]]
"""Time of the last change and size of each file."""


def run_reloading(config: Path | None, grace: float, output: Output) -> int:
    """Run this program again in a child that serves, until a signal ends this process; return the exit status.

    Args:
        config: The file with settings, which is watched too.
        grace: How many seconds the child needs to end.
        output: Where to say what happens.
    """
    ends: list[int] = []

    def end(number: int, _frame: FrameType | None) -> None:
        ends.append(number)
        raise KeyboardInterrupt

    signal.signal(signal.SIGTERM, end)
    folder = Path.cwd()
    files = _files(folder, config)
    how = f"every {_PAUSE:g} s" if watch is None else "by watchfiles"
    output.complain(f"watching the Python files below {folder} {how}")
    child: subprocess.Popen[bytes] | None = None
    try:
        while True:
            child = subprocess.Popen([sys.executable, *sys.orig_argv[1:]], env={**os.environ, RELOADED: "1"})
            changed = _changed(child, folder, config, files, output)
            _stop(child, grace)
            names = ", ".join(os.path.relpath(path, folder) for path in changed)
            output.complain(f"changed: {names}; the filter starts anew")
            files = _files(folder, config)
    except KeyboardInterrupt:
        if child is not None:
            _stop(child, grace)
        return 0 if ends else 130


def _changed(
    child: subprocess.Popen[bytes], folder: Path, config: Path | None, files: Files, output: Output
) -> list[Path]:
    """Wait until files change, and return them; if the child ends before, report that."""
    has_ended = False
    for may_have_changed in _looks(folder, config):
        now = _files(folder, config) if may_have_changed else files
        if now != files:
            return sorted(path for path in files.keys() | now.keys() if files.get(path) != now.get(path))
        if not has_ended and (status := child.poll()) is not None:
            has_ended = True
            output.complain(f"the filter has ended with status {status}; it starts anew when a file changes")
    raise KeyboardInterrupt  # watchfiles has taken it


def _looks(folder: Path, config: Path | None) -> Iterator[bool]:
    """Yields at intervals and at each change: true if files may have changed."""
    yield True  # since the child was started
    if watch is None:
        while True:
            time.sleep(_PAUSE)
            yield True
    places = {folder, *([config.resolve().parent] if config is not None else [])}
    for changes in watch(
        *places, watch_filter=None, yield_on_timeout=True, rust_timeout=int(_PAUSE * 1000), debounce=50
    ):
        yield bool(changes)


def _files(folder: Path, config: Path | None) -> Files:
    found: Files = {}
    for path in [*_programs(folder), *([config] if config is not None else [])]:
        try:
            status = path.stat()
        except OSError:  # it has just been removed, or is being replaced
            continue
        found[path] = status.st_mtime_ns, status.st_size
    return found


def _programs(folder: Path) -> Iterator[Path]:
    """The Python files of a folder and those below it, but for hidden ones and virtual environments."""
    for place, folders, names in os.walk(folder):
        if "pyvenv.cfg" in names:
            folders.clear()
            continue
        folders[:] = [name for name in folders if not name.startswith((".", "__pycache__"))]
        yield from (Path(place, name) for name in names if name.endswith(".py"))


def _stop(child: subprocess.Popen[bytes], grace: float) -> None:
    child.terminate()
    try:
        child.wait(grace + _STOP_WITHIN)
    except subprocess.TimeoutExpired:
        child.kill()
        child.wait()
