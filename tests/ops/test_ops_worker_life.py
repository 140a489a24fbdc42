"""The life of one process that serves: what is done at its start and its end, and when a worker has done its part."""

from __future__ import annotations

import contextlib
import logging
import os
import signal
import sys
from pathlib import Path

import pytest

from pymilter import LogFilter
from pymilter._workers.limits import resident_bytes, spent_when
from pymilter.testing import Client, ClientError, FilterProcess, Verdict
from support.alone import package_alone
from support.crew import Name, gone, serving
from support.wire import Script, Start, eventually, free_address

HOOKS = """
    import os, sys, threading
    def tell(word):
        is_main = threading.current_thread() is threading.main_thread()
        os.write(1, f"{word} {os.getpid()} {is_main}\\n".encode())
    def begin():
        tell("start")
    def finish():
        tell("stop")
"""


def message(address: str, count: int = 1) -> None:
    with Client(address) as client:
        client.connect()
        for _ in range(count):
            client.mail("<a@example.org>")
            assert client.eom().verdict is Verdict.CONTINUE


def test_start_and_stop_in_each_worker(tmp_path: Path) -> None:
    """And not in the supervisor; those who are replaced stop too."""
    with serving(tmp_path, before=HOOKS, workers=2, on_start=Name("begin"), on_stop=Name("finish")) as crew:
        first = crew.pids()
        os.kill(crew.process.pid, signal.SIGHUP)
        crew.wait_until_it_serves(2)
        eventually(crew.pids, lambda found: len(found) == 2 and not found & first)
        second = crew.pids()
        assert crew.process.stop() == 0, crew.process.stderr
        lines = crew.process.stdout.splitlines()
    expected = [f"{word} {pid} True" for word in ("start", "stop") for pid in first | second]
    assert sorted(lines) == sorted(expected)


NUMBERED = """
    def begin():
        import pymilter
        record = logging.LogRecord("x", 10, "", 0, "", (), None)
        pymilter.LogFilter().filter(record)
        os.write(1, f"{record.worker}\\n".encode())
"""


def test_the_lowest_number_that_is_free_goes_to_a_new_worker(tmp_path: Path) -> None:
    with serving(tmp_path, before=NUMBERED, workers=3, on_start=Name("begin")) as crew:

        def numbers(count: int) -> list[tuple[str, int]]:
            lines = eventually(lambda: crew.process.stdout.split(), lambda found: len(found) == count)
            return [(number, int(pid.rstrip("]"))) for number, _, pid in (line.partition("[") for line in lines)]

        first = dict(numbers(3))
        assert first.keys() == {"1", "2", "3"}
        for count, number in enumerate(("2", "1"), 4):
            os.kill(first[number], signal.SIGKILL)
            assert numbers(count)[-1][0] == number


HOLDING = """
    held = []
    def hold():
        import socket
        for name in os.listdir("/proc/self/fd"):
            try:
                one = socket.socket(fileno=os.dup(int(name)))
                if one.getsockopt(socket.SOL_SOCKET, socket.SO_ACCEPTCONN):
                    held.append(one)
            except OSError:
                pass
        os.write(1, b"holding\\n" if held else b"none\\n")
"""


@pytest.mark.parametrize("kind", ["unix", "inet"])
def test_a_worker_that_holds_the_socket_waits_for_connections_only(tmp_path: Path, kind: str) -> None:
    with serving(tmp_path, kind, before=HOLDING, workers=1, on_start=Name("hold")) as crew:
        first = crew.pids()
        os.kill(crew.process.pid, signal.SIGHUP)
        crew.wait_until_it_serves(2)
        eventually(gone(first), bool)
        assert set(crew.process.stdout.splitlines()) == {"holding"}


