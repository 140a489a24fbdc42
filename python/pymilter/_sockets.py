"""The listening socket: libmilter's notation for its address, and opening it where each failure has its errno."""

import errno
import os
import socket
import stat
from dataclasses import dataclass
from pathlib import Path
from typing import Final

FORMS: Final = "inet:PORT@HOST, inet6:PORT@HOST, unix:PATH, local:PATH or a path"


@dataclass(frozen=True, slots=True)
class Address:
    """Where to listen, or where a socket listens: a path, or a host and a port."""

    family: socket.AddressFamily
    path: str = ""
    host: str = ""
    port: int = 0

    def __str__(self) -> str:
        if self.family == socket.AF_UNIX:
            return f"unix:{self.path}"
        return f"{'inet6' if self.family == socket.AF_INET6 else 'inet'}:{self.port}@{self.host}"


def parse_address(text: str) -> Address:
    """Read an address in libmilter's notation (smfi_setconn). Raises ValueError that says which forms there are."""
    kind, colon, rest = text.partition(":")
    kind = kind.lower()
    if not colon or not kind:
        kind, rest = "unix", text.removeprefix(":")
    if kind in ("unix", "local"):
        return Address(socket.AF_UNIX, path=_checked_path(rest, text))
    if kind in ("inet", "inet6"):
        family = socket.AF_INET6 if kind == "inet6" else socket.AF_INET
        port, _, host = rest.partition("@")
        return Address(family, host=host.strip("[]"), port=_checked_port(port, text))
    raise ValueError(f"socket is {text!r}: {kind!r} is no kind of socket; the forms are {FORMS}")


def _checked_path(path: str, text: str) -> str:
    if not path:
        raise ValueError(f"socket is {text!r}: the path is missing; the forms are {FORMS}")
    return path


def _checked_port(port: str, text: str) -> int:
    if port.isascii() and port.isdigit():
        number = int(port)
        if number > 65535:
            raise ValueError(f"socket is {text!r}: a port is at most 65535")
        return number
    try:
        return socket.getservbyname(port, "tcp")
    except (OSError, ValueError):
        raise ValueError(f"socket is {text!r}: {port!r} is neither a port nor the name of a service") from None


def _fail(code: int, address: Address, reason: str) -> OSError:
    return OSError(code, f"cannot listen on {address}: {reason}")


def _bind_address(address: Address) -> str | tuple[str, int] | tuple[str, int, int, int]:
    if address.family == socket.AF_UNIX:
        return address.path
    try:
        found = socket.getaddrinfo(
            address.host or None, address.port, address.family, socket.SOCK_STREAM, flags=socket.AI_PASSIVE
        )
    except socket.gaierror as error:
        raise OSError(errno.EADDRNOTAVAIL, f"cannot listen on {address}: {error.strerror}") from error
    bind_address: tuple[str, int] | tuple[str, int, int, int] = found[0][4]  # type: ignore[assignment]
    return bind_address


def _remove_stale(address: Address) -> None:
    """Remove a socket that nobody serves; never another file, never a live filter's socket."""
    path = Path(address.path)
    try:
        mode = path.lstat().st_mode
    except FileNotFoundError:
        return
    if not stat.S_ISSOCK(mode):
        raise _fail(errno.ENOTSOCK, address, "the file there is not a socket")
    with socket.socket(socket.AF_UNIX) as probe:
        try:
            probe.connect(address.path)
        except ConnectionRefusedError:
            path.unlink()
            return
    raise _fail(errno.EADDRINUSE, address, "another program serves it")


def open_listener(address: Address, *, backlog: int, remove_stale: bool = True) -> socket.socket:
    """Open a listening stream socket. Raises OSError with errno and the address when that fails."""
    listener = socket.socket(address.family, socket.SOCK_STREAM)
    try:
        if address.family == socket.AF_UNIX:
            if remove_stale:
                _remove_stale(address)
            if len(os.fsencode(address.path)) > 107:
                raise _fail(errno.ENAMETOOLONG, address, "the path is longer than 107 bytes")
        else:
            listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
            if address.family == socket.AF_INET6:
                listener.setsockopt(socket.IPPROTO_IPV6, socket.IPV6_V6ONLY, 1)
        where = _bind_address(address)
        try:
            listener.bind(where)
            listener.listen(backlog)
        except OSError as error:
            raise _fail(error.errno or errno.EINVAL, address, error.strerror or str(error)) from error
    except BaseException:
        listener.close()
        raise
    return listener


def bound_address(listener: socket.socket) -> Address:
    """Where `listener` listens: the port that the system chose, where 0 was asked for."""
    name = listener.getsockname()
    if listener.family == socket.AF_UNIX:
        return Address(socket.AF_UNIX, path=os.fsdecode(name))
    return Address(listener.family, host=name[0], port=name[1])


def remove_socket(address: Address, inode: int) -> None:
    """Remove the unix socket that was opened as `inode`, unless another filter has put its own there."""
    path = Path(address.path)
    try:
        if path.lstat().st_ino == inode:
            path.unlink()
    except FileNotFoundError:
        pass


def discard_listener(listener: socket.socket) -> None:
    """Close a listening socket that is not to be served after all, and remove it where it is a unix socket."""
    address = bound_address(listener)
    inode = Path(address.path).lstat().st_ino if address.family == socket.AF_UNIX else 0
    listener.close()
    if inode:
        remove_socket(address, inode)
