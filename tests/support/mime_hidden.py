"""Odd messages with content that a mail client shows or saves and a careless filter does not see.

Each case contains a file name and a page. If these are bad, the message must be defanged; if good, left as it is.
"""

from __future__ import annotations

import base64
import binascii
import itertools
import quopri
from collections.abc import Callable, Iterator

from support.mime_tnef import tnef

Case = Callable[[bytes, bytes], bytes]

BAD_NAME, GOOD_NAME = b"evil.exe", b"good.txt"
BAD_PAGE, GOOD_PAGE = b"<p><script>alert(1)</script>", b"<p><b>a nice and long text</b>"
GOOD = (GOOD_NAME, GOOD_PAGE)
BAD = (BAD_NAME, BAD_PAGE)

TEXT = b"Content-Type: text/plain\n\nhello\n"


def mixed(*parts: bytes, kind: bytes = b"multipart/mixed; boundary=b1", more: bytes = b"") -> bytes:
    body = b"".join(b"--b1\n" + part + b"\n" for part in parts)
    return b"MIME-Version: 1.0\nContent-Type: " + kind + b"\n" + more + b"\n" + body + b"--b1--\n"


def attached(name: bytes) -> bytes:
    return (
        b'Content-Type: application/x-thing; name="' + name + b'"\nContent-Transfer-Encoding: base64\n\nTVqQAAMAAAA=\n'
    )


def page(header: bytes, body: bytes) -> bytes:
    return mixed(TEXT, header + b"\n\n" + body)


def coded(text: bytes) -> bytes:
    return base64.encodebytes(text)


# -- headers: a line that is not a field, and lines that end the header for some readers only

_NO_FIELD: list[tuple[str, bytes]] = [
    ("parameter", b'name="@"'), ("words", b"this is no field"), ("8-bit", b"\xe9\xe9"), ("dashes", b"-- "),
    ("blank in the name", b"X Y: z"), ("equals", b"=====" ),
]  # fmt: skip


def _header_cases() -> Iterator[tuple[str, Case]]:
    for title, line in _NO_FIELD:
        yield (
            f"name behind no field ({title})",
            lambda name, _, line=line: mixed(  # type: ignore[misc]
                TEXT,
                b"Content-Type: application/octet-stream; x-unix-mode=0600;\n"
                + line.replace(b"@", name)
                + b'\nContent-Transfer-Encoding: base64\nContent-Disposition: attachment; filename="'
                + name
                + b'"\n\nTVqQAAMAAAA=\n',
            ),
        )
        yield (
            f"page behind no field ({title})",
            lambda _, html, line=line: mixed(  # type: ignore[misc]
                TEXT,
                b"X-A: b\n" + line.replace(b"@", b"a") + b"\nContent-Type: text/html\n"
                b"Content-Transfer-Encoding: base64\n\n" + coded(html),
            ),
        )
        yield (
            f"no field at first ({title})",
            lambda _, html, line=line: mixed(  # type: ignore[misc]
                TEXT, line.replace(b"@", b"a") + b"\nContent-Type: text/html\n\n" + html
            ),
        )
        yield (
            f"page from no field on ({title})",
            lambda _, html, line=line: mixed(  # type: ignore[misc]
                TEXT,
                b"Content-Type: text/html\n"
                + line.replace(b"@", b"a")
                + html
                + b"\nContent-Type: text/html\nContent-Transfer-Encoding: base64\n\n"
                + coded(GOOD_PAGE),
            ),
        )
    yield (
        "name only in a line that is no field",
        lambda name, _: mixed(TEXT, b'Content-Type: application/octet-stream;\nname="' + name + b'"\n\nMZ'),
    )
    yield (
        "blank line with a blank in it",
        lambda _, html: mixed(TEXT, b"Content-Type: text/html\n \nContent-Transfer-Encoding: base64\n\n" + html),
    )
    yield (
        "two CRs",
        lambda name, _: mixed(TEXT, b"X-A: b\r\rc\nContent-Disposition: attachment; filename=" + name + b"\n\nMZ"),
    )
    yield (
        "CR in a field",
        lambda _, html: mixed(TEXT, b"Content-Type: text/plain;\rX-A: b\nContent-Type: text/html\r\n\r\n" + html),
    )


# -- multiparts


