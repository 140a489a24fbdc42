"""What a filter has done: counters that the C++ half keeps without the GIL, in a readable form, and their sums."""

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
    edits: Mapping[str, int]
    """Edits that were asked of MTAs, by the call of libmilter (smfi_addheader is "addheader")."""


def stats() -> Stats:
    """What the filter has done until now; each number is exact, but they are read one after another.

    They are those of this process, so in a worker its own. In the supervisor of workers they are the sums of all that
    there have been, which are asked for them; of one that does not answer within a second, or was killed, what it told
    last counts.
    """
    if PROCESS.ask_workers is None:
        return own_stats()
    sums: Stats = PROCESS.ask_workers()
    return sums


def own_stats() -> Stats:
    """Those of this process; each is exact, but they are read one after another."""
    return _readable(counters())


def stats_of_text(text: str) -> Stats:
    """What `counts.own_text()` has told. Raises ValueError, KeyError or TypeError for what is not of this version."""
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
    """Of a process that has ended: it runs no handler, and the kernel has closed its connections."""
    return replace(last, in_flight=0, connections_closed=last.connections_opened)


def total(parts: Iterable[Stats]) -> Stats:
    """The sums of all."""
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
