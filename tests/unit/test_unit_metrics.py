"""Metrics for Prometheus without a filter that runs: addresses, a registry of one's own, sums."""

from __future__ import annotations

import dataclasses
import errno
import select
import socket
import threading
import urllib.request
from pathlib import Path

import pytest
from prometheus_client import CollectorRegistry, Counter, generate_latest

from pymilter import Stats, Status, Transports, stats
from pymilter._observe.counts import own_text
from pymilter._observe.scrapes import TURNED_AWAY, _turn_away
from pymilter._observe.stats import at_the_end, own_stats, stats_of_text, total
from pymilter._serve.address import parse_host_and_port
from pymilter.prometheus import Collector, MetricsServer, _metrics
from support.wire import eventually


@pytest.mark.parametrize(
    ("text", "host", "port"),
    [
        ("127.0.0.1:9464", "127.0.0.1", 9464),
        ("[::1]:0", "::1", 0),
        ("localhost:65535", "localhost", 65535),
    ],
)
def test_address(text: str, host: str, port: int) -> None:
    assert parse_host_and_port(text) == (host, port)


@pytest.mark.parametrize("text", ["", "9464", ":9464", "::1:9464", "[]:9464", "a:", "a:b", "a:65536", "a:-1", "a:٣"])
def test_address_that_is_none(text: str) -> None:
    with pytest.raises(ValueError, match=r"it must be HOST:PORT, such as 127\.0\.0\.1:9464"):
        MetricsServer(text)


def test_a_registry_of_ones_own() -> None:
    registry = CollectorRegistry()
    registry.register(Collector())
    Counter("mine", "Of the program.", registry=registry).inc()
    text = generate_latest(registry).decode()
    assert f"pymilter_messages_total {stats().messages:.1f}\n" in text
    assert "mine_total 1.0\n" in text
    with pytest.raises(ValueError, match="Duplicated"):
        registry.register(Collector())


def test_ipv6() -> None:
    with MetricsServer("[::1]:0") as server:
        assert server.url.startswith("http://[::1]:")
        with urllib.request.urlopen(server.url, timeout=20) as answer:
            assert f"pymilter_messages_total {stats().messages:.1f}\n" in answer.read().decode()
    server.close()


def test_who_leaves_the_block_of_a_server_has_closed_it() -> None:
    with MetricsServer("127.0.0.1:0") as server:
        address = "127.0.0.1", int(server.url.split(":")[2].partition("/")[0])
        socket.create_connection(address, 20).close()
    with pytest.raises(ConnectionRefusedError):
        socket.create_connection(address, 20)
    with (
        socket.create_server(address),
        pytest.raises(OSError, match=rf"cannot serve metrics on 127\.0\.0\.1:{address[1]}: ") as info,
    ):
        MetricsServer(f"127.0.0.1:{address[1]}")
    assert info.value.errno == errno.EADDRINUSE
    before = len(list(Path("/proc/self/fd").iterdir()))
    with pytest.raises(LookupError), MetricsServer("127.0.0.1:0"):
        raise LookupError
    eventually(lambda: len(list(Path("/proc/self/fd").iterdir())), lambda now: now <= before)


def test_a_server_that_never_began_is_closed_at_once() -> None:
    """As where root's rights cannot be given up, or the socket of the filter cannot be opened."""
    server = MetricsServer._opened("127.0.0.1:0")
    address = "127.0.0.1", int(server._server.server_address[1])
    closing = threading.Thread(target=server.close, daemon=True)
    closing.start()
    closing.join(30)
    assert not closing.is_alive()
    with pytest.raises(ConnectionRefusedError):
        socket.create_connection(address, 20)


