"""Stopping: how soon, from where, on whose signal, and what the process is like afterwards."""

from __future__ import annotations

import contextlib
import os
import signal
import subprocess
import sys
import time
from contextlib import suppress
from pathlib import Path

import pytest

from pymilter.testing import Client, FilterGone, Verdict
from support.crew import freeze
from support.wire import Script, Start, WireFilter, eventually, free_address, message, prepared

STARTING = Path(__file__).parents[1] / "support" / "starts.py"
STARTS = int(os.environ.get("PYMILTER_STARTS", "200"))
SOON = 0.3  # seconds from the signal to the return of run(), which takes some 10 ms; libmilter alone takes up to 5 s
POLL = 5.0  # seconds of libmilter's poll
TRIES = 10  # one is enough: other programs may have the processors for a while

RUNS = {
    "run": "run(Base, address)",
    "main": "import milter; milter.register('x'); milter.setconn(address); milter.main()",
    "runmilter": "import Milter; Milter.factory = Milter.Base; Milter.runmilter('x', address)",
}


def seconds_to_end(process: WireFilter, number: signal.Signals) -> float:
    begun = time.monotonic()
    process.send_signal(number)
    assert process.wait() == 0, process.stderr
    [(_, ended)] = process.seen("ended")
    return float(ended) - begun


@pytest.mark.parametrize("how", RUNS)
def test_an_idle_filter_is_gone_at_once(start: Start, kind: str, how: str) -> None:
    source = f"""
        import time
        def main(address):
            {RUNS[how]}
            note("ended", time.monotonic())
    """
    assert any(seconds_to_end(start(source, kind=kind), signal.SIGTERM) < SOON for _ in range(TRIES))


def test_stop_in_a_thread_is_as_quick(script: Script) -> None:
    def seconds() -> float:
        done = script("""
            import threading, time
            def main(address):
                with Server(Base, address) as server:
                    threading.Timer(0.05, lambda: (note("asked", time.monotonic()), stop())).start()
                    server.wait()
                note("ended", time.monotonic())
        """)
        (_, asked), (_, ended) = done.seen
        return float(ended) - float(asked)

    assert any(seconds() < SOON for _ in range(TRIES))


def test_server_stop_from_a_handler_and_from_many_threads(start: Start) -> None:
    """From a handler it cannot wait for itself; from threads each call returns when it is over."""
    process = start(
        """
        import os, threading
        class Filter(Base):
            def hello(self, hostname):
                server.stop(grace=20)
                server.stop()
                note("asked")
                return ACCEPT
        def main(address):
            global server
            server = Server(Filter, address)
            server.start()
            ended = threading.Event()
            server.wait()
            threads = [threading.Thread(target=lambda: (server.stop(), note(os.path.exists(address[5:]))))
                       for _ in range(5)]
            for thread in threads: thread.start()
            for thread in threads: thread.join()
    """,
        keeps_connections=True,
    )
    client = Client(process.address)
    client.connect()
    assert client.helo().verdict is Verdict.ACCEPT
    assert process.wait() == 0, process.stderr
    with suppress(FilterGone):
        client.close()
    assert process.seen("asked") == [("asked",)]
    assert process.seen(True, False) == [(False,)] * 5


def test_a_signal_that_is_there_at_the_start(script: Script) -> None:
    """libmilter's thread takes it, and its loop has begun a poll of 5 s perhaps."""

    def seconds() -> float:
        done = script("""
            import os, signal, time
            def main(address):
                signal.signal(signal.SIGTERM, lambda number, frame: note("handler"))
                signal.pthread_sigmask(signal.SIG_BLOCK, [signal.SIGTERM])
                os.kill(os.getpid(), signal.SIGTERM)
                begun = time.monotonic()
                run(Base, address)
                note("returned", os.path.exists(address[5:]))
                note("took", time.monotonic() - begun)
        """)
        assert done.returncode == 0, done.stderr
        assert done.seen[:2] == [("handler",), ("returned", False)]
        return float(done.seen[2][1])

    assert any(seconds() < POLL - 1 for _ in range(TRIES))


