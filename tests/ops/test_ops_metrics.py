"""Metrics for Prometheus: of one process and of many, and over the ends of workers."""

from __future__ import annotations

import os
import signal
import socket
import subprocess
import sys
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest
from prometheus_client.core import Metric
from prometheus_client.openmetrics.parser import text_string_to_metric_families as read_openmetrics

from pymilter.testing import Client, FilterFailed, Verdict
from support.crew import Crew, freeze, gone, is_alive, serving
from support.metrics import BAD, GOOD, Samples, counted, measured, metrics_port, samples, scrape, send
from support.wire import eventually, free_address


def all_closed(crew: Crew) -> Samples:
    """The counters, once libmilter has seen the end of each connection."""
    eventually(lambda: samples(crew)["pymilter_open_connections"], lambda number: number == 0)
    return counted(crew)


def connected_to(crew: Crew, pid: int) -> Client:
    """A connection that worker `pid` serves."""
    while True:
        client = Client(crew.process.address)
        client.connect()
        said = len(crew.process.stdout.split())
        client.unknown("WHO")
        words = eventually(lambda: crew.process.stdout.split(), lambda words: len(words) > said)  # noqa: B023
        if int(words[-1]) == pid:
            return client
        client.quit()  # until its close is counted


EDITS = ["addheader", "insheader", "chgheader", "addrcpt", "delrcpt", "chgfrom", "replacebody", "quarantine"]


@pytest.mark.parametrize("workers", [0, 2])
def test_what_was_done_is_told(tmp_path: Path, workers: int) -> None:
    with measured(tmp_path, workers) as crew:
        send(crew, GOOD, 5)
        send(crew, BAD, 3)
        told = all_closed(crew)
    assert {name: value for name, value in told.items() if "callbacks" not in name} == {
        "pymilter_connections_total": 8,
        "pymilter_transports_total{transport=local}": 8,
        "pymilter_transports_total{transport=acknowledged_tcp}": 0,
        "pymilter_transports_total{transport=plain_tcp}": 0,
        "pymilter_messages_total": 5,
        "pymilter_body_bytes_total": 8 * len(b"text\r\n"),
        "pymilter_failures_total": 3,
        **{f"pymilter_edits_total{{call={call}}}": 0 for call in EDITS},
        "pymilter_answers_total{status=CONTINUE,step=negotiate}": 8,
        "pymilter_answers_total{status=CONTINUE,step=envfrom}": 8,
        # Asked for because of unknown(), and EOH because of DATA and header().
        "pymilter_answers_total{status=NOREPLY,step=data}": 8,
        "pymilter_answers_total{status=NOREPLY,step=header}": 8,
        "pymilter_answers_total{status=NOREPLY,step=eoh}": 8,
        "pymilter_answers_total{status=CONTINUE,step=body}": 5,
        "pymilter_answers_total{status=ACCEPT,step=eom}": 5,
        # The failure of the header, which had no answer.
        "pymilter_answers_total{status=TEMPFAIL,step=body}": 3,
        # The client says ABORT after each message, and before QUIT, as Postfix does; no handler is told of that.
        "pymilter_answers_total{status=CONTINUE,step=abort}": 16,
        "pymilter_answers_total{status=CONTINUE,step=close}": 8,
    }
    assert told["pymilter_callbacks_total{step=header}"] == 8
    assert told["pymilter_callbacks_total{step=connect}"] == 0


@pytest.mark.parametrize("workers", [0, 2])
def test_what_goes_on_just_now_is_told(tmp_path: Path, workers: int) -> None:
    flag = tmp_path / "flag"
    with measured(tmp_path, workers, unknown=f"while not os.path.exists({str(flag)!r}): time.sleep(0.01)") as crew:
        with Client(crew.process.address) as client, Client(crew.process.address), ThreadPoolExecutor(1) as pool:
            client.connect()
            waiting = pool.submit(client.unknown, "WAIT")
            try:
                eventually(lambda: crew.process.stdout, bool)
                now = samples(crew)
                assert now["pymilter_in_flight"] == 1
                assert now["pymilter_open_connections"] == 2
            finally:
                flag.touch()
            waiting.result()
        assert all_closed(crew)["pymilter_connections_total"] == 2
        assert samples(crew)["pymilter_in_flight"] == 0


def test_the_format_is_right(tmp_path: Path) -> None:
    """By the stricter parser; and one metric by its name, which Prometheus can ask for."""
    with measured(tmp_path, 0) as crew:
        send(crew)
        text = scrape(crew, "application/openmetrics-text; version=1.0.0")
        families: list[Metric] = list(read_openmetrics(text))  # type: ignore[no-untyped-call]
        only = scrape(crew, query="?name[]=pymilter_messages_total")
    assert all(family.documentation.endswith(".") for family in families)
    assert {family.type for family in families} == {"counter", "gauge"}
    assert [line for line in only.splitlines() if not line.startswith("#")] == ["pymilter_messages_total 1.0"]


def test_nothing_is_lost_when_workers_are_replaced(tmp_path: Path) -> None:
    with measured(tmp_path, 2) as crew:
        old = crew.pids()
        # Not asked for until they have ended.
        send(crew, GOOD, 4)
        crew.process.send_signal(signal.SIGHUP)
        crew.wait_until_it_serves(2)
        eventually(gone(old), bool)
        before = all_closed(crew)
        assert before["pymilter_messages_total"] == 4
        assert before["pymilter_callbacks_total{step=close}"] == 4
        crew.process.send_signal(signal.SIGHUP)
        seen = []
        while len(crew.log("2 workers serve")) < 3:
            seen.append(counted(crew))
        assert seen
        assert all(now == before for now in seen)
        send(crew)
        assert all_closed(crew)["pymilter_messages_total"] == 5


