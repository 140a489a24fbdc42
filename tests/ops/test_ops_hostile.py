"""Peers that do not keep to the protocol: others are served meanwhile, and descriptors and threads come back."""

from __future__ import annotations

import contextlib
import signal
import socket
import struct
from collections.abc import Callable
from pathlib import Path

import pytest

from pymilter.testing import Client, FilterTimeout, FilterUnreachable, Verdict, send_message
from support import require
from support.hostile import BLOWS, NEGOTIATION
from support.wire import Start, WireFilter, eventually

SOURCE = """
    class Filter(Base):
        def connect(self, hostname, family, hostaddr): return CONTINUE
        def hello(self, hostname): return CONTINUE
        def envfrom(self, *args): return CONTINUE
        def eom(self): return ACCEPT
"""


CONNECT = struct.pack("!I", 19) + b"Chost\x004\x00\x19127.0.0.1\0"
HOLD = struct.pack("!I", 6) + b"Hhold\0"
# The limit of processes counts those of a user.
LONELY = 54_321


def connected(address: str) -> socket.socket:
    peer = socket.socket(socket.AF_UNIX)
    peer.connect(address.removeprefix("unix:"))
    peer.settimeout(10)
    return peer


def serves(process: WireFilter) -> bool:
    """Asked again where it does not answer: libmilter's pool may give two connections to one waiting thread.

    The second then waits until any thread has done its work, and the next connection brings one.
    """
    for _ in range(3):
        with contextlib.suppress(FilterTimeout, FilterUnreachable):
            return send_message(process.address, b"A: b\r\n\r\nx\r\n", timeout=2).delivered
    return False


def descriptors(process: WireFilter) -> int:
    return len(list(Path(f"/proc/{process.pid}/fd").iterdir()))


def threads(process: WireFilter) -> int:
    return len(list(Path(f"/proc/{process.pid}/task").iterdir()))


def memory(process: WireFilter) -> int:
    """Resident, in KiB."""
    lines = Path(f"/proc/{process.pid}/status").read_text().splitlines()
    return next(int(line.split()[1]) for line in lines if line.startswith("VmRSS"))


@pytest.mark.parametrize("blow", BLOWS)
def test_others_are_served_meanwhile_and_nothing_stays(start: Start, blow: str) -> None:
    process = start(SOURCE)
    assert serves(process)
    before = descriptors(process)
    peers = [connected(process.address) for _ in range(20)]
    for peer in peers:
        with contextlib.suppress(OSError):
            peer.sendall(BLOWS[blow])
    assert serves(process)
    for peer in peers:
        peer.close()
    eventually(lambda: descriptors(process), lambda count: count <= before)
    assert serves(process)


STEPS: dict[str, Callable[[Client], object]] = {
    "connect": lambda client: client.connect(),
    "helo": lambda client: client.helo(),
    "mail": lambda client: client.mail("<a@x>"),
    "rcpt": lambda client: client.rcpt("<b@x>"),
    "data": lambda client: client.data(),
    "header": lambda client: client.header("A", "b"),
    "eoh": lambda client: client.eoh(),
    "body": lambda client: client.body(b"x"),
}


@pytest.mark.parametrize("last", STEPS)
def test_a_connection_that_breaks_off_at_each_step(start: Start, last: str) -> None:
    process = start(SOURCE)
    assert serves(process)
    before = descriptors(process)
    for _ in range(10):
        client = Client(process.address)
        for name, step in STEPS.items():
            step(client)
            if name == last:
                break
        client.close()
    eventually(lambda: descriptors(process), lambda count: count <= before)
    assert serves(process)


def test_thousands_of_connections(start: Start) -> None:
    """In rounds, as many at once as this process may have descriptors for."""
    process = start(SOURCE)
    assert serves(process)
    before, memory_before = descriptors(process), 0
    for number in range(8):
        peers = [connected(process.address) for _ in range(400)]
        for peer in peers:
            peer.sendall(NEGOTIATION)
        assert eventually(lambda: serves(process), bool)  # the queue of the socket is full at first
        for peer in peers:
            peer.close()
        eventually(lambda: descriptors(process), lambda count: count <= before)
        if number == 1:
            memory_before = memory(process)
    assert memory(process) < memory_before + 4096


def test_out_of_descriptors(start: Start) -> None:
    """libmilter tries again, and serves the rest once there are some."""
    process = start(
        SOURCE
        + """
    import resource
    resource.setrlimit(resource.RLIMIT_NOFILE, (40, 40))
"""
    )
    peers = [connected(process.address) for _ in range(60)]
    for peer in peers[:5]:
        peer.sendall(NEGOTIATION)
    for peer in peers:
        peer.close()
    assert eventually(lambda: serves(process), bool)
    with Client(process.address) as client:
        assert client.connect().verdict is Verdict.CONTINUE


def test_out_of_threads(start: Start) -> None:
    """More connections than libmilter gets threads for: they wait, and when a thread is free again others are served.

    The limit counts the processes of a user, so the filter becomes one that nobody else is. Those that came when there
    was no thread for them libmilter keeps until its own timeout, so not all are gone at the end.
    """
    require.root("a filter that becomes another user")
    process = start(
        f"""
        import os, resource, signal, threading
        gate, served = threading.Event(), threading.Event()
        class Filter(Base):
            def hello(self, hostname):
                if hostname == "hold":
                    note("held")
                    gate.wait(60)
                return CONTINUE
            def eom(self):
                served.set()
                return ACCEPT
        def main(address):
            signal.signal(signal.SIGUSR1, lambda number, frame: gate.set())
            server = Server(Filter, address)
            server.start(signals=True)
            served.wait()  # then libmilter has the threads that it cannot do without
            os.setgroups([])
            os.setgid({LONELY})
            os.setuid({LONELY})
            number = len(os.listdir("/proc/self/task"))
            resource.setrlimit(resource.RLIMIT_NPROC, (number, number))
            note("limit", number)
            server.wait()
            server.finish()
        """,
        keeps_connections=True,
    )
    assert eventually(lambda: serves(process), bool)
    [(_, limit)] = process.wait_for(lambda seen: seen and seen[0][0] == "limit")
    with contextlib.ExitStack() as stack:
        for _ in range(40):
            stack.enter_context(connected(process.address)).sendall(NEGOTIATION + CONNECT + HOLD)
        process.wait_for(lambda seen: ("held",) in seen)
        assert threads(process) == limit
        process.send_signal(signal.SIGUSR1)
        assert eventually(lambda: serves(process), bool)
    assert serves(process)
    assert threads(process) == limit
    # Without a thread to help, a stop takes libmilter's time; it is clean all the same.
    assert process.stop() == 0, process.stderr
