"""A filter with metrics, and what a scrape of them finds."""

from __future__ import annotations

import contextlib
import re
import urllib.request
from collections.abc import Iterator
from pathlib import Path

from prometheus_client.parser import text_string_to_metric_families as read_text

from pymilter.testing import send_message
from support.crew import Crew, serving

FILTER = """\
class Filter(Base):
    def envfrom(self, sender, *args):
        return CONTINUE
    def header(self, name, value) -> None:
        if value == "boom":
            raise RuntimeError(value)
    def body(self, chunk):
        return CONTINUE
    def eom(self):
        return ACCEPT
    def unknown(self, command):
        print(os.getpid(), flush=True)
        {unknown}
        return CONTINUE
"""
GOOD, BAD = b"A: b\r\n\r\ntext\r\n", b"A: boom\r\n\r\ntext\r\n"

Samples = dict[str, float]


@contextlib.contextmanager
def measured(folder: Path, workers: int, *, unknown: str = "pass", after: str = "") -> Iterator[Crew]:
    """A crew with metrics; at an unknown command, a worker prints its process number and runs the code `unknown`."""
    before = FILTER.format(unknown=unknown)
    with serving(folder, before=before, after=after, workers=workers, metrics="127.0.0.1:0") as crew:
        yield crew


def url_of(crew: Crew) -> str:
    found = re.search(r"metrics on (\S+)", crew.process.stderr)
    assert found is not None, crew.process.stderr
    return found[1]


def metrics_port(crew: Crew) -> tuple[str, int]:
    host, port = url_of(crew).removeprefix("http://").removesuffix("/metrics").split(":")
    return host, int(port)


def scrape(crew: Crew, accept: str = "text/plain", query: str = "") -> str:
    request = urllib.request.Request(url_of(crew) + query, headers={"Accept": accept})
    with urllib.request.urlopen(request, timeout=20) as answer:
        text: bytes = answer.read()
    return text.decode()


def samples(crew: Crew) -> Samples:
    """Return the values by name and labels, as Prometheus writes them."""
    found = {}
    for family in read_text(scrape(crew)):
        for sample in family.samples:
            labels = ",".join(f"{name}={value}" for name, value in sorted(sample.labels.items()))
            found[f"{sample.name}{{{labels}}}" if labels else sample.name] = sample.value
    return found


def counted(crew: Crew) -> Samples:
    """Return those samples that are counters."""
    return {name: value for name, value in samples(crew).items() if "_total" in name}


def send(crew: Crew, message: bytes = GOOD, count: int = 1) -> None:
    for _ in range(count):
        delivered = send_message(crew.process.address, message).delivered
        assert delivered is (message is GOOD)