def test_nothing_goes_down_when_a_worker_is_killed(tmp_path: Path) -> None:
    with measured(tmp_path, 2) as crew:
        worker = min(crew.pids())
        client = connected_to(crew, worker)
        client.mail("<a@example.org>")
        assert client.eom().verdict is Verdict.ACCEPT
        before = samples(crew)
        assert before["pymilter_messages_total"] == 1
        assert before["pymilter_open_connections"] >= 1
        os.kill(worker, signal.SIGKILL)
        crew.wait_for(f"worker {worker} ended with status -9")
        client.close()
        after = all_closed(crew)
        assert all(after[name] >= value for name, value in before.items() if "_total" in name)
        assert after["pymilter_messages_total"] == 1


def test_a_worker_that_hangs_does_not_keep_the_scrape(tmp_path: Path) -> None:
    """Its last known numbers count; once it goes on, its new ones."""
    with measured(tmp_path, 2) as crew:
        worker = min(crew.pids())
        client = connected_to(crew, worker)
        before = counted(crew)
        freeze(worker)
        try:
            client.send(b"M", b"<a@example.org>\0")
            assert counted(crew) == before
            assert counted(crew) == before
        finally:
            os.kill(worker, signal.SIGCONT)
        step = "pymilter_callbacks_total{step=envfrom}"
        eventually(lambda: counted(crew)[step], lambda number: number == before[step] + 1)
        client.close()


def test_a_worker_that_has_not_come_to_run_is_not_waited_for(tmp_path: Path) -> None:
    """Such as one that has just been started."""
    before = f"""
        import pymilter._workers.tally
        pymilter._workers.tally.ANSWER_WITHIN = 1000
        if is_worker() and os.path.exists({str(tmp_path / "slow")!r}): signal.pause()
    """
    with serving(tmp_path, before=before, workers=1, metrics="127.0.0.1:0") as crew:
        (tmp_path / "slow").touch()
        crew.process.send_signal(signal.SIGHUP)
        crew.wait_for("starts", 2)
        scrape(crew)
        for pid in crew.pids():
            os.kill(pid, signal.SIGKILL)


def test_stats_are_sums_in_the_supervisor_until_after_its_end(tmp_path: Path) -> None:
    after = "is_worker() or print('all', stats().messages, stats().connections_closed, flush=True)"
    with measured(tmp_path, 2, after=after) as crew:
        send(crew, GOOD, 3)
        assert crew.process.stop() == 0, crew.process.stderr
        assert crew.process.stdout == "all 3 3\n"


def test_a_forked_process_does_not_hold_the_port(tmp_path: Path) -> None:
    fork = "if not os.fork(): print(os.getpid(), flush=True); signal.pause()"
    with measured(tmp_path, 0, unknown=fork) as crew:
        where = metrics_port(crew)
        with Client(crew.process.address) as client:
            client.connect()
            client.unknown("FORK")
            child = int(eventually(lambda: crew.process.stdout.split(), lambda words: len(set(words)) == 2)[-1])
        try:
            crew.process.send_signal(signal.SIGKILL)
            crew.process.wait()
            assert is_alive(child)
            with pytest.raises(ConnectionRefusedError):
                socket.create_connection(where, timeout=20)
        finally:
            os.kill(child, signal.SIGKILL)


@pytest.mark.parametrize("workers", [0, 1])
def test_a_port_that_is_taken(tmp_path: Path, workers: int) -> None:
    with free_address("unix") as address, socket.create_server(("127.0.0.1", 0)) as other:
        port = other.getsockname()[1]
        crew = Crew(tmp_path, address, workers=workers, metrics=f"127.0.0.1:{port}")
        told = rf"OSError: \[Errno 98\] cannot serve metrics on 127.0.0.1:{port}: Address already in use"
        with pytest.raises(FilterFailed, match=told), crew.process:
            pass
        assert not Path(address.removeprefix("unix:")).exists()


def test_a_worker_serves_none_of_its_own(tmp_path: Path) -> None:
    before = "from pymilter.prometheus import MetricsServer\nis_worker() and MetricsServer('127.0.0.1:0')"
    with free_address("unix") as address:
        crew = Crew(tmp_path, address, before=before, workers=1)
        with crew.process:
            assert crew.process.wait() == 1
            assert "MilterError: a worker serves no metrics: its supervisor does" in crew.process.stderr


def test_without_prometheus_client(tmp_path: Path) -> None:
    """It is told what to do, before anything is opened; and nothing else needs it."""
    with free_address("unix") as address:
        crew = Crew(tmp_path, address, before="sys.modules['prometheus_client'] = None", metrics="127.0.0.1:0")
        told = (
            "ImportError: metrics for Prometheus need prometheus_client: pip install prometheus_client "
            r"\(the package index still has pymilter 1\.0\.5"
        )
        with pytest.raises(FilterFailed, match=told), crew.process:
            pass
    code = "import sys, pymilter, Milter; sys.exit('prometheus_client' in sys.modules)"
    assert subprocess.run([sys.executable, "-c", code], check=False).returncode == 0
