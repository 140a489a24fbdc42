"""What a mail client shows or saves, the checks see: odd messages of every kind, bad and good."""

from __future__ import annotations

import pytest

import mime
from support.mime_hidden import BAD, GOOD, KINDS, Case
from support.mime_messages import base64_leaf, multipart, read, zipped
from support.mime_tnef import tnef

_CASES = [pytest.param(case, id=title) for cases in KINDS.values() for title, case in cases()]


@pytest.mark.parametrize("case", _CASES)
def test_bad_is_seen_and_good_is_left(case: Case) -> None:
    bad, good = case(*BAD), case(*GOOD)
    assert bad != good
    for raw in (bad, bad.replace(b"\n", b"\r\n")):
        msg = read(raw)
        assert msg.as_bytes() == raw
        assert mime.defang(msg, "/saved")
        again = read(msg.as_bytes())
        assert not mime.defang(again, "/saved"), "once is enough"
    msg = read(good)
    assert not mime.defang(msg, "/saved")
    assert msg.as_bytes() == good


@pytest.mark.parametrize(
    "content",
    [
        b"MZ\x90\0\x03\0\0\0", b"\x7fELF\x02\x01", b"<html><script>x</script></html>", zipped("evil.exe"),
        b"From: a\nSubject: b\nContent-Type: text/html\n\n<script>x</script>", tnef("title", b"evil.exe"),
    ],
)  # fmt: skip
def test_content_counts_whatever_it_is_called(content: bytes) -> None:
    raw = multipart(base64_leaf("image/png; name=a.png", content))
    assert not mime.defang(read(raw), "/saved", scan_zip=True)
    assert mime.defang(read(raw), "/saved", scan_zip=True, by_content=True)
