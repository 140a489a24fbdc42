"""`make docs-live`: the site is served, and what is changed is built again."""

from __future__ import annotations

import importlib.util
import os
import queue
import re
import shlex
import shutil
import signal
import subprocess
import sys
import threading
import urllib.request
from collections.abc import Iterator
from pathlib import Path
from typing import IO

import pytest

from pymilter.testing import free_port
from support import require
from support.peers import takes_connections
from support.wire import eventually

ROOT = Path(__file__).parents[2]
DEADLINE = 100.0
COLOURS = re.compile(r"\x1b\[\d*m")


class Live:
    """The program that `make docs-live` starts, in a copy of the sources of the site."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        for name in ("docs", "examples", "CHANGELOG.md"):
            copy = shutil.copytree if (ROOT / name).is_dir() else shutil.copy
            copy(ROOT / name, folder / name)
        for name in ("python", "benchmarks", "tests", "README.md"):
            (folder / name).symlink_to(ROOT / name)
        self.port = free_port()
        self.process = subprocess.Popen(
            self.command(),
            cwd=folder,
            env={**os.environ, "PYTHONUNBUFFERED": "1"},
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
            start_new_session=True,
        )
        self.lines: queue.Queue[str | None] = queue.Queue()
        assert self.process.stdout is not None
        self.reader = threading.Thread(target=self.read, args=(self.process.stdout,))
        self.reader.start()

    def command(self) -> list[str]:
        """The last command of the Makefile's recipe, without the installation before it."""
        done = subprocess.run(
            ["make", "--dry-run", "docs-live", f"VENV={sys.prefix}", f"PORT={self.port}"],
            cwd=ROOT,
            capture_output=True,
            text=True,
            timeout=60,
            check=True,
        )
        return shlex.split(done.stdout.splitlines()[-1])

    def read(self, output: IO[str]) -> None:
        for line in output:
            self.lines.put(COLOURS.sub("", line))
        self.lines.put(None)

    def wait(self, words: str) -> str:
        """What is printed until a line has these words."""
        seen = ""
        while words not in seen.rpartition("\n")[2]:
            line = self.lines.get(timeout=DEADLINE)
            assert line is not None, f"it has ended:\n{seen}"
            seen += "\n" + line.rstrip("\n")
        return seen

    def page(self, name: str) -> str:
        with urllib.request.urlopen(f"http://127.0.0.1:{self.port}/{name}", timeout=DEADLINE) as answer:
            return str(answer.read().decode())

    def end(self) -> int:
        """As Ctrl-C in a terminal does, which reaches its children too."""
        os.killpg(self.process.pid, signal.SIGINT)
        try:
            return self.process.wait(timeout=30)
        finally:
            if self.process.returncode is None:
                os.killpg(self.process.pid, signal.SIGKILL)
                self.process.wait()
            self.reader.join()
            assert self.process.stdout is not None
            self.process.stdout.close()


@pytest.fixture
def live(tmp_path: Path) -> Iterator[Live]:
    if importlib.util.find_spec("sphinx_autobuild") is None:
        require.missing("sphinx-autobuild is not installed: pip install --group live")
    made = Live(tmp_path)
    try:
        yield made
    finally:
        if made.process.returncode is None:
            made.end()


@pytest.mark.long
@pytest.mark.timeout(500)
def test_what_is_changed_is_served(live: Live) -> None:
    assert "build succeeded" in live.wait("Serving on")
    live.wait("Waiting to detect changes")  # which it prints before it listens
    eventually(lambda: takes_connections(live.port), bool)
    assert "<h1>How long state lives" in live.page("explanation/state.html")

    with (live.folder / "docs/explanation/state.md").open("a") as page:
        page.write("\nA sentence more.\n")
    built = live.wait("Serving on")
    assert "updating environment: 0 added, 1 changed, 0 removed" in built
    assert "A sentence more." in live.page("explanation/state.html")

    # A program that pages include, and that a terminal of theirs runs.
    program = live.folder / "examples/first.py"
    program.write_text(program.read_text().replace('"X-', '"X-Other-'))
    live.wait("Serving on")
    assert live.page("index.html").count("X-Other-") > 1

    # The extension that makes the pictures.
    drawing = live.folder / "docs/sphinx_pymilter/pictures/svg.py"
    drawing.write_text(drawing.read_text().replace("min-width: 44em", "min-width: 45em"))
    live.wait("Serving on")
    assert "min-width: 45em" in live.page("explanation/callbacks.html")

    # A page that is wrong does not end it.
    index = live.folder / "docs/explanation/state.md"
    right = index.read_text()
    index.write_text(right + "\n{py:func}`pymilter.nothing`\n")
    failed = live.wait("Sphinx exited with exit code: 1")
    assert "pymilter.nothing" in failed
    live.wait("Serving on")
    index.write_text(right.replace("A sentence more.", "Another sentence."))
    assert "build succeeded" in live.wait("Serving on")
    assert "Another sentence." in live.page("explanation/state.html")
    live.end()
