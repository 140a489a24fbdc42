"""Every moment at which a worker can die, and every way: the supervisor's log gives the reason."""

from __future__ import annotations

import contextlib
import os
import signal
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from pymilter.testing import Client, ClientError, FilterProcess, Verdict
from support.crew import gone
from support.wire import eventually, free_address

# A file holds a moment and what is to be done then. The first worker that comes there removes it: its successor lives.
PROGRAM = """\
import os, sys
from pathlib import Path
plan = Path(sys.argv[2])
def at(moment, is_worker=True):
    written = plan.read_text() if is_worker and plan.exists() else ""
    wanted, _, statement = written.partition(": ")
    if wanted == moment:
        plan.unlink()
        exec(statement, globals())
at("before import", "PYMILTER_WORKER" in os.environ)
import logging, signal, threading
import pymilter, pymilter._workers.supervisor as s
logging.basicConfig(level=logging.INFO, format="%(levelname)s %(message)s")
s.FIRST_PAUSE = 0.01
class Listening(logging.Handler):
    def emit(self, record):
        if record.getMessage().startswith("listening on"):
            at("before it reports")
logging.getLogger().addHandler(Listening())
class Filter(pymilter.Base):
    def hello(self, hostname):
        at("in a handler")
        return pymilter.CONTINUE
def on_signal(number, frame):
    at("in a signal handler")
def in_thread(statement):
    thread = threading.Thread(target=lambda: exec(statement, globals()))
    thread.start()
    thread.join()
def at_the_last_thread(function):
    start = threading.Thread.start
    def start_or_call(thread):
        if thread.name == "pymilter life line":
            function()
        start(thread)
    threading.Thread.start = start_or_call
def no_thread():
    raise RuntimeError("can't start new thread")
def fork():
    if os.fork() == 0:
        print("forked", os.getpid(), file=sys.stderr, flush=True)
        threading.Thread.start = lambda thread: None
signal.signal(signal.SIGUSR1, on_signal)
at("in import", pymilter.is_worker())
at("in opening", pymilter.is_worker())
hooks = {"on_start": lambda: at("in on_start"), "on_stop": lambda: at("in on_stop")}
pymilter.run(Filter, sys.argv[1], workers=1, grace=0, **hooks)
print("run() has returned in", os.getpid(), file=sys.stderr, flush=True)
at("after run()", pymilter.is_worker())
"""
NO_LISTENER = "os.close(int(os.environ['PYMILTER_WORKER'].split(',')[0]))"
KILL = "os.kill(os.getpid(), 9)"
SILENT = "and nothing on stderr says why"
LAST = "the last it said:"


class Deaths:
    """A supervisor with one worker, which does at some moment what a file says."""

    def __init__(self, folder: Path, address: str) -> None:
        program, self._plan = folder / "program.py", folder / "plan"
        program.write_text(PROGRAM)
        self.process = FilterProcess([sys.executable, program, address, self._plan], address, timeout=60)

    def plan(self, deed: str) -> None:
        """Let the first worker that comes to a moment do what is written after it."""
        written = self._plan.with_suffix(".new")
        written.write_text(deed)
        written.rename(self._plan)

    def wait_for(self, text: str, times: int = 1) -> list[str]:
        """Wait until this many lines of the log have a text, and return them."""
        return eventually(
            lambda: [line for line in self.process.stderr.splitlines() if text in line],
            lambda found: len(found) >= times,
        )

    def worker(self) -> int:
        """Wait until a worker serves, and return its process number."""
        self.wait_for("1 workers serve")
        starts = [line for line in self.process.stderr.splitlines() if line.endswith("starts")]
        return int(starts[-1].split()[-2])

    def talk(self) -> Verdict | None:
        """Let the worker run its handler; None if it gives no answer."""
        with contextlib.suppress(ClientError), Client(self.process.address) as client:
            client.connect()
            return client.helo().verdict
        return None


@contextlib.contextmanager
def serving(folder: Path, deed: str = "") -> Iterator[Deaths]:
    with free_address("unix") as address:
        deaths = Deaths(folder, address)
        if deed:
            deaths.plan(deed)
        with deaths.process:
            yield deaths


@pytest.mark.parametrize(
    ("deed", "reason"),
    [
        ("before import: raise ImportError('no module')", "status 1: ImportError: no module"),
        ("before import: sys.exit('too bad')", "status 1: too bad"),
        ("before import: os._exit(7)", f"status 7 before it came to run(), {SILENT}"),
        (f"before import: {KILL}", f"status -9 (SIGKILL) before it came to run(), {SILENT}"),
        ("in import: raise MemoryError", "status 1: MemoryError"),
        (r"in import: os.write(2, b'one\n'); os.abort()", f"status -6 (SIGABRT) before it came to run(); {LAST} one"),
        ("in import: sys.exit(0)", f"status 0 before it came to run(), {SILENT}"),
        (f"in opening: {NO_LISTENER}", "status 1: OSError: [Errno 9] Bad file descriptor"),
        (r"in on_start: raise OSError('no database\nat all')", r"status 1: OSError: no database\nat all"),
        ("in on_start: sys.exit('too bad')", "status 1: SystemExit: too bad"),
        ("in on_start: sys.exit(7)", "status 7: SystemExit: 7"),
        ("in on_start: os._exit(7)", f"status 7 before it served, {SILENT}"),
        ("in on_start: in_thread('os._exit(0)')", f"status 0 before it served, {SILENT}"),
        (f"before it reports: {KILL}", f"status -9 (SIGKILL) before it served; {LAST} INFO listening on ADDRESS"),
        ("before it reports: at_the_last_thread(no_thread)", "status 1: RuntimeError: can't start new thread"),
    ],
)  # fmt: skip
def test_a_death_at_the_start(tmp_path: Path, deed: str, reason: str) -> None:
    """The last one is after the worker has reported that it serves."""
    with serving(tmp_path, deed) as deaths:
        [line] = deaths.wait_for(" ended with ")
        first, second = (int(line.split()[-2]) for line in deaths.wait_for("starts", 2))
        assert line == f"ERROR worker {first} ended with " + reason.replace("ADDRESS", deaths.process.address)
        deaths.wait_for("1 workers serve")
        assert deaths.talk() is Verdict.CONTINUE
        assert deaths.worker() == second
        assert deaths.process.stop() == 0, deaths.process.stderr


