"""Reads messages that name charsets nobody knows, and headers of any size: `memory_of_texts.py COUNT` measures itself.

It prints how many more blocks of memory, and how many more bytes, are in use after COUNT messages than after a few
hundred.
"""

from __future__ import annotations

import ctypes
import gc
import io
import sys

import mime
from Milter import utils

BOUNDARY = "b1"


def message(number: int) -> bytes:
    """Return a message with names that no other message has, and headers too long for a cache."""
    name = f"x-{number}-" + "n" * 50
    long = f"{number:06}" * 500
    return f"""\
Subject: =?{name}a?q?caf=e9?= =?{name}b*en?b?w6k=?=
From: =?{name}c?q?=e9?= <a@b.example>
Content-Type: multipart/mixed; boundary="{BOUNDARY}"; x="{long}"

--{BOUNDARY}
Content-Type: text/html; charset={name}d; name*={name}e''caf%E9; x="{long}"
Content-Disposition: attachment; filename="=?{name}f?q?=e9.exe?="; y="{long}"
Content-Transfer-Encoding: quoted-printable

<p>caf=E9<script>1</script>
--{BOUNDARY}
Content-Type: text/plain; charset={name}g; z="{long}"
Content-Transfer-Encoding: 8bit

caf\xe9
--{BOUNDARY}
Content-Type: text/plain; charset={name}h

caf\xe9
--{BOUNDARY}--
""".encode("latin-1")


def use(raw: bytes) -> None:
    """Do with a message what filters do."""
    msg = mime.message_from_file(io.BytesIO(raw))
    for part in msg.walk():
        part.get_payload()
        part.get_payload(decode=True)
        part.get_content_charset()
        part.get_filename()
        part.get_params()
        part.as_string()
    for name in ("subject", "from"):
        utils.parse_header(str(msg[name]))
    part = msg.get_payload(2)
    part.set_payload("café ü\n")
    part.get_payload()
    mime.defang(msg, "/saved", scan_zip=True)
    msg["X"] = "y"
    msg.as_bytes()
    msg.as_string()


class _Mallinfo(ctypes.Structure):
    _fields_ = [
        (name, ctypes.c_size_t)
        for name in ("arena", "ordblks", "smblks", "hblks", "hblkhd", "usmblks", "fsmblks", "used", "free", "top")
    ]


def measure() -> tuple[int, int]:
    gc.collect()
    mallinfo = getattr(ctypes.CDLL(None), "mallinfo2", None)
    if mallinfo is None:
        return sys.getallocatedblocks(), 0
    mallinfo.restype = _Mallinfo
    found = mallinfo()
    return sys.getallocatedblocks(), found.used + found.hblkhd


def main(count: int) -> None:
    for number in range(200):
        use(message(number))
    first = measure()
    for number in range(200, 200 + count):
        use(message(number))
    last = measure()
    print(last[0] - first[0], last[1] - first[1])


if __name__ == "__main__":
    main(int(sys.argv[1]))