def _multipart_cases() -> Iterator[tuple[str, Case]]:
    kinds: dict[str, bytes] = {
        "two boundaries, the first counts": b"multipart/mixed; boundary=b1; boundary=b2",
        "two boundaries, the second counts": b"multipart/mixed; boundary=b2; boundary=b1",
        "without the semicolon": b'multipart/mixed\n\tboundary="b1"',
        "without the semicolon and quotes": b"multipart/mixed boundary=b1",
        "without fold and semicolon": b'multipart/mixed\nboundary="b1"',
        "followed by a field": b'multipart/mixed; boundary="b1"\n\tX-Priority: 3',
        "followed by junk": b'multipart/mixed; boundary="b1" junk',
        "followed by a comment": b'multipart/mixed; boundary="b1" (comment)',
        "followed by text": b'multipart/mixed; boundary="b1"x',
        "without quotes, followed by a comment": b"multipart/mixed; boundary=b1 (comment)",
        "comment before": b"multipart/mixed; (c) boundary=b1",
        "comment between": b"multipart/mixed; boundary (c) = (d) b1",
        "comment in the type": b"multipart/mixed (c); boundary=b1",
        "comment first": b"(c) multipart/mixed; boundary=b1",
        "blanks in the type": b"multipart / mixed; boundary=b1",
        "type in quotes": b'"multipart/mixed"; boundary=b1',
        "escapes": b'multipart/mixed; boundary="b\\1"',
        "upper case": b"MULTIPART/MIXED; BOUNDARY=b1",
        "blanks around": b'multipart/mixed;\n boundary = "b1" ',
        "comma": b"multipart/mixed, boundary=b1",
        "comma behind": b"multipart/mixed; boundary=b1,",
        "percent signs": b"multipart/mixed; boundary*=us-ascii''b%31",
        "pieces": b"multipart/mixed; boundary*0=b; boundary*1=1",
        "pieces in disorder": b"multipart/mixed; boundary*1=1; boundary*0=b",
        "unclosed quote": b'multipart/mixed; boundary="b1',
        "unknown subtype": b"multipart/x-what; boundary=b1",
        "NUL": b"multipart/mixed; boundary=b1\x00x",
    }
    for title, kind in kinds.items():
        yield f"multipart: {title}", lambda name, _, kind=kind: mixed(TEXT, attached(name), kind=kind)  # type: ignore[misc]
        yield (
            f"multipart: {title}, page",
            lambda _, html, kind=kind: mixed(  # type: ignore[misc]
                TEXT, b"Content-Type: text/html\n\n" + html, kind=kind
            ),
        )
    for first, second in itertools.permutations(
        [b"multipart/mixed; boundary=b1", b"multipart/mixed; boundary=b2", b"text/plain", b"text/html"], 2
    ):
        if b"b1" in first + second:
            yield (
                f"two Content-Types: {first.decode()}, {second.decode()}",
                lambda name, _, a=first, b=second: mixed(  # type: ignore[misc]
                    TEXT, attached(name), kind=a + b"\nContent-Type: " + b
                ),
            )
    both = b"--b1\n" + TEXT + b"--b2\n%s--b2--\n--b1--\n"
    for kind in (b"b1; boundary=b2", b"b2; boundary=b1", b'b1\nContent-Type: multipart/mixed; boundary="b2"'):
        yield (
            f"both boundaries are there: {kind.decode()}",
            lambda name, _, kind=kind: (  # type: ignore[misc]
                b"Content-Type: multipart/mixed; boundary=" + kind + b"\n\n" + both % attached(name)
            ),
        )
    for sign in (b"xyz", b" x", b"-", b"-- x", b"--x", b"\x00"):
        yield (
            f"delimiter goes on: {sign!r}",
            lambda name, _, sign=sign: mixed(  # type: ignore[misc]
                TEXT + b"--b1" + sign + b"\n" + attached(name)
            ),
        )
    yield "behind the end", lambda name, _: mixed(TEXT) + b"--b1\n" + attached(name)
    yield "behind the end, closed", lambda name, _: mixed(TEXT) + b"--b1\n" + attached(name) + b"--b1--\n"
    yield (
        "before the first",
        lambda name, _: mixed(TEXT).replace(b"--b1", b"--b1: this\n" + attached(name) + b"--b1", 1),
    )
    yield (
        "closed before the first",
        lambda name, _: mixed(TEXT, attached(name)).replace(b"--b1\n", b"--b1--\n--b1\n", 1),
    )
    yield (
        "CR before a delimiter",
        lambda _, html: mixed(b"Content-Type: text/html\n\nhello\r--b1\rContent-Type: text/plain\r\r" + html),
    )
    yield "CR before a closing delimiter", lambda name, _: mixed(TEXT + b"\r--b1--\r", attached(name))
    for coding, encode in (("base64", coded), ("quoted-printable", quopri.encodestring)):
        yield f"encoded multipart, {coding}", lambda name, _, c=coding, e=encode: _encoded(c, e, name)  # type: ignore[misc]
        yield (
            f"encoded multipart, page, {coding}",
            lambda _, html, c=coding, e=encode: _encoded(  # type: ignore[misc]
                c, e, GOOD_NAME, b"Content-Type: text/html\n\n" + html
            ),
        )
    yield (
        "message called multipart",
        lambda name, _: mixed(
            TEXT, b"Content-Type: text/plain\nContent-Type: message/rfc822\n\n" + mixed(attached(name))
        ),
    )


