"""Processes forked in hooks and signal handlers: they end there, and what is the parent's stays the parent's."""

from __future__ import annotations

import os
import signal
from pathlib import Path

import pytest

from support.crew import serving
from support.wire import Script, eventually

# fork() is called somewhere; `drive` then sees whether the parent serves as before.
SOURCE = """
    import atexit, logging, os, signal, sys, threading, time
    from pymilter.testing import send_message
    atexit.register(note, "exit of the parent")
    forked = threading.Event()
    def fork():
        if forked.is_set():
            return
        if (child := os.fork()) == 0:
            {within}
            return
        note("ended", os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]))
        forked.set()
    def drive(address):
        while sys._current_frames()[threading.main_thread().ident].f_code.co_name != "_wait":
            time.sleep(0.005)  # until it waits
        {provoke}
        forked.wait(20)
        note("serves", send_message(address, b"A: b\\r\\n\\r\\nx\\r\\n").delivered)
        note("files", sorted(os.listdir(os.path.dirname(address[5:]))))
        stop()
    def main(address):
        signal.signal(signal.SIGUSR1, lambda number, frame: fork())
        when_serving(drive, address)
        {run}
        note("over", os.listdir(os.path.dirname(address[5:])))
"""
WITH_FILE = "pid_file=os.path.dirname(address[5:]) + '/pid'"
BY_SIGNAL = "os.kill(os.getpid(), signal.SIGUSR1)"
RUNS = {
    "on_start": (f"run(Base, address, {WITH_FILE}, on_start=fork)", "pass"),
    "on_reload": (f"run(Base, address, {WITH_FILE}, on_reload=fork)", "os.kill(os.getpid(), signal.SIGHUP)"),
    "signal": (f"run(Base, address, {WITH_FILE})", BY_SIGNAL),
    "on_start of Server": ("Server(Base, address, on_start=fork).run()", "pass"),
    "signal in Server": ("server = Server(Base, address); server.start(); server.wait(); server.finish()", BY_SIGNAL),
    "signal in runmilter": ("import Milter; Milter.factory = Milter.Base; Milter.runmilter('x', address)", BY_SIGNAL),
}


@pytest.mark.parametrize("how", RUNS)
@pytest.mark.parametrize(
    ("within", "status"), [("pass", 0), ("sys.exit(3)", 3), ("raise ValueError('too bad')", 1), ("stop()", 0)]
)
def test_the_child_ends_where_it_was_forked(script: Script, how: str, within: str, status: int) -> None:
    run, provoke = RUNS[how]
    done = script(SOURCE.format(within=within, run=run, provoke=provoke))
    files = ["filter.sock", "pid"] if WITH_FILE in run else ["filter.sock"]
    assert done.seen == [
        ("ended", status),
        ("serves", True),
        ("files", files),
        ("over", []),
        ("exit of the parent",),
    ], done.stderr
    assert done.returncode == 0
    assert done.stderr.count(":listening on") == done.stderr.count("stopped listening on") == 1
    assert ("ValueError: too bad" in done.stderr) == (status == 1)


SUPERVISOR = """
    def fork():
        if (child := os.fork()) == 0:
            {within}
            return
        os.write(1, f"ended {{os.waitstatus_to_exitcode(os.waitpid(child, 0)[1])}}\\n".encode())
    if not is_worker():
        signal.signal(signal.SIGUSR1, lambda number, frame: fork())
"""


@pytest.mark.parametrize(
    ("within", "status"),
    [
        ("pass", 0),
        ("sys.exit(3)", 3),
        ("os.kill(os.getpid(), signal.SIGTERM); time.sleep(60)", -signal.SIGTERM),
        ("os.kill(os.getpid(), signal.SIGHUP); time.sleep(60)", -signal.SIGHUP),
    ],
)
def test_a_child_of_a_supervisor_keeps_no_workers(tmp_path: Path, within: str, status: int) -> None:
    with serving(tmp_path, before=SUPERVISOR.format(within=within), workers=2) as crew:
        workers = crew.pids()
        crew.process.send_signal(signal.SIGUSR1)
        eventually(lambda: crew.process.stdout, lambda text: text == f"ended {status}\n")
        assert crew.pids() == workers
        assert int(crew.pid_file.read_text()) == crew.process.pid
        assert crew.ask()[0] in workers
        os.kill(min(workers), signal.SIGKILL)  # the parent goes on as before
        crew.wait_for("listening on", 3)
        assert crew.process.stop() == 0, crew.process.stderr
        assert not crew.pid_file.exists()
        assert len(crew.log("starts")) == 3