def test_start_and_stop_in_a_process_alone(start: Start) -> None:
    """The start before anybody is served, the stop when no handler runs any more."""
    process = start(
        """
        import os, threading, time
        inside = threading.Event()
        class Filter(Base):
            def hello(self, hostname):
                note("hello")
                inside.set()
                time.sleep(0.3)
                note("done")
                return CONTINUE
        def main(address):
            def begin():
                note("start", os.path.exists(address[5:]))
            run(Filter, address, on_start=begin, on_stop=lambda: note("stop", os.path.exists(address[5:])))
    """,
        keeps_connections=True,
    )
    client = Client(process.address)
    client.connect()
    client.send(b"H", b"h\0")
    process.wait_for(lambda seen: ("hello",) in seen)
    process.send_signal(signal.SIGTERM)
    process.wait_for(lambda seen: ("done",) in seen)
    with contextlib.suppress(ClientError):
        client.close()
    process.wait()
    assert process.seen("start", "hello", "done", "stop") == [("start", True), ("hello",), ("done",), ("stop", False)]


def test_a_start_that_fails_ends_the_start(script: Script) -> None:
    done = script("""
        import os
        def fail():
            raise ConnectionError("no database")
        def main(address):
            for way in ("run", "with"):
                try:
                    if way == "run":
                        run(Base, address, on_start=fail, on_stop=lambda: note("stop"))
                    else:
                        with Server(Base, address, on_start=fail, on_stop=lambda: note("stop")):
                            pass
                except Exception as error:
                    note(type(error).__name__, str(error), os.path.exists(address[5:]))
    """)
    first, second = done.seen
    assert first == ("ConnectionError", "no database", False)
    assert second[0] == "MilterError"  # there is one filter in a process, also when it has not come to serve
    assert done.returncode == 0, done.stderr


def test_a_server_stops_once(script: Script) -> None:
    done = script("""
        def main(address):
            with Server(Base, address, on_start=lambda: note("start"), on_stop=lambda: note("stop")) as server:
                server.stop()
                note("stopped")
    """)
    assert done.seen == [("start",), ("stop",), ("stopped",)], done.stderr


def test_a_worker_that_cannot_start_says_why(tmp_path: Path) -> None:
    before = "def fail(): raise ConnectionError('no database')"
    with free_address("unix") as address:
        program = tmp_path / "program.py"
        program.write_text(
            "import sys, pymilter, pymilter._workers.supervisor as s\ns.LONGEST_PAUSE = 0.01\n"
            f"{before}\npymilter.run(pymilter.Base, sys.argv[1], workers=1, on_start=fail)\n"
        )
        with FilterProcess([sys.executable, program, address], address) as process:
            for times in range(1, 7):
                eventually(lambda: process.stderr.count("ended with status 1"), times.__le__)
            assert process.wait() == 1
            *_, last = process.stderr.splitlines()
    text = "6 workers in a row ended at once, the last with status 1: ConnectionError: no database"
    assert last == f"pymilter.errors.MilterError: {text}"


def test_a_worker_is_replaced_after_its_messages(tmp_path: Path) -> None:
    before = "import pymilter._workers.worker as w; w.LOOK_EVERY = 0.01"
    with serving(tmp_path, before=before, workers=1, max_messages=20) as crew:
        [first] = crew.pids()
        message(crew.process.address, 17)
        crew.ask()
        assert crew.pids() == {first}
        message(crew.process.address, 3)
        crew.wait_for(f"worker {first} has had ")
        crew.wait_for(f"worker {first} has done its part: it is replaced")
        crew.wait_for(f"worker {first} retires")
        eventually(crew.pids, lambda found: len(found) == 1 and first not in found)
        message(crew.process.address)
        assert "replacing" not in crew.process.stderr
        assert crew.process.stop() == 0, crew.process.stderr


def test_a_worker_is_replaced_when_it_has_grown(tmp_path: Path) -> None:
    before = """
        import pymilter._workers.worker as w; w.LOOK_EVERY = 0.01
        kept = []
        class Filter(Filter):
            def eom(self):
                kept.append(b"x" * 100_000_000)
                return CONTINUE
    """
    with serving(tmp_path, before=before, workers=1, max_rss=100_000_000) as crew:
        [first] = crew.pids()
        message(crew.process.address)
        crew.wait_for("bytes of memory (max_rss)")
        crew.wait_for(f"worker {first} has done its part: it is replaced")
        eventually(crew.pids, lambda found: len(found) == 1 and first not in found)


