"""A socketserver in a thread of its own."""

from __future__ import annotations

import socketserver
import threading
from types import TracebackType
from typing import Self


class InThread:
    """A socketserver that serves in a thread of its own, from `with` to its end, and is closed then."""

    def __init__(self, server: socketserver.UDPServer | socketserver.TCPServer) -> None:
        self._server = server
        self._thread = threading.Thread(target=server.serve_forever, args=(0.02,))

    @property
    def port(self) -> int:
        """The port of the server."""
        return int(self._server.socket.getsockname()[1])

    def __enter__(self) -> Self:
        self._thread.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._server.shutdown()
        self._thread.join()
        self._server.server_close()
