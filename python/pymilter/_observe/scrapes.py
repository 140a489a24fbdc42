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

# A peer that is silent for so many seconds is left.
PATIENCE: Final = 5.0
# However busily it talks, it is left after so many: one byte now and then must not keep a place.
LONGEST: Final = 10.0
# So many are served at once, and more are turned away: the descriptors and threads of a filter are not for them.
AT_ONCE: Final = 16
# How often it is looked for peers that have had their time.
LOOK_EVERY: Final = 0.5
# When the process is out of descriptors, the next try is after so many seconds.
RETRY: Final = 0.1


class ScrapeServer(ThreadingMixIn, TCPServer):
    """Gives each GET to `handler`, from begin() on. Raises OSError, with errno and the address, if it cannot listen."""

    daemon_threads = True
    block_on_close = False
    allow_reuse_address = True

    def __init__(self, host: str, port: int, handler: type[BaseHTTPRequestHandler]) -> None:
        self._places = threading.BoundedSemaphore(AT_ONCE)
        self._deadlines: dict[socket.socket, float] = {}
        self._looking = threading.Lock()
        self._closing = threading.Event()
        patient = type("PatientHandler", (handler,), {"timeout": PATIENCE})
        try:
            self.address_family = socket.getaddrinfo(host, port, type=socket.SOCK_STREAM)[0][0]
            super().__init__((host, port), patient)
        except OSError as error:
            reason = error.strerror or str(error)
            raise OSError(error.errno, f"cannot serve metrics on {host}:{port}: {reason}") from error
        PROCESS.not_for_children.add(self)
        self._thread = threading.Thread(
            target=self.serve_forever, kwargs={"poll_interval": LOOK_EVERY}, name="pymilter metrics", daemon=True
        )

    def begin(self) -> None:
        """Serve those who come."""
        self._thread.start()

    def where(self) -> str:
        """Host and port."""
        host, port = self.server_address[:2]
        return f"[{host!s}]:{port}" if self.address_family == socket.AF_INET6 else f"{host!s}:{port}"

    def close(self) -> None:
        """Take no more scrapes."""
        if self._closing.is_set():
            return
        self._closing.set()
        # Wakes the thread at once, which else looks for its end twice a second.
        with contextlib.suppress(OSError):
            self.socket.shutdown(socket.SHUT_RDWR)
        if self._thread.is_alive():
            self.shutdown()
        self.server_close()

    def get_request(self) -> tuple[socket.socket, Any]:
        """Accept a peer."""
        try:
            return super().get_request()
        except OSError:
            self._closing.wait(RETRY)
            raise

    def process_request(self, request: Any, client_address: Any) -> None:
        """Serve a peer, in a thread of its own."""
        if not self._places.acquire(blocking=False):
            self.shutdown_request(request)
            return
        try:
            super().process_request(request, client_address)
        except BaseException:  # no thread can be started
            self._places.release()
            raise

    def process_request_thread(self, request: Any, client_address: Any) -> None:
        """In that thread."""
        with self._looking:
            self._deadlines[request] = time.monotonic() + LONGEST
        try:
            super().process_request_thread(request, client_address)
        finally:
            self._places.release()

    def shutdown_request(self, request: Any) -> None:
        """At the end of a request, or instead of it."""
        with self._looking:
            self._deadlines.pop(request, None)
        super().shutdown_request(request)

    def service_actions(self) -> None:
        """Now and then, in the thread that accepts: leave the peers that have had their time."""
        now = time.monotonic()
        with self._looking:
            for request, deadline in self._deadlines.items():
                if now >= deadline:
                    # What reads or writes there ends with an error, in its own thread.
                    with contextlib.suppress(OSError):
                        request.shutdown(socket.SHUT_RDWR)

    def handle_error(self, request: Any, client_address: Any) -> None:
        """Log what went wrong."""
        is_of_the_peer = isinstance(sys.exception(), OSError)
        logger.log(logging.DEBUG if is_of_the_peer else logging.ERROR, "a scrape failed", exc_info=True)

    def leave_to_parent(self) -> None:
        """In the child of a fork: it must not hold the port when the filter is gone."""
        self.socket.close()
