"""The benchmark takes its filters and clients with it when it is asked to end."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest

from support import require

RUN = Path(__file__).parents[2] / "benchmarks" / "run.py"


def processes_naming(text: str) -> list[str]:
    """The command lines in which `text` occurs."""
    found: list[str] = []
    for entry in Path("/proc").glob("[0-9]*"):
        try:
            line = (entry / "cmdline").read_bytes().replace(b"\0", b" ").decode("utf-8", "replace")
        except OSError:  # it has just ended
            continue
        if text in line:
            found.append(line)
    return found


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGHUP])
def test_no_filter_is_left_behind(tmp_path: Path, number: signal.Signals) -> None:
    require.command("cc", "gcc")
    options = ["--loads", "nothing", "--sides", "c", "--transports", "unix", "--rounds", "1000"]
    command = [sys.executable, str(RUN), *options, "--no-plot", "--output", str(tmp_path / "results")]
    # The sockets, which the command lines of filter and client name, are below TMPDIR.
    folder = f"{tmp_path}/bench-"
    with subprocess.Popen(
        command, env={**os.environ, "TMPDIR": str(tmp_path)}, stdout=subprocess.DEVNULL, stderr=subprocess.PIPE
    ) as running:
        try:
            deadline = time.monotonic() + 60
            while len(processes_naming(folder)) < 2:  # filter and client
                assert running.poll() is None, running.stderr and running.stderr.read()
                assert time.monotonic() < deadline
                time.sleep(0.01)
            running.send_signal(number)
            running.communicate(timeout=30)
        finally:
            running.kill()
    assert processes_naming(folder) == []
    assert running.returncode == 128 + number
    assert list(tmp_path.glob("bench-*")) == []
