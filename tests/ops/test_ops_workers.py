"""Many processes on one socket: started, replaced when they die and by new code, ended with their supervisor."""

from __future__ import annotations

import contextlib
import os
import signal
import threading
import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest

from pymilter.testing import Client, ClientError, FilterFailed, FilterGone, FilterTimeout, FilterUnreachable, Verdict
from support.crew import Crew, freeze, gone, is_alive, serving
from support.wire import Script, eventually, free_address


@pytest.fixture
def crew(tmp_path: Path, kind: str) -> Iterator[Crew]:
    with serving(tmp_path, kind, workers=2, grace=20) as crew:
        yield crew


def test_both_serve_and_sigterm_ends_all(crew: Crew) -> None:
    workers = crew.pids()
    assert len(workers) == 2
    assert crew.pid_file.read_text() == f"{crew.process.pid}\n"
    seen: set[int] = set()

    def ask() -> set[int]:
        seen.add(crew.ask()[0])
        return seen

    eventually(ask, lambda found: found == workers)
    assert crew.process.stop() == 0, crew.process.stderr
    assert gone(workers)()
    assert not crew.pid_file.exists()
    with pytest.raises(FilterUnreachable):
        Client(crew.process.address).connect()


def test_a_worker_that_dies_is_replaced(crew: Crew) -> None:
    first = crew.pids()
    os.kill(min(first), signal.SIGKILL)
    crew.wait_for("ended with status -9")
    eventually(crew.pids, lambda found: len(found) == 2 and min(first) not in found)
    assert crew.ask()[1] == "old"


def test_sighup_brings_the_new_code_and_loses_no_connection(crew: Crew) -> None:
    old = crew.pids()
    talking = Client(crew.process.address)
    talking.connect()
    crew.write("new")
    crew.process.send_signal(signal.SIGHUP)
    crew.wait_until_it_serves(2)
    assert all(crew.ask()[1] == "new" for _ in range(10))
    # The connection that was open goes on with the code that it began with.
    reply = talking.helo()
    assert reply.verdict is Verdict.REJECT
    assert str(reply.text).endswith("old")
    talking.close()
    eventually(crew.pids, lambda found: len(found) == 2 and not found & old)


def test_a_message_under_way_ends_before_its_worker(crew: Crew) -> None:
    workers = crew.pids()
    client = Client(crew.process.address)
    client.connect()
    client.mail("<a@example.org>")
    crew.process.send_signal(signal.SIGTERM)
    crew.wait_for("stopped listening")  # the other worker's
    # The MTA is refused and need not wait: no process holds the socket.
    eventually(lambda: refuses(crew.process.address), bool)
    assert client.eom().verdict is Verdict.CONTINUE
    with contextlib.suppress(ClientError):
        client.close()
    assert crew.process.wait() == 0
    assert gone(workers)()


def refuses(address: str) -> bool:
    try:
        Client(address, timeout=0.5).close()
    except (FilterUnreachable, FilterGone):
        return True
    except FilterTimeout:
        return False
    return False


def test_workers_end_when_the_supervisor_dies(crew: Crew) -> None:
    workers = crew.pids()
    crew.process.send_signal(signal.SIGKILL)
    eventually(gone(workers), bool)


def test_workers_that_die_at_once(tmp_path: Path) -> None:
    """There is an end to it, and it is told; until then each pause is twice the last."""
    with free_address("unix") as address:
        crew = Crew(
            tmp_path, address, before="is_worker() and (print('too bad', file=sys.stderr), sys.exit(7))", workers=1
        )
        with crew.process:
            for times in range(1, 7):  # on a busy machine one start takes seconds
                crew.wait_for("ended with status 7", times)
            assert crew.process.wait() == 1
            *_, last = crew.process.stderr.splitlines()
            ends, starts = crew.log("ended with status 7"), crew.log("starts")
        assert not Path(address.removeprefix("unix:")).exists()
        assert not crew.pid_file.exists()
    assert last == "pymilter.errors.MilterError: 6 workers in a row ended at once, the last with status 7: too bad"
    assert len(ends) == len(starts) == 6
    pauses = [start - end for end, start in zip(ends, starts[1:], strict=False)]
    assert all(pause >= 0.099 * 2**number for number, pause in enumerate(pauses)), pauses


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT])
def test_a_signal_before_the_first_worker(script: Script, number: signal.Signals) -> None:
    """Who sees the socket may send it."""
    done = script(f"""
        import os
        import pymilter._serve.opening as runs
        open_listener = runs.open_listener
        def open_and_signal(*arguments, **options):
            listener = open_listener(*arguments, **options)
            os.kill(os.getpid(), {int(number)})
            note("open")
            return listener
        runs.open_listener = open_and_signal
        def main(address):
            try:
                run(Base, address, workers=2)
            except KeyboardInterrupt:
                note("interrupted")
            note("returned", os.path.exists(address[5:]))
    """)
    interrupted = [("interrupted",)] if number == signal.SIGINT else []
    assert done.seen == [("open",), *interrupted, ("returned", False)], done.stderr
    assert done.returncode == 0


