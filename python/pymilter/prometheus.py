"""Metrics for Prometheus, made from `pymilter.stats()`, and a server for them. Needs prometheus_client.

`run(..., metrics="127.0.0.1:9464")` is all that most filters need. A program that has a registry and an HTTP server of
its own registers a `Collector` there. With workers, ask the supervisor: its numbers are the sums over all.
"""

import logging
from collections.abc import Iterator
from types import TracebackType
from typing import Self

from pymilter._observe.scrapes import ScrapeServer
from pymilter._observe.stats import Stats, stats, total
from pymilter._process.process import is_worker
from pymilter._serve.address import parse_host_and_port
from pymilter.errors import MilterError

try:
    from prometheus_client import CollectorRegistry, MetricsHandler
    from prometheus_client.core import CounterMetricFamily, GaugeMetricFamily, Metric
    from prometheus_client.registry import Collector as _Collector
except ImportError as _error:
    raise ImportError(
        "metrics for Prometheus need prometheus_client: pip install prometheus_client "
        "(the package index still has pymilter 1.0.5, which has no extras)",
        name="prometheus_client",
    ) from _error

__all__ = ["Collector", "MetricsServer"]

logger: logging.Logger = logging.getLogger("pymilter")


class Collector(_Collector):
    """A collector for a `CollectorRegistry` of prometheus_client: it reads `pymilter.stats()` for each scrape."""

    def collect(self) -> Iterator[Metric]:
        """Yield the metrics with their current values."""
        return _metrics(stats())

    def describe(self) -> Iterator[Metric]:
        """Yield the metrics without values; the registry wants their names."""
        return _metrics(total(()))


def _metrics(now: Stats) -> Iterator[Metric]:
    yield CounterMetricFamily("pymilter_connections", "Connections that MTAs have made.", now.connections_opened)
    # The two numbers are not read at the same moment.
    still_open = max(0, now.connections_opened - now.connections_closed)
    yield GaugeMetricFamily("pymilter_open_connections", "Connections that are open now.", still_open)
    transports = CounterMetricFamily(
        "pymilter_transports",
        "Connections by what is done with steps that need no answer: plain_tcp answers them, the others do not.",
        labels=["transport"],
    )
    transports.add_metric(["local"], now.transports.local)
    transports.add_metric(["acknowledged_tcp"], now.transports.acknowledged_tcp)
    transports.add_metric(["plain_tcp"], now.transports.plain_tcp)
    yield transports
    yield CounterMetricFamily("pymilter_messages", "Messages that reached their end (eom).", now.messages)
    yield CounterMetricFamily("pymilter_body_bytes", "Bytes of message bodies.", now.body_bytes)
    callbacks = CounterMetricFamily("pymilter_callbacks", "Callbacks of libmilter, by step.", labels=["step"])
    for step, number in now.callbacks.items():
        callbacks.add_metric([step], number)
    yield callbacks
    answers = CounterMetricFamily(
        "pymilter_answers", "Answers to the MTA, by step and status.", labels=["step", "status"]
    )
    for step, given in now.answers.items():
        for status, number in given.items():
            answers.add_metric([step, status.name], number)
    yield answers
    edits = CounterMetricFamily("pymilter_edits", "Edits asked of MTAs, by the call of libmilter.", labels=["call"])
    for name, number in now.edits.items():
        edits.add_metric([name], number)
    yield edits
    yield CounterMetricFamily("pymilter_failures", "Handlers that raised, or returned what is no status.", now.failures)
    yield GaugeMetricFamily("pymilter_in_flight", "Handlers that run just now.", now.in_flight)


class MetricsServer:
    """Serves the metrics over HTTP, in threads of its own, until it is closed; a context manager that closes it.

    `address` is HOST:PORT, with port 0 for any free one. There is neither encryption nor authentication: use the
    loopback address, or one that only Prometheus can reach.

    Raises:
        ValueError: the address is malformed.
        OSError: it cannot be opened; with errno and the address.
        MilterError: this is a worker, whose supervisor serves the sums.
    """

    def __init__(self, address: str) -> None:
        self._open(address)
        self._begin()

    @classmethod
    def _opened(cls, address: str) -> Self:
        """Open the socket now and serve it from _begin() on: run() gives up root's rights in between."""
        server = cls.__new__(cls)
        server._open(address)
        return server

    def _open(self, address: str) -> None:
        host, port = parse_host_and_port(address)
        if is_worker():
            raise MilterError("a worker serves no metrics: its supervisor does (run(metrics=...), is_worker())")
        registry = CollectorRegistry()
        registry.register(Collector())
        self._server = ScrapeServer(host, port, MetricsHandler.factory(registry))

    def _begin(self) -> None:
        self._server.begin()
        logger.info("metrics on %s", self.url)

    @property
    def url(self) -> str:
        """The URL of the metrics, with the port that the system chose if 0 was given."""
        return f"http://{self._server.where()}/metrics"

    def close(self) -> None:
        """Stop serving. A second call does nothing."""
        self._server.close()

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        self.close()
