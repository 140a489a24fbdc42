"""Giving up the rights of root, once everything that needs them is open."""

import os
import pwd

from pymilter._serve.access import group_number, user_number


def drop_privileges(user: str | int | None, group: str | int | None) -> None:
    """Become `user` for good, with its groups, and `group` as the first one. Raises ValueError and OSError.

    With `group` alone, no other group is left. A process that is that user and group already, as under systemd's User=,
    has nothing to give up.
    """
    user_id, group_id = user_number(user), group_number(group)
    if user_id is None and group_id is None:
        return
    name = None
    if user_id is not None:
        try:
            entry = pwd.getpwuid(user_id)
        except KeyError:
            raise ValueError(f"there is no user {user_id}, whose groups would be needed") from None
        name = entry.pw_name
        group_id = entry.pw_gid if group_id is None else group_id
    if _is_already(user_id, group_id):
        return
    try:
        if name is not None and group_id is not None:
            os.initgroups(name, group_id)
        else:
            os.setgroups([])
        if group_id is not None:
            os.setgid(group_id)
        if user_id is not None:
            os.setuid(user_id)
    except PermissionError as error:
        wish = " and ".join(f"{what}={who!r}" for what, who in (("user", user), ("group", group)) if who is not None)
        raise PermissionError(
            error.errno, f"{wish}: only root can become another, and this is user {os.geteuid()}"
        ) from error


def _is_already(user_id: int | None, group_id: int | None) -> bool:
    is_user = user_id is None or os.getresuid() == (user_id,) * 3
    is_group = os.getresgid() == (group_id,) * 3
    return os.geteuid() != 0 and is_user and is_group
