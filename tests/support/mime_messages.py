"""Messages for the tests of pymilter.mime: well made, broken, and generated."""

from __future__ import annotations

import base64
import io
import zipfile
from collections.abc import Iterable

from hypothesis import strategies as st

import mime


def read(raw: bytes) -> mime.MimeMessage:
    """Read a message as programs do."""
    return mime.message_from_file(io.BytesIO(raw))


def leaf(
    content_type: str | None = "application/octet-stream",
    body: bytes = b"AAAA",
    encoding: str | None = None,
    disposition: str | None = None,
    extra: bytes = b"",
) -> bytes:
    """Return an entity without parts."""
    header = b""
    if content_type is not None:
        header += b"Content-Type: " + content_type.encode("utf-8", "surrogateescape") + b"\n"
    if encoding is not None:
        header += b"Content-Transfer-Encoding: " + encoding.encode() + b"\n"
    if disposition is not None:
        header += b"Content-Disposition: " + disposition.encode() + b"\n"
    return header + extra + b"\n" + body


def multipart(*parts: bytes, boundary: bytes = b"B", kind: bytes = b"mixed") -> bytes:
    """Return a multipart entity."""
    header = b"From: x@y\nContent-Type: multipart/" + kind + b'; boundary="' + boundary + b'"\n\npreamble\n'
    return header + b"".join(b"--" + boundary + b"\n" + p + b"\n" for p in parts) + b"--" + boundary + b"--\nepilogue\n"


def zipped(*entries: str | tuple[str, bytes]) -> bytes:
    """Return a zip file; an entry is a name, or a name and its content."""
    out = io.BytesIO()
    with zipfile.ZipFile(out, "w", zipfile.ZIP_DEFLATED) as archive:
        for entry in entries:
            name, content = (entry, b"data") if isinstance(entry, str) else entry
            info = zipfile.ZipInfo(name)  # a fixed time, so that the same file always has the same bytes
            info.compress_type = zipfile.ZIP_DEFLATED
            archive.writestr(info, content)
    return out.getvalue()


def base64_leaf(content_type: str, content: bytes, disposition: str | None = None) -> bytes:
    """Return an entity with base64 content."""
    return leaf(content_type, base64.encodebytes(content), "base64", disposition)


_MP = b"Content-Type: multipart/mixed; boundary=B\n"

