"""Writes small winmail.dat files (TNEF, MS-OXTNEF)."""

from __future__ import annotations

import struct

_UNICODE, _OBJECT, _BINARY = 0x1F, 0xD, 0x102


def attribute(level: int, number: int, value: bytes) -> bytes:
    return struct.pack("<BHHI", level, number, 6, len(value)) + value + struct.pack("<H", sum(value) & 0xFFFF)


def properties(*values: tuple[int, int, bytes]) -> bytes:
    """Return MAPI properties of one value each: number, type, value."""
    rows = [
        struct.pack("<HHII", kind, number, 1, len(value)) + value + bytes(-len(value) % 4)
        for number, kind, value in values
    ]
    return struct.pack("<I", len(rows)) + b"".join(rows)


def tnef(how: str, name: bytes, page: bytes = b"") -> bytes:
    """Return a winmail.dat with a file of that name, given in one of several ways, or with a page."""
    content = b"MZ\x90\0"
    wide = (name.decode() + "\0").encode("utf-16-le")
    out = attribute(1, 0x9007, struct.pack("<II", 1252, 0)) + attribute(1, 0x8008, b"IPM.Note\0")
    if how == "page":
        out += attribute(1, 0x9003, properties((0x37, _UNICODE, b"s\0\0\0"), (0x1013, _BINARY, page)))
    elif how == "title":
        out += attribute(2, 0x9002, bytes(14)) + attribute(2, 0x8010, name + b"\0") + attribute(2, 0x800F, content)
    elif how == "long name":
        named = properties((0x3707, _UNICODE, wide), (0x3701, _BINARY, content))
        out += attribute(2, 0x9002, bytes(14)) + attribute(2, 0x8010, b"SHORT~1.TXT\0") + attribute(2, 0x9005, named)
    else:
        inner = properties((0x3701, _OBJECT, bytes(16) + tnef("title", name)))
        out += attribute(2, 0x9002, bytes(14)) + attribute(2, 0x9005, inner)
    return b"\x78\x9f\x3e\x22\x01\x00" + out