def test_a_worker_that_hangs_at_the_stop_is_killed(tmp_path: Path) -> None:
    before = "import pymilter._workers.child; pymilter._workers.child.KILL_AFTER = 0.5"
    with serving(tmp_path, before=before, workers=2, grace=0.5) as crew:
        workers = crew.pids()
        stopped = min(workers)
        freeze(stopped)
        assert crew.process.stop() == 0, crew.process.stderr
        assert gone(workers)()
        assert len(crew.log(f"worker {stopped} does not end: killed")) == len(crew.log("does not end")) == 1


def test_a_worker_that_hangs_when_it_is_replaced_is_killed(tmp_path: Path) -> None:
    before = "import pymilter._workers.child as c; c.KILL_AFTER = c.RETIRE_GRACE = c.REFUSAL_TIME = 0.5"
    with serving(tmp_path, before=before, workers=2) as crew:
        stopped = min(crew.pids())
        freeze(stopped)
        crew.process.send_signal(signal.SIGHUP)
        crew.wait_until_it_serves(2)
        crew.wait_for(f"worker {stopped} does not end: killed")
        assert crew.process.stop() == 0, crew.process.stderr


def test_the_end_of_a_reload_is_that_no_old_worker_takes_connections(crew: Crew) -> None:
    stopped = min(crew.pids())
    freeze(stopped)
    crew.process.send_signal(signal.SIGHUP)
    crew.wait_for("retires", 2)
    went_on = time.time()
    os.kill(stopped, signal.SIGCONT)
    crew.wait_until_it_serves(2)
    assert crew.log("2 workers serve")[1] >= went_on


@pytest.mark.parametrize("is_in_message", [False, True])
def test_who_has_been_replaced_is_not_waited_for_at_the_stop(tmp_path: Path, is_in_message: bool) -> None:
    """It waits for the ends of its connections until then; now it has the usual grace, for messages."""
    with serving(tmp_path, workers=1, grace=0.1 if is_in_message else 60) as crew, contextlib.suppress(ClientError):
        [old] = crew.pids()
        client = Client(crew.process.address)
        client.connect()
        if is_in_message:
            client.mail("<a@example.org>")
        crew.process.send_signal(signal.SIGHUP)
        crew.wait_until_it_serves(2)
        assert is_alive(old)
        assert crew.process.stop() == 0, crew.process.stderr
        assert crew.log("stopped listening")
        assert not crew.log("killed")
        client.close()


@pytest.mark.parametrize("kind", ["unix", "inet"])
def test_sighup_under_load_loses_no_connection(tmp_path: Path, kind: str) -> None:
    with serving(tmp_path, kind, workers=2, grace=20) as crew, ThreadPoolExecutor(4) as pool:
        enough = threading.Event()

        def talk() -> int:
            count = 0
            while not enough.is_set():
                with Client(crew.process.address) as client:
                    client.connect()
                    client.mail("<a@example.org>")
                    assert client.eom().verdict is Verdict.CONTINUE
                count += 1
            return count

        try:
            talking = [pool.submit(talk) for _ in range(4)]
            for times in range(2, 5):
                crew.process.send_signal(signal.SIGHUP)
                crew.wait_until_it_serves(times)
        finally:
            enough.set()
        assert all(talker.result() > 0 for talker in talking)
        assert crew.process.stop() == 0, crew.process.stderr


def test_who_is_a_worker(tmp_path: Path) -> None:
    """Before run(), in it, and in what a worker starts."""
    told = """\
    import subprocess
    print("before", is_worker(), flush=True)
    class Filter(Filter):
        def connect(self, *args):
            print("within", is_worker(), flush=True)
            subprocess.run([sys.executable, "-c", "import pymilter; print('started', pymilter.is_worker())"])
            return CONTINUE
"""
    with serving(tmp_path, before=told, after="print('after', is_worker(), flush=True)", workers=1) as crew:
        crew.ask()
        assert crew.process.stop() == 0, crew.process.stderr
        assert sorted(crew.process.stdout.splitlines()) == [
            *("after False", "after True", "before False", "before True", "started False", "within True")
        ]


def test_a_pid_file_of_somebody_else_stays(tmp_path: Path) -> None:
    with serving(tmp_path, workers=1) as crew:
        crew.pid_file.write_text("1\n")
        assert crew.process.stop() == 0, crew.process.stderr
        assert crew.pid_file.read_text() == "1\n"


def test_a_pid_file_that_cannot_be_written(tmp_path: Path) -> None:
    with free_address("unix") as address:
        crew = Crew(tmp_path, address, workers=1)
        crew.process.argv = (*crew.process.argv[:-1], str(tmp_path / "missing" / "pid"))
        with pytest.raises(FilterFailed, match=r"cannot write the pid file .*missing/pid: No such"), crew.process:
            pass


def test_workers_end_where_systemd_signals_all(crew: Crew) -> None:
    """With KillMode=control-group each gets SIGTERM, supervisor and workers alike."""
    workers = crew.pids()
    client = Client(crew.process.address)
    client.connect()
    client.mail("<a@example.org>")
    for pid in (*workers, crew.process.pid):
        os.kill(pid, signal.SIGTERM)
    crew.wait_for("stopped listening")
    assert client.eom().verdict is Verdict.CONTINUE
    with contextlib.suppress(ClientError):
        client.close()
    assert crew.process.wait() == 0
