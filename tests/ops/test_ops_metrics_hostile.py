"""Peers of the metrics that only take up room: mail goes on, and a scrape gets its turn."""

from __future__ import annotations

import contextlib
import os
import signal
import socket
import threading
import urllib.error
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest

from support.crew import Crew, freeze, serving
from support.metrics import counted, measured, metrics_port, scrape, send

Silent = Callable[[Crew, int], list[socket.socket]]


@pytest.fixture
def silent() -> Iterator[Silent]:
    """Connects so many peers, which say nothing; they are closed with the test."""
    with contextlib.ExitStack() as stack:

        def connect(crew: Crew, count: int) -> list[socket.socket]:
            where = metrics_port(crew)
            return [stack.enter_context(socket.create_connection(where, timeout=20)) for _ in range(count)]

        yield connect


@pytest.mark.parametrize("workers", [0, 1])
def test_peers_that_only_take_up_room(tmp_path: Path, silent: Silent, workers: int) -> None:
    """Mail goes on, they are left in the end, and the stop does not wait for them."""
    with measured(tmp_path, workers) as crew:
        peers = silent(crew, 30)
        send(crew)
        # There are 16 places: the first make room for the last, which are left when they have been silent for too long.
        assert [is_turned_away(peer) for peer in peers] == [True] * 14 + [False] * 16
        assert counted(crew)["pymilter_messages_total"] == 1
        peers = silent(crew, 5)
        peers[0].sendall(b"GET /metrics")
        peers[1].sendall(b"\0" * 70000)
        peers[2].sendall(b"DELETE / HTTP/1.0\r\n\r\n")
        assert b" 501 " in peers[2].recv(100)
        assert counted(crew)["pymilter_messages_total"] == 1
        assert crew.process.stop() == 0, crew.process.stderr
        assert "Traceback" not in crew.process.stderr


def is_turned_away(peer: socket.socket) -> bool:
    """Whether it gets 503, once the server has closed the connection."""
    said = b"".join(iter(lambda: peer.recv(4096), b""))
    assert not said or said.startswith(b"HTTP/1.0 503 ")
    return bool(said)


@pytest.mark.parametrize("begin", [b"", b"GET /metrics HTTP/1.0\r\n"])
def test_peers_that_come_again_keep_nobody_out(tmp_path: Path, begin: bytes) -> None:
    """Twice as many as there are places, each back as soon as it has lost its own."""
    with measured(tmp_path, 0) as crew:
        enough = threading.Event()
        back = threading.Semaphore(0)

        def come_again() -> None:
            while not enough.is_set():
                with contextlib.suppress(OSError), socket.create_connection(metrics_port(crew), timeout=20) as peer:
                    peer.sendall(begin)
                    peer.recv(4096)
                back.release()

        with ThreadPoolExecutor(32) as pool:
            for _ in range(32):
                pool.submit(come_again)
            try:
                for _ in range(32):
                    assert back.acquire(timeout=30)
                for _ in range(3):
                    assert counted(crew)["pymilter_messages_total"] == 0
            finally:
                enough.set()
                crew.process.stop()
        assert "Traceback" not in crew.process.stderr


def test_who_finds_no_place_is_turned_away(tmp_path: Path, silent: Silent) -> None:
    """All places are taken by those who wait for a worker that hangs: they get their numbers, and the next one 503."""
    before = """
        import pymilter._workers.tally, pymilter._observe.scrapes
        pymilter._workers.tally.ANSWER_WITHIN = pymilter._observe.scrapes.LONGEST = 1000
        pymilter._observe.scrapes.WAIT = 0.1
    """
    with serving(tmp_path, before=before, workers=1, metrics="127.0.0.1:0") as crew:
        [worker] = crew.pids()
        freeze(worker)
        try:
            peers = silent(crew, 17)
            for peer in peers:
                peer.sendall(b"GET /metrics HTTP/1.0\r\n\r\n")
            assert is_turned_away(peers[16])
            with pytest.raises(urllib.error.HTTPError, match="503") as caught:
                scrape(crew)
            caught.value.close()
        finally:
            os.kill(worker, signal.SIGCONT)
        for peer in peers[:16]:
            assert peer.recv(4096).startswith(b"HTTP/1.0 200 ")
        assert "pymilter_messages_total" in scrape(crew)


def test_a_peer_that_reads_nothing_keeps_no_place(tmp_path: Path) -> None:
    """Its answer waits in the system."""
    with measured(tmp_path, 0) as crew, contextlib.ExitStack() as stack:
        for _ in range(17):
            peer = stack.enter_context(socket.socket())
            peer.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 1)
            peer.connect(metrics_port(crew))
            peer.sendall(b"GET /metrics HTTP/1.0\r\n\r\n")
        assert counted(crew)["pymilter_messages_total"] == 0


def test_peers_that_send_a_little_now_and_then(tmp_path: Path, silent: Silent) -> None:
    """Each read comes in time, and the request never to its end: there is a deadline for all of it."""
    before = "import pymilter._observe.scrapes as s; s.LONGEST = 1.0"
    with serving(tmp_path, before=before, workers=0, metrics="127.0.0.1:0") as crew:
        peers = silent(crew, 16)
        for peer in peers:
            peer.sendall(b"GET /metrics HTTP/1.0\r\n")
        ended = [False] * 16
        while not all(ended):
            for number, peer in enumerate(peers):
                peer.settimeout(0.01)
                with contextlib.suppress(TimeoutError):
                    try:
                        peer.sendall(b"X")
                        ended[number] = peer.recv(4096) == b""
                    except ConnectionError:
                        ended[number] = True
        assert "pymilter_messages_total" in scrape(crew)
        assert "Traceback" not in crew.process.stderr
