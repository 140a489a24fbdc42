"""Opening the listening socket: every failure is an OSError with errno and the address."""

import contextlib
import errno
import os
import socket
import stat

from pymilter._process.own_file import OwnFile
from pymilter._serve.access import UNCHANGED, Access, give_access
from pymilter._serve.address import Address, cannot_listen
from pymilter._serve.inherited import adopt
from pymilter._serve.listener import Listener
from pymilter._serve.lock import opening


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
    """Remove a socket that nobody serves; never another kind of file, and never the socket of a live filter."""
    try:
        mode = os.lstat(address.path).st_mode
    except FileNotFoundError:
        return
    if not stat.S_ISSOCK(mode):
        raise cannot_listen(errno.ENOTSOCK, address, "the file there is not a socket")
    with socket.socket(socket.AF_UNIX) as probe:
        # A blocking probe would hang at a filter that hangs with a full queue of connections.
        probe.setblocking(False)
        code = probe.connect_ex(address.path)
    if code == errno.ECONNREFUSED:
        with contextlib.suppress(FileNotFoundError):
            os.unlink(address.path)  # noqa: PTH108 - without pathlib, which is large
    elif code in (0, errno.EAGAIN, errno.EINPROGRESS):
        raise cannot_listen(errno.EADDRINUSE, address, "another program serves it")
    elif code != errno.ENOENT:
        raise cannot_listen(code, address, f"cannot find out who serves the socket there: {os.strerror(code)}")


def open_listener(
    address: Address,
    *,
    backlog: int,
    remove_stale: bool = True,
    access: Access = UNCHANGED,
) -> Listener:
    """Open a listening stream socket. Raises OSError with errno and the address when that fails."""
    if address.inherited:
        return adopt(address)
    if len(os.fsencode(address.path)) > 107:
        raise cannot_listen(errno.ENAMETOOLONG, address, "the path is longer than 107 bytes")
    listener = Listener(address.family, socket.SOCK_STREAM)
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


def _listen(listener: Listener, address: Address, backlog: int, access: Access) -> None:
    where = _bind_address(address)
    try:
        listener.bind(where)
        if address.family == socket.AF_UNIX:
            listener.file = OwnFile(address.path, f"socket {address}")
        if access.is_given():
            give_access(address, access)
        listener.listen(backlog)
    except OSError as error:
        if listener.file is not None:
            listener.file.remove()
        if str(address) in str(error):
            raise
        raise cannot_listen(error.errno or errno.EINVAL, address, error.strerror or str(error)) from error
