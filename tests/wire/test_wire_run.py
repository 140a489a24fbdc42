"""Running and stopping: signals, stop(), and callbacks that are still inside."""

from __future__ import annotations

import errno
import signal
import subprocess
import sys
from contextlib import suppress
from pathlib import Path

import pytest

from pymilter.testing import Client, ClientError, FilterProcess, Verdict
from support.wire import Script, Start, free_address

WITH_END = """
    class Filter(Base):
        def connect(self, hostname, family, hostaddr): note("connect")
        def close(self): note("close")

    def main(address):
        try:
            run(Filter, address)
        finally:
            note("cleaned up")
"""


def interrupt(process: FilterProcess, number: signal.Signals) -> None:
    """Send a signal once the loop is running, and wait for the end. tests/ops/test_ops_stop.py tells how soon it is."""
    with Client(process.address):
        pass
    process.send_signal(number)
    assert process.wait() == 0, process.stderr


def path_of(process: FilterProcess) -> Path:
    return Path(process.address.removeprefix("unix:"))


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGHUP])
def test_a_signal_ends_it_cleanly(start: Start, kind: str, number: signal.Signals) -> None:
    process = start(WITH_END, kind=kind)
    with Client(process.address) as client:
        client.connect()
    interrupt(process, number)
    assert [values[0] for values in process.seen()] == ["connect", "close", "close", "cleaned up", "end"]
    assert f"stopping on {number.name}" in process.stderr
    assert not path_of(process).exists()


def test_sigint_raises_keyboard_interrupt(start: Start, kind: str) -> None:
    process = start(
        """
        def main(address):
            try:
                run(Base, address)
            except KeyboardInterrupt:
                note("interrupted")
        """,
        kind=kind,
    )
    interrupt(process, signal.SIGINT)
    assert process.seen()[0] == ("interrupted",)
    assert not path_of(process).exists()


def test_the_programs_own_handlers_run_too(start: Start) -> None:
    process = start("""
        import signal
        def main(address):
            signal.signal(signal.SIGTERM, lambda number, frame: note("handler", number))
            run(Base, address)
            note(signal.getsignal(signal.SIGTERM) is not signal.SIG_DFL)
    """)
    interrupt(process, signal.SIGTERM)
    assert process.seen()[:2] == [("handler", int(signal.SIGTERM)), (True,)]


def test_an_ignored_signal_stays_ignored(start: Start) -> None:
    process = start("""
        import signal
        signal.signal(signal.SIGHUP, signal.SIG_IGN)
        class Filter(Base):
            def connect(self, hostname, family, hostaddr): note("connect")
    """)
    process.send_signal(signal.SIGHUP)
    with Client(process.address) as client:
        assert client.connect().verdict is Verdict.CONTINUE


def test_signals_are_as_before_when_run_is_over(script: Script) -> None:
    done = script("""
        import os, signal
        def main(address):
            when_serving(stop)
            run(Base, address)
            note(signal.pthread_sigmask(signal.SIG_BLOCK, []), signal.getsignal(signal.SIGTERM) is signal.SIG_DFL)
            os.kill(os.getpid(), signal.SIGTERM)
    """)
    assert done.seen == [(set(), True)]
    assert done.returncode == -signal.SIGTERM


def test_a_signal_that_ends_no_filter(start: Start) -> None:
    """The handlers of the program run while the filter goes on, and a wakeup descriptor of its own stays."""
    process = start("""
        import signal, socket
        hears, told = socket.socketpair()
        told.setblocking(False)
        def main(address):
            signal.signal(signal.SIGUSR1, lambda number, frame: note("handler", list(hears.recv(10))))
            signal.set_wakeup_fd(told.fileno())
            run(Base, address)
            note("the same", signal.set_wakeup_fd(-1) == told.fileno())
    """)
    process.send_signal(signal.SIGUSR1)
    handled = ("handler", [int(signal.SIGUSR1)])
    process.wait_for(lambda seen: handled in seen)
    interrupt(process, signal.SIGTERM)
    assert process.seen()[:2] == [handled, ("the same", True)]


def test_a_signal_that_ends_no_filter_with_our_wakeup_descriptor(start: Start) -> None:
    process = start("""
        import signal
        def main(address):
            signal.signal(signal.SIGUSR1, lambda number, frame: note("handler"))
            run(Base, address)
            note("over")
    """)
    with Client(process.address):  # so the loop is running
        pass
    process.send_signal(signal.SIGUSR1)
    process.wait_for(lambda seen: seen.count(("handler",)) == 1)
    process.send_signal(signal.SIGUSR1)
    process.wait_for(lambda seen: seen.count(("handler",)) == 2)
    with Client(process.address) as client:
        assert client.connect().verdict is not Verdict.TEMPFAIL
        assert client.helo().verdict is not Verdict.TEMPFAIL
    assert ("over",) not in process.seen()


