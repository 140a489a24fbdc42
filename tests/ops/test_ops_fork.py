"""Processes forked in a filter: what is the parent's stays the parent's."""

from __future__ import annotations

import contextlib
import os
import signal
from contextlib import suppress
from pathlib import Path

from pymilter.testing import Client, ClientError, FilterGone, FilterUnreachable, Verdict
from support.wire import Start, eventually, free_address, prepared

SOURCE = """
    import multiprocessing, os, signal, sys
    context = multiprocessing.get_context("fork")
    def sleep(ready):
        ready.set()
        signal.pause()
    class Filter(Base):
        def hello(self, hostname):
            ready = context.Event()
            process = context.Process(target={target}, args=(ready,))
            process.start()
            ready.wait()
            note("forked", process.pid)
            {then}
            return CONTINUE
"""


def refuses(address: str) -> bool:
    try:
        Client(address).close()
    except (FilterUnreachable, FilterGone):
        return True
    return False


def test_a_forked_process_holds_neither_socket_nor_connections(tmp_path: Path, kind: str) -> None:
    source = SOURCE.format(target="sleep", then="pass")
    with free_address(kind) as address, contextlib.ExitStack() as stack:
        process = prepared(source, tmp_path, address, {})
        stack.enter_context(process)
        eventually(lambda: process.stderr, lambda text: "listening on" in text)
        client = Client(address)
        client.connect()
        assert client.helo().verdict is Verdict.CONTINUE
        [(_, child)] = process.wait_for(lambda seen: len(seen) == 1)
        try:
            process.send_signal(signal.SIGKILL)
            process.wait()
            os.kill(child, 0)
            assert refuses(address)
            try:
                client.mail("<a@example.org>")
            except FilterGone:
                pass
            else:
                raise AssertionError("the connection is still open")
            with suppress(ClientError):
                client.close()
        finally:
            os.kill(child, signal.SIGKILL)


def test_signals_for_the_child_are_the_childs(start: Start) -> None:
    """multiprocessing ends its processes by SIGTERM; the parent must neither stop by it nor the child survive it."""
    process = start(SOURCE.format(target="sleep", then="process.terminate(); process.join(); note(process.exitcode)"))
    with Client(process.address) as client:
        client.connect()
        assert client.helo().verdict is Verdict.CONTINUE
        assert process.seen(-signal.SIGTERM) == [(-signal.SIGTERM,)]
        assert client.mail("<a@example.org>").verdict is Verdict.NOT_SENT
        client.abort()
    with Client(process.address) as client:
        client.connect()


def test_stop_in_the_child_does_not_stop_the_parent(start: Start) -> None:
    process = start(
        SOURCE.format(
            target="lambda ready: (stop(), ready.set(), sys.exit(3))", then="process.join(); note(process.exitcode)"
        )
    )
    with Client(process.address) as client:
        client.connect()
        assert client.helo().verdict is Verdict.CONTINUE
        assert process.seen(3) == [(3,)]
    with Client(process.address) as client:
        client.connect()
    assert "stopped" not in process.stderr
