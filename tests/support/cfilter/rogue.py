"""A peer that is no milter: a plain socket server that does to the client what a test tells it to."""

from __future__ import annotations

import contextlib
import socket
import struct
import threading
from collections.abc import Callable, Iterator

from pymilter.testing import temporary_socket
from support.packets import packet, read_packet

AGREE = struct.pack("!III", 6, 0x1FF, 0)


def read_command(conn: socket.socket) -> bytes:
    """The next packet that is no macro."""
    while (data := read_packet(conn)).startswith(b"D"):
        pass
    return data


@contextlib.contextmanager
def rogue(script: Callable[[socket.socket], None], *, agree: bytes | None = AGREE) -> Iterator[str]:
    """Serve one connection with `script` in a thread, after a negotiation that answers `agree` (None: none).

    The connection is closed when the script returns; an exception in it fails the test.
    """
    errors: list[BaseException] = []

    def serve(listener: socket.socket) -> None:
        try:
            conn, _ = listener.accept()
            with conn:
                conn.settimeout(20)
                if agree is not None:
                    read_packet(conn)
                    conn.sendall(packet(b"O", agree))
                script(conn)
        except BaseException as error:
            errors.append(error)

    with temporary_socket() as address, socket.socket(socket.AF_UNIX) as listener:
        listener.bind(address.removeprefix("unix:"))
        listener.listen(1)
        listener.settimeout(20)
        thread = threading.Thread(target=serve, args=(listener,))
        thread.start()
        try:
            yield address
        finally:
            thread.join(30)
    assert not thread.is_alive()
    if errors:
        raise errors[0]


def until_closed(conn: socket.socket) -> None:
    """Read until the client closes, answering nothing."""
    with contextlib.suppress(ConnectionResetError):
        while conn.recv(65536):
            pass
