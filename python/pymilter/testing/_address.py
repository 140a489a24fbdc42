"""Socket addresses in libmilter's notation: reading them, connecting, and finding free ones for tests."""

from __future__ import annotations

import contextlib
import os
import shutil
import socket
import struct
import tempfile
from collections.abc import Iterator
from pathlib import Path

from pymilter._serve.address import Address as FilterAddress
from pymilter._serve.address import parse_address

from ._errors import FilterTimeout, FilterUnreachable


class Address(FilterAddress):
    """Where a filter listens, as the filter reads it, and a way to connect to it."""

    __slots__ = ()

    @classmethod
    def parse(cls, text: str | os.PathLike[str]) -> Address:
        """Read an address as the filter does: `unix:/path`, `local:/path`, a path, `inet:port@host`, `inet6:port@host`.

        A missing host is the loopback address, because that is where a test connects to.

        Raises:
            ValueError: it is none of these.
        """
        where = parse_address(os.fspath(text))
        if where.inherited:
            raise ValueError(f"socket is {where.inherited!r}: a client cannot connect to it")
        if where.family == socket.AF_UNIX:
            return cls(where.family, path=where.path)
        if where.port == 0:
            raise ValueError(f"socket is {os.fspath(text)!r}: a port from 1 to 65535 is needed")
        loopback = "::1" if where.family == socket.AF_INET6 else "127.0.0.1"
        return cls(where.family, host=where.host or loopback, port=where.port)

    def connect(self, timeout: float) -> socket.socket:
        """A connected socket. Nagle's algorithm stays on, as in an MTA.

        Raises:
            FilterUnreachable: nobody listens there, or the name cannot be resolved.
            FilterTimeout: no answer within `timeout` seconds.
        """
        sock = socket.socket(self.family, socket.SOCK_STREAM)
        try:
            if self.family == socket.AF_UNIX:
                # With settimeout(), connect() fails with EAGAIN if the filter's queue is full; an MTA waits there.
                seconds, fraction = divmod(timeout, 1.0)
                limit = struct.pack("@ll", int(seconds), max(1, int(fraction * 1_000_000)))
                sock.setsockopt(socket.SOL_SOCKET, socket.SO_SNDTIMEO, limit)
                sock.connect(self.path)
            else:
                sock.settimeout(timeout)
                sock.connect((self.host, self.port))
        except (TimeoutError, BlockingIOError):
            sock.close()
            raise FilterTimeout(f"no connection to {self} within {timeout:g} s") from None
        except OSError as error:
            sock.close()
            raise FilterUnreachable(f"cannot connect to {self}: {error.strerror or error}") from error
        return sock


def free_port(host: str = "127.0.0.1") -> int:
    """A TCP port of `host` that nobody listens on now."""
    family = socket.AF_INET6 if ":" in host else socket.AF_INET
    with socket.socket(family, socket.SOCK_STREAM) as sock:
        sock.bind((host, 0))
        port: int = sock.getsockname()[1]
        return port


@contextlib.contextmanager
def temporary_socket(name: str = "filter.sock") -> Iterator[str]:
    """The address `unix:/path` of a socket in a new folder of its own, removed at the end.

    The path is short: a unix socket's may have 107 bytes on Linux, 103 elsewhere.
    """
    folder = tempfile.mkdtemp(prefix="milter-", dir="/tmp" if Path("/tmp").is_dir() else None)
    try:
        yield f"unix:{folder}/{name}"
    finally:
        shutil.rmtree(folder, ignore_errors=True)
