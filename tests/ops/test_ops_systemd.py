"""What systemd is told, and the unit file of the examples."""

from __future__ import annotations

import os
import re
import signal
import socket
import subprocess
import sys
import textwrap
from collections.abc import Iterator
from pathlib import Path

import pytest

from pymilter.testing import FilterProcess
from support import require
from support.wire import free_address

EXAMPLES = Path(__file__).parents[2] / "examples"
UNIT = EXAMPLES / "pymilter-gate.service"
UNITS = (UNIT, EXAMPLES / "pymilter-gate.socket")
# systemd's own scale goes from 0, safe, to 10; a service without any hardening has 9.6.
WORST_EXPOSURE = 2.0

PROGRAM = """
    import os, sys
    from pymilter import *
    run(Base, sys.argv[1], workers=int(sys.argv[2]))
"""


class Manager:
    """The receiving end of the notifications, as systemd's."""

    def __init__(self, path: Path) -> None:
        self.path = path
        self.socket = socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM)
        self.socket.bind(str(path))
        self.socket.settimeout(20)

    def next(self, *, but: str = "WATCHDOG=1") -> str:
        while (text := self.socket.recv(4096).decode()) == but:
            pass
        return text


@pytest.fixture
def manager(tmp_path: Path) -> Iterator[Manager]:
    manager = Manager(tmp_path / "notify")
    with manager.socket:
        yield manager


def filter_under(manager: Manager, address: str, workers: int, **env: str) -> FilterProcess:
    program = manager.path.with_name("program.py")
    program.write_text(textwrap.dedent(PROGRAM))
    command = [sys.executable, str(program), address, str(workers)]
    return FilterProcess(command, address, env={"NOTIFY_SOCKET": str(manager.path), **env})


@pytest.mark.parametrize("workers", [0, 2])
def test_readiness_and_the_end_are_told(manager: Manager, workers: int) -> None:
    with free_address("unix") as address, filter_under(manager, address, workers) as process:
        serves = "2 workers serve" if workers else f"serving {address}"
        assert manager.next() == f"READY=1\nSTATUS={serves}"
        process.send_signal(signal.SIGTERM)
        assert manager.next() == "STOPPING=1"
        assert process.wait() == 0, process.stderr


def test_a_reload_is_told(manager: Manager) -> None:
    with free_address("unix") as address, filter_under(manager, address, 1) as process:
        assert manager.next() == "READY=1\nSTATUS=1 workers serve"
        process.send_signal(signal.SIGHUP)
        assert re.fullmatch(r"RELOADING=1\nMONOTONIC_USEC=\d+", manager.next())
        assert manager.next() == "READY=1\nSTATUS=1 workers serve"


@pytest.mark.parametrize("workers", [0, 1])
def test_the_watchdog_is_fed(manager: Manager, workers: int) -> None:
    with free_address("unix") as address, filter_under(manager, address, workers, WATCHDOG_USEC="200000"):
        heard = [manager.next(but="") for _ in range(4)]
        assert heard.count("WATCHDOG=1") >= 3


def test_an_abstract_socket(tmp_path: Path) -> None:
    name = f"pymilter-test-{os.getpid()}"
    with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as receiver:
        receiver.bind(f"\0{name}")
        receiver.settimeout(20)
        script = "from pymilter._serve.systemd import notify; assert notify('READY=1')"
        subprocess.run([sys.executable, "-c", script], env={**os.environ, "NOTIFY_SOCKET": f"@{name}"}, check=True)
        assert receiver.recv(100) == b"READY=1"


def test_the_unit_files_are_right(tmp_path: Path) -> None:
    analyze = require.command("systemd-analyze", "systemd")
    program = tmp_path / "gate.py"
    program.touch()
    for unit in UNITS:
        text = unit.read_text().replace("/opt/gate/venv/bin/python", sys.executable)
        (tmp_path / unit.name).write_text(text.replace("/opt/gate/gate.py", str(program)))
    names = [tmp_path / unit.name for unit in UNITS]
    done = subprocess.run([analyze, "verify", "--man=no", *names], capture_output=True, text=True, check=False)
    about_ours = [line for line in (done.stdout + done.stderr).splitlines() if UNIT.stem in line]
    assert about_ours == []


def test_the_unit_file_is_hardened() -> None:
    analyze = require.command("systemd-analyze", "systemd")
    done = subprocess.run(
        [analyze, "security", "--offline=yes", UNIT], capture_output=True, text=True, check=False, env={**os.environ}
    )
    found = re.search(r"Overall exposure level for .*: ([0-9.]+)", done.stdout)
    assert found is not None, done.stdout + done.stderr
    assert float(found[1]) <= WORST_EXPOSURE
