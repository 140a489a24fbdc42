"""Finds the files and the HTML page in a winmail.dat: Outlook's TNEF (Microsoft's MS-OXTNEF), in linear time.

The only library for this, tnefparse, loops for hours if the count of properties is wrong, so a sender could stop us.
"""

from __future__ import annotations

import struct
from collections.abc import Iterator

from ._limits import UnreadableError

TNEF_SIGNATURE = b"\x78\x9f\x3e\x22"
_ATTACHMENT = 2  # the level of an attribute that belongs to an attachment; 1 is the message's
_RENDER_DATA, _TITLE, _DATA, _PROPERTIES = 0x9002, 0x8010, 0x800F, 0x9005
_MESSAGE_PROPERTIES = 0x9003
_FILE_NAMES = (0x3001, 0x3704, 0x3707)
_FILE_DATA = 0x3701
_HTML = 0x1013
_INTERFACE = 16  # bytes of the interface's id before an object
#: The sizes of values of fixed size by type, padded to four bytes.
_FIXED = {1: 4, 2: 4, 3: 4, 4: 4, 5: 8, 6: 8, 7: 8, 0xA: 4, 0xB: 4, 0x14: 8, 0x40: 8, 0x48: 16}
_OBJECT, _STRING, _UNICODE, _BINARY = 0xD, 0x1E, 0x1F, 0x102
_SEVERAL, _NAMED = 0x1000, 0x8000

File = tuple[str, str, bytes]


def tnef_files(data: bytes) -> Iterator[File]:
    """Yield name, content type and content of each thing that a mail client may show or save.

    Raises:
        UnreadableError: the file is broken.
    """
    if not data.startswith(TNEF_SIGNATURE):
        return
    names: dict[str, None] = {}
    contents: list[bytes] = []
    for level, attribute, value in _attributes(data):
        if level != _ATTACHMENT:
            if attribute == _MESSAGE_PROPERTIES:
                for number, _, page in _properties(value):
                    if number == _HTML:
                        yield "", "text/html", page
            continue
        if attribute == _RENDER_DATA:  # the next attachment begins
            yield from _files(names, contents)
            names, contents = {}, []
        elif attribute == _TITLE:
            names[_text(value, _STRING)] = None
        elif attribute == _DATA:
            contents.append(value)
        elif attribute == _PROPERTIES:
            for number, kind, content in _properties(value):
                if number in _FILE_NAMES:
                    names[_text(content, kind)] = None
                elif number == _FILE_DATA:
                    contents.append(content[_INTERFACE:] if kind == _OBJECT else content)
    yield from _files(names, contents)


def _files(names: dict[str, None], contents: list[bytes]) -> Iterator[File]:
    """Yield each content under each name: clients disagree about which name counts."""
    for content in contents or ([b""] if names else []):
        kind = "application/ms-tnef" if content.startswith(TNEF_SIGNATURE) else "application/octet-stream"
        for name in names or {"": None}:
            yield name, kind, content


def _attributes(data: bytes) -> Iterator[tuple[int, int, bytes]]:
    pos = 6
    while pos + 9 <= len(data):
        level, attribute, _, size = struct.unpack_from("<BHHI", data, pos)
        value = data[pos + 9 : pos + 9 + size]
        if len(value) < size:
            raise UnreadableError("an attribute is longer than the file")
        yield level, attribute, value
        pos += 9 + size + 2  # the checksum follows the value


def _properties(data: bytes) -> Iterator[tuple[int, int, bytes]]:
    """Yield number, type and value of each property, once for each of its values."""
    try:
        count, pos = struct.unpack_from("<I", data)[0], 4
        while count and pos < len(data):
            count -= 1
            kind, number = struct.unpack_from("<HH", data, pos)
            pos += 4
            if number >= _NAMED:
                by_name, size = struct.unpack_from("<II", data, pos + 16)
                pos += 24 + (-(-size // 4) * 4 if by_name else 0)
            several, kind = kind & _SEVERAL, kind & ~_SEVERAL
            fixed = _FIXED.get(kind)
            if not fixed and kind not in (_OBJECT, _STRING, _UNICODE, _BINARY):
                raise UnreadableError(f"a property has the type {kind:#x}")
            values = 1
            if several or not fixed:
                values = struct.unpack_from("<I", data, pos)[0]
                pos += 4
            while values and pos < len(data):
                values -= 1
                size = fixed or struct.unpack_from("<I", data, pos)[0]
                pos += 0 if fixed else 4
                yield number, kind, data[pos : pos + size]
                pos += -(-size // 4) * 4
    except struct.error as fault:
        raise UnreadableError("a property is cut off") from fault


def _text(data: bytes, kind: int) -> str:
    text = (
        data[: len(data) & ~1].decode("utf-16-le", "replace") if kind == _UNICODE else data.decode("cp1252", "replace")
    )
    return text.rstrip("\0")
