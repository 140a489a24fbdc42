"""Giving up root's rights once the socket is open."""

import os
import pwd

from pymilter._access import group_number, user_number


def drop_privileges(user: str | int | None, group: str | int | None) -> None:
    """Become `user` for good, with its groups, and `group` as the first one. Raises ValueError and OSError."""
    user_id, group_id = user_number(user), group_number(group)
    if user_id is not None:
        try:
            entry = pwd.getpwuid(user_id)
        except KeyError:
            raise ValueError(f"there is no user {user_id}, whose groups would be needed") from None
        group_id = entry.pw_gid if group_id is None else group_id
        os.initgroups(entry.pw_name, group_id)
    if group_id is not None:
        os.setgid(group_id)
    if user_id is not None:
        os.setuid(user_id)
