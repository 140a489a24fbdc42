"""Replaces a part by a warning."""

from __future__ import annotations

import socket

from ._message import MimeMessage

#: The warning. Its %s are the file name, the name of this host, and the name under which the message was saved. A
#: program may set another text in pymilter.mime (or mime).
virus_msg = """\
This message appeared to contain a virus.
It was originally named '%s', and has been removed.
A copy of your original message was saved as '%s:%s'.
See your administrator.
"""

_LONGEST_NAME = 200


def replace_by_warning(msg: MimeMessage, name: object, savname: str | None) -> None:
    """Replace the content of a part by the warning that it was removed. `name` is the name that it had."""
    from pymilter.mime import virus_msg as warning  # read here, because programs set it there

    # The sender chose the name. If it could end a line, it could add headers and parts.
    shown = "".join(char if char.isprintable() else "?" for char in str(name)[:_LONGEST_NAME])
    try:
        text = warning % (shown, socket.gethostname(), savname)
    except (TypeError, ValueError):  # a program's own text, without these %s
        text = warning
    del msg["content-type"]
    del msg["content-disposition"]
    del msg["content-transfer-encoding"]
    for field in {field for field in msg.keys() if "=" in field}:  # noqa: SIM118 - some clients read a parameter there
        del msg[field]
    msg.drop_stray_lines()
    msg.set_payload_bytes(b"")
    msg["Content-Type"] = "text/plain; name=WARNING.TXT"
    msg.too_complex = False
    msg.removed = shown
    msg.set_payload(text)
