"""Processes that a handler forks by os.fork(): they end when the handler does, as a program would."""

from __future__ import annotations

import signal
from pathlib import Path

import pytest

from pymilter.testing import Client, Verdict
from support.wire import Script, Start, message

SOURCE = """
    import atexit, os, signal, sys, threading, time
    atexit.register(note, "of the parent")
    sys.stdout = open(1, "w", closefd=False)  # with a buffer, as where stdout is a journal
    class Filter(Base):
        def hello(self, hostname):
            sys.stdout.write(repr(("buffered",)) + chr(10))
            if (child := os.fork()) == 0:
                {}
                return CONTINUE
            note("ended", os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]))
            return CONTINUE
        def envfrom(self, *args):
            return CONTINUE
"""


@pytest.mark.parametrize(
    ("within", "status", "said"),
    [
        ("pass", 0, ""),
        ("return REJECT", 0, ""),
        ("sys.exit(0)", 0, ""),
        ("sys.exit(3)", 3, ""),
        ("sys.exit(-1)", 255, ""),
        ("sys.exit('too bad')", 1, "too bad\n"),
        ("raise ValueError('too bad')", 1, "ValueError: too bad\n"),
        ("sys.stderr = None; sys.exit('too bad')", 1, ""),
    ],
)
def test_the_child_ends_with_the_handler(start: Start, within: str, status: int, said: str) -> None:
    process = start(SOURCE.format(within))
    with Client(process.address) as client:
        client.connect()
        assert client.helo().verdict is Verdict.CONTINUE
        # Nothing of what the program has registered for its exit, and nothing twice.
        assert process.wait_for(lambda seen: ("ended", status) in seen) == [("buffered",), ("ended", status)]
        assert said in process.stderr
        # The parent's connection is the parent's: the child has neither answered nor logged that the handler failed.
        assert "hello() failed" not in process.stderr
        assert client.mail("<a@example.org>").verdict is Verdict.CONTINUE
        client.abort()


@pytest.mark.parametrize(
    ("within", "first"),
    [
        ("atexit.register(note, 'of the child')", [("of the child",)]),
        ("threading.Thread(target=lambda: (time.sleep(0.2), note('of the child'))).start()", [("of the child",)]),
        ("threading.Thread(target=time.sleep, args=(600,), daemon=True).start()", []),
        ("sys.stdout.write(repr(('of the child',)) + chr(10))", [("of the child",)]),
        ("os.fork() or (note('of the grandchild'), sys.exit(1)); os.wait()", [("of the grandchild",)]),
    ],
)
def test_what_the_child_leaves_behind_is_done_first(start: Start, within: str, first: list[tuple[str]]) -> None:
    process = start(SOURCE.format(within))
    with Client(process.address) as client:
        client.connect()
        client.helo()
    assert process.wait_for(lambda seen: ("ended", 0) in seen) == [("buffered",), *first, ("ended", 0)]


@pytest.mark.parametrize("hook", ["__init__(self)", "close(self)", "abort(self)", "eom(self)", "body(self, chunk)"])
def test_it_does_so_in_every_handler(start: Start, hook: str) -> None:
    process = start(f"""
        import os, sys
        class Filter(Base):
            def envfrom(self, *args): return CONTINUE  # abort is told only of a message that was told of
            def {hook}:
                if (child := os.fork()) == 0:
                    sys.exit(3)
                note("ended", os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]))
    """)
    with Client(process.address) as client:
        client.connect()
        client.mail("<a@example.org>")
        client.body(b"x\r\n")
        client.abort()
        client.mail("<a@example.org>")
        client.body(b"x\r\n")
        client.eom()
    assert process.wait_for(lambda seen: seen)[0] == ("ended", 3)


def test_a_child_of_a_handler_that_runs_on_after_the_end(script: Script) -> None:
    """The filter has stopped; a handler is still at work, and forks."""
    done = script("""
        import os, sys, threading
        from pymilter.testing import Client
        inside, stopped = threading.Event(), threading.Event()
        class Filter(Base):
            def hello(self, hostname):
                inside.set()
                stopped.wait(30)
                if (child := os.fork()) == 0:
                    sys.exit(3)
                note("ended", os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]))
        def main(address):
            server = Server(Filter, address)
            server.start()
            client = Client(address)
            client.connect()
            client.send(b"H", b"h\\0")
            inside.wait(30)
            server.stop()
            stopped.set()
    """)
    assert done.seen == [("ended", 3)], done.stderr
    assert done.returncode == 0


