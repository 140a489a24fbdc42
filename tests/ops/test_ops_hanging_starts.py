"""Workers that hang before they serve are killed after a deadline: first ones, new code and replacements alike."""

from __future__ import annotations

import os
import signal
import socket
from pathlib import Path

import pytest

from support.crew import Crew, gone, serving
from support.wire import eventually, free_address

# The deadline comes when the test says so: at SIGUSR1 each worker that has not come to serve is too late.
ON_CALL = """
    from pymilter._workers.child import Child
    seconds = usual = 120.0
    def allow(given):
        global seconds
        seconds = given
    Child.start_timeout = property(lambda child: seconds, lambda child, given: None)
    signal.signal(signal.SIGUSR1, lambda *_: allow(0.0))
    signal.signal(signal.SIGUSR2, lambda *_: allow(usual))
"""
# Nothing that a worker does in Python helps against this one, as with a module that hangs in C.
HANGS = """
    if is_worker() and Path("hang").exists():
        signal.signal(signal.SIGTERM, signal.SIG_IGN)
        print("waiting for the database", file=sys.stderr, flush=True)
        signal.pause()
"""
REASON = "it did not serve within 0 s; the last it said: waiting for the database"


def begin_reload(crew: Crew) -> int:
    """With new code that hangs; the process number of the worker that does."""
    old = crew.pids()
    said = crew.process.stderr.count("waiting for the database\n")
    crew.process.send_signal(signal.SIGHUP)
    crew.wait_for("waiting for the database\n", said + 1)
    [hanging] = crew.pids() - old
    return hanging


def test_a_reload_whose_new_worker_hangs_is_given_up(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    with serving(tmp_path, before=ON_CALL + HANGS, workers=2) as crew:
        old = crew.pids()
        Path("hang").touch()
        hanging = begin_reload(crew)
        crew.process.send_signal(signal.SIGUSR1)
        crew.wait_for("the reload failed")
        assert gone({hanging})()
        [killed] = [line for line in crew.process.stderr.splitlines() if f"worker {hanging} ended" in line]
        assert killed.endswith(f"worker {hanging} ended with status -9 (SIGKILL): {REASON}")
        [failed] = [line for line in crew.process.stderr.splitlines() if "the reload failed" in line]
        assert failed.partition(":")[2] == (
            f"the reload failed: a new worker ended with status -9 (SIGKILL): {REASON}; "
            "2 workers serve as before, and the next SIGHUP tries again"
        )
        assert crew.pids() == old
        assert crew.ask()[1] == "old"
        crew.process.send_signal(signal.SIGUSR2)
        Path("hang").unlink()
        crew.write("new")
        crew.process.send_signal(signal.SIGHUP)
        crew.wait_until_it_serves(3)  # what was said of the failure counts as the second time
        assert crew.ask()[1] == "new"
        eventually(crew.pids, lambda found: len(found) == 2 and not found & old)
        assert crew.process.stop() == 0, crew.process.stderr


def test_a_reload_that_hangs_is_told_to_systemd(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as manager, free_address("unix") as address:
        manager.bind(str(tmp_path / "notify"))
        manager.settimeout(30)
        env = {"NOTIFY_SOCKET": str(tmp_path / "notify")}
        crew = Crew(tmp_path, address, before=ON_CALL + HANGS, env=env, workers=1)
        with crew.process:
            assert manager.recv(4096) == b"READY=1\nSTATUS=1 workers serve"
            Path("hang").touch()
            begin_reload(crew)
            assert manager.recv(4096).startswith(b"RELOADING=1\n")
            crew.process.send_signal(signal.SIGUSR1)
            told = f"READY=1\nSTATUS=the reload failed: a new worker ended with status -9 (SIGKILL): {REASON}"
            assert manager.recv(4096) == told.encode()


def test_a_service_whose_first_workers_hang_ends(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Nobody serves, so whoever started it must hear of it."""
    monkeypatch.chdir(tmp_path)
    Path("hang").touch()
    with free_address("unix") as address:
        crew = Crew(tmp_path, address, before=ON_CALL + HANGS, workers=2)
        with crew.process:
            crew.wait_for("waiting for the database\n", 2)
            workers = crew.pids()
            crew.process.send_signal(signal.SIGUSR1)
            assert crew.process.wait() == 1
            assert f"MilterError: a worker ended with status -9 (SIGKILL): {REASON}" in crew.process.stderr
            assert gone(workers)()
            assert not Path(address.removeprefix("unix:")).exists()


def test_a_replacement_that_hangs_is_replaced_itself(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    with serving(tmp_path, before=ON_CALL + HANGS, workers=2) as crew:
        died, other = sorted(crew.pids())
        Path("hang").touch()
        os.kill(died, signal.SIGKILL)
        crew.wait_for("waiting for the database\n")
        [hanging] = crew.pids() - {died, other}
        Path("hang").unlink()
        crew.process.send_signal(signal.SIGUSR1)
        crew.wait_for(f"worker {hanging} ended with status -9 (SIGKILL): {REASON}")
        crew.process.send_signal(signal.SIGUSR2)
        crew.wait_for("listening on", 3)
        assert other in crew.pids()
        assert crew.process.stop() == 0, crew.process.stderr


def test_the_deadline_comes_by_itself(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Nothing else wakes the supervisor then."""
    monkeypatch.chdir(tmp_path)
    Path("hang").touch()
    with free_address("unix") as address:
        crew = Crew(tmp_path, address, before=HANGS, workers=1, start_timeout=1.0)
        with crew.process:
            assert crew.process.wait() == 1
            assert "it did not serve within 1 s" in crew.process.stderr
