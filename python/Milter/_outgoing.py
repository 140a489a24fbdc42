"""Owns connections that are made on a stranger's word: to public addresses only, with one deadline and one bound."""

import ipaddress
import socket
import threading
import time
from queue import Empty, SimpleQueue
from typing import Any

_MOST_BYTES = 65_536  # of all replies together; some hundred are usual

_NAT64 = ipaddress.IPv6Network("64:ff9b::/96")

IpAddress = ipaddress.IPv4Address | ipaddress.IPv6Address


class NotPublicError(OSError):
    """The host has no address that may be connected to."""


class Connection(socket.socket):
    """A connection to the first address of a host that answers, closed at the end of a `with`.

    `deadline` (of time.monotonic) is for everything: looking the host up, connecting, and all that is sent and
    received. Raises TimeoutError once it has passed, and OSError when the peer has sent more than 64 KiB.
    """

    def __init__(self, host: str, port: int, deadline: float, most_seconds: float, allow_private: bool) -> None:
        """Connect; one address gets at most `most_seconds`. NotPublicError for a host without a public address."""
        self._deadline = deadline
        self._left = _MOST_BYTES
        found = _look_up(host, port, deadline)
        # The address that was checked is the one that is connected to: asked again, DNS might say something else.
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
        """What is left to do may take so many seconds at most."""
        self._deadline = min(self._deadline, time.monotonic() + seconds)

    def _remaining(self) -> float:
        left = self._deadline - time.monotonic()
        if left <= 0:
            raise TimeoutError("the time for the whole exchange is over")
        return left

    def recv_into(self, buffer: Any, nbytes: int = 0, flags: int = 0) -> int:
        """As socket.socket's; this is what files made of a socket call."""
        self.settimeout(self._remaining())
        size = super().recv_into(buffer, nbytes, flags)
        self._left -= size
        if self._left < 0:
            raise OSError(f"the server has sent more than {_MOST_BYTES} bytes")
        return size

    def sendall(self, data: Any, flags: int = 0) -> None:
        """As socket.socket's."""
        self.settimeout(self._remaining())
        super().sendall(data, flags)


def _look_up(host: str, port: int, deadline: float) -> list[tuple[socket.AddressFamily, Any]]:
    """Families and addresses of a host. The thread that waits for DNS is left alone when the time is over."""
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
    """Whether an address is one of the public internet, and so is the IPv4 address in it, if there is one."""
    if isinstance(address, ipaddress.IPv6Address):
        inner = address.ipv4_mapped or address.sixtofour or (address.teredo or [None])[0]
        if inner is None and address in _NAT64:
            inner = ipaddress.IPv4Address(int(address) & 0xFFFFFFFF)
        if inner is not None:
            return is_public(inner)
        if address.is_site_local:
            return False
    return address.is_global and not (address.is_multicast or address.is_reserved)