def _encoded(coding: str, encode: Callable[[bytes], bytes], name: bytes, *parts: bytes) -> bytes:
    whole = mixed(TEXT, attached(name), *parts, more=b"Content-Transfer-Encoding: " + coding.encode() + b"\n")
    header, _, body = whole.partition(b"\n\n")
    return header + b"\n\n" + encode(body)


# -- encodings and types

_ENCODINGS: dict[str, bytes] = {
    "second": b"7bit\nContent-Transfer-Encoding: @", "first": b"@\nContent-Transfer-Encoding: 7bit", "quotes": b'"@"',
    "comment first": b"(c) @", "comment last": b"@ (c)", "comment at once": b"@(c)", "upper case": b" @ ",
    "semicolon": b"@; x=y", "comma": b"@, 7bit", "second word": b"7bit @", "fold": b"\n @", "quote": b"'@'",
}  # fmt: skip
_TYPES: dict[str, bytes] = {
    "plain": b"text/html", "comment": b"text/html (c)", "blanks": b"text / html", "quotes": b'"text/html"',
    "word": b"text/html charset=x", "second": b"text/plain\nContent-Type: text/html", "upper case": b"TEXT/HTML",
    "first": b"text/html\nContent-Type: text/plain", "comment first": b"(c) text/html", "fold": b"text/\n html",
    "comment between": b"text/(c)html", "comma": b"text/html, text/plain", "single quotes": b"'text/html'",
    "nested comments": b"(a(b)c) text/html", "NUL": b"text/html\x00", "xhtml": b"application/xhtml+xml",
    "other comment": b"(text/plain) text/html", "no comment": b"text/plain (text/html)", "tab": b"\ttext/html\t",
}  # fmt: skip


def _uu(text: bytes) -> bytes:
    lines = b"".join(binascii.b2a_uu(text[at : at + 45]) for at in range(0, len(text), 45))
    return b"begin 644 page\n" + lines + b"`\nend\n"


def _qp(text: bytes) -> bytes:
    return quopri.encodestring(text).replace(b"<", b"=3C")


def _encoding_cases() -> Iterator[tuple[str, Case]]:
    encoders = {b"base64": coded, b"quoted-printable": _qp, b"x-uuencode": _uu}
    for (title, value), (coding, encode) in itertools.product(_ENCODINGS.items(), encoders.items()):
        header = b"Content-Type: text/html\nContent-Transfer-Encoding: " + value.replace(b"@", coding)
        yield f"encoding: {title}, {coding.decode()}", lambda _, html, h=header, e=encode: page(h, e(html))  # type: ignore[misc]
    for title, value in _TYPES.items():
        yield f"type: {title}", lambda _, html, value=value: page(b"Content-Type: " + value, html)  # type: ignore[misc]
        for encoding, coding in itertools.product(_ENCODINGS, (b"base64",)):
            header = (
                b"Content-Type: "
                + value
                + b"\nContent-Transfer-Encoding: "
                + _ENCODINGS[encoding].replace(b"@", coding)
            )
            yield f"type: {title}, encoding: {encoding}", lambda _, html, h=header: page(h, coded(html))  # type: ignore[misc]
    html_type = b"Content-Type: text/html\nContent-Transfer-Encoding: "
    yield "raw, with an encoding that only some know", lambda _, html: page(html_type + b"(c) base64", html)
    yield "base64 behind its padding", lambda _, html: page(html_type + b"base64", b"PA==" + coded(html))
    yield (
        "base64 behind its padding on a new line",
        lambda _, html: page(html_type + b"base64", b"PHA+PA==\n" + coded(html)),
    )
    yield (
        "base64, padding is nothing",
        lambda _, html: page(html_type + b"base64", (lambda text: text[:1] + b"=" + text[1:])(base64.b64encode(html))),
    )
    yield "base64 begins with padding", lambda _, html: page(html_type + b"base64", b"=" + coded(html))
    yield (
        "base64 with other characters",
        lambda _, html: page(html_type + b"base64", b"!".join(coded(html).split(b"\n"))),
    )
    qp = html_type + b"quoted-printable"
    for title, old, new in (
        ("blank behind a soft break", b"<script", b"<scr= \t\nipt"), ("CR as a soft break", b"<script", b"=\r<script"),
        ("sign before a sign", b"<script", b"==3Cscript"), ("lone sign", b"<script", b"<scr=ipt"),
        ("lower case", b"<script", b"=3cscript"),
    ):  # fmt: skip
        yield f"quoted-printable: {title}", lambda _, html, old=old, new=new: page(qp, html.replace(old, new))  # type: ignore[misc]


