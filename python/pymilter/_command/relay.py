"""Stands between an MTA and a filter. C++ code passes the bytes on; another process reads here what happened."""

from __future__ import annotations

import os
import socket
import struct
from collections.abc import Iterator
from enum import Enum
from typing import Final, NamedTuple

from pymilter import _core
from pymilter.testing._address import Address

_MOST_WAITING: Final = 64 * 1024 * 1024
"""Bytes that may wait until they are read from the pipe; then the connections wait too."""
_HEAD: Final = struct.Struct("=dQBBI")
"""What stands before the data of each event: cpp/core/relay/journal.hpp."""
_PIECE: Final = 1024 * 1024


class Side(Enum):
    """The side that sent something or acted."""

    MTA = "mta"
    FILTER = "filter"


class What(Enum):
    """What happened on a connection."""

    OPEN = "open"
    DATA = "data"
    CLOSE = "close"
    """One side has closed it, or has gone."""
    FAILED = "failed"
    """The filter could not be reached."""


_WHATS: Final = tuple(map(What, _core.RELAY_EVENTS))
_SIDES: Final = tuple(map(Side, _core.RELAY_SIDES))


class Event(NamedTuple):
    """Something that happened on a connection."""

    when: float
    """Seconds since the relay was made."""
    connection: int
    """Its number, from 1."""
    what: What
    side: Side
    data: bytes = b""
    """What was sent, or why the filter could not be reached."""


def new_relay(listener: socket.socket, target: Address, pipe: int) -> _core.Relay:
    """A relay that passes each connection to `listener` on to `target`, and writes what happens to `pipe`.

    Each byte is noted before it is passed on, so that an answer never stands before its question.
    """
    listener.setblocking(False)
    place = target.path if target.family == socket.AF_UNIX else target.host
    return _core.make_relay(
        listener=listener.fileno(),
        family=target.family,
        place=place,
        port=target.port,
        name=str(target),
        pipe=pipe,
        most_waiting=_MOST_WAITING,
    )


def read_events(pipe: int) -> Iterator[list[Event]]:
    """The events that a relay writes, as many at a time as there are, until its end."""
    buffer = b""
    while piece := os.read(pipe, _PIECE):
        buffer += piece
        batch: list[Event] = []
        position = 0
        while len(buffer) - position >= _HEAD.size:
            when, connection, what, side, size = _HEAD.unpack_from(buffer, position)
            start, end = position + _HEAD.size, position + _HEAD.size + size
            if end > len(buffer):
                break
            batch.append(Event(when, connection, _WHATS[what], _SIDES[side], buffer[start:end]))
            position = end
        buffer = buffer[position:]
        yield batch
