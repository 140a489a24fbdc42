"""Many connections at once: every answer right, every connection freed, though libmilter's threads hop between them."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest

import support
from support.wire import Start

LOAD = Path(support.__path__[0]) / "wire_load.py"
CONNECTIONS, MESSAGES, PROCESSES = 200, 20, 2

SOURCE = """
    import threading

    lock = threading.Lock()
    threads = set()
    open_now = most = hops = 0

    class Filter(Base):
        def connect(self, hostname, family, hostaddr) -> None:
            global open_now, most
            self.peer = hostname
            self.thread = threading.get_native_id()
            with lock:
                open_now += 1
                most = max(most, open_now)
        def hello(self, hostname) -> None:
            self.name = hostname
        def envfrom(self, mailfrom, *params) -> None:
            global hops
            self.mailfrom = mailfrom[1:-3]
            self.size = 0
            now = threading.get_native_id()
            with lock:
                threads.add(now)
                hops += now != self.thread
            self.thread = now
        def envrcpt(self, to, *params):
            self.bad = to == "<bad@x>"
        def header(self, name, value) -> None:
            self.key = value
        def body(self, chunk):
            self.size += len(chunk)
        def eom(self):
            if self.bad:
                return Reject(550, "5.7.1", self.key)
            self.addheader("X-Seen", f"{self.peer} {self.name} {self.mailfrom} {self.key} {self.size}")
            self.replacebody(self.key.encode())
            return ACCEPT
        def close(self):
            global open_now
            with lock:
                open_now -= 1
                if not open_now:
                    note("most", most)
                    note("threads", len(threads), hops)
"""


@pytest.mark.timeout(120)
def test_many_connections_with_many_messages(start: Start) -> None:
    process = start(SOURCE)
    share = CONNECTIONS // PROCESSES
    clients = [
        subprocess.Popen(
            [sys.executable, str(LOAD), process.address, str(number * share), str(share), str(MESSAGES)],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            text=True,
        )
        for number in range(PROCESSES)
    ]
    try:
        for client in clients:
            assert client.stdout is not None
            assert client.stdout.readline() == "ready\n"
        outputs = [client.communicate("go\n", timeout=90)[0] for client in clients]
    finally:
        for client in clients:
            client.kill()
            client.wait()
    assert outputs == [""] * PROCESSES
    assert process.seen("most")[-1] == ("most", CONNECTIONS)
    _, threads, hops = process.seen("threads")[-1]
    assert threads > 1, (threads, hops)
    assert "ERROR" not in process.stderr
    assert process.stop() == 0
    assert process.connections() == (CONNECTIONS, CONNECTIONS)