def test_who_cannot_be_replaced_goes_on(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """The program is broken when a worker has done its part."""
    monkeypatch.chdir(tmp_path)
    before = """
        import pymilter._workers.worker as w, pymilter._workers.supervisor as s
        w.LOOK_EVERY = s.FIRST_PAUSE = s.LONGEST_PAUSE = 0.01
        is_worker() and Path("broken").exists() and sys.exit(7)
    """
    with serving(tmp_path, before=before, workers=1, max_messages=1) as crew:
        [first] = crew.pids()
        Path("broken").touch()
        message(crew.process.address)
        crew.wait_for("ended with status 7", 8)
        assert crew.ask()[0] == first
        Path("broken").unlink()
        crew.wait_for(f"worker {first} retires")
        assert crew.process.stop() == 0, crew.process.stderr


def test_not_all_are_spent_at_once(monkeypatch: pytest.MonkeyPatch) -> None:
    done = 0
    monkeypatch.setattr("pymilter._workers.limits.own_messages", lambda: done)
    limits = [spent_when(1000, None) for _ in range(200)]
    spent = {}
    for done in (899, 950, 1000):
        spent[done] = sum(is_spent is not None and is_spent() for is_spent in limits)
    assert spent[899] == 0
    assert 0 < spent[950] < 200
    assert spent[1000] == 200


def test_a_size_that_the_program_has_at_its_start_is_no_limit(caplog: pytest.LogCaptureFixture) -> None:
    """It would be replaced for ever."""
    assert spent_when(None, 1) is None
    assert "before its first message: ignored" in caplog.text
    is_spent = spent_when(None, resident_bytes() + 50_000_000)
    assert is_spent is not None
    assert not is_spent()
    grown = b"x" * 100_000_000
    assert is_spent()
    del grown


def test_a_worker_loads_only_what_it_uses(tmp_path: Path) -> None:
    """Each module costs memory in each worker."""
    # What only the supervisor uses, or what reads limits that nobody has set; and what that would bring with it.
    spared = (
        *("pymilter._workers.supervisor", "pymilter._workers.child", "pymilter._workers.slots", "mmap"),
        *("pymilter._observe.stats", "subprocess", "dataclasses", "pathlib", "urllib", "ipaddress", "random"),
    )
    program = tmp_path / "program.py"
    program.write_text(
        f"import os, sys; sys.path.insert(0, {str(package_alone(tmp_path))!r})\n"
        "import pymilter\n"
        "def tell():\n"
        f"    found = set({spared!r}) & set(sys.modules)\n"
        '    os.write(1, f"loaded {sorted(found)}\\n".encode())\n'
        "pymilter.run(pymilter.Base, sys.argv[1], workers=1, on_stop=tell)\n"
    )
    with free_address("unix") as address, FilterProcess([sys.executable, "-S", program, address], address) as process:
        message(address)
        assert process.stop() == 0, process.stderr
        assert process.stdout.splitlines() == ["loaded []"]


def test_records_name_the_worker(tmp_path: Path) -> None:
    """Before run() and in it, in each process of its own number; the supervisor has none."""
    program = tmp_path / "program.py"
    program.write_text(
        "import logging, os, sys\n"
        "from pymilter import *\n"
        'logging.basicConfig(level=logging.INFO, format="%(worker)s|%(message)s")\n'
        "logging.getLogger().handlers[0].addFilter(LogFilter())\n"
        'logging.info("begun %s", os.getpid())\n'
        "run(Base, sys.argv[1], workers=2)\n"
    )
    with free_address("unix") as address, FilterProcess([sys.executable, program, address], address) as process:
        eventually(lambda: process.stderr, lambda said: "2 workers serve" in said)
        lines = process.stderr.splitlines()
    begun = [line.split("|begun ") for line in lines if "|begun " in line]
    assert sorted(name.split("[")[0] for name, _ in begun) == ["-", "1", "2"]
    assert all(name in ("-", f"{name[0]}[{pid}]") for name, pid in begun)
    assert "-|2 workers serve" in lines
    assert sum(line.startswith(("1[", "2[")) and "|listening on" in line for line in lines) == 2


def test_a_record_in_no_worker() -> None:
    record = logging.makeLogRecord({})
    assert LogFilter().filter(record)
    assert record.__dict__["worker"] == "-"
