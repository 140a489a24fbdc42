"""Recognises content by its first bytes, whatever its name and type say."""

from __future__ import annotations

import re

from ._decode import decode_transfer
from ._tnef import TNEF_SIGNATURE

#: How much of an encoded body is decoded: enough for an ISO image, whose mark is at 32 KiB.
_HEAD = 60_000

#: The first bytes of files, and the extension of such files.
_SIGNS: tuple[tuple[bytes, str], ...] = (
    (b"\x7fELF", ".elf.exe"),
    (b"\xfe\xed\xfa\xce", ".macho.exe"), (b"\xfe\xed\xfa\xcf", ".macho.exe"),
    (b"\xce\xfa\xed\xfe", ".macho.exe"), (b"\xcf\xfa\xed\xfe", ".macho.exe"),
    (b"\xca\xfe\xba\xbe", ".jar"),  # a Java class, or Mach-O for several processors
    (b"L\0\0\0\x01\x14\x02\0\0\0\0\0\xc0\0\0\0\0\0\0F", ".lnk"),
    (b"MSCF", ".cab"), (b"ITSF", ".chm"), (b"?_\x03\0", ".hlp"), (b"vhdxfile", ".vhdx"), (b"conectix", ".vhd"),
    (b"#!", ".ksh"),
    (b"REGEDIT4", ".reg"), (b"Windows Registry Editor", ".reg"), (b"W\0i\0n\0d\0o\0w\0s\0 \0R\0e\0g\0", ".reg"),
    (b"\xff\xfeW\0i\0n\0d\0o\0w\0s\0 \0R\0e\0g\0", ".reg"),
)  # fmt: skip
_ISO = 32769
_ZIP = (b"PK\x03\x04", b"PK\x05\x06", b"PK00PK\x03\x04")
#: The beginning of HTML by the MIME Sniffing standard (WHATWG), 7.1.
_HTML = re.compile(
    rb"[\t\n\x0c\r ]*+<(?:!DOCTYPE HTML|HTML|HEAD|SCRIPT|IFRAME|H1|DIV|FONT|TABLE|A|STYLE|TITLE|B|BODY|BR|P|META|SVG|"
    rb"!--|\?xml)(?:(?<=--)|(?=[\t\n\x0c\r >/]))",
    re.IGNORECASE,
)
_FIELDS = (
    rb"(?:Return-Path|Received|From|To|Cc|Subject|Date|Message-ID|MIME-Version|Content-[!-9;-~]+|DKIM-Signature|"
    rb"Reply-To|Sender|X-[!-9;-~]+)[ \t]*:[^\r\n]*+(?:(?:\r\n|\r|\n)[ \t][^\r\n]*+)*+(?:\r\n|\r|\n)"
)
_MESSAGE = re.compile(rb"\s*+(?:From [^\r\n]*+[\r\n]+)?" + _FIELDS + _FIELDS, re.IGNORECASE)
_MARKS = ((b"\xff\xfe", "utf-16-le"), (b"\xfe\xff", "utf-16-be"), (b"\xef\xbb\xbf", "utf-8"))


def head_of(body: bytes, encoding: str) -> bytes:
    """Return the first bytes of a body, decoded."""
    return decode_transfer(body[: 2 * _HEAD], encoding)[:_HEAD]


def program_extension(head: bytes) -> str | None:
    """Return a file name extension for a program, or for a file that is opened by a program that runs it; else None."""
    if head[:2] in (b"MZ", b"ZM") and b"\0" in head[:512]:
        return ".exe"
    if head[_ISO : _ISO + 5] == b"CD001":
        return ".iso"
    return next((extension for sign, extension in _SIGNS if head.startswith(sign)), None)


def is_zip(head: bytes) -> bool:
    """Return whether the content begins like a zip file."""
    return head.startswith(_ZIP)


def is_tnef(head: bytes) -> bool:
    """Return whether the content is a winmail.dat."""
    return head.startswith(TNEF_SIGNATURE)


def is_html(head: bytes) -> bool:
    """Return whether browsers read the content as HTML, or as XML, which may be a page or picture with scripts."""
    for mark, codec in _MARKS:
        if head.startswith(mark):
            head = head.removeprefix(mark).decode(codec, "replace").encode("ascii", "replace")
    return _HTML.match(head) is not None


def is_message(head: bytes) -> bool:
    """Return whether the content begins with two header fields of a message."""
    return _MESSAGE.match(head) is not None
