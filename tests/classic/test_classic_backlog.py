"""A burst of connections while the filter is not scheduled: as many wait as the system allows, as on 1.0.5."""

from __future__ import annotations

import contextlib
import errno
import signal
import socket
import sys
from pathlib import Path

import pytest

from pymilter.testing import FilterProcess, temporary_socket
from support.require import missing
from support.wire import eventually

from .side_by_side import PROGRAMS

BURST = 400
LIMITED = "import sys, pymilter\npymilter.run(pymilter.Base, sys.argv[1], backlog=128)\n"
UNLIMITED = LIMITED.replace(", backlog=128", "")
CLASSIC = str(PROGRAMS / "milter_subclass.py")


def _state(pid: int) -> str:
    return Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0]


def _connected(path: str) -> int:
    """How many of the burst get into the queue of the listening socket at once."""
    with contextlib.ExitStack() as stack:
        results = []
        for _ in range(BURST):
            peer = stack.enter_context(socket.socket(socket.AF_UNIX))
            peer.setblocking(False)
            results.append(peer.connect_ex(path))
    assert set(results) <= {0, errno.EAGAIN}
    return results.count(0)


@pytest.mark.parametrize(
    ("which", "arguments", "expected"),
    [
        ("1.0.5", [CLASSIC], BURST),
        ("ours", [CLASSIC], BURST),
        ("ours", ["-c", UNLIMITED], BURST),
        ("ours", ["-c", LIMITED], 129),  # Linux lets one more in
    ],
)
def test_a_burst_of_connections_fits_the_backlog(
    old_python: Path, which: str, arguments: list[str], expected: int
) -> None:
    if int(Path("/proc/sys/net/core/somaxconn").read_text()) < BURST:
        missing(f"net.core.somaxconn is below {BURST}: sysctl -w net.core.somaxconn=4096")
    python = old_python if which == "1.0.5" else sys.executable
    with (
        temporary_socket() as address,
        FilterProcess([python, "-W", "ignore", *arguments, address], address) as process,
    ):
        process.send_signal(signal.SIGSTOP)
        try:
            eventually(lambda: _state(process.pid), lambda state: state == "T")
            connected = _connected(address.removeprefix("unix:"))
        finally:
            process.send_signal(signal.SIGCONT)
        assert connected == expected
