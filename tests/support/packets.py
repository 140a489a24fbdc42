"""Packets of the milter protocol on a plain socket, for peers that are neither a filter nor our client."""

from __future__ import annotations

import socket
import struct


def packet(code: bytes, payload: bytes = b"") -> bytes:
    """Return a packet: length, command byte, payload."""
    return struct.pack("!I", len(payload) + 1) + code + payload


def read_packet(sock: socket.socket) -> bytes:
    """Read the next packet: command byte and payload, or empty bytes at the end of the stream."""
    head = _exactly(sock, 4)
    return _exactly(sock, struct.unpack("!I", head)[0]) if head else b""


def _exactly(sock: socket.socket, size: int) -> bytes:
    data = b""
    while len(data) < size:
        part = sock.recv(size - len(data))
        if not part:
            return b""
        data += part
    return data