# -- charsets

_UTF16 = ("unicode", "ucs-2", "iso-10646-ucs-2", "csunicode", "unicodefeff", "utf-16", "utf-16le")


def _charset_cases() -> Iterator[tuple[str, Case]]:
    for label, mark in itertools.product((*_UTF16, "us-ascii", "utf-8", "x-nothing", ""), (True, False)):
        if not mark and label not in _UTF16:
            continue
        header = b"Content-Type: text/html" + (b"; charset=" + label.encode() if label else b"")
        prefix = b"\xff\xfe" if mark else b""
        for coding in (b"base64", b"binary"):
            yield (
                f"UTF-16 {'with' if mark else 'without'} mark, {label or 'no label'}, {coding.decode()}",
                lambda _, html, h=header, p=prefix, c=coding: page(  # type: ignore[misc]
                    h + b"\nContent-Transfer-Encoding: " + c,
                    (coded if c == b"base64" else bytes)(p + html.decode().encode("utf-16-le")),
                ),
            )
    for label in ("utf-7", "x-unicode-2-0-utf-7", "unicode-1-1-utf-7"):
        yield (
            f"UTF-7, {label}",
            lambda _, html, label=label: page(  # type: ignore[misc]
                b"Content-Type: text/html; charset=" + label.encode(),
                html.replace(b"<", b"+ADw-").replace(b">", b"+AD4-"),
            ),
        )
    yield (
        "UTF-16, big end first",
        lambda _, html: page(
            b"Content-Type: text/html\nContent-Transfer-Encoding: base64",
            coded(b"\xfe\xff" + html.decode().encode("utf-16-be")),
        ),
    )


# -- names

_NAMES: dict[str, str] = {
    "quotes": 'name="@"', "no quotes": "name=@", "comment behind": 'name="@" (x)',
    "comment without quotes": "name=@ (hi)",
    "escape": 'name="evil.ex\\e"', "junk": 'name="@" foo', "suffix": 'name="@".txt', "comma": "name=@,",
    "suffix in quotes": 'name="evil".exe', "blanks": "name = @", "tab": "name\t=\t@", "upper case": "NAME=@",
    "RFC 2231": "name*=utf-8''evil%2Eexe", "pieces": 'name*0="evil."; name*1="exe"', "comment before": "name=(c)@",
    "comment in the name": "name (c)=@", "encoded word": 'name="=?utf-8?q?evil=2Eexe?="', "NUL": 'name="@\x00.txt"',
    "encoded word without quotes": "name==?utf-8?b?ZXZpbC5leGU=?=", "percent signs": 'name="evil%2Eexe"',
    "pieces in disorder": 'name*1="exe"; name*0="evil."', "pieces with junk": 'name*0="evil." x; name*1="exe"',
    "unclosed": 'name="@', "single quotes": "name='@'", "dots": 'name="@..."', "blank at the end": 'name="@ "',
    "zero-width space": 'name="@\u200b"', "RLM": 'name="@\u200f"', "soft hyphen": 'name="@\u00ad"',
    "soft hyphen inside": 'name="evil.e\u00adxe"', "full-width letters": 'name="evil.\uff45\uff58\uff45"',
    "full-width dot": 'name="evil\uff0eexe"', "right-to-left override": 'name="txt.\u202e@"',
    "no-break space": 'name="@\u00a0"', "two": "name=good.txt; name=@", "two, the first": "name=@; name=good.txt",
    "stream": 'name="@::$DATA"', "fold": 'name="evil.\n exe"', "8-bit junk": 'name="@\udcff"',
    "word joiner": 'name="@\u2060"',
    "variation selector": 'name="@\ufe0f"', "long": 'name="' + "x" * 3000 + '@"',
}  # fmt: skip


