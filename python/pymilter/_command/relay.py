"""Stands between an MTA and a filter: passes on what either says, byte for byte, and notes it."""

from __future__ import annotations

import errno
import itertools
import socket
import threading
import time
from collections.abc import Callable
from contextlib import suppress
from enum import Enum
from typing import Final, NamedTuple

from pymilter.testing._address import Address
from pymilter.testing._errors import ClientError

_PIECE: Final = 65536
_CONNECT_TIMEOUT: Final = 10.0
_PAUSE: Final = 0.1
"""Seconds until the next attempt when this process has no descriptor left for a connection."""


class Side(Enum):
    """Who said something, or did."""

    MTA = "mta"
    FILTER = "filter"

    @property
    def other(self) -> Side:
        """The side that hears it."""
        return Side.FILTER if self is Side.MTA else Side.MTA


class What(Enum):
    """What happened on a connection."""

    OPEN = "open"
    DATA = "data"
    CLOSE = "close"
    """One side has closed it, or has gone."""
    FAILED = "failed"
    """The filter could not be reached."""


class Event(NamedTuple):
    """Something that happened on a connection."""

    when: float
    """Seconds, by time.monotonic()."""
    connection: int
    """Its number, from 1."""
    what: What
    side: Side
    data: bytes = b""
    """What was said, or why the filter could not be reached."""


class Relay:
    """Passes each connection to `listener` on to `target`. `note` gets what happens, from several threads, in order.

    Each byte is noted before it is passed on, so that an answer never stands before its question. If `note` waits, so
    does that connection.
    """

    def __init__(self, listener: socket.socket, target: Address, note: Callable[[Event], None]) -> None:
        self._listener = listener
        self._target = target
        self._note = note
        self._numbers = itertools.count(1)

    def run(self) -> None:
        """Take connections until `stop` is called. Those that are open then go on until the process ends."""
        while True:
            try:
                peer, _ = self._listener.accept()
            except OSError as error:
                if error.errno in (errno.EMFILE, errno.ENFILE, errno.ENOBUFS, errno.ENOMEM):
                    time.sleep(_PAUSE)
                    continue
                if error.errno in (errno.ECONNABORTED, errno.EPROTO):
                    continue
                return
            number = next(self._numbers)
            threading.Thread(target=self._serve, args=(number, peer), name=f"relay {number}", daemon=True).start()

    def stop(self) -> None:
        """Make `run` return; from any thread."""
        with suppress(OSError):
            self._listener.shutdown(socket.SHUT_RDWR)

    def _serve(self, number: int, mta: socket.socket) -> None:
        """One connection: this thread passes on what the MTA says, another what the filter says."""
        self._note(Event(time.monotonic(), number, What.OPEN, Side.MTA))
        try:
            target = self._target.connect(_CONNECT_TIMEOUT)
        except ClientError as error:
            self._note(Event(time.monotonic(), number, What.FAILED, Side.FILTER, str(error).encode()))
            mta.close()
            return
        with mta, target:
            for sock in (mta, target):
                sock.settimeout(None)
                if sock.family != socket.AF_UNIX:
                    sock.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
            back = threading.Thread(target=self._pass_on, args=(number, Side.FILTER, target, mta), daemon=True)
            back.start()
            self._pass_on(number, Side.MTA, mta, target)
            back.join()

    def _pass_on(self, number: int, side: Side, source: socket.socket, target: socket.socket) -> None:
        # An MTA's second small write waits until the first is acknowledged: at once, as pymilter's own socket does it.
        acknowledges = source.family != socket.AF_UNIX and hasattr(socket, "TCP_QUICKACK")
        who = side
        try:
            while data := source.recv(_PIECE):
                self._note(Event(time.monotonic(), number, What.DATA, side, data))
                if acknowledges:
                    source.setsockopt(socket.IPPROTO_TCP, socket.TCP_QUICKACK, 1)
                who = side.other  # if the next line fails, that is the one who has gone
                target.sendall(data)
                who = side
            self._note(Event(time.monotonic(), number, What.CLOSE, side))
            target.shutdown(socket.SHUT_WR)
        except OSError:
            self._note(Event(time.monotonic(), number, What.CLOSE, who))
            for sock in (source, target):
                with suppress(OSError):
                    sock.shutdown(socket.SHUT_RDWR)
