"""Processes forked in hooks and signal handlers: they end there, and what is the parent's stays the parent's."""

from __future__ import annotations

import os
import signal
from pathlib import Path

import pytest

from support.crew import serving
from support.wire import Script, eventually

# fork() is called somewhere; `drive` then sees whether the parent serves as before.
SOURCE = """
    import atexit, logging, os, signal, sys, threading, time
    from pymilter.testing import send_message
    atexit.register(note, "exit of the parent")
    forked = threading.Event()
    def fork():
        if forked.is_set():
            return
        if (child := os.fork()) == 0:
            {within}
            return
        note("ended", os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]))
        forked.set()
    def drive(address):
        while sys._current_frames()[threading.main_thread().ident].f_code.co_name != "_wait":
            time.sleep(0.005)  # until it waits
        {provoke}
        forked.wait(20)
        note("serves", send_message(address, b"A: b\\r\\n\\r\\nx\\r\\n").delivered)
        note("files", sorted(os.listdir(os.path.dirname(address[5:]))))
        stop()
    def main(address):
        signal.signal(signal.SIGUSR1, lambda number, frame: fork())
        when_serving(drive, address)
        {run}
        note("over", os.listdir(os.path.dirname(address[5:])))
"""
WITH_FILE = "pid_file=os.path.dirname(address[5:]) + '/pid'"
BY_SIGNAL = "os.kill(os.getpid(), signal.SIGUSR1)"
RUNS = {
    "on_start": (f"run(Base, address, {WITH_FILE}, on_start=fork)", "pass"),
    "on_reload": (f"run(Base, address, {WITH_FILE}, on_reload=fork)", "os.kill(os.getpid(), signal.SIGHUP)"),
    "signal": (f"run(Base, address, {WITH_FILE})", BY_SIGNAL),
    "on_start of Server": ("Server(Base, address, on_start=fork).run()", "pass"),
    "signal in Server": ("server = Server(Base, address); server.start(); server.wait(); server.finish()", BY_SIGNAL),
    "signal in runmilter": ("import Milter; Milter.factory = Milter.Base; Milter.runmilter('x', address)", BY_SIGNAL),
}


@pytest.mark.parametrize("how", RUNS)
@pytest.mark.parametrize(
    ("within", "status"), [("pass", 0), ("sys.exit(3)", 3), ("raise ValueError('too bad')", 1), ("stop()", 0)]
)
def test_the_child_ends_where_it_was_forked(script: Script, how: str, within: str, status: int) -> None:
    run, provoke = RUNS[how]
    done = script(SOURCE.format(within=within, run=run, provoke=provoke))
    files = ["filter.sock", "pid"] if WITH_FILE in run else ["filter.sock"]
    assert done.seen == [
        ("ended", status),
        ("serves", True),
        ("files", files),
        ("over", []),
        ("exit of the parent",),
    ], done.stderr
    assert done.returncode == 0
    assert done.stderr.count(":listening on") == done.stderr.count("stopped listening on") == 1
    assert ("ValueError: too bad" in done.stderr) == (status == 1)


@pytest.mark.parametrize(
    "serve",
    ["when_serving(stop); run(Base, address, on_stop=fork)", "Server(Base, address, on_stop=fork).__enter__().stop()"],
)
def test_a_child_of_on_stop_ends_there(script: Script, serve: str) -> None:
    done = script(f"""
        import os
        def fork():
            if (child := os.fork()) == 0:
                return
            note("ended", os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]))
        def main(address):
            {serve}
            note("over")
    """)
    assert done.seen == [("ended", 0), ("over",)], done.stderr


def test_what_a_child_of_the_program_does_with_the_server(script: Script) -> None:
    """The program forked it beside the server: its wait takes no event, and its stop ends nothing."""
    done = script("""
        import os, sys, threading, time
        from pymilter.testing import send_message
        asked = threading.Event()
        def ask(server):
            while sys._current_frames()[threading.main_thread().ident].f_code.co_name != "_wait":
                time.sleep(0.005)  # until it waits
            asked.set()
            server.request_stop()
        def main(address):
            with Server(Base, address) as server:
                if (child := os.fork()) == 0:
                    server.wait()
                    server.request_stop()
                    server.stop()
                    stop()
                    server.finish()
                    os._exit(7)
                note("ended", os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]))
                note("serves", send_message(address, b"A: b\\r\\n\\r\\nx\\r\\n").delivered)
                threading.Thread(target=ask, args=(server,), daemon=True).start()
                server.wait()
                note("waited", asked.is_set())
    """)
    assert done.seen == [("ended", 7), ("serves", True), ("waited", True)], done.stderr
    assert done.returncode == 0


def test_a_child_of_a_signal_handler_leaves_lock_and_metrics(script: Script) -> None:
    """It is forked while the socket is opened; neither the lock nor the port of the metrics may go with it."""
    pytest.importorskip("prometheus_client")
    done = script("""
        import os, signal, socket, sys, urllib.request
        import pymilter._serve.sockets as sockets
        from pymilter._observe import scrapes
        remove_stale = sockets._remove_stale
        servers = []
        class Watched(scrapes.ScrapeServer):
            def begin(self):
                servers.append(self.where())
                super().begin()
        def fork_and_remove_stale(address):
            os.kill(os.getpid(), signal.SIGUSR1)
            note("lock", os.path.exists(address.path + ".lock"))
            remove_stale(address)
        def fork(number, frame):
            if (child := os.fork()) == 0:
                sys.exit(3)
            note("ended", os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]))
        def scrape():
            note(b"pymilter_messages_total" in urllib.request.urlopen("http://" + servers[0]).read())
            stop()
        def main(address):
            import pymilter.prometheus as prometheus
            prometheus.ScrapeServer = Watched
            sockets._remove_stale = fork_and_remove_stale
            signal.signal(signal.SIGUSR1, fork)
            when_serving(scrape)
            run(Base, address, metrics="127.0.0.1:0")
    """)
    assert done.seen == [("ended", 3), ("lock", True), (True,)], done.stderr


SUPERVISOR = """
    def fork():
        if (child := os.fork()) == 0:
            {within}
            return
        os.write(1, f"ended {{os.waitstatus_to_exitcode(os.waitpid(child, 0)[1])}}\\n".encode())
    if not is_worker():
        signal.signal(signal.SIGUSR1, lambda number, frame: fork())
"""


@pytest.mark.parametrize(
    ("within", "status"),
    [
        ("pass", 0),
        ("sys.exit(3)", 3),
        ("os.kill(os.getpid(), signal.SIGTERM); time.sleep(60)", -signal.SIGTERM),
        ("os.kill(os.getpid(), signal.SIGHUP); time.sleep(60)", -signal.SIGHUP),
    ],
)
def test_a_child_of_a_supervisor_keeps_no_workers(tmp_path: Path, within: str, status: int) -> None:
    with serving(tmp_path, before=SUPERVISOR.format(within=within), workers=2) as crew:
        workers = crew.pids()
        crew.process.send_signal(signal.SIGUSR1)
        eventually(lambda: crew.process.stdout, lambda text: text == f"ended {status}\n")
        assert crew.pids() == workers
        assert int(crew.pid_file.read_text()) == crew.process.pid
        assert crew.ask()[0] in workers
        os.kill(min(workers), signal.SIGKILL)  # the parent goes on as before
        crew.wait_for("listening on", 3)
        assert crew.process.stop() == 0, crew.process.stderr
        assert not crew.pid_file.exists()
        assert len(crew.log("starts")) == 3
