"""Processes forked in a filter: what is the parent's stays the parent's."""

from __future__ import annotations

import contextlib
import os
import signal
import sys
from contextlib import suppress
from pathlib import Path

import pytest

from pymilter.testing import Client, ClientError, FilterGone, FilterProcess, FilterUnreachable, Verdict
from support.wire import Script, Start, eventually, free_address, prepared

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


FORKS = """
import os, sys, threading

asked, is_answered = threading.Event(), threading.Event()

def connect_during_the_fork():
    asked.set()
    print("during:", is_answered.wait(1), flush=True)

os.register_at_fork(before=connect_during_the_fork)  # registered first, so called last

from pymilter import CONTINUE, Base, run
from pymilter.testing import Client

class Filter(Base):
    def hello(self, hostname):
        if os.fork() == 0:
            os._exit(0)
        os.wait()
        print("after:", is_answered.wait(20), flush=True)
        return CONTINUE

def connect():
    asked.wait()
    with Client(sys.argv[1]) as client:
        client.connect()
        is_answered.set()

threading.Thread(target=connect, daemon=True).start()
run(Filter, sys.argv[1])
"""


def test_no_thread_enters_python_for_the_first_time_during_a_fork() -> None:
    """CPython 3.11 makes a thread state under a lock that the child of a fork would wait for, for ever."""
    with free_address("unix") as address, FilterProcess([sys.executable, "-c", FORKS, address], address) as process:
        with Client(address) as client:
            client.connect()
            assert client.helo().verdict is Verdict.CONTINUE
        process.stop()
    assert process.stdout.splitlines() == ["during: False", "after: True"]


def test_a_forked_process_holds_no_connection_although_no_descriptor_is_left(start: Start) -> None:
    process = start(
        """
        import os, resource
        class Filter(Base):
            def hello(self, hostname):
                soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
                resource.setrlimit(resource.RLIMIT_NOFILE, (100, hard))
                taken = []
                try:
                    while True:
                        taken.append(os.open("/dev/null", os.O_RDONLY))
                except OSError:
                    pass
                if os.fork() == 0:
                    resource.setrlimit(resource.RLIMIT_NOFILE, (soft, hard))
                    files = [os.readlink(entry) for entry in os.scandir("/proc/self/fd") if entry.is_symlink()]
                    inodes = [line.split()[6] for line in open("/proc/net/unix") if "filter.sock" in line]
                    note("held", [file for file in files if any(inode in file for inode in inodes)], len(inodes) > 1)
                    os._exit(0)
                os.wait()
                for descriptor in taken:
                    os.close(descriptor)
                return CONTINUE
        """
    )
    with Client(process.address) as client:
        client.connect()
        assert client.helo().verdict is Verdict.CONTINUE
    assert process.seen("held") == [("held", [], True)]


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


STARTS = {
    "subprocess": "subprocess.run(command)",
    "fork": "subprocess.run(command, preexec_fn=lambda: None)",
    "posix_spawn": "os.waitpid(os.posix_spawn('/bin/cp', command, os.environ), 0)",
    # Some shells block nothing, whatever they inherit.
    "system": "os.system('true'); open(command[2], 'w').write(open('/proc/thread-self/status').read())",
    "twice": "subprocess.run(['true']); subprocess.run(command)",
    "multiprocessing": "run_in_process('fork')",
    "multiprocessing by spawn": "run_in_process('spawn')",
    "multiprocessing by forkserver": "run_in_process('forkserver')",
}


def blocked(status: str) -> set[int]:
    """The signals that a thread has blocked, from its file in /proc."""
    bits = int(next(line.split()[1] for line in status.splitlines() if line.startswith("SigBlk")), 16)
    return {number for number in range(1, 65) if bits >> number - 1 & 1}