@pytest.mark.skipif(not hasattr(signal, "SIGRTMAX"), reason="the system has no real-time signals")
def test_real_time_signals_of_the_program_stay_its_own(script: Script) -> None:
    """The filter takes the highest that is free to end libmilter's polls."""
    done = script("""
        import os, signal
        def main(address):
            for number in (signal.SIGRTMAX, signal.SIGRTMAX - 1):
                signal.signal(number, lambda number, frame: note(signal.SIGRTMAX - number))
            def use():
                for number in (signal.SIGRTMAX, signal.SIGRTMAX - 1):
                    os.kill(os.getpid(), number)
                stop()
            when_serving(use)
            run(Base, address)
            for number in (signal.SIGRTMAX, signal.SIGRTMAX - 1):
                os.kill(os.getpid(), number)
    """)
    assert sorted(done.seen) == [(0,), (0,), (1,), (1,)], done.stderr
    assert done.returncode == 0


@pytest.mark.skipif(not hasattr(signal, "SIGRTMAX"), reason="the system has no real-time signals")
def test_no_real_time_signal_is_left(script: Script) -> None:
    done = script("""
        import signal
        def main(address):
            for number in range(signal.SIGRTMIN, signal.SIGRTMAX + 1):
                signal.signal(number, print)
            try:
                run(Base, address)
            except RuntimeError as error:
                note(str(error))
    """)
    assert done.seen == [("every real-time signal has a handler, and one is needed to end libmilter's polls",)]


def test_a_start_that_runs_out_of_descriptors(tmp_path: Path) -> None:
    """However many are left: it serves, or raises OSError, which says what could not be opened."""
    program = tmp_path / "program.py"
    program.write_text("""
import os, resource, sys
from pymilter import Base, run, stop
resource.setrlimit(resource.RLIMIT_NOFILE, (64, 64))
taken = []
try:
    while True:
        taken.append(os.open("/dev/null", os.O_RDONLY))
except OSError:
    pass
for descriptor in taken[: int(sys.argv[2])]:
    os.close(descriptor)
try:
    run(Base, sys.argv[1], on_start=stop)
    print("served")
except Exception as error:
    print(type(error).__name__, error.errno)
""")
    told = []
    with free_address("unix") as address:
        for free in range(10):
            command = [sys.executable, str(program), address, str(free)]
            done = subprocess.run(command, capture_output=True, text=True, timeout=60, check=False)
            told.append(done.stdout or done.stderr)
    failed = f"OSError {errno.EMFILE}\n"
    assert told == [failed] * told.count(failed) + ["served\n"] * told.count("served\n")
    assert 2 < told.count(failed) < 10


def test_sigint_that_is_not_caught(script: Script) -> None:
    done = script("""
        import os, signal
        def main(address):
            when_serving(os.kill, os.getpid(), signal.SIGINT)
            try:
                run(Base, address)
            finally:
                note(os.listdir(os.path.dirname(address[5:])))
    """)
    assert done.seen == [([],)]
    assert done.returncode == -signal.SIGINT
    assert "KeyboardInterrupt" in done.stderr


@pytest.mark.skipif(not Path("/proc/self/task").is_dir(), reason="needs /proc/self/task, which only Linux has")
def test_only_the_main_thread_takes_signals(script: Script) -> None:
    # A signal that libmilter's own thread took would stop the filter as another one would.
    done = script("""
        import logging, os, pathlib, signal

        def taken_by(thread):
            _, blocked = (thread / "status").read_text().split("SigBlk:")
            return {number for number in (1, 2, 15) if not int(blocked.split()[0], 16) >> number - 1 & 1}

        class Look(logging.Handler):
            def emit(self, record):
                if record.getMessage().startswith("listening on "):
                    threads = list(pathlib.Path("/proc/self/task").iterdir())
                    note(len(threads) > 2, {int(one.name) == os.getpid() for one in threads if taken_by(one)})
                    stop()

        def main(address):
            logging.getLogger("pymilter").addHandler(Look())
            run(Base, address)
    """)
    assert done.seen == [(True, {True})]
    assert done.returncode == 0


def test_stop_from_a_handler(start: Start, kind: str) -> None:
    process = start(
        """
        class Filter(Base):
            def hello(self, hostname):
                stop()
                stop()
                return REJECT
        """,
        kind=kind,
        keeps_connections=True,
    )
    with Client(process.address) as client:
        client.connect()
        assert client.helo().verdict in (Verdict.REJECT, Verdict.TEMPFAIL)
        assert process.wait() == 0
        client.close()


def test_stop_from_another_thread_and_before_and_after_a_run(script: Script) -> None:
    done = script("""
        def main(address):
            stop()
            when_serving(stop)
            run(Base, address)
            stop()
            note("over")
    """)
    assert done.seen == [("over",)]
    assert done.returncode == 0, done.stderr


ASKING = {
    "run": "run(Base, address, on_start=lambda: stop(grace=60), on_stop=stopped)",
    "Server.run": "Server(Base, address, on_start=stop, on_stop=stopped).run()",
    "request_stop": "serve(lambda: server.request_stop())",
    "stop": "serve(lambda: server.stop())",
    "stop in a thread": "serve(in_a_thread(lambda: server.stop()))",
    "with": "with Server(Base, address, on_start=stop, on_stop=stopped) as server: server.wait()",
}


