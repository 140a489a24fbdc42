"""What a filter has done: the counters of C++ in a readable form, and their sums."""

import json
from collections import Counter
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, replace
from typing import Any, TypeVar

from pymilter._constants import Status
from pymilter._core import counters
from pymilter._process.process import PROCESS

_Key = TypeVar("_Key")


@dataclass(frozen=True, slots=True)
class Transports:
    """Connections, by what happens to steps that need no answer."""

    local: int
    """Connections over a unix socket: such steps are left unanswered."""
    acknowledged_tcp: int
    """Connections over TCP: they are left unanswered, and the kernel acknowledges them at once (TCP_QUICKACK)."""
    plain_tcp: int
    """Connections over TCP without TCP_QUICKACK, or with that switched off: each step is answered."""


@dataclass(frozen=True, slots=True)
class Stats:
    """Numbers since the process began; `callbacks` and `answers` by the name of the method."""

    connections_opened: int
    connections_closed: int
    messages: int
    """Messages that reached eom."""
    body_bytes: int
    failures: int
    """Handlers that raised, or returned something that is not a status."""
    in_flight: int
    """Handlers that are running now."""
    callbacks: Mapping[str, int]
    answers: Mapping[str, Mapping[Status, int]]
    transports: Transports
    edits: Mapping[str, int]
    """Edits requested from MTAs, by the call of libmilter (smfi_addheader is "addheader")."""


def stats() -> Stats:
    """Return what the filter has done so far; each number is exact, but they are read one after another.

    The numbers are those of this process, also in a worker. The supervisor asks its workers, and returns the sums over
    all workers so far; for a worker that does not answer within a second, or was killed, its last report counts.
    """
    if PROCESS.ask_workers is None:
        return own_stats()
    sums: Stats = PROCESS.ask_workers()
    return sums


def own_stats() -> Stats:
    """Return the numbers of this process; each is exact, but they are read one after another."""
    return _readable(counters())


def stats_of_text(text: str) -> Stats:
    """Read the text of `counts.own_text()`. Raises ValueError, KeyError or TypeError for another version's."""
    return _readable(json.loads(text))


def _readable(now: Mapping[str, Any]) -> Stats:
    return Stats(
        connections_opened=now["connections_opened"],
        connections_closed=now["connections_closed"],
        messages=now["callbacks"]["eom"],
        body_bytes=now["body_bytes"],
        failures=now["failures"],
        in_flight=now["in_flight"],
        callbacks=now["callbacks"],
        answers={
            step: {Status(int(status)): number for status, number in given.items()}
            for step, given in now["answers"].items()
        },
        transports=Transports(*now["transports"]),
        edits=now["edits"],
    )


def at_the_end(last: Stats) -> Stats:
    """Return the numbers of a process after its end: no handler is running, and all connections are closed."""
    return replace(last, in_flight=0, connections_closed=last.connections_opened)


def total(parts: Iterable[Stats]) -> Stats:
    """Return the sums."""
    parts = list(parts)
    return Stats(
        connections_opened=sum(part.connections_opened for part in parts),
        connections_closed=sum(part.connections_closed for part in parts),
        messages=sum(part.messages for part in parts),
        body_bytes=sum(part.body_bytes for part in parts),
        failures=sum(part.failures for part in parts),
        in_flight=sum(part.in_flight for part in parts),
        callbacks=_sums(part.callbacks for part in parts),
        answers={
            step: _sums(part.answers.get(step, {}) for part in parts)
            for step in dict.fromkeys(step for part in parts for step in part.answers)
        },
        transports=Transports(
            local=sum(part.transports.local for part in parts),
            acknowledged_tcp=sum(part.transports.acknowledged_tcp for part in parts),
            plain_tcp=sum(part.transports.plain_tcp for part in parts),
        ),
        edits=_sums(part.edits for part in parts),
    )


def _sums(parts: Iterable[Mapping[_Key, int]]) -> dict[_Key, int]:
    sums: Counter[_Key] = Counter()
    for part in parts:
        sums.update(part)
    return dict(sums)
