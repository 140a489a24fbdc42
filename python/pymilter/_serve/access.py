"""Who may connect to a unix socket: its mode, owner and group; and the numbers of users and groups."""

import errno
import grp
import os
import pwd
import socket
import stat
from typing import Final, NamedTuple

from pymilter._serve.address import Address, cannot_listen


class Access(NamedTuple):
    """Who may connect to a unix socket: permission bits, and numbers of owner and group; None changes nothing."""

    mode: int | None = None
    owner: int | None = None
    group: int | None = None

    def is_given(self) -> bool:
        """Whether anything is to be changed."""
        return self != UNCHANGED


UNCHANGED: Final = Access()


def check_access(address: Address, access: Access) -> None:
    """Raise ValueError if `access` is given and `address` can have none."""
    if access.is_given() and address.family != socket.AF_UNIX:
        raise ValueError(f"{address} is not a unix socket of ours: it has no mode, owner or group")


def user_number(user: str | int | None) -> int | None:
    """Return the number of a user given by name or number. Raises ValueError if there is no user of that name."""
    if user is None or isinstance(user, int):
        return user
    try:
        return pwd.getpwnam(user).pw_uid
    except KeyError:
        raise ValueError(f"there is no user {user!r}") from None


def group_number(group: str | int | None) -> int | None:
    """Return the number of a group given by name or number. Raises ValueError if there is no group of that name."""
    if group is None or isinstance(group, int):
        return group
    try:
        return grp.getgrnam(group).gr_gid
    except KeyError:
        raise ValueError(f"there is no group {group!r}") from None


def give_access(address: Address, access: Access) -> None:
    """Set mode, owner and group, before listen(): until then nobody can connect. Raises OSError with the address."""
    if os.chmod in os.supports_follow_symlinks:
        _set(address, address.path, access)
        return
    # Linux: through a descriptor that follows no link, so that nobody who may write to the folder can redirect it.
    descriptor = os.open(address.path, os.O_PATH | os.O_NOFOLLOW)
    try:
        if not stat.S_ISSOCK(os.fstat(descriptor).st_mode):
            raise cannot_listen(errno.ENOTSOCK, address, "another file has taken the place of the socket")
        there = f"/proc/self/fd/{descriptor}"
        if not os.path.exists(there):  # noqa: PTH110 - sockets do without pathlib, which is large
            raise cannot_listen(
                errno.ENOTSUP, address, "socket_mode, socket_owner and socket_group need /proc, which is not there"
            )
        _set(address, there, access)
    finally:
        os.close(descriptor)


def _set(address: Address, path: str, access: Access) -> None:
    # The entry in /proc is a link that must be followed. A plain path must not be, and chmod can do that outside Linux.
    follows = path != address.path
    try:
        if access.owner is not None:
            os.chown(path, access.owner, -1, follow_symlinks=follows)
    except PermissionError as error:
        reason = f"only root can give the socket to user {access.owner} (socket_owner)"
        raise cannot_listen(error.errno or errno.EPERM, address, reason) from error
    try:
        if access.group is not None:
            os.chown(path, -1, access.group, follow_symlinks=follows)
    except PermissionError as error:
        reason = (
            f"this process is neither root nor in group {access.group}, so it cannot give the socket to that"
            " (socket_group; for systemd: SupplementaryGroups=)"
        )
        raise cannot_listen(error.errno or errno.EPERM, address, reason) from error
    if access.mode is not None:
        os.chmod(path, access.mode, follow_symlinks=follows)  # noqa: PTH101 - a Path may not say what follows
