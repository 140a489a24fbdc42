"""What comes at the very moment at which something begins: a signal, a stop."""

from __future__ import annotations

import contextlib
import os
import shutil
import signal
import subprocess
from pathlib import Path

import pytest

from pymilter.testing import Client, ClientError
from support.crew import serving
from support.require import missing
from support.wire import eventually, finished, free_address

EARLY_SIGNAL = Path(__file__).parents[1] / "support" / "early_signal.c"


def test_a_signal_that_comes_as_its_handler_is_replaced(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """The program's own handler runs, though a filter in another thread has just put its own in place."""
    compiler = shutil.which("cc")
    if compiler is None:
        missing("no C compiler: apt-get install gcc")
    library = tmp_path / "early_signal.so"
    command: list[str | Path] = [compiler, "-D_GNU_SOURCE", "-shared", "-fPIC", "-o", library, EARLY_SIGNAL, "-ldl"]
    subprocess.run(command, check=True, timeout=60)
    monkeypatch.setenv("LD_PRELOAD", str(library))
    source = """
        import ctypes, signal, threading
        def serve(address):
            server = Server(Base, address)
            ctypes.CDLL(None).arm()
            server.start(signals=True)
            server.wait()
            server.stop()
            note("stopped")
        def main(address):
            ran = threading.Event()
            signal.signal(signal.SIGTERM, lambda *arguments: ran.set())
            thread = threading.Thread(target=serve, args=(address,))
            thread.start()
            thread.join()
            note("own handler", ran.wait(5))
    """
    with free_address("unix") as address:
        done = finished(source, tmp_path, address)
    assert done.seen == [("stopped",), ("own handler", True)], done.stderr


def test_a_stop_that_comes_as_a_replaced_worker_begins_to_wait(tmp_path: Path) -> None:
    """It has 300 s for its connections, and from then on what is given to messages."""
    before = """
        import threading
        from pymilter._serve.drain import Drain
        ask, run_ = Drain.ask, Drain.run
        is_to_stop = threading.Event()
        def note_ask(self, grace, for_connections, refusing):
            ask(self, grace, for_connections, refusing)
            if not for_connections:
                is_to_stop.set()
        def run_late(self, grace):
            print("waits", os.getpid(), flush=True)
            is_to_stop.wait(30)
            run_(self, grace)
        Drain.ask, Drain.run = note_ask, run_late
    """
    with serving(tmp_path, before=before, workers=1, grace=0.1) as crew:
        [old] = crew.pids()
        client = Client(crew.process.address)
        client.connect()
        client.mail("<a@example.org>")
        os.kill(crew.process.pid, signal.SIGHUP)
        eventually(lambda: crew.process.stdout, lambda said: f"waits {old}\n" in said)
        assert crew.process.stop() == 0, crew.process.stderr
        assert not crew.log("killed")
        with contextlib.suppress(ClientError):
            client.close()
