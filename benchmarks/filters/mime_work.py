"""Does one piece of work on one message for a while: `mime_work.py LIBRARY WORK BYTES SECONDS`, and prints JSON.

Run by the interpreter that has the library: `mime` of pymilter or of 1.0.5, or the standard library's `email`.
"""

import base64
import email
import io
import json
import random
import resource
import sys
import time
from collections.abc import Callable
from email.generator import BytesGenerator
from typing import Any

HTML = "<p class='x'>The <b>quick</b> brown fox &amp; a <a href='https://example.org/?a=b'>dog</a>.</p>\r\n"
SCRIPT = "<script>document.write('x')</script>\r\n"
FILES = 3


def message(size: int) -> bytes:
    """A message of about `size` bytes, the same on every run: texts, HTML with scripts in it, three files."""
    generator = random.Random(1)
    page = (HTML * 5 + SCRIPT) * max(1, size // 4 // (len(HTML) * 5))
    lines = ["Subject: a message", "From: a@example.org", "MIME-Version: 1.0"]
    lines += [f"Received: from relay{number}.example.org by mx.example.org; Thu, 1 Jan 1970" for number in range(8)]
    parts = [f"Content-Type: text/plain\r\n\r\n{'A plain line of text, as people write them.' * 3}\r\n"]
    parts.append(f"Content-Type: text/html; charset=utf-8\r\n\r\n{page}")
    for number, name in enumerate(("report.pdf", "picture.png", "setup.exe")):
        data = base64.encodebytes(generator.randbytes(size // 6)).replace(b"\n", b"\r\n").decode()
        head = (
            f"Content-Type: application/octet-stream; name={name}\r\nContent-Disposition: attachment; filename={name}"
        )
        parts.append(f"{head}\r\nContent-ID: <{number}>\r\nContent-Transfer-Encoding: base64\r\n\r\n{data}")
    body = "".join(f"--b1\r\n{part}\r\n" for part in parts)
    head = "\r\n".join([*lines, 'Content-Type: multipart/mixed; boundary="b1"'])
    return f"{head}\r\n\r\n{body}--b1--\r\n".encode()


def _written(msg: Any) -> bytes:
    out = io.BytesIO()
    if hasattr(msg, "dump"):
        msg.dump(out)
    else:
        BytesGenerator(out, mangle_from_=False).flatten(msg)
    return out.getvalue()


def _dump(read: Callable[[bytes], Any], raw: bytes) -> bool:
    return b"setup.exe" in _written(read(raw))


def _attachments(read: Callable[[bytes], Any], raw: bytes) -> bool:
    found = [part.get_payload(decode=True) for part in read(raw).walk() if part.get_filename()]
    return len(found) == FILES and all(found)


def _html(read: Callable[[bytes], Any], raw: bytes) -> bool:
    import mime

    msg = read(raw)
    for part in msg.walk():
        mime.check_html(part)
    return b"<script" not in _written(msg)


def _defang(read: Callable[[bytes], Any], raw: bytes) -> bool:
    import mime

    msg = read(raw)
    return bool(mime.defang(msg, "/saved")) and b"name=setup.exe" not in _written(msg)


WORKS = {"dump": _dump, "attachments": _attachments, "html": _html, "defang": _defang}


def main(library: str, work: str, size: int, seconds: float) -> None:
    if library == "stdlib":
        read: Callable[[bytes], Any] = email.message_from_bytes
    else:
        import mime

        def read(raw: bytes) -> Any:
            return mime.message_from_file(io.BytesIO(raw))

    raw = message(size)
    function = WORKS[work]
    if not function(read, raw):
        raise SystemExit(f"{library} does the work {work} wrongly")
    took: list[float] = []
    end = time.perf_counter() + seconds
    processor = time.process_time()
    while time.perf_counter() < end or len(took) < 3:
        begin = time.perf_counter()
        function(read, raw)
        took.append(time.perf_counter() - begin)
    used = time.process_time() - processor
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    bytes_of_peak = peak * (1 if sys.platform == "darwin" else 1024)
    print(json.dumps({"bytes": len(raw), "took": took, "processor": used, "peak": bytes_of_peak}))


if __name__ == "__main__":
    main(sys.argv[1], sys.argv[2], int(sys.argv[3]), float(sys.argv[4]))
