"""Messages made to waste a filter's time, and a program that reads one of them: `mime_hostile.py NAME`."""

from __future__ import annotations

import io
import sys
from collections.abc import Callable

import mime

_SIZE = 400_000
_HTML = b"Content-Type: text/html\n\n"
_B = b"Content-Type: multipart/mixed; boundary=B\n\n"
#: Each of these takes quadratic time in a parser of the standard library, or in a careless one.
HOSTILE: dict[str, Callable[[], bytes]] = {
    "semicolons in quotes": lambda: b'Content-Type: text/plain; a="' + b";" * _SIZE + b"\n\n",
    "parameters": lambda: b"Content-Type: text/plain" + b";a=b" * (_SIZE // 4) + b"\n\n",
    "escaped quotes": lambda: b"Content-Type: text/plain; name=" + b'"\\' * (_SIZE // 2) + b"\n\n",
    "RFC 2231 parts": lambda: b"Content-Type: a/b" + b"".join(b";a*%d*=b" % i for i in range(_SIZE // 10)) + b"\n\n",
    "encoded words": lambda: b'Content-Type: a/b; name="' + b"=?utf-8?q?a?= " * (_SIZE // 14) + b'"\n\n',
    "starts of encoded words": lambda: b'Content-Type: a/b; name="' + b"=?" * (_SIZE // 2) + b'"\n\n',
    "folds": lambda: b"a: x" + b"\n x" * (_SIZE // 3) + b"\n\n",
    "fields": lambda: b"a:\n" * (_SIZE // 3),
    "no fields": lambda: b" \n:\nFrom \n" * (_SIZE // 10),
    "delimiters": lambda: _B + b"--B\n" * (_SIZE // 4),
    "nearly delimiters": lambda: _B + b"--BB\n--B \t x\n" * (_SIZE // 13),
    "parts": lambda: _B + b"--B\n\n\n" * 9_999,
    "punycode": lambda: b"Content-Type: text/plain; charset=punycode\n\n\xe9" + b"a-" * (_SIZE // 2),
    "messages": lambda: b"Content-Type: message/rfc822\n\n" * 20_000,
    "<a": lambda: _HTML + b"<a " * (_SIZE // 3),
    "<a in quotes": lambda: _HTML + b"<a " * (_SIZE // 3) + b' b=">"',
    "quotes": lambda: _HTML + b"<a a='b\">" * (_SIZE // 9),
    "comments": lambda: _HTML + b"<!--" * (_SIZE // 4),
    "declarations": lambda: _HTML + b"<!" * (_SIZE // 2),
    "end tags": lambda: _HTML + b"</a " * (_SIZE // 4),
    "less than": lambda: _HTML + b"<" * (3 * _SIZE),
    "ampersands": lambda: _HTML + b"&" * _SIZE,
    "attributes": lambda: _HTML + b"<a" + b" =" * (_SIZE // 2) + b">",
    "scripts": lambda: _HTML + b"<script>" * (_SIZE // 8),
    "titles": lambda: _HTML + b"<title>" * (_SIZE // 7),
}


def use(raw: bytes) -> None:
    """Do with a message what filters do."""
    msg = mime.message_from_file(io.BytesIO(raw))
    for part in msg.walk():
        part.get_payload(decode=True)
        part.get_filename()
    mime.defang(msg, "/saved", scan_zip=True)
    msg["X"] = "y"
    msg.as_bytes()


if __name__ == "__main__":
    use(HOSTILE[sys.argv[1]]())