@pytest.mark.parametrize(
    ("deed", "number", "reason"),
    [
        ("in a handler: os._exit(7)", None, "status 7 while it served or stopped"),
        ("in a handler: os._exit(0)", None, "status 0 while it served or stopped"),
        ("in a handler: in_thread('os._exit(7)')", None, "status 7 while it served or stopped"),
        (f"in a handler: {KILL}", None, "status -9 (SIGKILL) while it served or stopped"),
        ("in a handler: os.abort()", None, "status -6 (SIGABRT) while it served or stopped"),
        ("in a handler: pymilter.stop()", None, "status 0"),
        ("in a signal handler: raise ValueError('it broke')", signal.SIGUSR1, "status 1: ValueError: it broke"),
        ("in a signal handler: raise MemoryError", signal.SIGUSR1, "status 1: MemoryError"),
        ("in a signal handler: sys.exit('too bad')", signal.SIGUSR1, "status 1: SystemExit: too bad"),
        ("in a signal handler: os._exit(7)", signal.SIGUSR1, "status 7 while it served or stopped"),
        ("never: ", signal.SIGSEGV, "status -11 (SIGSEGV) while it served or stopped"),
        ("never: ", signal.SIGTERM, "status 0"),
        ("in on_stop: raise ValueError('it broke')", signal.SIGTERM, "status 1: ValueError: it broke"),
        ("in on_stop: sys.exit(7)", signal.SIGTERM, "status 7: SystemExit: 7"),
        ("in on_stop: os._exit(7)", signal.SIGTERM, "status 7 while it served or stopped"),
        ("after run(): sys.exit(7)", signal.SIGTERM, "status 7 after run() had returned"),
        ("after run(): raise ValueError('it broke')", signal.SIGTERM, "status 1 after run() had returned"),
    ],
)  # fmt: skip
def test_a_death_in_service(tmp_path: Path, deed: str, number: signal.Signals | None, reason: str) -> None:
    with serving(tmp_path) as deaths:
        worker = deaths.worker()
        deaths.plan(deed)
        if number is None:
            deaths.talk()
        else:
            os.kill(worker, number)
        [line] = deaths.wait_for(" ended with ")
        assert line == f"ERROR worker {worker} ended with {reason}"
        deaths.wait_for("INFO listening on", 2)
        assert deaths.talk() is Verdict.CONTINUE
        assert deaths.process.stop() == 0, deaths.process.stderr


@pytest.mark.parametrize("error", ["raise MemoryError", "sys.exit(7)", "raise KeyboardInterrupt"])
def test_no_exception_of_a_handler_is_a_death(tmp_path: Path, error: str) -> None:
    with serving(tmp_path) as deaths:
        deaths.worker()
        deaths.plan(f"in a handler: {error}")
        assert deaths.talk() is Verdict.TEMPFAIL
        deaths.plan(f"in a handler: in_thread({error!r})")
        assert deaths.talk() is Verdict.CONTINUE
        assert deaths.talk() is Verdict.CONTINUE
        assert deaths.process.stop() == 0, deaths.process.stderr
        assert len(deaths.wait_for("starts")) == 1


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGHUP])
def test_a_death_of_one_that_is_to_end(tmp_path: Path, number: signal.Signals) -> None:
    """At the stop of the service, and in a reload."""
    with serving(tmp_path) as deaths:
        worker = deaths.worker()
        deaths.plan("in on_stop: raise ValueError('it broke')")
        deaths.process.send_signal(number)
        [line] = deaths.wait_for(" ended with ")
        assert line == f"ERROR worker {worker} ended with status 1: ValueError: it broke"
        status = deaths.process.wait() if number == signal.SIGTERM else deaths.process.stop()
        assert status == 0, deaths.process.stderr
        # The successor of a reload ends as it was told to.
        ends = [line.partition(" worker ")[0] for line in deaths.wait_for(" ended with ")]
        assert ends == (["ERROR"] if number == signal.SIGTERM else ["ERROR", "INFO"])


def test_a_child_of_a_worker_reports_nothing(tmp_path: Path) -> None:
    """As one that a signal handler forks after the worker has reported that it serves, and that returns from run()."""
    with serving(tmp_path, "before it reports: at_the_last_thread(fork)") as deaths:
        worker = deaths.worker()
        [line] = deaths.wait_for("forked ")
        child = int(line.split()[1])
        eventually(gone({child}), bool)
        assert f"run() has returned in {child}" not in deaths.process.stderr
        os.kill(worker, signal.SIGKILL)
        [line] = deaths.wait_for(" ended with ")
        assert line == f"ERROR worker {worker} ended with status -9 (SIGKILL) while it served or stopped"
        assert deaths.process.stop() == 0, deaths.process.stderr
