"""What a running filter has done: counters that the C++ half keeps without the GIL, in a readable form."""

from collections.abc import Mapping
from dataclasses import dataclass

from pymilter._constants import Status
from pymilter._core import counters


@dataclass(frozen=True, slots=True)
class Transports:
    """Connections by what is done there with steps that need no answer."""

    local: int
    """Over a unix socket: they are left unanswered."""
    acknowledged_tcp: int
    """Over TCP: they are left unanswered, and our kernel is told to acknowledge them at once (TCP_QUICKACK)."""
    plain_tcp: int
    """Over TCP where that cannot be told, or is switched off: each is answered."""


@dataclass(frozen=True, slots=True)
class Stats:
    """Numbers since the process began; `callbacks` and `answers` by the name of the method."""

    connections_opened: int
    connections_closed: int
    messages: int
    """Messages that reached eom."""
    body_bytes: int
    failures: int
    """Handlers that raised, or returned what is no status."""
    in_flight: int
    """Handlers that run just now."""
    callbacks: Mapping[str, int]
    answers: Mapping[str, Mapping[Status, int]]
    transports: Transports


def stats() -> Stats:
    """The counters of this process as they stand now; each is exact, but they are read one after another."""
    now = counters()
    return Stats(
        connections_opened=now["connections_opened"],
        connections_closed=now["connections_closed"],
        messages=now["callbacks"]["eom"],
        body_bytes=now["body_bytes"],
        failures=now["failures"],
        in_flight=now["in_flight"],
        callbacks=now["callbacks"],
        answers={step: {Status(status): n for status, n in given.items()} for step, given in now["answers"].items()},
        transports=Transports(*now["transports"]),
    )
