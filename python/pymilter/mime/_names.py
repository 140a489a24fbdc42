"""Finds the file names in a part's header as each mail client reads them, and the dangerous ones among them."""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Iterator
from dataclasses import dataclass

from ._decode import decode_words
from ._params import collapse, content_types, parse_params
from ._piece import stray_texts
from ._scan import parameter, value_readings
from ._source import SourceMessage

#: File name extensions that Windows runs, or opens with a program that runs the file: those of pymilter 1.0.5, then the
#: ones that Gmail (https://support.google.com/mail/answer/6590) and Outlook ("Blocked attachments in Outlook") block.
extlist = (
    "ade,adp,asd,asx,asp,bas,bat,chm,cmd,com,cpl,crt,dll,exe,hlp,hta,inf,ins,isp,js,jse,lnk,mdb,mde,msc,msi,msp,"
    "mst,ocx,pcd,pif,reg,scr,sct,shs,url,vb,vbe,vbs,wsc,wsf,wsh,"
    "apk,app,appcontent-ms,application,appref-ms,appx,appxbundle,aspx,bgi,cab,cdxml,cer,cnt,csh,der,diagcab,"
    "diagcfg,diagpkg,dmg,ex,ex_,fxp,gadget,grp,hpj,htc,img,iso,its,jar,jnlp,ksh,lib,library-ms,mad,maf,mag,mam,"
    "maq,mar,mas,mat,mau,mav,maw,mcf,mda,mdt,mdw,mdz,mjs,msh,msh1,msh1xml,msh2,msh2xml,mshxml,msix,msixbundle,"
    "msu,nsh,ops,osd,pl,plg,prf,prg,printerexport,ps1,ps1xml,ps2,ps2xml,psc1,psc2,psd1,psdm1,pssc,pst,py,pyc,pyo,"
    "pyw,pyz,pyzw,scf,search-ms,settingcontent-ms,shb,sys,theme,tmp,udl,vbp,vhd,vhdx,vsmacros,vsw,vxd,webpnp,"
    "website,ws,wsb,xbap,xll,xnk"
)
#: The same with their dots. A program may change this list, or set another one in pymilter.mime (or mime).
bad_extensions: list[str] = ["." + extension for extension in extlist.split(",")]

_ZIP_TYPES = frozenset(
    f"application/{name}" for name in ("zip", "x-zip", "x-zip-compressed", "zip-compressed", "x-compressed")
) | {"multipart/x-zip"}
_FOLD = re.compile(r"\n[ \t]*+")
_NAME = parameter("(?:file)?name")
#: Characters that Windows drops at the end of a file name, and quotes that a mail client may drop.
_DROPPED_AT_END = " .\t\r\n\v\f\"'\x00"
#: Invisible characters, by category: format and control characters, bytes that could not be decoded, ...
_UNSEEN_CATEGORIES = frozenset({"Cf", "Cc", "Cs", "Zl", "Zp"})
#: ... and those that Unicode classes as letters and marks (Default_Ignorable_Code_Point).
_UNSEEN = re.compile(
    "[\u034f\u115f\u1160\u17b4\u17b5\u180b-\u180f\u3164\ufe00-\ufe0f\uffa0\ufffd\U000e0100-\U000e01ef]"
)
#: No extension is longer, and normalizing long texts may take quadratic time.
_TAIL = 100


@dataclass(frozen=True, slots=True)
class Names:
    """The file names in a part's header."""

    pairs: list[tuple[str, str | None]]
    is_zip: bool
    too_many: bool
    """Whether a header has more names than were read."""


def check_ext(name: str | None) -> str | None:
    """Return `name` if its extension is in `bad_extensions`, else None ("" for "").

    Blanks and dots at the end, and everything after a NUL, are ignored, as by Windows.
    """
    from pymilter.mime import bad_extensions as extensions  # read here, because programs set it there

    if not name:
        return name
    bad = tuple(extension.lower() for extension in extensions)
    return name if any(reading.endswith(bad) for reading in _readings(name)) else None


def is_zip_name(name: str) -> bool:
    """Return whether a file of that name is opened as a zip file."""
    return any(reading.endswith(".zip") for reading in _readings(name))


def _readings(name: str) -> Iterator[str]:
    lower = name.lower()
    yield lower
    yield lower.rstrip(_DROPPED_AT_END)
    yield lower.partition("\x00")[0].rstrip(_DROPPED_AT_END)
    yield lower.removesuffix("::$data").rstrip(_DROPPED_AT_END)  # for NTFS, this is the same file
    if not (name.isascii() and name.isprintable()):
        seen = "".join(char for char in name if unicodedata.category(char) not in _UNSEEN_CATEGORIES)
        # Windows programs that use old character sets read full-width letters and the like as the plain ones.
        plain = unicodedata.normalize("NFKC", _UNSEEN.sub("", seen)[-_TAIL:])
        yield plain.lower().rstrip(_DROPPED_AT_END)


def part_names(msg: SourceMessage) -> Names:
    """Return the possible names of a part: the parameters of Content-Type, the file name, then other readings.

    Mail clients disagree about which one counts if a header or a parameter occurs twice, and many decode RFC 2047 words
    in parameters, so all of these are included.
    """
    pairs: list[tuple[str, str | None]] = []
    others: list[str] = []
    types: list[str] = []
    too_many = False
    for value in _raw_values(msg, "content-type"):
        types += content_types(value)
        params = [(name, collapse(text)) for name, text in parse_params(value)]
        if pairs:
            others += [text for _, text in params[1:]]
        else:
            pairs += params
    filename = msg.get_filename()
    pairs.append(("filename", filename))
    for value in _raw_values(msg, "content-disposition"):
        others += [collapse(text) for name, text in parse_params(value)[1:] if name.lower() in ("filename", "name")]
    fields = [*_raw_values(msg, "content-type"), *_raw_values(msg, "content-disposition")]
    if msg.source:
        fields += [text.decode("utf-8", "replace").replace("\r", "") for text in stray_texts(msg.source)]
    for value in fields:
        for text in dict.fromkeys((value.replace("\n", ""), _FOLD.sub("", value))):
            readings = value_readings(text, _NAME)
            too_many = too_many or readings is None
            others += readings or []
    for text in [*(text for _, text in pairs if text), *others]:
        decoded = decode_words(text) if "=?" in text else text
        others += [] if decoded == text else [decoded]
    known = {text for _, text in pairs}
    pairs += [("filename", text) for text in dict.fromkeys(others) if text not in known]
    is_zip = not _ZIP_TYPES.isdisjoint(types) or any(text and is_zip_name(text) for _, text in pairs)
    return Names(pairs, is_zip, too_many)


def _raw_values(msg: SourceMessage, header: str) -> Iterator[str]:
    for name, value in msg.raw_items():
        if name.lower() == header:
            yield str(value).encode("utf-8", "surrogateescape").decode("utf-8", "replace")
