"""A program for pymilter 1.0.5's `mime`: prints as JSON what it gives for messages that it can handle.

test_parity_mime.py runs it on 1.0.5 and on ours. What is mended on purpose is left out here, and shown in tests/mime.
"""

from __future__ import annotations

import base64
import io
import json
import os
import sys
import zipfile
from collections.abc import Callable
from typing import Any

import mime

Answers = dict[str, list[Any]]


def leaf(content_type: str, body: str = "AAAA\n", more: str = "") -> str:
    return f"Content-Type: {content_type}\n{more}\n{body}"


def multipart(*parts: str, boundary: str = "B") -> str:
    body = "".join(f"--{boundary}\n{part}\n" for part in parts)
    return f'From: x@y\nContent-Type: multipart/mixed; boundary="{boundary}"\n\npre\n{body}--{boundary}--\nepi\n'


def zipped(*names: str) -> bytes:
    out = io.BytesIO()
    with zipfile.ZipFile(out, "w") as archive:
        for name in names:
            archive.writestr(zipfile.ZipInfo(name), b"data")  # of 1980, not of now
    return out.getvalue()


def base64_leaf(content_type: str, content: bytes) -> str:
    return leaf(content_type, base64.encodebytes(content).decode(), "Content-Transfer-Encoding: base64\n")


PARTS = [
    leaf("text/plain", "hi\n"),
    leaf("text/plain; name=a.txt"),
    leaf('x/y; name="a.exe"'),
    leaf("x/y; NAME=A.EXE"),
    leaf("x/y", more="Content-Disposition: attachment; filename=b.pif\nX-Keep: me\n"),
    leaf("x/y; name=a.txt", more="Content-Disposition: attachment; filename=b.pif\n"),
    leaf('x/y; name*0="a."; name*1="exe"'),
    leaf("x/y; name=b.txt; foo=a.exe"),
    leaf('x/y;\n\tname="a.exe"'),
    leaf("text/html", "<html><b>hi</b></html>\n"),
    base64_leaf("application/zip; name=f.zip", zipped("a.txt", "d/b.exe")),
    base64_leaf("application/zip; name=f.zip", zipped("a.txt")),
    base64_leaf("application/zip; name=f.zip", b"garbage"),
    leaf("multipart/alternative; boundary=C", "--C\n\nx\n--C\nContent-Type: c/d; name=a.vbs\n\ny\n--C--\n"),
    "\nno header\n",
]
MESSAGES = [multipart(PARTS[0], part, PARTS[11]) for part in PARTS] + PARTS[:-1]


def is_plain_leaf(m: Any) -> bool:
    return not m.is_multipart() and m.getencoding() is None


CHANGES: list[Callable[[Any], object]] = [
    lambda m: m.__setitem__("Subject", "new"),
    lambda m: m.__setitem__("Subject", "caf\xe9"),
    lambda m: m.__setitem__("X-Long", "word " * 40 + "end"),
    lambda m: m.__setitem__("X-Fold", "a\n b"),
    lambda m: m.__delitem__("from"),
    lambda m: m.__delitem__("nope"),
    lambda m: m.add_header("X-A", "v", a="b c"),
    lambda m: m.set_param("x", "y"),
    lambda m: m.del_param("name"),
    lambda m: m.set_type("multipart/related") if m.is_multipart() else m.set_type("text/plain"),
    lambda m: m.set_payload("new text\n") if is_plain_leaf(m) else None,
    lambda m: m.set_payload("caf\xe9\n", "utf-8") if is_plain_leaf(m) else None,
    lambda m: m.get_payload(0).set_payload("new\n") if m.is_multipart() else None,
    lambda m: m.get_payload(1).__setitem__("X", "y") if m.is_multipart() else None,
    lambda m: m.get_payload(1).__delitem__("X-Keep") if m.is_multipart() else None,
    lambda m: mime.defang(m, "/saved"),
    lambda m: mime.defang(m, "/saved", scan_zip=True),
    lambda m: mime.defang(m, None, lambda name: name == "a.txt" and "a bad one"),
    lambda m: mime._defang(scan_html=False)(m, "/saved"),
    lambda m: [mime.check_name(part, "/saved", scan_zip=True) for part in m.walk() if not part.is_multipart()],
]


def read(text: str) -> Any:
    return mime.message_from_file(io.BytesIO(text.encode()))


def asked(text: str) -> list[Any]:
    """What a program can ask, of each part."""
    answers: list[Any] = []
    for part in read(text).walk():
        names = [part.getnames(), part.getname(), part.getfilename(), part.getparams(), part.getparam("name")]
        kinds = [part.gettype(), part.getencoding(), part.ismultipart(), part.ismodified()]
        headers = [part.keys(), part.values(), part.getheaders("content-type"), part.getheaders("nope", 3)]
        decoded = io.BytesIO()
        encoding = None if part.is_multipart() else part.decode(decoded)
        content = [str(part.get_payload_decoded()), encoding, str(decoded.getvalue())]
        text_of = None if part.is_multipart() else part.get_payload()
        parts = None if part.get_submsg() is None else len(part.get_submsg())
        answers.append([names, kinds, headers, content, text_of, parts, part.preamble, part.epilogue])
    return answers


def changed(text: str, change: Callable[[Any], object]) -> list[Any]:
    """What becomes of a message, and what its program is told of the headers."""
    msg = read(text)
    events: list[Any] = []
    msg.headerchange = lambda _, name, value: events.append([name, value])
    result = change(msg)
    out = io.BytesIO()
    msg.dump(out)
    modified = [part.ismodified() for part in msg.walk()]
    return [str(result), events, out.getvalue().decode("latin-1"), modified, str(msg.as_bytes())]


def visited(text: str, results: list[int]) -> list[Any]:
    seen: list[str] = []

    def check(part: Any) -> int:
        seen.append(part.get_content_type())
        return results[min(len(seen), len(results)) - 1]

    return [mime.check_attachments(read(text), check), seen]


def answers() -> Answers:
    names = [
        "a.exe",
        "A.EXE",
        ".exe",
        "exe",
        "a.txt",
        "a.exe.txt",
        "x@y.com",
        "C:\\a.exe",
        "a.zip",
        "a.js/b",
        "a.exe;x",
    ]
    values = ['"a"', "a", "<a>", '"a', '"a\\"b"', "", "'a'", '"a\\\\b"', '"', "<", "<a"]
    params = ["text/plain; a=b", ';a="x;y"; b=c', ";a=b;; c", ';a="q\\";z"', "; A = B", ';a="open; c=d', "", ";", ' "']
    return {
        "asked": [asked(text) for text in MESSAGES],
        "changed": [changed(text, change) for change in CHANGES for text in MESSAGES],
        "visited": [visited(text, results) for text in MESSAGES for results in ([0], [0, 1], [2])],
        "check_ext": [mime.check_ext(name) for name in names],
        "unquote": [[mime.unquote(value), mime._unquotevalue(value), mime.quote(value)] for value in values],
        "_parseparam": [mime._parseparam(value) for value in params],
        "zipnames": [mime.zipnames(zipped(*names)) for names in ((), ("a",), ("a", "d/", "d/b.exe"))],
        "values": [mime.virus_msg, mime.extlist.split(",")[:42], mime.bad_extensions[:42]],
    }


if __name__ == "__main__":
    sys.tracebacklimit = 0
    stdout, sys.stdout = sys.stdout, open(os.devnull, "w")  # noqa: SIM115, PTH123 - 1.0.5 prints what it checks
    json.dump(answers(), stdout)