@pytest.mark.timeout(60 + STARTS)
def test_signals_in_the_first_moments(tmp_path: Path) -> None:
    """Whoever takes them, Python's main thread or libmilter's, the filter ends, and soon; before run() it is killed."""
    done = subprocess.run(
        [sys.executable, STARTING, tmp_path, str(STARTS)], capture_output=True, text=True, check=False
    )
    assert (done.returncode, done.stdout, done.stderr) == (0, "", "")


# A signal when the filter serves already, and before it waits for one.
AT_THE_START = """
        import os, signal, threading
        import pymilter._core as core
        start_core = core.Service.start
        def start(self, *arguments, **options):
            start_core(self, *arguments, **options)
            os.kill(os.getpid(), {number})
            note("started")
        core.Service.start = start
"""


@pytest.mark.parametrize("how", RUNS)
def test_an_interrupt_between_the_start_and_the_wait(script: Script, how: str) -> None:
    """It serves already, and must be stopped; classic programs see no exception."""
    done = script(
        AT_THE_START.format(number="signal.SIGINT")
        + f"""
        def main(address):
            try:
                {RUNS[how]}
            except KeyboardInterrupt:
                note("interrupted")
            note("returned", os.path.exists(address[5:]))
    """
    )
    interrupted = [("interrupted",)] if how == "run" else []
    assert done.seen == [("started",), *interrupted, ("returned", False)], done.stderr
    assert done.returncode == 0


def test_a_handler_in_the_main_thread_beside_a_filter_that_starts(script: Script) -> None:
    """It runs at once: only a signal wakes that thread, and a second one may come when it is about to sleep again."""
    done = script(
        AT_THE_START.format(number="signal.SIGTERM")
        + """
        def main(address):
            came = threading.Event()
            signal.signal(signal.SIGTERM, lambda number, frame: (note("handler"), came.set()))
            thread = threading.Thread(target=run, args=(Base, address))
            thread.start()
            came.wait()
            thread.join()
    """
    )
    assert sorted(done.seen) == [("handler",), ("started",)], done.stderr
    assert done.returncode == 0


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT])
def test_a_start_that_fails_loses_no_signal(script: Script, number: signal.Signals) -> None:
    done = script(f"""
        import os
        import pymilter._serve.opening as runs
        def fail(*arguments, **options):
            os.kill(os.getpid(), {int(number)})
            note("failed")
            raise OSError("no socket")
        runs.open_listener = fail
        def main(address):
            try:
                run(Base, address)
            except KeyboardInterrupt as error:
                note("interrupted", str(error.__context__))
    """)
    if number == signal.SIGTERM:  # nobody handles it, so it ends the process
        assert (done.returncode, done.seen) == (-number, [("failed",)])
    else:
        assert (done.returncode, done.seen) == (0, [("failed",), ("interrupted", "no socket")])


def test_a_handler_that_is_installed_while_it_runs(start: Start) -> None:
    """Python's own handler takes the place of ours then; the filter stops all the same."""
    process = start("""
        import signal, threading
        def main(address):
            runner = threading.Thread(target=run, args=(Base, address))
            runner.start()
            threading.Event().wait(0.2)
            for _ in range(100):
                signal.signal(signal.SIGTERM, lambda number, frame: note("handler"))
            note("installed")
            runner.join()
    """)
    process.wait_for(lambda seen: ("installed",) in seen)
    process.send_signal(signal.SIGTERM)
    assert process.wait() == 0, process.stderr
    assert process.seen("handler") == [("handler",)]


