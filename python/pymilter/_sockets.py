"""The listening socket: libmilter's notation for its address, and opening it where each failure has its errno."""

import errno
import grp
import logging
import os
import pwd
import socket
import stat
from dataclasses import dataclass
from pathlib import Path
from typing import Final

logger = logging.getLogger("pymilter")

FORMS: Final = "inet:PORT@HOST, inet6:PORT@HOST, unix:PATH, local:PATH, a path, fd:NUMBER, systemd: or systemd:NAME"
FIRST_SYSTEMD_DESCRIPTOR: Final = 3  # SD_LISTEN_FDS_START


@dataclass(frozen=True, slots=True)
class Address:
    """Where to listen, or where a socket listens: a path, or a host and a port."""

    family: socket.AddressFamily
    path: str = ""
    host: str = ""
    port: int = 0
    inherited: str = ""  # fd:NUMBER or systemd:NAME, where somebody else has opened it

    def __str__(self) -> str:
        if self.inherited:
            return self.inherited
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
    if kind == "fd":
        if not (rest.isascii() and rest.isdigit()):
            raise ValueError(f"socket is {text!r}: {rest!r} is not the number of a descriptor")
        return Address(socket.AF_UNSPEC, inherited=f"fd:{int(rest)}")
    if kind == "systemd":
        return Address(socket.AF_UNSPEC, inherited=f"systemd:{rest}")
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


class InheritedSocket(socket.socket):
    """A listening socket that was open before; its file, where it has one, stays when the filter stops."""


@dataclass(frozen=True, slots=True)
class Access:
    """Who may connect to a unix socket: permission bits, and numbers of its owner and group; None leaves them."""

    mode: int | None = None
    owner: int | None = None
    group: int | None = None

    def is_given(self) -> bool:
        """Whether anything is to be changed."""
        return self != Access()


def parse_access(mode: int | None, owner: str | int | None, group: str | int | None) -> Access:
    """Look up names. Raises ValueError for a mode that is none, and for names that the system does not know."""
    if mode is not None and not 0 <= mode <= 0o777:
        raise ValueError(f"socket mode is {mode:#o}: it must be from 0 to 0o777")
    return Access(mode, user_number(owner), group_number(group))


def user_number(user: str | int | None) -> int | None:
    """Number of a user given by name or number. Raises ValueError when there is none of that name."""
    if user is None or isinstance(user, int):
        return user
    try:
        return pwd.getpwnam(user).pw_uid
    except KeyError:
        raise ValueError(f"there is no user {user!r}") from None


def group_number(group: str | int | None) -> int | None:
    """Number of a group given by name or number. Raises ValueError when there is none of that name."""
    if group is None or isinstance(group, int):
        return group
    try:
        return grp.getgrnam(group).gr_gid
    except KeyError:
        raise ValueError(f"there is no group {group!r}") from None


def _give_access(address: Address, access: Access) -> None:
    """Before listen(): until then nobody can connect, whatever the mode is."""
    # Through a descriptor that follows no link, so that nobody who may write to the folder can turn it elsewhere.
    descriptor = os.open(address.path, os.O_PATH | os.O_NOFOLLOW)
    try:
        if not stat.S_ISSOCK(os.fstat(descriptor).st_mode):
            raise _fail(errno.ENOTSOCK, address, "another file has taken the place of the socket")
        there = f"/proc/self/fd/{descriptor}"
        if access.owner is not None or access.group is not None:
            os.chown(there, -1 if access.owner is None else access.owner, -1 if access.group is None else access.group)
        if access.mode is not None:
            Path(there).chmod(access.mode)
    finally:
        os.close(descriptor)


def _inherited_descriptor(address: Address) -> int:
    kind, _, rest = address.inherited.partition(":")
    if kind == "fd":
        return int(rest)
    if os.environ.get("LISTEN_PID") != str(os.getpid()):
        raise _fail(errno.EBADF, address, "systemd has passed no socket to this process (LISTEN_PID)")
    count = int(os.environ.get("LISTEN_FDS", "0"))
    names = os.environ.get("LISTEN_FDNAMES", "").split(":") if os.environ.get("LISTEN_FDNAMES") else []
    if not rest:
        if count != 1:
            raise _fail(errno.EBADF, address, f"systemd has passed {count} sockets: name one ({', '.join(names)})")
        return FIRST_SYSTEMD_DESCRIPTOR
    if rest not in names[:count]:
        raise _fail(errno.EBADF, address, f"systemd has passed no socket of this name, but: {', '.join(names)}")
    return FIRST_SYSTEMD_DESCRIPTOR + names.index(rest)


def _adopt(address: Address) -> socket.socket:
    try:
        listener = InheritedSocket(fileno=os.dup(_inherited_descriptor(address)))
    except OSError as error:
        if str(address) in str(error):
            raise
        raise _fail(error.errno or errno.EBADF, address, error.strerror or str(error)) from error
    if listener.type != socket.SOCK_STREAM or not listener.getsockopt(socket.SOL_SOCKET, socket.SO_ACCEPTCONN):
        listener.close()
        raise _fail(errno.EINVAL, address, "it is not a stream socket that listens")
    return listener


def open_listener(
    address: Address,
    *,
    backlog: int,
    remove_stale: bool = True,
    access: Access = Access(),
) -> socket.socket:
    """Open a listening stream socket. Raises OSError with errno and the address when that fails."""
    if access.is_given() and address.family != socket.AF_UNIX:
        raise ValueError(f"{address} is not a unix socket of ours: it has no mode, owner or group")
    if address.inherited:
        return _adopt(address)
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
            if access.is_given():
                _give_access(address, access)
            listener.listen(backlog)
        except OSError as error:
            if is_bound_path(listener):
                Path(address.path).unlink(missing_ok=True)
            raise _fail(error.errno or errno.EINVAL, address, error.strerror or str(error)) from error
    except BaseException:
        listener.close()
        raise
    return listener


def is_bound_path(listener: socket.socket) -> bool:
    """Whether it is a unix socket that has made its file."""
    return listener.family == socket.AF_UNIX and bool(listener.getsockname())


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
    except OSError as error:
        # After user=, its folder may be closed to us. The next start finds nobody at the socket and replaces it.
        logger.warning("cannot remove the socket %s: %s", address, error.strerror)


def is_ours(listener: socket.socket) -> bool:
    """Whether it is a unix socket that we have made and have to remove."""
    return listener.family == socket.AF_UNIX and not isinstance(listener, InheritedSocket)


def discard_listener(listener: socket.socket) -> None:
    """Close a listening socket that is not to be served after all, and remove it where it is a unix socket."""
    address = bound_address(listener)
    inode = Path(address.path).lstat().st_ino if is_ours(listener) else 0
    listener.close()
    if inode:
        remove_socket(address, inode)