@pytest.mark.parametrize("how", ASKING)
def test_a_stop_in_on_start_is_not_lost(script: Script, how: str) -> None:
    """It starts, and stops at once; the program's own handler for SIGTERM hears nothing of it."""
    done = script(f"""
        import os, signal, threading
        def in_a_thread(function):
            def do():
                thread = threading.Thread(target=function)
                thread.start()
                thread.join()
            return do
        def stopped():
            note("stopped")
        def main(address):
            def serve(ask):
                global server
                server = Server(Base, address, on_start=ask, on_stop=stopped)
                server.start()
                server.wait()
                server.finish()
            signal.signal(signal.SIGTERM, lambda number, frame: note("SIGTERM"))
            {ASKING[how]}
            note("over", os.listdir(os.path.dirname(address[5:])))
    """)
    assert done.seen == [("stopped",), ("over", [])], done.stderr
    assert done.returncode == 0


TIMEOUTS = {
    "run": "run(Filter, address, timeout=1)",
    "runmilter": "Milter.runmilter('name', address, 1)",
}


@pytest.mark.parametrize("how", TIMEOUTS)
def test_an_mta_that_stops_in_the_middle_is_waited_for_as_long_as_asked(start: Start, how: str) -> None:
    process = start(f"""
        import Milter
        class Filter(Milter.Base):
            def hello(self, hostname): return CONTINUE
            def close(self): note("close")
        def main(address):
            Milter.factory = Filter
            {TIMEOUTS[how]}
    """)
    with Client(process.address, timeout=60) as client:
        client.connect()
        client._channel.send(b"\0\0", "the beginning of a packet")
        assert client._channel.at_end("the end of the wait")
        client.close()
    assert process.wait_for(lambda seen: seen) == [("close",)]


def test_a_start_that_fails_after_on_start_is_followed_by_on_stop(script: Script) -> None:
    """What on_start has opened is closed, and the socket is gone: here no descriptor is left for libmilter."""
    done = script("""
        import os, resource
        def main(address):
            soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
            def started():
                note("started")
                resource.setrlimit(resource.RLIMIT_NOFILE, (3, hard))
            def stopped():
                resource.setrlimit(resource.RLIMIT_NOFILE, (soft, hard))
                note("stopped")
            server = Server(Base, address, on_start=started, on_stop=stopped)
            try:
                server.start()
            except Exception:
                note("failed")
            server.stop()
            note("over", os.listdir(os.path.dirname(address[5:])))
    """)
    assert done.seen == [("started",), ("stopped",), ("failed",), ("over", [])], done.stderr
    assert done.returncode == 0


def test_a_stop_while_a_classic_program_starts_is_not_lost(script: Script) -> None:
    done = script("""
        import Milter
        import pymilter._core as core
        start_core = core.Service.start
        def start(self, *arguments, **options):
            Milter.stop()
            return start_core(self, *arguments, **options)
        core.Service.start = start
        def main(address):
            Milter.factory = Milter.Base
            Milter.runmilter("x", address)
            note("over")
    """)
    assert done.seen == [("over",)], done.stderr
    assert done.returncode == 0


def test_run_beside_the_main_thread(start: Start) -> None:
    process = start("""
        import threading
        def main(address):
            runner = threading.Thread(target=run, args=(Base, address))
            runner.start()
            runner.join()
            note("over")
    """)
    interrupt(process, signal.SIGTERM)
    assert process.seen()[0] == ("over",)


def test_no_callback_comes_after_run(start: Start) -> None:
    process = start(
        """
        import time
        over = False
        class Filter(Base):
            def hello(self, hostname):
                note("hello", over)
        def main(address):
            global over
            run(Filter, address)
            over = True
            note("over")
            time.sleep(0.3)
    """,
        keeps_connections=True,
    )
    with Client(process.address) as client:
        client.connect()
        assert client.helo().verdict is Verdict.CONTINUE
        process.send_signal(signal.SIGTERM)
        process.wait_for(lambda seen: ("over",) in seen)
        with suppress(ClientError):  # libmilter may have closed the connection before
            assert client.helo().verdict is Verdict.TEMPFAIL
        client.close()
    process.wait()
    assert process.seen("hello") == [("hello", False)]


def test_an_exit_while_a_handler_runs_is_not_stuck(start: Start) -> None:
    process = start(
        """
        import time
        class Filter(Base):
            def hello(self, hostname):
                note("hello")
                time.sleep(1)
                note("hello ends")
    """,
        keeps_connections=True,
    )
    with Client(process.address) as client:
        client.connect()
        client.send(b"H", b"h\0")
        process.wait_for(lambda seen: ("hello",) in seen)
        process.send_signal(signal.SIGTERM)
        assert process.wait() == 0
        client.close()
    assert process.seen("hello ends")