def _name_cases() -> Iterator[tuple[str, Case]]:
    places = {
        "Content-Type": "Content-Type: application/x-thing; {}",
        "without semicolon": "Content-Type: application/x-thing {}",
        "Content-Disposition": "Content-Type: application/x-thing\nContent-Disposition: attachment; file{}",
        "disposition without semicolon": "Content-Disposition: attachment file{}",
        "second Content-Type": "Content-Type: application/x-thing\nContent-Type: application/x-thing; {}",
        "second disposition": "Content-Disposition: inline\nContent-Disposition: attachment; file{}",
        "line of its own": "Content-Type: application/x-thing;\n{}\nContent-Transfer-Encoding: base64",
        "text": "Content-Type: text/plain; {}",
        "message": "Content-Type: message/rfc822; {}",
    }
    for (title, parameter), (place, header) in itertools.product(_NAMES.items(), places.items()):
        if place == "line of its own" and "\n" in parameter:
            continue
        text = header.format(parameter.replace("; name", "; filename") if "file" in header else parameter)
        yield (
            f"name: {title}, {place}",
            lambda name, _, text=text: mixed(  # type: ignore[misc]
                TEXT, _named(text, name).encode("utf-8", "surrogateescape") + b"\n\nTVqQ"
            ),
        )


_SPELT_OUT = {
    "exe": "txt", "ex\\e": "tx\\t", "e\u00adxe": "t\u00adxt", "\uff45\uff58\uff45": "txt",
    "ZXZpbC5leGU=": "Z29vZC50eHQ=",
}  # fmt: skip


def _named(header: str, name: bytes) -> str:
    if name == GOOD_NAME:
        for bad, good in _SPELT_OUT.items():
            header = header.replace(bad, good)
    return header.replace("@", name.decode())


# -- files in texts


def _file_cases() -> Iterator[tuple[str, Case]]:
    for begin in (b"begin 644 %s", b"begin 0644 %s ", b"begin  755  %s", b"begin-base64 644 %s"):
        for header in (b"Content-Type: text/plain", b"X-A: b", b"Content-Type: text/x-log"):
            data = b"TVqQAAMAAAA=\n====\n" if b"base64" in begin else binascii.b2a_uu(b"MZ\x90\0") + b"`\nend\n"
            yield (
                f"uuencoded: {begin.decode()}, {header.decode()}",
                lambda name, _, b=begin, h=header, d=data: mixed(  # type: ignore[misc]
                    h + b"\n\nlook:\n" + b % name + b"\n" + d + b"bye\n"
                ),
            )
    yield (
        "uuencoded, the second",
        lambda name, _: mixed(
            b"\n" + b"".join(b"begin 644 %s\n%s`\nend\n" % (n, binascii.b2a_uu(b"x")) for n in (GOOD_NAME, name))
        ),
    )
    yield (
        "uuencoded in base64",
        lambda name, _: mixed(
            b"Content-Transfer-Encoding: base64\n\n"
            + coded(b"begin 644 %s\n%s`\nend\n" % (name, binascii.b2a_uu(b"x")))
        ),
    )
    for kind in (b"application/ms-tnef", b"application/vnd.ms-tnef", b"application/octet-stream; name=winmail.dat"):
        header = b"Content-Type: " + kind + b"\nContent-Transfer-Encoding: base64\n\n"
        for how in ("title", "long name", "embedded"):
            yield f"{kind.decode()}, {how}", lambda name, _, h=header, how=how: mixed(TEXT, h + coded(tnef(how, name)))  # type: ignore[misc]
        yield f"{kind.decode()}, page", lambda _, html, h=header: mixed(TEXT, h + coded(tnef("page", b"", html)))  # type: ignore[misc]


KINDS: dict[str, Callable[[], Iterator[tuple[str, Case]]]] = {
    "headers": _header_cases,
    "multiparts": _multipart_cases,
    "encodings": _encoding_cases,
    "charsets": _charset_cases,
    "names": _name_cases,
    "files": _file_cases,
}
