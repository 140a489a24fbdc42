"""An HTTP server for scrapes: daemon threads, one that accepts and one for each peer, and bounds for hostile peers."""

import contextlib
import logging
import socket
import sys
import threading
import time
from http.server import BaseHTTPRequestHandler
from socketserver import TCPServer, ThreadingMixIn
from typing import Any, Final

from pymilter._process.process import PROCESS

logger = logging.getLogger("pymilter")

# The server closes the connection of a peer that is silent for this many seconds.
PATIENCE: Final = 5.0
# However busy it is, a connection is closed after this many seconds: one byte now and then must not keep a place.
LONGEST: Final = 10.0
# The server serves at most this many peers at once: the descriptors and threads of a filter are not for them.
AT_ONCE: Final = 16
# If all places are taken, a peer that has not sent its request after this many seconds gives its place to the next.
TURN: Final = 0.5
# A peer that still has no place after this many seconds is turned away: all the others wait for their numbers.
WAIT: Final = 2.0
# How many peers the system keeps waiting. They get their turns in the order in which they came.
BACKLOG: Final = 128
# How often the server looks for peers that have had their time, in seconds.
LOOK_EVERY: Final = 0.5
# When the process is out of descriptors, the next try is after this many seconds.
RETRY: Final = 0.1

_TEXT: Final = b"too many peers want the metrics at once\n"
TURNED_AWAY: Final = (
    b"HTTP/1.0 503 Service Unavailable\r\nContent-Type: text/plain\r\nRetry-After: 1\r\n"
    b"Content-Length: %d\r\n\r\n%b" % (len(_TEXT), _TEXT)
)


class _Peer:
    """What the server notes about one connection."""

    def __init__(self) -> None:
        self.since = time.monotonic()
        self.has_asked = False
        self.is_turned_away = False


class _Bounded(BaseHTTPRequestHandler):
    """Reports to the server that a request is complete, and answers 503 if the server has turned the peer away."""

    timeout = PATIENCE
    server: "ScrapeServer"

    def parse_request(self) -> bool:
        """Read the request's headers. False if there is nothing to answer any more."""
        return super().parse_request() and self.server.has_asked(self.request)

    def handle(self) -> None:
        """Serve the connection."""
        super().handle()
        if self.server.is_turned_away(self.request):
            self.wfile.write(TURNED_AWAY)