def test_a_child_that_a_c_library_forks_dies_of_a_signal(start: Start) -> None:
    """Python's hooks for forks do not run there; the signal is for the child alone."""
    process = start("""
        import ctypes, os, signal, time
        libc = ctypes.PyDLL(None)
        class Filter(Base):
            def hello(self, hostname):
                there, here = os.pipe()
                if (child := libc.fork()) == 0:
                    signal.pthread_sigmask(signal.SIG_SETMASK, [])
                    os.write(here, b"1")
                    time.sleep(60)
                    os._exit(9)
                os.read(there, 1)
                os.kill(child, signal.SIGTERM)
                note("ended", os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]))
                return CONTINUE
    """)
    with Client(process.address) as client:
        client.connect()
        assert client.helo().verdict is Verdict.CONTINUE
    assert process.seen("ended") == [("ended", -signal.SIGTERM)]


def test_in_the_child_only_the_handler_that_forked_is_inside(start: Start) -> None:
    process = start("""
        import os
        from pymilter import _core
        class Filter(Base):
            def hello(self, hostname):
                if (child := os.fork()) == 0:
                    note("inside", _core.counters()["in_flight"], _core.shut_gate(0.0))
                    os._exit(0)
                os.waitpid(child, 0)
                return CONTINUE
    """)
    with Client(process.address) as client:
        client.connect()
        client.helo()
    assert process.seen("inside") == [("inside", 1, False)]


def test_a_child_sends_nothing_over_the_parents_connection(start: Start, tmp_path: Path) -> None:
    # The number of the connection's descriptor may by then be that of a file which the child has opened.
    file = tmp_path / "file"
    process = start(f"""
        import os
        class Filter(Base):
            def eom(self):
                if (child := os.fork()) == 0:
                    opened = [os.open({str(file)!r}, os.O_RDWR | os.O_CREAT) for _ in range(100)]
                    for edit in (lambda: self.addheader("X-A", "b"), lambda: self.replacebody(b"x"), self.progress):
                        try:
                            edit()
                        except MilterError as error:
                            note(str(error))
                    note(self.getsymval("i"))
                else:
                    os.waitpid(child, 0)
                return CONTINUE
    """)
    with Client(process.address) as client:
        answers = message(client)
    assert answers["eom"].edits == ()
    assert file.read_bytes() == b""
    *refused, (queue_id,) = process.seen()
    assert [text.partition(" is not possible in a process that a handler has forked")[0] for (text,) in refused] == [
        "addheader",
        "replacebody",
        "progress",
    ]
    assert queue_id is not None


def test_a_handler_that_runs_at_once_can_stop_and_fork(script: Script) -> None:
    """A client waits already when the socket is served: what handlers need is there before the first one runs."""
    done = script("""
        import os, socket, sys, threading
        from pymilter import _core
        from pymilter.testing import Client
        server = None
        class Filter(Base):
            def hello(self, hostname):
                note("address", server.address == address_)
                if (child := os.fork()) == 0:
                    # Neither the listener nor the connection may be here.
                    names = []
                    for number in map(int, os.listdir("/proc/self/fd")):
                        try:
                            names.append(socket.socket(fileno=os.dup(number)).getsockname())
                        except OSError:
                            pass
                    os._exit(names.count(address_[5:]))
                note("ended", os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]))
                stop()
                answered.set()
                return CONTINUE
        answered = threading.Event()
        def main(address):
            global server, address_
            address_ = address
            listening = socket.socket(socket.AF_UNIX)
            listening.bind(address[5:])
            listening.listen()
            def ask():
                with Client(address) as client:
                    client.connect()
                    client.helo()
            asking = threading.Thread(target=ask)
            asking.start()
            # The loop serves, and start() has not returned yet.
            started = _core.Service.start
            def start(self, *args, **options):
                warning = started(self, *args, **options)
                listening.close()
                answered.wait(30)
                return warning
            _core.Service.start = start
            server = Server(Filter, f"fd:{listening.fileno()}")
            server.run()
            note("stopped")
            asking.join()
            os.unlink(address[5:])
    """)
    assert done.seen == [("address", True), ("ended", 0), ("stopped",)], done.stderr
    assert done.returncode == 0