def test_a_handler_that_is_installed_beside_a_wakeup_descriptor_of_the_programs(start: Start) -> None:
    """asyncio has one in the main thread: no byte of it comes to the filter, which takes the signal's place again."""
    process = start("""
        import ctypes, signal, socket, threading, time
        def handler():
            action = (ctypes.c_void_p * 32)()
            assert ctypes.CDLL(None).sigaction(signal.SIGTERM, None, action) == 0
            return action[0]
        def main(address):
            hears, told = socket.socketpair()
            told.setblocking(False)
            signal.set_wakeup_fd(told.fileno())
            before = handler()
            runner = threading.Thread(target=run, args=(Base, address))
            runner.start()
            while handler() == before:
                time.sleep(0.001)
            ours = handler()
            signal.signal(signal.SIGTERM, lambda number, frame: note("handler"))
            while handler() != ours:
                time.sleep(0.001)
            note("renewed")
            runner.join()
    """)
    process.wait_for(lambda seen: ("renewed",) in seen)
    process.send_signal(signal.SIGTERM)
    assert process.wait() == 0, process.stderr
    assert process.seen("handler") == [("handler",)]


def test_a_handler_that_is_installed_at_the_end_stays(start: Start) -> None:
    process = start("""
        import os, signal, threading
        entered, goes_on = threading.Event(), threading.Event()
        class Filter(Base):
            def eom(self):
                entered.set()
                goes_on.wait(30)
                return CONTINUE
        def main(address):
            runner = threading.Thread(target=run, args=(Filter, address))
            runner.start()
            entered.wait(30)
            stop(grace=30)
            while os.path.exists(address.removeprefix("unix:")):
                pass  # until it stops, and waits for the message
            signal.signal(signal.SIGTERM, lambda number, frame: note("handler"))
            goes_on.set()
            runner.join()
            os.kill(os.getpid(), signal.SIGTERM)
    """)
    with Client(process.address) as client:
        message(client)
    assert process.wait() == 0, process.stderr
    assert process.seen("handler") == [("handler",)]


def test_what_signals_do_is_as_before(script: Script) -> None:
    done = script("""
        import os, signal, threading
        WATCHED = signal.SIGTERM, signal.SIGHUP, signal.SIGINT
        def state():
            wakeup = signal.set_wakeup_fd(-1)
            lines = open("/proc/self/status").read().splitlines()
            masks = [int(line[8:], 16) for line in lines if line.startswith(("SigBlk", "SigIgn", "SigCgt"))]
            threads = 3 << 31  # 32 and 33, which glibc handles for its threads
            return (signal.pthread_sigmask(signal.SIG_BLOCK, []), [signal.getsignal(number) for number in WATCHED],
                    wakeup, [mask & ~threads for mask in masks])
        def main(address):
            signal.signal(signal.SIGHUP, print)
            before = state()
            when_serving(stop)
            run(Base, address)
            note(state() == before, str(state()), str(before))
    """)
    assert done.seen[0][0], done.seen
    assert done.returncode == 0


STOPS = (signal.SIGTERM, signal.SIGHUP, signal.SIGINT)
BOTH = (signal.SIGTERM, signal.SIGHUP)


@pytest.mark.parametrize(
    ("number", "second"), [(number, second) for number in BOTH for second in STOPS if {number, second} != {*BOTH}]
)
def test_a_second_signal_ends_it_while_a_message_is_under_way(
    tmp_path: Path, number: signal.Signals, second: signal.Signals
) -> None:
    with free_address("unix") as address, contextlib.ExitStack() as stack:
        process = prepared("Filter = Base", tmp_path, address, {"grace": 60})
        stack.enter_context(process)
        eventually(lambda: process.stderr, lambda text: "listening on" in text)
        client = Client(address)
        client.connect()
        client.helo()
        client.mail("<a@example.org>")
        process.send_signal(number)
        eventually(lambda: process.stderr, lambda text: f"stopping on {number.name}" in text)
        process.send_signal(second)
        assert process.wait() == -second
        with suppress(FilterGone):
            client.close()