class ScrapeServer(ThreadingMixIn, TCPServer):
    """Gives each GET to `handler`, from begin() on.

    Peers that connect and ask for nothing keep nobody out, however often they come again: if all places are taken, the
    one that has been silent for longest is turned away for the next one. What is turned away gets 503.

    Raises OSError, with errno and the address, if it cannot listen.
    """

    daemon_threads = True
    block_on_close = False
    allow_reuse_address = True
    request_queue_size = BACKLOG

    def __init__(self, host: str, port: int, handler: type[BaseHTTPRequestHandler]) -> None:
        self._peers: dict[socket.socket, _Peer] = {}
        self._changed = threading.Condition()
        self._closing = threading.Event()
        try:
            self.address_family = socket.getaddrinfo(host, port, type=socket.SOCK_STREAM)[0][0]
            super().__init__((host, port), type("BoundedHandler", (_Bounded, handler), {}))
        except OSError as error:
            reason = error.strerror or str(error)
            raise OSError(error.errno, f"cannot serve metrics on {host}:{port}: {reason}") from error
        PROCESS.not_for_children.add(self)
        self._thread = threading.Thread(
            target=self.serve_forever, kwargs={"poll_interval": LOOK_EVERY}, name="pymilter metrics", daemon=True
        )

    def begin(self) -> None:
        """Begin to serve, in a thread."""
        self._thread.start()

    def where(self) -> str:
        """Return host and port, as a URL has them."""
        host, port = self.server_address[:2]
        return f"[{host!s}]:{port}" if self.address_family == socket.AF_INET6 else f"{host!s}:{port}"

    def close(self) -> None:
        """Take no more scrapes."""
        if self._closing.is_set():
            return
        self._closing.set()
        with self._changed:
            self._changed.notify_all()
        # Wakes the thread at once, which otherwise looks for its end twice a second.
        with contextlib.suppress(OSError):
            self.socket.shutdown(socket.SHUT_RDWR)
        if self._thread.is_alive():
            self.shutdown()
        self.server_close()

    def has_asked(self, request: socket.socket) -> bool:
        """Keep the place of a peer whose request is complete. False if the peer has been turned away already."""
        with self._changed:
            peer = self._peers[request]
            peer.has_asked = not peer.is_turned_away
            return peer.has_asked

    def is_turned_away(self, request: socket.socket) -> bool:
        """Whether the peer has lost its place to another."""
        with self._changed:
            return self._peers[request].is_turned_away

    def get_request(self) -> tuple[socket.socket, Any]:
        """Accept a peer."""
        try:
            return super().get_request()
        except OSError:
            self._closing.wait(RETRY)
            raise

    def process_request(self, request: Any, client_address: Any) -> None:
        """Serve a peer, in a thread of its own, once there is a place for it."""
        if not self._has_place(request):
            _turn_away(request)
            self.shutdown_request(request)
            return
        try:
            super().process_request(request, client_address)
        except BaseException:  # no thread can be started
            _turn_away(request)
            raise

    def shutdown_request(self, request: Any) -> None:
        """Close the connection of a peer that has been served or turned away."""
        super().shutdown_request(request)
        with self._changed:
            self._peers.pop(request, None)
            self._changed.notify_all()

    def service_actions(self) -> None:
        """Now and then, in the thread that accepts: close the connections of peers that have had their time."""
        with self._changed:
            self._end_overdue()

    def handle_error(self, request: Any, client_address: Any) -> None:
        """Log what went wrong."""
        is_of_the_peer = isinstance(sys.exception(), OSError)
        logger.log(logging.DEBUG if is_of_the_peer else logging.ERROR, "a scrape failed", exc_info=True)

    def leave_to_parent(self) -> None:
        """In the child of a fork: it must not hold the port when the filter is gone."""
        self.socket.close()

    def _has_place(self, request: socket.socket) -> bool:
        """Wait for a place. False if there is none in time."""
        with self._changed:
            begun = time.monotonic()
            while len(self._peers) >= AT_ONCE:
                remaining = begun + WAIT - time.monotonic()
                if remaining <= 0.0 or self._closing.is_set():
                    return False
                self._end_overdue()
                self._changed.wait(min(remaining, self._make_room()))
            self._peers[request] = _Peer()
            return True

    def _make_room(self) -> float:
        """Turn the peer away that has been silent for longest; return after how many seconds to look again."""
        if any(peer.is_turned_away for peer in self._peers.values()):
            return WAIT
        silent = ((request, peer) for request, peer in self._peers.items() if not peer.has_asked)
        request, oldest = next(silent, (None, None))  # a dict is in the order in which they came
        if request is None or oldest is None:
            return WAIT
        if (remaining := oldest.since + TURN - time.monotonic()) > 0.0:
            return remaining
        oldest.is_turned_away = True
        # Its thread wakes as if the peer had closed the connection, and has the answer to send.
        with contextlib.suppress(OSError):
            request.shutdown(socket.SHUT_RD)
        return WAIT

    def _end_overdue(self) -> None:
        now = time.monotonic()
        for request, peer in self._peers.items():
            if now >= peer.since + LONGEST:
                # What reads or writes there ends with an error, in its own thread.
                with contextlib.suppress(OSError):
                    request.shutdown(socket.SHUT_RDWR)


def _turn_away(request: socket.socket) -> None:
    with contextlib.suppress(OSError):
        request.setblocking(False)
        request.send(TURNED_AWAY)
        request.recv(1 << 16)  # what is unread at the close would reset the connection, and the answer with it
