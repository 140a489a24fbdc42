"""A proxy between an MTA and a filter that records every packet from the MTA: what a filter really receives."""

from __future__ import annotations

import contextlib
import os
import socket
import threading
from dataclasses import dataclass
from types import TracebackType
from typing import Self

from pymilter.testing._address import Address
from support.packets import packet, read_packet


@dataclass(frozen=True)
class Told:
    """One command of the MTA: the byte, its payload, and the macros that came just before it."""

    command: str
    payload: bytes
    macros: tuple[tuple[str, str], ...] = ()


class Recorder:
    """Listens on the unix socket `path` and passes each connection on to `target`, which may change in between.

    The proxy and the MTA may run as different users, so the socket is open to all.
    """

    def __init__(self, path: str) -> None:
        self.address = f"unix:{path}"
        self.target = ""
        self._path = path
        self._packets: list[bytes] = []
        self._open = 0
        self._changed = threading.Condition()
        self._listener = socket.socket(socket.AF_UNIX)
        self._thread = threading.Thread(target=self._accept, name="recorder")

    def __enter__(self) -> Self:
        self._listener.bind(self._path)
        os.chmod(self._path, 0o777)  # noqa: PTH101 - a socket
        self._listener.listen(16)
        self._thread.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._listener.shutdown(socket.SHUT_RDWR)
        self._thread.join()
        self._listener.close()

    def take(self, timeout: float = 20.0) -> list[Told]:
        """Wait until no connection is open, and return and forget what the MTA has said."""
        with self._changed:
            if not self._changed.wait_for(lambda: not self._open, timeout):
                raise TimeoutError(f"the MTA keeps its connection to the filter after {timeout} s")
            packets, self._packets = self._packets, []
        told: list[Told] = []
        macros: dict[str, list[tuple[str, str]]] = {}
        for data in packets:
            if data[:1] == b"D":
                parts = [part.decode("utf-8", "surrogateescape") for part in data[2:].split(b"\0")[:-1]]
                macros[data[1:2].decode()] = list(zip(parts[::2], parts[1::2], strict=True))
                continue
            command = data[:1].decode()
            told.append(Told(command, data[1:], tuple(macros.pop(command, ()))))
        return told

    def _accept(self) -> None:
        while True:
            try:
                peer, _ = self._listener.accept()
            except OSError:
                return
            with self._changed:
                self._open += 1
            threading.Thread(target=self._serve, args=(peer,)).start()

    def _serve(self, peer: socket.socket) -> None:
        try:
            if not self.target:
                peer.close()
                return
            with peer, Address.parse(self.target).connect(10) as target:
                target.settimeout(None)
                back = threading.Thread(target=_copy, args=(target, peer))
                back.start()
                with contextlib.suppress(OSError):
                    while sent := read_packet(peer):
                        with self._changed:
                            self._packets.append(sent)
                        target.sendall(packet(sent[:1], sent[1:]))
                    target.shutdown(socket.SHUT_WR)
                back.join()
        finally:
            with self._changed:
                self._open -= 1
                self._changed.notify_all()


def _copy(source: socket.socket, target: socket.socket) -> None:
    with contextlib.suppress(OSError):
        while data := source.recv(65536):
            target.sendall(data)
        target.shutdown(socket.SHUT_WR)
