"""The template in examples/, with each way to start its logging process, on 1.0.5 and on ours."""

from __future__ import annotations

import os
import signal
import sys
from pathlib import Path

import pytest

from pymilter.testing import AddHeader, Client, FilterProcess, temporary_socket
from support.wire import eventually

TEMPLATE = Path(__file__).parents[2] / "examples" / "classic_template.py"


def _descendants(pid: int) -> list[int]:
    """The processes that `pid` has started, and those that these have."""
    found: list[int] = []
    for task in Path(f"/proc/{pid}/task").iterdir():
        for child in map(int, (task / "children").read_text().split()):
            found += [child, *_descendants(child)]
    return found


def _runs(pid: int) -> bool:
    try:
        return Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0] != "Z"
    except (FileNotFoundError, ProcessLookupError):
        return False


@pytest.mark.parametrize("method", ["fork", "spawn", "forkserver"])
@pytest.mark.parametrize("which", ["ours", pytest.param("1.0.5", marks=pytest.mark.long)])  # 1.0.5 stops in 5 s
def test_template_with_a_logging_process(old_python: Path, tmp_path: Path, which: str, method: str) -> None:
    python = old_python if which == "1.0.5" else sys.executable
    log = tmp_path / "template.log"
    with (
        temporary_socket() as address,
        FilterProcess([python, "-W", "ignore", TEMPLATE, address, log, method], address) as process,
    ):
        eventually(log.exists, bool)
        with Client(address) as client:
            edits = client.play(b"Subject: caf\xe9\r\n\r\ntext\r\n", b"<\xe9@example.org>", ["<b@example.net>"]).edits
            # systemd and Ctrl-C send the signal to all processes. The others get it first, and there is more to log.
            started = _descendants(process.pid)
            for pid in started:
                os.kill(pid, signal.SIGTERM)
        assert started
        process.send_signal(signal.SIGTERM)
        assert process.wait() == 0, process.stderr
        assert process.stderr == ""
        eventually(lambda: [pid for pid in started if _runs(pid)], lambda left: not left)
    assert edits == (AddHeader("X-Size", "21"),)
    lines = log.read_text("utf-8", "surrogateescape").splitlines()
    assert [line.split(" ", 1)[1] for line in lines] == [
        "connect from client.example.com ('192.0.2.1', 49152)",
        "message from <\udce9@example.org> to <b@example.net>",
        "close",
    ]