def test_a_scrape_that_gets_no_thread_is_turned_away(
    monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    def no_thread(*arguments: object) -> None:
        raise RuntimeError("can't start new thread")

    def failures() -> list[str]:
        return [record.levelname for record in caplog.records if record.getMessage() == "a scrape failed"]

    with MetricsServer("127.0.0.1:0") as server:
        with monkeypatch.context() as patched:
            patched.setattr("socketserver.ThreadingMixIn.process_request", no_thread)
            with socket.create_connection(("127.0.0.1", int(server._server.server_address[1])), 20) as peer:
                assert peer.recv(100).startswith(b"HTTP/1.0 503 Service Unavailable\r\n")
            assert eventually(failures, bool) == ["ERROR"]
        with urllib.request.urlopen(server.url, timeout=20) as answer:
            assert answer.status == 200


def test_a_peer_that_is_turned_away_gets_the_answer_whole() -> None:
    """A request that nobody has read would reset the connection, and the answer might be lost with it."""
    with (
        socket.create_server(("127.0.0.1", 0)) as listener,
        socket.create_connection(listener.getsockname(), 20) as peer,
    ):
        request, _ = listener.accept()
        peer.sendall(b"GET /metrics HTTP/1.0\r\n\r\n")
        select.select([request], [], [], 20)
        _turn_away(request)
        request.close()
        answer = b""
        while part := peer.recv(4096):
            answer += part
    assert answer == TURNED_AWAY


def stats_of(number: int, **answers: dict[Status, int]) -> Stats:
    return Stats(
        connections_opened=number + 3,
        connections_closed=number,
        messages=number,
        body_bytes=number,
        failures=number,
        in_flight=number,
        callbacks={"eom": number},
        answers=answers,
        transports=Transports(number, 0, 2 * number),
        edits={"addheader": number},
    )


def test_sums() -> None:
    one = stats_of(1, eom={Status.ACCEPT: 1, Status.REJECT: 2})
    other = stats_of(10, eom={Status.REJECT: 5}, body={Status.SKIP: 7})
    assert total((one, other)) == Stats(
        connections_opened=17,
        connections_closed=11,
        messages=11,
        body_bytes=11,
        failures=11,
        in_flight=11,
        callbacks={"eom": 11},
        answers={"eom": {Status.ACCEPT: 1, Status.REJECT: 7}, "body": {Status.SKIP: 7}},
        transports=Transports(11, 0, 22),
        edits={"addheader": 11},
    )


def test_each_number_has_its_metric() -> None:
    numbers = Stats(
        connections_opened=50,
        connections_closed=9,
        messages=3,
        body_bytes=4,
        failures=5,
        in_flight=6,
        callbacks={"eom": 7, "body": 8},
        answers={"eom": {Status.ACCEPT: 10, Status.REJECT: 11}, "body": {Status.SKIP: 12}},
        transports=Transports(13, 14, 15),
        edits={"addheader": 16, "quarantine": 17},
    )
    samples = [sample for metric in _metrics(numbers) for sample in metric.samples]
    assert {(sample.name, *sample.labels.values()): sample.value for sample in samples} == {
        ("pymilter_connections_total",): 50,
        ("pymilter_open_connections",): 41,
        ("pymilter_transports_total", "local"): 13,
        ("pymilter_transports_total", "acknowledged_tcp"): 14,
        ("pymilter_transports_total", "plain_tcp"): 15,
        ("pymilter_messages_total",): 3,
        ("pymilter_body_bytes_total",): 4,
        ("pymilter_callbacks_total", "eom"): 7,
        ("pymilter_callbacks_total", "body"): 8,
        ("pymilter_answers_total", "eom", "ACCEPT"): 10,
        ("pymilter_answers_total", "eom", "REJECT"): 11,
        ("pymilter_answers_total", "body", "SKIP"): 12,
        ("pymilter_edits_total", "addheader"): 16,
        ("pymilter_edits_total", "quarantine"): 17,
        ("pymilter_failures_total",): 5,
        ("pymilter_in_flight",): 6,
    }
    # The two numbers are read one after the other.
    fewer = dataclasses.replace(numbers, connections_opened=8)
    assert [metric.samples[0].value for metric in _metrics(fewer) if metric.name == "pymilter_open_connections"] == [0]


def test_a_process_that_has_ended_has_nothing_open() -> None:
    end = at_the_end(stats_of(4))
    assert (end.in_flight, end.connections_opened, end.connections_closed) == (0, 7, 7)


def test_numbers_as_text() -> None:
    assert stats_of_text(own_text()) == own_stats()