#: Messages with every fault we know of, by name.
BROKEN: dict[str, bytes] = {
    "empty": b"",
    "only a line end": b"\n",
    "only CRLF": b"\r\n",
    "only CR": b"\r",
    "no header": b"x",
    "header without line end": b"a: b",
    "header without body": b"a: b\n",
    "CRLF": b"a: b\r\n\r\nx\r\n",
    "CRLF and LF": b"a: b\r\nc: d\n\r\nx\ny\r\nz\rq",
    "LF header, CRLF body": b"a: b\nSubject: s\n\nx\r\ny\r\n",
    "no blank after colon": b"a:b\n\nx",
    "many blanks after colon": b"a: \t  b \t\n\nx",
    "odd folds": b"a: b\n\tc\n \n\t d\n\nx",
    "value starts on the next line": b"a:\n b\n\nx",
    "blank before colon": b"a : b\nContent-Type\t: text/html\n\nx",
    "no name": b"a: b\n: x\n more\nc: d\n\ny",
    "no colon": b"a: b\nno colon here\nc: d\n\nx",
    "no colon at first": b"foo\nbar: x\n\nbaz",
    "From line": b"From me Sat Jan  1 00:00:00 2000\na: b\n\nc",
    "From line inside": b"a: b\nFrom me\nc: d\n\nc",
    "From line last": b"a: b\nFrom me\n\nc",
    "From in the body": b"a: b\n\nFrom x\n>From y\n",
    "starts with a fold": b" lead\n\tmore\na: b\n\nx",
    "NULs": b"a: b\x00c\nd\x00: e\n\n\x00x\x00",
    "8-bit": b"a: \xe9\xff\nSubject: \xc3\xa9\n\n\xe9\xfe",
    "8-bit name": b"\xe9: x\n\ny",
    "CR only": b"a: b\rc: d\r\rx\ry",
    "long line": b"A: " + b"x" * 2000 + b"\n\n" + b"y" * 5000 + b"\n",
    "long folded header": b"A: " + b"x y\n " * 500 + b"\n\nbody",
    "bare LF and CRLF folds": b"a: b\r\n c\n\td\r\r\n e\r\n\r\nx",
    "duplicate headers": b"To: a\nto: a\nTO: a\nTo: a\n\nx",
    "encoded words": b"Subject: =?utf-8?q?a?=\n =?utf-8?q?b?= =?bad?z?x?=\n\nx",
    "unknown charset": b"Content-Type: text/plain; charset=x-bad\n\n\xe9\n",
    "charset with NUL": b'Content-Type: text/plain; charset="\x00"\n\n\xe9\n',
    "charset punycode": b"Content-Type: text/plain; charset=punycode\n\n\xe9a-b\n",
    "unknown encoding": b"Content-Transfer-Encoding: rot13\n\nx\n",
    "broken base64": b"Content-Transfer-Encoding: base64\n\n!!!!=A\n",
    "cut base64": b"Content-Transfer-Encoding: base64\n\nQUJDR",
    "broken quoted-printable": b"Content-Transfer-Encoding: quoted-printable\n\na=\n=Z=3\n=",
    "broken uuencode": b"Content-Transfer-Encoding: uuencode\n\nbegin 644 x\nM\xff\x00\nend\n",
    "content type without slash": b"Content-Type: foo\n\nx",
    "empty content type": b"Content-Type:\n\nx",
    "unclosed quote": b'Content-Type: text/plain; name="a.exe; charset=x\n\nx',
    "huge parameter number": b"Content-Type: text/plain; name*" + b"9" * 5000 + b"=x\n\nx",
    "no boundary": b"Content-Type: multipart/mixed\n\n--B\n\nfoo\n--B--\n",
    "empty boundary": b'Content-Type: multipart/mixed; boundary=""\n\n--\n\nfoo\n----\n',
    "boundary never there": _MP + b"\nfoo\n--C\n\nx\n",
    "no closing boundary": _MP + b"\n--B\n\nfoo\n--B\n\nbar\n",
    "cut in a delimiter": _MP + b"\n--B\n\nfoo\n--",
    "cut behind a delimiter": _MP + b"\n--B\n\nfoo\n--B",
    "no line end at the end": _MP + b"\n--B\n\nfoo\n--B--",
    "blanks behind delimiters": _MP + b"\n--B \t\n\nfoo\n--B-- \t\nepilogue",
    "text behind a delimiter": _MP + b"\n--B x\n\nfoo\n--B--x\n",
    "double delimiter": _MP + b"\n--B\n--B\n\nfoo\n--B--\n",
    "delimiter right behind the header": _MP + b"--B\n\nfoo\n--B--\n",
    "part without header": _MP + b"\n\n--B\nfoo\n--B--\n",
    "part without body": _MP + b"\n--B\na: b\n--B\na: b\n\n--B--\n",
    "empty parts": _MP + b"\n--B\n\n--B\n\n\n--B\n\n\n\n--B--\n",
    "delimiter and close": _MP + b"\n--B\n--B--\n",
    "only a close": _MP + b"\npre\n--B--\nepi\n",
    "two closes": _MP + b"\n--B\n\nx\n--B--\n--B--\n--B\n\ny\n--B--\n",
    "preamble and epilogue": _MP + b"\npre\npre\n\n--B\n\nx\n--B--\n\nepi\n\n",
    "same boundary inside": _MP + b"\n--B\n" + _MP + b"\n--B\n\nx\n--B--\n--B--\n",
    "boundary prefix inside": _MP + b"\n--B\nContent-Type: multipart/mixed; boundary=BB\n\n--BB\n\nx\n--BB--\n--B--\n",
    "inner not closed": _MP + b"\n--B\nContent-Type: multipart/mixed; boundary=C\n\n--C\n\nx\n--B\n\ny\n--B--\n",
    "8-bit boundary": b'Content-Type: multipart/mixed; boundary="\xe9"\n\n--\xe9\n\nx\n--\xe9--\n',
    "folded boundary": b'Content-Type: multipart/mixed;\n boundary="a\n b"\n\n--a b\n\nx\n--a b--\n',
    "RFC 2231 boundary": b"Content-Type: multipart/mixed; boundary*0=B; boundary*1=C\n\n--BC\n\nx\n--BC--\n",
    "CRLF multipart": multipart(leaf("text/plain", b"x"), leaf("a/b", b"\n\ny")).replace(b"\n", b"\r\n"),
    "mixed line ends multipart": _MP + b"\r\n--B\r\n\r\nx\n--B\n\ny\r\r--B--\r\n",
    "encoded multipart": _MP + b"Content-Transfer-Encoding: base64\n\n--B\n\nx\n--B--\n",
    "digest": b"Content-Type: multipart/digest; boundary=B\n\n--B\n\na: b\n\nx\n--B\n--B--\n",
    "rfc822": multipart(leaf("message/rfc822", multipart(leaf("text/plain", b"x"), boundary=b"IN"))),
    "empty rfc822": b"Content-Type: message/rfc822\n\n",
    "rfc822 without empty line": b"Content-Type: message/rfc822\nno header",
    "base64 rfc822": base64_leaf("message/rfc822", multipart(leaf("text/plain", b"x"))),
    "broken base64 rfc822": leaf("message/rfc822", b"!", "base64"),
    "plain rfc822 called base64": leaf("message/rfc822", b"a: b\n\nc", "base64"),
    "delivery-status": leaf("message/delivery-status", b"a: b\n\nc: d\n\n\ne: f"),
    "delivery-status with CRLF": leaf("message/delivery-status", b"a: b\n\nc: d\n").replace(b"\n", b"\r\n"),
    "empty delivery-status": leaf("message/delivery-status", b""),
    "odd delivery-status": leaf("message/delivery-status", b"\n\nno colon\nx\n\n"),
    "delivery-status without empty line": b"Content-Type: message/delivery-status\n-\n\nc",
    "partial": leaf("message/partial; id=a; number=1", b"a: b\n\nx"),
    "external body": leaf("message/external-body; access-type=x", b"a: b\n\n"),
    "bad zip": base64_leaf("application/zip; name=a.zip", b"PK\x03\x04"),
}


