"""The end of the interpreter while handlers run: no crash, no hang, and TEMPFAIL for those that come too late.

PYMILTER_EXITS in the environment says how often (1000 by default).
"""

from __future__ import annotations

import contextlib
import os
import signal
import subprocess
import sys
from pathlib import Path

import pytest

from pymilter.testing import Client, ClientError, Verdict
from support.wire import Start, free_address, prepared

EXITING = Path(__file__).parents[1] / "support" / "exits.py"
EXITS = int(os.environ.get("PYMILTER_EXITS", "1000"))

# Each is at work in another way when the interpreter goes down: asleep, in Python, and in and out of the GIL.
WORK = {
    "asleep": "time.sleep(0.05)",
    "busy": "sum(range(300_000))",
    "in_and_out": "[time.sleep(0) for _ in range(2000)]",
}
# How the main thread leaves: after run(), without having stopped, by sys.exit(), with an exception.
ENDS = {
    "stop": "server.stop()",
    "nothing": "pass",
    "exit": "sys.exit(0)",
}
SOURCE = """
    import sys, threading, time
    inside = threading.Semaphore(0)
    class Filter(Base):
        def connect(self, hostname, family, hostaddr):
            return CONTINUE
        def hello(self, hostname):
            inside.release()
            {work}
            return REJECT
    def main(address):
        global server
        server = Server(Filter, address)
        server.start()
        inside.acquire()
        note("leaving")
        {end}
"""


@pytest.mark.timeout(120 + EXITS)
@pytest.mark.parametrize("work", WORK)
def test_a_thousand_exits_while_handlers_run(tmp_path: Path, work: str) -> None:
    """Forks of one process that is warm, so that they are quick; those of each end at the same time."""
    count = str(-(-EXITS // (len(WORK) * len(ENDS))))
    processes = {}
    for end in ENDS:
        (tmp_path / end).mkdir()
        command: list[str | Path] = [sys.executable, EXITING, tmp_path / end, count, work, end]
        processes[end] = subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True)
    said = {end: process.communicate(timeout=100 + EXITS)[0] for end, process in processes.items()}
    assert said == dict.fromkeys(ENDS, "")
    assert {process.returncode for process in processes.values()} == {0}


@pytest.mark.parametrize("end", ENDS)
@pytest.mark.parametrize("work", WORK)
def test_exit_while_handlers_run(tmp_path: Path, work: str, end: str) -> None:
    """A program as it is, from its start."""
    exit_once(tmp_path, SOURCE.format(work=WORK[work], end=ENDS[end]))


def exit_once(folder: Path, source: str) -> None:
    with free_address("unix") as address, contextlib.ExitStack() as stack:
        process = prepared(source, folder, address, {})
        stack.enter_context(process)
        clients = [Client(address) for _ in range(3)]
        try:
            for client in clients:
                client.connect()
            for client in clients:
                client.send(b"H", b"h\0")
            assert process.wait() == 0, process.stderr
            assert process.seen("leaving") == [("leaving",)]
            assert "Fatal" not in process.stderr
            assert "Traceback" not in process.stderr
        finally:
            for client in clients:
                with contextlib.suppress(ClientError, OSError):
                    client.close()
        assert not Path(address.removeprefix("unix:")).exists()


def test_callbacks_that_come_too_late_get_tempfail(start: Start) -> None:
    """Here the gate is shut as at exit, while libmilter still serves."""
    process = start(
        """
        import signal
        from pymilter import _core
        class Filter(Base):
            def connect(self, hostname, family, hostaddr): return CONTINUE
            def envfrom(self, *args): note("too late")
        def main(address):
            signal.pthread_sigmask(signal.SIG_BLOCK, [signal.SIGUSR1])
            with Server(Filter, address):
                signal.sigwait([signal.SIGUSR1])
                note("shut", _core.shut_gate(5))
                signal.sigwait([signal.SIGUSR1])
        """,
        keeps_connections=True,
    )
    client = Client(process.address)
    client.connect()
    process.send_signal(signal.SIGUSR1)
    process.wait_for(lambda seen: ("shut", True) in seen)
    assert client.mail("<a@example.org>").verdict is Verdict.TEMPFAIL
    with pytest.raises(ClientError):
        Client(process.address).connect()
    client.close()
    process.send_signal(signal.SIGUSR1)
    assert process.wait() == 0, process.stderr
    assert process.seen("too late") == []
