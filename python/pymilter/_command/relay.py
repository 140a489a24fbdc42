"""Stands between an MTA and a filter: passes on what either says, byte for byte, and notes it."""

from __future__ import annotations

import errno
import itertools
import select
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
_QUICKACK: Final[int | None] = getattr(socket, "TCP_QUICKACK", None)
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
        """Reach the filter for a connection of the MTA, and pass on what they say."""
        self._note(Event(time.monotonic(), number, What.OPEN, Side.MTA))
        try:
            target = self._target.connect(_CONNECT_TIMEOUT)
        except ClientError as error:
            self._note(Event(time.monotonic(), number, What.FAILED, Side.FILTER, str(error).encode()))
            mta.close()
            return
        with mta, target:
            for sock in (mta, target):
                sock.setblocking(False)
                if sock.family != socket.AF_UNIX:
                    sock.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
            _Pair(number, mta, target, self._note).run()


class _BrokenOff(Exception):  # noqa: N818 - it says what happened
    """A side has gone without a word."""

    def __init__(self, side: Side) -> None:
        super().__init__(side)
        self.side = side


class _Pair:
    """One connection, in one thread: a thread for each direction would cost the mail more, as they take turns."""

    def __init__(self, number: int, mta: socket.socket, target: socket.socket, note: Callable[[Event], None]) -> None:
        self._number = number
        self._note = note
        self._sockets = {Side.MTA: mta, Side.FILTER: target}
        self._sides = {mta.fileno(): Side.MTA, target.fileno(): Side.FILTER}
        self._unsent = {Side.MTA: b"", Side.FILTER: b""}
        """What a side has said and the other has not taken yet; meanwhile nothing more is read from that side."""
        self._has_ended = {Side.MTA: False, Side.FILTER: False}
        self._poll = select.poll()

    def run(self) -> None:
        """Pass on what both sides say until both have ended, or one has broken off."""
        for side in Side:
            self._watch(side)
        try:
            while not all(self._has_ended.values()):
                for descriptor, events in self._poll.poll():
                    side = self._sides[descriptor]
                    if self._is_read(side) and events & ~select.POLLOUT:
                        self._read(side)
                    elif self._unsent[side.other]:
                        self._send(side.other, self._unsent[side.other])
        except _BrokenOff as error:
            self._note(Event(time.monotonic(), self._number, What.CLOSE, error.side))
            for sock in self._sockets.values():
                with suppress(OSError):
                    sock.shutdown(socket.SHUT_RDWR)

    def _is_read(self, side: Side) -> bool:
        return not self._has_ended[side] and not self._unsent[side]

    def _watch(self, side: Side) -> None:
        """Wait for what is of use on the socket of a side; one of which nothing is wanted would only wake us."""
        sock = self._sockets[side]
        mask = select.POLLIN * self._is_read(side) | select.POLLOUT * bool(self._unsent[side.other])
        if mask:
            self._poll.register(sock, mask)
        else:
            with suppress(KeyError):
                self._poll.unregister(sock)

    def _read(self, side: Side) -> None:
        sock = self._sockets[side]
        try:
            data = sock.recv(_PIECE)
        except BlockingIOError:
            return
        except OSError as error:
            raise _BrokenOff(side) from error
        if data:
            self._note(Event(time.monotonic(), self._number, What.DATA, side, data))
            if sock.family != socket.AF_UNIX and _QUICKACK is not None:
                # An MTA's second small write waits until the first is acknowledged: at once, as pymilter's socket does.
                sock.setsockopt(socket.IPPROTO_TCP, _QUICKACK, 1)
            self._send(side, data)
            return
        self._note(Event(time.monotonic(), self._number, What.CLOSE, side))
        self._has_ended[side] = True
        self._watch(side)
        with suppress(OSError):
            self._sockets[side.other].shutdown(socket.SHUT_WR)

    def _send(self, side: Side, data: bytes) -> None:
        """Send what a side has said to the other, and keep what that does not take yet."""
        try:
            sent = self._sockets[side.other].send(data)
        except BlockingIOError:
            sent = 0
        except OSError as error:
            raise _BrokenOff(side.other) from error
        had_unsent, left = bool(self._unsent[side]), data[sent:]
        self._unsent[side] = left
        if left or had_unsent:
            self._watch(side)
            self._watch(side.other)
