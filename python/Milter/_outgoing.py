"""Connections to hosts that a stranger names: public addresses only, one deadline, and a limit on bytes received."""

import ipaddress
import socket
import threading
import time
from queue import Empty, SimpleQueue
from typing import Any

_MOST_BYTES = 65_536  # of all replies together; a few hundred are usual

_NAT64 = ipaddress.IPv6Network("64:ff9b::/96")

IpAddress = ipaddress.IPv4Address | ipaddress.IPv6Address


class NotPublicError(OSError):
    """The host has no address that we may connect to."""


class Connection(socket.socket):
    """A connection to the first address of a host that answers, closed at the end of a `with`.

    `deadline` (of time.monotonic) covers everything: the lookup, connecting, sending and receiving. Raises TimeoutError
    once it has passed, and OSError if the peer has sent more than 64 KiB.
    """

    def __init__(self, host: str, port: int, deadline: float, most_seconds: float, allow_private: bool) -> None:
        """Connect to the first address that answers.

        Args:
            host: The name or address of the host.
            port: The TCP port.
            deadline: When everything must be done, on the clock of time.monotonic.
            most_seconds: How long connecting to one address may take.
            allow_private: Whether to connect to addresses that are not public.

        Raises:
            NotPublicError: The host has no public address.
        """
        self._deadline = deadline
        self._left = _MOST_BYTES
        found = _look_up(host, port, deadline)
        # Connect to the address that was checked: a second lookup might return another one.
        addresses = [place for place in found if allow_private or is_public(ipaddress.ip_address(place[1][0]))]
        if not addresses:
            raise NotPublicError(f"{host} is at {found[0][1][0]}, which is not a public address")
        for family, place in addresses:
            super().__init__(family, socket.SOCK_STREAM)
            try:
                self.settimeout(min(self._remaining(), most_seconds))
                self.connect(place)
            except OSError as error:
                self.close()
                failure = error
            else:
                return
        raise failure

    def hurry(self, seconds: float) -> None:
        """Let the rest of the exchange take at most this many seconds."""
        self._deadline = min(self._deadline, time.monotonic() + seconds)

    def _remaining(self) -> float:
        left = self._deadline - time.monotonic()
        if left <= 0:
            raise TimeoutError("the time for the whole exchange is over")
        return left

    def recv_into(self, buffer: Any, nbytes: int = 0, flags: int = 0) -> int:
        """Like recv_into of socket.socket; files made from the socket call it."""
        self.settimeout(self._remaining())
        size = super().recv_into(buffer, nbytes, flags)
        self._left -= size
        if self._left < 0:
            raise OSError(f"the server has sent more than {_MOST_BYTES} bytes")
        return size

    def sendall(self, data: Any, flags: int = 0) -> None:
        """Like sendall of socket.socket."""
        self.settimeout(self._remaining())
        super().sendall(data, flags)


def _look_up(host: str, port: int, deadline: float) -> list[tuple[socket.AddressFamily, Any]]:
    """Return families and addresses of a host. If time runs out, the thread that waits for DNS is abandoned."""
    results: SimpleQueue[list[tuple[socket.AddressFamily, Any]] | Exception] = SimpleQueue()

    def work() -> None:
        try:
            found = socket.getaddrinfo(host, port, type=socket.SOCK_STREAM)
            results.put([(family, address) for family, _, _, _, address in found])
        except Exception as error:
            results.put(error)

    threading.Thread(target=work, name=f"look up {host[:50]}", daemon=True).start()
    try:
        result = results.get(timeout=max(0, deadline - time.monotonic()))
    except Empty:
        raise TimeoutError(f"no answer from DNS for {host} in time") from None
    if isinstance(result, Exception):
        raise result
    return result


def is_public(address: IpAddress) -> bool:
    """Return whether an address, and the IPv4 address embedded in it if there is one, is public."""
    if isinstance(address, ipaddress.IPv6Address):
        inner = address.ipv4_mapped or address.sixtofour
        if inner is None and address in _NAT64:
            inner = ipaddress.IPv4Address(int(address) & 0xFFFFFFFF)
        if inner is not None:
            return is_public(inner)
        if address.is_site_local:
            return False
    return address.is_global and not (address.is_multicast or address.is_reserved)
