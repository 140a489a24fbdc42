"""What a mail client shows or saves, the checks see: odd messages of every kind, bad and good."""

from __future__ import annotations

import pytest

import mime
from support.mime_hidden import BAD, GOOD, KINDS, Case
from support.mime_messages import read

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
