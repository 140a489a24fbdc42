"""The listening socket: opening it where each failure has its errno, and removing its file."""

import contextlib
import errno
import logging
import os
import socket
import stat

from pymilter._serve.access import UNCHANGED, Access, give_access
from pymilter._serve.address import Address, bound_address, cannot_listen
from pymilter._serve.inherited import adopt
from pymilter._serve.lock import opening

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
    try:
        mode = os.lstat(address.path).st_mode
    except FileNotFoundError:
        return
    if not stat.S_ISSOCK(mode):
        raise cannot_listen(errno.ENOTSOCK, address, "the file there is not a socket")
    with socket.socket(socket.AF_UNIX) as probe:
        # A filter that hangs, with as many connections waiting as the system lets wait, would keep a probe that blocks.
        probe.setblocking(False)
        code = probe.connect_ex(address.path)
    if code == errno.ECONNREFUSED:
        with contextlib.suppress(FileNotFoundError):
            os.unlink(address.path)  # noqa: PTH108 - without pathlib, which is large
    elif code in (0, errno.EAGAIN, errno.EINPROGRESS):
        raise cannot_listen(errno.EADDRINUSE, address, "another program serves it")
    elif code != errno.ENOENT:
        raise cannot_listen(code, address, f"cannot find out who serves the socket there: {os.strerror(code)}")


class OwnSocket(socket.socket):
    """A listening socket that we have opened; `inode` is that of its file, or 0."""

    inode = 0


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
    if len(os.fsencode(address.path)) > 107:
        raise cannot_listen(errno.ENAMETOOLONG, address, "the path is longer than 107 bytes")
    listener = OwnSocket(address.family, socket.SOCK_STREAM)
    try:
        if address.family == socket.AF_UNIX:
            with opening(address):
                if remove_stale:
                    _remove_stale(address)
                _listen(listener, address, backlog, access)
        else:
            listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
            if address.family == socket.AF_INET6:
                listener.setsockopt(socket.IPPROTO_IPV6, socket.IPV6_V6ONLY, 1)
            _listen(listener, address, backlog, access)
    except BaseException:
        listener.close()
        raise
    return listener


def _listen(listener: OwnSocket, address: Address, backlog: int, access: Access) -> None:
    where = _bind_address(address)
    try:
        listener.bind(where)
        if address.family == socket.AF_UNIX:
            listener.inode = os.lstat(address.path).st_ino
        if access.is_given():
            give_access(address, access)
        listener.listen(backlog)
    except OSError as error:
        if listener.inode:
            remove_socket(address, listener.inode)
        if str(address) in str(error):
            raise
        raise cannot_listen(error.errno or errno.EINVAL, address, error.strerror or str(error)) from error


def remove_socket(address: Address, inode: int) -> None:
    """Remove the unix socket that was opened as `inode`, unless another filter has put its own there."""
    try:
        if os.lstat(address.path).st_ino == inode:
            os.unlink(address.path)  # noqa: PTH108 - without pathlib, which is large
    except FileNotFoundError:
        pass
    except OSError as error:
        # After user=, its folder may be closed to us. The next start finds nobody at the socket and replaces it.
        logger.warning("cannot remove the socket %s: %s", address, error.strerror)


def inode_of(listener: socket.socket) -> int:
    """The inode of the file that a listening socket of ours has made; 0 if there is none to remove."""
    return listener.inode if isinstance(listener, OwnSocket) else 0


def discard_listener(listener: socket.socket) -> None:
    """Close a listening socket that is not to be served any more, and remove it where it is a unix socket."""
    if listener.fileno() < 0:
        return
    # The file goes first: once the socket is closed, another filter may put its own there.
    if inode := inode_of(listener):
        remove_socket(bound_address(listener), inode)
    listener.close()
