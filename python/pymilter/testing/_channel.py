"""Sends and receives whole packets on a connection to a filter, each with a deadline and clear errors."""

from __future__ import annotations

import contextlib
import math
import select
import socket
import time

from ._errors import FilterGone, FilterTimeout, ProtocolError
from ._wire import MAX_REPLY, packet_length

_HEAD = 4


def check_seconds(name: str, value: float) -> None:
    """Raise ValueError for a timeout that is not a finite number above 0."""
    if not 0 < value < math.inf:
        raise ValueError(f"{name} must be a number of seconds above 0, not {value}")


class Channel:
    """Sends and receives packets over a connected socket. `what` in each call names the step, for the errors."""

    def __init__(self, sock: socket.socket, timeout: float) -> None:
        self.timeout = timeout
        self._socket = sock
        self._buffer = bytearray()
        self._poll = select.poll()
        self._poll.register(sock, select.POLLIN)

    @property
    def closed(self) -> bool:
        """True once `close` was called."""
        return self._socket.fileno() < 0

    def close(self) -> None:
        """Close the socket; more than once does no harm."""
        self._socket.close()

    def end(self) -> None:
        """Close the sending side, so that the filter sees the end of the stream."""
        with contextlib.suppress(OSError):  # the filter may be gone
            self._socket.shutdown(socket.SHUT_WR)

    def send(self, data: bytes, what: str) -> None:
        """Send `data` in one write."""
        self._check_open(what)
        try:
            self._socket.settimeout(self.timeout)
            self._socket.sendall(data)
        except TimeoutError:
            raise FilterTimeout(f"the filter did not read {what} within {self.timeout:g} s") from None
        except OSError as error:
            raise FilterGone(f"the filter was gone when {what} was sent: {error.strerror or error}") from error

    def receive(self, what: str, deadline: float | None = None) -> tuple[bytes, bytes]:
        """The next packet: its command byte and its payload.

        Args:
            what: the step that is waited for.
            deadline: a time of time.monotonic(); None: `timeout` seconds from now.
        """
        self._check_open(what)
        if deadline is None:
            deadline = self.deadline()
        self._fill(_HEAD, what, deadline)
        length = packet_length(self._buffer)
        if not 1 <= length <= MAX_REPLY:
            raise ProtocolError(
                f"the filter answered {what} with a packet that claims {length} bytes; 1 to {MAX_REPLY} are allowed"
                f" (it began with {bytes(self._buffer[:16])!r})"
            )
        self._fill(_HEAD + length, what, deadline)
        code = bytes(self._buffer[_HEAD : _HEAD + 1])
        payload = bytes(self._buffer[_HEAD + 1 : _HEAD + length])
        del self._buffer[: _HEAD + length]
        return code, payload

    def deadline(self) -> float:
        """The time by which a step that begins now must end."""
        return time.monotonic() + self.timeout

    def pending(self) -> bool:
        """True if bytes, or the end of the stream, can be read at once."""
        return bool(self._buffer) or bool(self._poll.poll(0))

    def at_end(self, what: str) -> bool:
        """Wait for bytes or the end of the stream; True if it is the end."""
        if self._buffer:
            return False
        try:
            self._fill(1, what, self.deadline())
        except FilterGone:
            return True
        return False

    def _fill(self, size: int, what: str, deadline: float) -> None:
        while len(self._buffer) < size:
            left = deadline - time.monotonic()
            try:
                if left <= 0:
                    raise TimeoutError
                self._socket.settimeout(left)
                data = self._socket.recv(max(65536, size - len(self._buffer)))
            except TimeoutError:
                part = f" (only {bytes(self._buffer)[:16]!r} came, part of a packet)" if self._buffer else ""
                raise FilterTimeout(f"the filter did not answer {what} within {self.timeout:g} s{part}") from None
            except OSError as error:
                raise FilterGone(f"the filter was gone at {what}: {error.strerror or error}") from error
            if not data:
                part = f", in the middle of a packet ({bytes(self._buffer)[:16]!r})" if self._buffer else ""
                raise FilterGone(f"the filter closed the connection at {what}{part}")
            self._buffer += data

    def _check_open(self, what: str) -> None:
        if self.closed:
            raise FilterGone(f"cannot go on with {what}: this client's connection is closed")