def _line_end_of(draw: st.DrawFn) -> bytes:
    return draw(st.sampled_from([b"\n", b"\r\n"]))


_NAMES = st.sampled_from([b"Subject", b"X-A", b"x-a", b"To", b"Received", b"Content-ID"])
_VALUES = st.lists(st.sampled_from([b"a", b" ", b"\t", b"=?utf-8?q?x?=", b"\xe9", b":", b";", b"\x00"]), max_size=8)
_TEXT = st.lists(
    st.sampled_from(
        [b"text", b"\n", b"\r\n", b"--", b"-", b"From x", b"\xe9", b"\x00", b" ", b"a: b", b"=", b"<script>"]
    ),
    max_size=12,
)


@st.composite
def entities(draw: st.DrawFn, depth: int = 3, used: tuple[bytes, ...] = ()) -> bytes:
    """A MIME tree with the faults that mail has: mixed line ends, odd blanks, missing pieces."""
    eol = _line_end_of(draw)
    lines = []
    for name, value in draw(st.lists(st.tuples(_NAMES, _VALUES), max_size=4)):
        fold = draw(st.sampled_from([b"", eol + b" ", eol + b"\t \t"]))
        lines.append(name + draw(st.sampled_from([b": ", b":", b" : ", b":\t"])) + fold.join(value))
    kind = draw(st.sampled_from(["leaf", "leaf", "multipart", "rfc822", "status"] if depth else ["leaf"]))
    if kind == "leaf":
        types = [b"text/plain", b"text/html; charset=utf-8", b"application/octet-stream; name=a.bin", b"bad"]
        lines += [b"Content-Type: " + draw(st.sampled_from(types))] if draw(st.booleans()) else []
        body = b"".join(draw(_TEXT))
    elif kind == "rfc822":
        lines.append(b"Content-Type: message/rfc822")
        body = draw(entities(depth - 1, used))
    elif kind == "status":
        lines.append(b"Content-Type: message/delivery-status")
        body = (eol + eol).join(
            draw(st.lists(st.sampled_from([b"a: b", b"c: d" + eol + b"e: f"]), min_size=1, max_size=3))
        ) + eol
    else:
        boundary = b"B%d" % len(used) if draw(st.integers(0, 9)) else b"B0"
        lines.append(b'Content-Type: multipart/mixed;\n boundary="' + boundary + b'"')
        parts = draw(st.lists(entities(depth - 1, (*used, boundary)), min_size=1, max_size=3))
        body = draw(st.sampled_from([b"", b"preamble" + eol, eol]))
        body += b"".join(b"--" + boundary + draw(st.sampled_from([b"", b" "])) + eol + p + eol for p in parts)
        body += draw(
            st.sampled_from([b"--" + boundary + b"--" + eol, b"--" + boundary + b"--", b"", eol + b"epilogue"])
        )
    at = draw(st.integers(0, len(lines)))
    lines.insert(at, draw(st.sampled_from([b"X-Mark: 1", b": no name", b"X-Last:"])))
    return eol.join(lines) + eol + draw(st.sampled_from([eol, eol, eol, b""])) + body


def all_parts(msg: mime.MimeMessage) -> Iterable[mime.MimeMessage]:
    """Walk over the parts of a message, except for those of encoded messages."""
    yield msg
    if msg.is_multipart() and msg.source is not None and msg.source.inline:
        for part in msg.get_payload():
            yield from all_parts(part)