@pytest.mark.parametrize("order", [BOTH, BOTH[::-1], ()], ids=["TERM, HUP", "HUP, TERM", "at once"])
def test_sigterm_and_sighup_together_let_messages_end(start: Start, order: tuple[signal.Signals, ...]) -> None:
    """As systemd sends them with SendSIGHUP=yes."""
    source = """
        class Filter(Base):
            def envfrom(self, address): return CONTINUE
    """
    process = start(source, grace=60, keeps_connections=True)  # it may end before it sees the end of the connection
    with Client(process.address) as client:
        client.connect()
        client.mail("<a@example.org>")
        if not order:
            freeze(process.pid)
            for number in (*BOTH, signal.SIGCONT):
                process.send_signal(number)
        else:
            for number in order:
                process.send_signal(number)
                eventually(lambda: process.stderr, lambda text: "stopping on" in text)
        eventually(lambda: process.stderr, lambda text: "stopping on" in text)
        assert client.eom().verdict is Verdict.CONTINUE
    assert process.wait() == 0, process.stderr


def test_sigterm_and_sighup_together_do_not_reload(start: Start) -> None:
    process = start("""
        def main(address):
            run(Base, address, on_reload=lambda: note("reloaded"))
    """)
    freeze(process.pid)
    for number in (*BOTH, signal.SIGCONT):
        process.send_signal(number)
    assert process.wait() == 0, process.stderr
    assert "stopping on SIGTERM" in process.stderr
    assert not process.seen("reloaded")


@pytest.mark.parametrize("second", STOPS)
def test_a_second_signal_ends_it_while_a_handler_hangs(tmp_path: Path, second: signal.Signals) -> None:
    """Whoever presses Ctrl-C and sees nothing sends SIGTERM."""
    source = """
        import threading
        class Filter(Base):
            def hello(self, hostname):
                note("hangs")
                threading.Event().wait()
    """
    with free_address("unix") as address, contextlib.ExitStack() as stack:
        process = prepared(source, tmp_path, address, {})
        stack.enter_context(process)
        eventually(lambda: process.stderr, lambda text: "listening on" in text)
        client = Client(address)
        client.connect()
        client.send(b"H", b"h\0")
        process.wait_for(lambda seen: seen)
        process.send_signal(signal.SIGINT)
        path = Path(address.removeprefix("unix:"))
        eventually(path.exists, lambda is_there: not is_there)
        process.send_signal(second)
        assert process.wait() == -second
        with suppress(FilterGone):
            client.close()


def test_a_loop_that_fails_is_told(script: Script) -> None:
    """run() must not look as if all were well when libmilter gives up: here its socket has become a dead pipe."""
    done = script("""
        import os, socket
        from contextlib import suppress
        def main(address):
            from pymilter.testing import Client
            server = Server(Base, address)
            server.start()
            Client(address).close()  # its loop has begun
            reader, writer = os.pipe()
            os.close(writer)
            for entry in os.listdir("/proc/self/fd"):
                with suppress(OSError):
                    if os.readlink("/proc/self/fd/" + entry).startswith("socket:"):
                        client = socket.socket(socket.AF_UNIX)
                        os.dup2(reader, int(entry), inheritable=False)
                        with suppress(OSError):
                            client.connect(address[5:])
                        break
            server.wait()
            try:
                server.stop()
            except MilterError as error:
                note(str(error), os.path.exists(address[5:]))
    """)
    assert done.returncode == 0, done.stderr
    assert done.seen == [("libmilter's loop ended with a failure: syslog has its reason", False)]


def test_a_second_run_leaves_the_first_its_signals(start: Start) -> None:
    process = start("""
        class Filter(Base):
            def hello(self, hostname):
                try:
                    run(Base, "inet:0@127.0.0.1")
                except MilterError as error:
                    note(str(error))
    """)
    with Client(process.address) as client:
        client.connect()
        client.helo()
        assert process.wait_for(bool) == [("a filter is registered already: there is one filter in a process",)]
    process.send_signal(signal.SIGTERM)
    assert process.wait() == 0, process.stderr
    assert "stopping on SIGTERM" in process.stderr