@pytest.mark.parametrize("way", STARTS)
def test_a_program_that_a_handler_starts_has_the_signal_mask_of_the_filters_program(
    start: Start, tmp_path: Path, way: str
) -> None:
    """And libmilter's thread has its own again afterwards, here although the handler fails."""
    told = tmp_path / "told"
    process = start(
        f"""
        import multiprocessing, os, signal, subprocess
        def run_in_process(method):
            process = multiprocessing.get_context(method).Process(target=subprocess.run, args=(command,))
            process.start()
            process.join(20)
        command = ["/bin/cp", "/proc/self/status", {str(told)!r}]
        signal.pthread_sigmask(signal.SIG_BLOCK, [signal.SIGUSR2])
        class Filter(Base):
            def hello(self, hostname):
                return CONTINUE
            def envfrom(self, *args):
                {STARTS[way]}
                raise RuntimeError
        """
    )

    def threads_with_that_mask() -> int:
        tasks = Path(f"/proc/{process.pid}/task").iterdir()
        return sum(blocked((task / "status").read_text()) == {signal.SIGUSR2} for task in tasks)

    with Client(process.address) as client:
        client.connect()
        client.helo()
        before = threads_with_that_mask()
        assert client.mail("<a@example.org>").verdict is Verdict.TEMPFAIL
        assert blocked(told.read_text()) == {signal.SIGUSR2}
        assert threads_with_that_mask() == before


def test_each_program_that_handlers_start_has_that_mask(start: Start) -> None:
    """Also the second that one thread of libmilter starts, in one callback and in the next."""
    process = start("""
        import os, subprocess
        class Filter(Base):
            def envfrom(self, *args):
                for _ in range(2):
                    status = subprocess.run(["/bin/cat", "/proc/self/status"], capture_output=True, text=True).stdout
                    note(next(line for line in status.splitlines() if line.startswith("SigBlk:")).split()[1])
                return CONTINUE
    """)
    with Client(process.address) as client:
        client.connect()
        for _ in range(8):
            client.mail("<a@example.org>")
            client.abort()
    assert process.seen() == [("0" * 16,)] * 16


def test_a_program_that_a_handler_starts_can_be_ended(start: Start) -> None:
    process = start(
        """
        import subprocess
        class Filter(Base):
            def hello(self, hostname):
                child = subprocess.Popen(["sleep", "60"])
                child.terminate()
                note("ended", child.wait(10))
                return CONTINUE
        """
    )
    with Client(process.address) as client:
        client.connect()
        assert client.helo().verdict is Verdict.CONTINUE
    assert process.seen("ended") == [("ended", -signal.SIGTERM)]


@pytest.mark.parametrize("method", ["fork", "spawn", "forkserver"])
def test_a_handler_sees_the_end_of_a_process_of_multiprocessing(start: Start, method: str) -> None:
    """A forkserver that was started with SIGCHLD blocked hears of no end."""
    process = start(
        f"""
        import multiprocessing, time
        class Filter(Base):
            def hello(self, hostname):
                context = multiprocessing.get_context({method!r})
                child = context.Process(target=time.sleep, args=(0,))
                child.start()
                child.join(20)
                other = context.Process(target=time.sleep, args=(60,))
                other.start()
                other.terminate()
                other.join(20)
                note("ended", child.exitcode, other.exitcode)
                return CONTINUE
        """
    )
    with Client(process.address, timeout=60) as client:
        client.connect()
        assert client.helo().verdict is Verdict.CONTINUE
    assert process.seen("ended") == [("ended", 0, -signal.SIGTERM)]


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


def test_a_signal_that_the_parent_holds_back_is_not_for_the_child(script: Script) -> None:
    done = script("""
        import logging, os, signal
        class Forking(logging.Handler):
            def emit(self, record):
                if record.getMessage().startswith("listening on"):
                    os.kill(os.getpid(), signal.SIGTERM)
                    if (child := os.fork()) == 0:
                        os._exit(7)
                    note("child", os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]))
        logging.getLogger("pymilter").addHandler(Forking())
        def main(address):
            run(Base, address)
    """)
    assert done.seen == [("child", 7)], done.stderr
    assert done.returncode == 0
