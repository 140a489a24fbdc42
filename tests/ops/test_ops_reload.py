"""Reloads: new code that cannot start leaves those who serve alone, and a process without workers has its own way."""

from __future__ import annotations

import contextlib
import os
import signal
import socket
import subprocess
import sys
from pathlib import Path

import pytest

from pymilter.testing import Client, ClientError, FilterProcess, Verdict
from support.crew import Crew, freeze, gone, serving
from support.wire import Script, Start, eventually, free_address

# The pauses between starts that fail are not what is looked at here.
FAST = "import pymilter._workers.supervisor as s; s.FIRST_PAUSE = s.LONGEST_PAUSE = 0.01\n"
# Workers other than the first ones wait for a file before they come to run().
WAITS = """
    import time
    while is_worker() and Path("wait").exists():
        time.sleep(0.01)
"""


@pytest.mark.parametrize(
    ("broken", "reason"),
    [
        ("def f(:", "SyntaxError: invalid syntax"),
        ("is_worker() and sys.exit('there is no configuration')", "there is no configuration"),
        ("is_worker() and os._exit(0)", "with status 0 before it came to run(), and nothing on stderr says why"),
        ("is_worker() and os.kill(os.getpid(), 9)", "with status -9 (SIGKILL) before it came to run()"),
    ],
)
def test_a_reload_that_fails_leaves_those_who_serve_alone(tmp_path: Path, broken: str, reason: str) -> None:
    with serving(tmp_path, before=FAST, workers=2) as crew:
        old = crew.pids()
        crew.write("new", broken)
        crew.process.send_signal(signal.SIGHUP)
        crew.wait_for("the reload failed: 6 new workers in a row ended at once, the last with status")
        [said] = [line for line in crew.process.stderr.splitlines() if "the reload failed" in line]
        assert reason in said
        assert said.endswith("; 2 workers serve as before, and the next SIGHUP tries again")
        assert crew.pids() == old
        assert crew.ask()[1] == "old"
        crew.write("new", FAST)
        crew.process.send_signal(signal.SIGHUP)
        crew.wait_until_it_serves(3)  # what was said of the failure counts as the second time
        assert crew.ask()[1] == "new"
        eventually(crew.pids, lambda found: len(found) == 2 and not found & old)
        assert crew.process.stop() == 0, crew.process.stderr


def test_what_a_worker_says_before_it_serves_is_seen_once(tmp_path: Path) -> None:
    """It goes by way of the supervisor; what comes later does not."""
    before = "print('begun', is_worker(), file=sys.stderr)"
    with serving(tmp_path, before=before, workers=1) as crew:
        [worker] = crew.pids()
        assert crew.process.stderr.count("begun True\n") == 1
        ends = [Path(f"/proc/{pid}/fd/2").readlink() for pid in (worker, crew.process.pid)]
        assert ends[0] == ends[1]


def test_a_reload_that_fails_is_told_to_systemd(tmp_path: Path) -> None:
    with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as manager, free_address("unix") as address:
        manager.bind(str(tmp_path / "notify"))
        manager.settimeout(30)
        env = {"NOTIFY_SOCKET": str(tmp_path / "notify")}
        crew = Crew(tmp_path, address, before=FAST, env=env, workers=1)
        with crew.process:
            assert manager.recv(4096) == b"READY=1\nSTATUS=1 workers serve"
            crew.write("new", "def f(:")
            crew.process.send_signal(signal.SIGHUP)
            assert manager.recv(4096).startswith(b"RELOADING=1\n")
            told = manager.recv(4096)
            assert told.startswith(b"READY=1\nSTATUS=the reload failed: 6 new workers in a row ended at once")
            assert told.endswith(b"SyntaxError: invalid syntax")


