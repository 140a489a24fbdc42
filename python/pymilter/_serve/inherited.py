"""Listening sockets that somebody else has opened: fd:NUMBER, and those that systemd passes (sd_listen_fds(3))."""

import errno
import os
import socket
from typing import Final

from pymilter._serve.address import Address, cannot_listen
from pymilter._serve.listener import Listener

FIRST_SYSTEMD_DESCRIPTOR: Final = 3  # SD_LISTEN_FDS_START


def _inherited_descriptor(address: Address) -> int:
    kind, _, rest = address.inherited.partition(":")
    if kind == "fd":
        return int(rest)
    if os.environ.get("LISTEN_PID") != str(os.getpid()):
        raise cannot_listen(errno.EBADF, address, "systemd has passed no socket to this process (LISTEN_PID)")
    count = int(os.environ.get("LISTEN_FDS", "0"))
    names = os.environ.get("LISTEN_FDNAMES", "").split(":") if os.environ.get("LISTEN_FDNAMES") else []
    if not rest:
        if count != 1:
            raise cannot_listen(
                errno.EBADF, address, f"systemd has passed {count} sockets: name one ({', '.join(names)})"
            )
        return FIRST_SYSTEMD_DESCRIPTOR
    if rest not in names[:count]:
        raise cannot_listen(errno.EBADF, address, f"systemd has passed no socket of this name, but: {', '.join(names)}")
    return FIRST_SYSTEMD_DESCRIPTOR + names.index(rest)


def adopt(address: Address) -> Listener:
    """Take the socket that `address` names. Raises OSError with errno if there is none that listens."""
    try:
        descriptor = os.dup(_inherited_descriptor(address))
        try:
            listener = Listener(fileno=descriptor)
        except BaseException:
            os.close(descriptor)
            raise
    except OSError as error:
        if str(address) in str(error):
            raise
        raise cannot_listen(error.errno or errno.EBADF, address, error.strerror or str(error)) from error
    if listener.type != socket.SOCK_STREAM or not listener.getsockopt(socket.SOL_SOCKET, socket.SO_ACCEPTCONN):
        listener.close()
        raise cannot_listen(errno.EINVAL, address, "it is not a stream socket that listens")
    return listener
