"""Packets from peers that violate the milter protocol."""

from __future__ import annotations

import struct

NEGOTIATION = struct.pack("!I", 13) + b"O" + struct.pack("!III", 6, 0x1FF, 0x1FFFFF)

BLOWS: dict[str, bytes] = {
    "silence": b"",
    "half_a_length": b"\0\0",
    "half_a_packet": NEGOTIATION[:9],
    "four_gigabytes": b"\xff\xff\xff\xff" + b"O" * 100,
    "nothing_long": b"\0\0\0\0" * 50,
    "garbage": bytes(range(256)) * 20,
    "unknown_command": NEGOTIATION + struct.pack("!I", 1) + b"~",
    "out_of_order": NEGOTIATION + struct.pack("!I", 1) + b"E" + struct.pack("!I", 1) + b"T",
    "connect_without_end": NEGOTIATION + struct.pack("!I", 5) + b"Chost",
    "mail_without_end": NEGOTIATION + struct.pack("!I", 4) + b"M<a>",
    "header_without_value": NEGOTIATION + struct.pack("!I", 2) + b"L\0",
    "macros_without_end": NEGOTIATION + struct.pack("!I", 4) + b"DCab",
}