def test_a_new_worker_that_hangs_at_its_start_does_not_keep_the_next_reload(tmp_path: Path) -> None:
    with serving(tmp_path, workers=1) as crew:
        [old] = crew.pids()
        crew.write("bad", "is_worker() and signal.pause()")
        crew.process.send_signal(signal.SIGHUP)
        crew.wait_for("starts", 2)
        hanging = crew.pids() - {old}
        crew.write("new", "")
        crew.process.send_signal(signal.SIGHUP)
        crew.wait_until_it_serves(2)
        assert crew.ask()[1] == "new"
        assert gone(hanging)()
        assert crew.process.stop() == 0, crew.process.stderr


def test_a_worker_that_starts_is_not_waited_for_at_the_stop(tmp_path: Path) -> None:
    with free_address("unix") as address:
        crew = Crew(tmp_path, address, before="is_worker() and signal.pause()", workers=1, grace=60)
        with crew.process:
            crew.wait_for("starts")
            workers = crew.pids()
            assert crew.process.stop() == 0, crew.process.stderr
            assert gone(workers)()
            assert not crew.log("killed")


def test_who_serves_goes_only_when_another_is_there(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    with serving(tmp_path, before=WAITS, workers=1) as crew:
        Path("wait").touch()
        crew.write("new")
        crew.process.send_signal(signal.SIGHUP)
        crew.wait_for("starts", 2)
        crew.process.send_signal(signal.SIGCHLD)  # lets the supervisor look at all there is to do
        for _ in range(20):
            assert crew.ask()[1] == "old"
        assert not crew.log("retires")
        Path("wait").unlink()
        crew.wait_until_it_serves(2)
        assert crew.ask()[1] == "new"


def test_one_that_dies_before_it_is_replaced_leaves_none_too_many(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    with serving(tmp_path, before=WAITS, workers=2) as crew:
        starts = [line for line in crew.process.stderr.splitlines() if line.endswith("starts")]
        last = int(starts[-1].split()[-2])
        Path("wait").touch()
        crew.process.send_signal(signal.SIGHUP)
        crew.wait_for("starts", 3)
        os.kill(last, signal.SIGKILL)
        crew.wait_for(f"worker {last} ended with status -9")
        Path("wait").unlink()
        crew.wait_until_it_serves(2)
        eventually(lambda: len(crew.pids()), lambda count: count == 2)
        assert len(crew.log("starts")) == 4
        assert crew.process.stop() == 0, crew.process.stderr


def test_failures_are_forgotten_once_a_worker_has_lived_long(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Deaths that lie weeks apart do not end the service."""
    monkeypatch.chdir(tmp_path)
    before = FAST + "s.QUICK = 0\ns.LONGEST_PAUSE = 0.2\nis_worker() and Path('broken').exists() and sys.exit(7)"
    with serving(tmp_path, before=before, workers=1) as crew:
        for times in (1, 2, 3):
            Path("broken").touch()
            [worker] = crew.pids()
            os.kill(worker, signal.SIGKILL)
            crew.wait_for("ended with status 7", 4 * times)
            Path("broken").unlink()
            crew.wait_for("listening on", times + 1)
            eventually(lambda: crew.ask()[1], lambda word: word == "old")
        assert crew.process.stop() == 0, crew.process.stderr


def test_no_two_workers_have_one_slot(tmp_path: Path) -> None:
    """A slot that is given back twice would later be two workers'."""

    def slots() -> list[str]:
        found = []
        for pid in crew.pids():
            text = Path(f"/proc/{pid}/environ").read_bytes()
            [variable] = [item for item in text.split(b"\0") if item.startswith(b"PYMILTER_WORKER=")]
            found.append(variable.decode().rpartition(",")[2])
        return found

    with serving(tmp_path, workers=2) as crew:
        for times in range(2, 7):
            crew.process.send_signal(signal.SIGHUP)
            crew.wait_until_it_serves(times)
            eventually(lambda: len(crew.pids()), lambda count: count == 2)
            found = slots()
            assert len(set(found)) == len(found) == 2
            worker = min(crew.pids())
            os.kill(worker, signal.SIGKILL)
            crew.wait_for("ended with status -9", times - 1)
            crew.wait_for("listening on", 2 * times + times - 1)


def test_each_reload_has_all_its_tries(tmp_path: Path) -> None:
    with serving(tmp_path, before=FAST, workers=1) as crew:
        crew.write("new", "is_worker() and sys.exit(7)")
        for times in (1, 2):
            crew.process.send_signal(signal.SIGHUP)
            crew.wait_for("the reload failed", times)
            assert len(crew.log("ended with status 7")) == 6 * times
        assert crew.process.stop() == 0, crew.process.stderr


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT])
@pytest.mark.parametrize("second", [signal.SIGTERM, signal.SIGINT])
def test_a_second_signal_kills_the_workers(tmp_path: Path, number: signal.Signals, second: signal.Signals) -> None:
    with serving(tmp_path, workers=2, grace=600) as crew:
        workers = crew.pids()
        client = Client(crew.process.address)
        client.connect()
        client.mail("<a@example.org>")
        crew.process.send_signal(number)
        crew.wait_for("stopped listening")  # the worker without a message
        crew.process.send_signal(second)
        status = -signal.SIGINT if signal.SIGINT in (number, second) else 0
        assert crew.process.wait() == status, crew.process.stderr
        assert gone(workers)()
        assert crew.log("a second signal: ")
        assert not crew.pid_file.exists()
        with pytest.raises(ClientError):
            client.eom()
        with contextlib.suppress(ClientError):
            client.close()


@pytest.mark.parametrize("order", [(signal.SIGTERM, signal.SIGHUP), (signal.SIGHUP, signal.SIGTERM)])
def test_sigterm_and_sighup_to_all_processes_let_messages_end(
    tmp_path: Path, order: tuple[signal.Signals, signal.Signals]
) -> None:
    """As systemd sends them to a control group, with SendSIGHUP=yes."""
    with serving(tmp_path, workers=2, grace=600) as crew:
        processes = {crew.process.pid, *crew.pids()}
        with Client(crew.process.address) as client:
            client.connect()
            client.mail("<a@example.org>")
            for pid in processes:
                freeze(pid)
            for number in (*order, signal.SIGCONT):
                for pid in processes:
                    os.kill(pid, number)
            crew.wait_for("stopped listening")  # the worker without a message
            assert client.eom().verdict is Verdict.CONTINUE
        assert crew.process.wait() == 0, crew.process.stderr
        assert not crew.log("ended with status -")
        assert gone(processes)()


@pytest.mark.parametrize("how", ["-", "no argument"])
def test_a_program_from_standard_input_cannot_have_workers(how: str) -> None:
    with free_address("unix") as address:
        program = f"import pymilter; pymilter.run(pymilter.Base, {address!r}, workers=2)"
        command = [sys.executable] + [how] * (how == "-")
        done = subprocess.run(command, input=program, capture_output=True, text=True, timeout=30, check=False)
        assert done.returncode == 1
        assert "MilterError: workers= starts this program again in each worker, and what was read" in done.stderr


RELOADING = """
    import signal
    number = 1
    def reload():
        global number
        import threading
        number += 1
        note("reload", threading.current_thread() is threading.main_thread())
        if number == 3:
            raise ValueError("no such file")
    class Filter(Base):
        def hello(self, hostname):
            return Reject(550, "5.7.1", str(number))
    def main(address):
        run(Filter, address, on_reload=reload)
"""


def test_a_process_alone_reloads(start: Start) -> None:
    """As often as it is asked to, and on after a reload that failed; SIGTERM ends it all the same."""
    process = start(RELOADING)
    for times in range(1, 5):
        process.send_signal(signal.SIGHUP)
        eventually(lambda: len(process.seen()), times.__eq__)
        with Client(process.address) as client:
            client.connect()
            reply = client.helo()
            assert reply.verdict is Verdict.REJECT
            assert str(reply.text) == str(times + 1)
    assert process.seen("reload") == [("reload", True)] * 4
    assert process.stderr.count("the reload failed, and the filter serves as before") == 1
    assert "ValueError: no such file" in process.stderr


def test_a_process_alone_tells_systemd_of_its_reload(tmp_path: Path) -> None:
    program = tmp_path / "program.py"
    program.write_text("import sys, pymilter\npymilter.run(pymilter.Base, sys.argv[1], on_reload=lambda: None)\n")
    with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as manager, free_address("unix") as address:
        manager.bind(str(tmp_path / "notify"))
        manager.settimeout(30)
        env = {**os.environ, "NOTIFY_SOCKET": str(tmp_path / "notify")}
        with FilterProcess([sys.executable, program, address], address, env=env) as process:
            assert manager.recv(4096).startswith(b"READY=1\n")
            process.send_signal(signal.SIGHUP)
            assert manager.recv(4096).startswith(b"RELOADING=1\n")
            assert manager.recv(4096) == b"READY=1\nSTATUS=reloaded"
            process.send_signal(signal.SIGTERM)
            assert manager.recv(4096) == b"STOPPING=1"
            assert process.wait() == 0


@pytest.mark.parametrize(
    "error", ["SystemExit(3)", "GeneratorExit()", "asyncio.CancelledError()", "BaseExceptionGroup('', [SystemExit()])"]
)
def test_no_exception_in_a_reload_ends_the_filter(start: Start, error: str) -> None:
    """sys.exit() in code that reads a configuration is no reason to stop serving; Ctrl-C is."""
    process = start(f"""
        import asyncio, signal
        number = 0
        def reload():
            global number
            number += 1
            note("reload")
            raise {error} if number == 1 else KeyboardInterrupt
        def main(address):
            try:
                run(Base, address, on_reload=reload)
            except KeyboardInterrupt:
                note("interrupted")
    """)
    process.send_signal(signal.SIGHUP)
    process.wait_for(lambda seen: seen)
    with Client(process.address) as client:
        client.connect()
    assert "the reload failed, and the filter serves as before" in process.stderr
    process.send_signal(signal.SIGHUP)
    assert process.wait() == 0, process.stderr
    assert process.seen("reload", "interrupted") == [("reload",), ("reload",), ("interrupted",)]


@pytest.mark.parametrize("name", ["on_start", "on_stop", "on_reload"])
@pytest.mark.parametrize(
    ("value", "text"),
    [
        ("5", "is 5: "),
        ("'reload'", "is 'reload': "),
        ("asynchronous", "nobody awaits an async def (asyncio.run() within a function does); "),
        ("functools.partial(asynchronous)", "nobody awaits an async def (asyncio.run() within a function does); "),
        ("generator", "a call of a function with yield runs none of it; "),
        ("greedy", "it takes arguments, and is called without any; "),
    ],
)
def test_a_hook_that_cannot_be_called(script: Script, name: str, value: str, text: str) -> None:
    """It is found before anything is opened, also by a supervisor, which calls no hook itself."""
    done = script(f"""
        import functools, os
        async def asynchronous(): pass
        def generator(): yield
        def greedy(server): pass
        def attempt(serve, **options):
            try:
                serve(Base, **options, {name}={value})
            except TypeError as error:
                note(str(error), os.listdir(os.path.dirname(options["socket"][5:])))
        def main(address):
            attempt(run, socket=address)
            attempt(run, socket=address, workers=2)
            attempt(Server, socket=address)
    """)
    expected = f"{text}it must be a function without arguments, or None"
    assert [(told[: len(name)], told.endswith(expected), files) for told, files in done.seen] == [(name, True, [])] * 3
    assert done.stderr == ""


def test_a_hook_that_only_makes_a_coroutine(script: Script) -> None:
    done = script("""
        async def connect(): pass
        def main(address):
            try:
                run(Base, address, on_start=lambda: connect())
            except TypeError as error:
                note(str(error))
    """)
    assert done.seen == [("on_start returned a coroutine, which nobody awaits: asyncio.run() within it does",)]
    assert done.stderr == ""
