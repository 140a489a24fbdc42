"""The listening socket: opening it where each failure has its errno, and removing its file."""

import errno
import logging
import os
import socket
import stat
from pathlib import Path

from pymilter._access import UNCHANGED, Access, give_access
from pymilter._address import Address, bound_address, cannot_listen
from pymilter._inherited import InheritedSocket, adopt

logger = logging.getLogger("pymilter")


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
        raise cannot_listen(errno.ENOTSOCK, address, "the file there is not a socket")
    with socket.socket(socket.AF_UNIX) as probe:
        try:
            probe.connect(address.path)
        except ConnectionRefusedError:
            path.unlink()
            return
    raise cannot_listen(errno.EADDRINUSE, address, "another program serves it")


def open_listener(
    address: Address,
    *,
    backlog: int,
    remove_stale: bool = True,
    access: Access = UNCHANGED,
) -> socket.socket:
    """Open a listening stream socket. Raises OSError with errno and the address when that fails."""
    if access.is_given() and address.family != socket.AF_UNIX:
        raise ValueError(f"{address} is not a unix socket of ours: it has no mode, owner or group")
    if address.inherited:
        return adopt(address)
    listener = socket.socket(address.family, socket.SOCK_STREAM)
    try:
        if address.family == socket.AF_UNIX:
            if remove_stale:
                _remove_stale(address)
            if len(os.fsencode(address.path)) > 107:
                raise cannot_listen(errno.ENAMETOOLONG, address, "the path is longer than 107 bytes")
        else:
            listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
            if address.family == socket.AF_INET6:
                listener.setsockopt(socket.IPPROTO_IPV6, socket.IPV6_V6ONLY, 1)
        where = _bind_address(address)
        try:
            listener.bind(where)
            if access.is_given():
                give_access(address, access)
            listener.listen(backlog)
        except OSError as error:
            if is_bound_path(listener):
                Path(address.path).unlink(missing_ok=True)
            raise cannot_listen(error.errno or errno.EINVAL, address, error.strerror or str(error)) from error
    except BaseException:
        listener.close()
        raise
    return listener


def is_bound_path(listener: socket.socket) -> bool:
    """Whether it is a unix socket that has made its file."""
    return listener.family == socket.AF_UNIX and bool(listener.getsockname())


def remove_socket(address: Address, inode: int) -> None:
    """Remove the unix socket that was opened as `inode`, unless another filter has put its own there."""
    path = Path(address.path)
    try:
        if path.lstat().st_ino == inode:
            path.unlink()
    except FileNotFoundError:
        pass
    except OSError as error:
        # After user=, its folder may be closed to us. The next start finds nobody at the socket and replaces it.
        logger.warning("cannot remove the socket %s: %s", address, error.strerror)


def is_ours(listener: socket.socket) -> bool:
    """Whether it is a unix socket that we have made and have to remove."""
    return listener.family == socket.AF_UNIX and not isinstance(listener, InheritedSocket)


def discard_listener(listener: socket.socket) -> None:
    """Close a listening socket that is not to be served any more, and remove it where it is a unix socket."""
    if listener.fileno() < 0:
        return
    address = bound_address(listener)
    inode = Path(address.path).lstat().st_ino if is_ours(listener) else 0
    listener.close()
    if inode:
        remove_socket(address, inode)
