"""File names in a part's header, in every reading that some mail client has, and which of them are dangerous."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from email.message import Message
from typing import Any

from ._decode import decode_words
from ._params import collapse, parse_params

#: File name extensions that Windows runs, or opens with something that runs them.
extlist = (
    "ade,adp,asd,asx,asp,bas,bat,chm,cmd,com,cpl,crt,dll,exe,hlp,hta,inf,ins,isp,js,jse,lnk,mdb,mde,msc,msi,msp,mst,"
    "ocx,pcd,pif,reg,scr,sct,shs,url,vb,vbe,vbs,wsc,wsf,wsh"
)
#: The same with their dots. A program may change the list, or set another one in pymilter.mime (or mime).
bad_extensions: list[str] = ["." + extension for extension in extlist.split(",")]

_ZIP_TYPES = frozenset({"application/zip", "application/x-zip", "application/x-zip-compressed"})
#: What Windows drops at the end of a file name, and quotes that a mail client may drop.
_DROPPED_AT_END = " .\t\r\n\v\f\"'\x00"


@dataclass(frozen=True, slots=True)
class Names:
    """What a part's header says about file names."""

    pairs: list[tuple[str, str | None]]
    is_zip: bool


def check_ext(name: str | None) -> str | None:
    """Return `name` when its extension is in `bad_extensions`, else None ("" for "").

    What Windows does not take into the name is not looked at: blanks and dots at its end, and what follows a NUL.
    """
    from pymilter.mime import bad_extensions as extensions  # at the call: programs set it there

    if not name:
        return name
    bad = tuple(extension.lower() for extension in extensions)
    return name if any(reading.endswith(bad) for reading in _readings(name)) else None


def is_zip_name(name: str) -> bool:
    """Tell whether a file of that name is opened as a zip file."""
    return any(reading.endswith(".zip") for reading in _readings(name))


def _readings(name: str) -> Iterator[str]:
    lower = name.lower()
    yield lower
    yield lower.rstrip(_DROPPED_AT_END)
    yield lower.partition("\x00")[0].rstrip(_DROPPED_AT_END)


def part_names(msg: Message) -> Names:
    """Return what names the part: the parameters of Content-Type, the file name, then what is read in other ways.

    Mail clients do not agree which one counts when a header or a parameter is there twice, and many decode RFC 2047
    words in parameters: so all of these are there.
    """
    pairs: list[tuple[str, str | None]] = []
    others: list[str] = []
    for value in _raw_values(msg, "content-type"):
        params = [(name, collapse(text)) for name, text in parse_params(value)]
        if pairs:
            others += [text for _, text in params[1:]]
        else:
            pairs += params
    filename = msg.get_filename()
    pairs.append(("filename", filename))
    for value in _raw_values(msg, "content-disposition"):
        others += [collapse(text) for name, text in parse_params(value)[1:] if name.lower() in ("filename", "name")]
    for text in [*(text for _, text in pairs if text), *others]:
        decoded = decode_words(text) if "=?" in text else text
        others += [] if decoded == text else [decoded]
    known = {text for _, text in pairs}
    pairs += [("filename", text) for text in dict.fromkeys(others) if text not in known]
    is_zip = msg.get_content_type() in _ZIP_TYPES or any(
        text and key != "zipname" and is_zip_name(text) for key, text in pairs
    )
    return Names(pairs, is_zip)


def _raw_values(msg: Any, header: str) -> Iterator[str]:
    for name, value in msg.raw_items():
        if name.lower() == header:
            yield str(value).encode("utf-8", "surrogateescape").decode("utf-8", "replace")
