"""The cost of cleaning HTML is in proportion to its size, for what its readers have most work with."""

from __future__ import annotations

import time

import pytest

import mime
from support.mime_messages import leaf, read

_SIZE = 20_000
_GROWTH = 4
_MOST = 9  # twice the size, three times the processor time: two times over

_UNITS = [
    "<style>", "<style><title>", "<style></style>", "<style></style", "<title></title ", "<iframe><xmp><textarea>",
    "<noscript><style></noscript>", "<style><script></style>", "<!--", "<!-- <script> -->", "<!-->", "-->", "<!-", "--",
    "<!--[if x]>", "<!--[if x]><![endif", "<![if x]>", "<![endif", "<![endif]>", "<!   ", "<! [ if", "<![CDATA[",
    "<![CDATA[]]>", "<script>", "<script", "<script ", "<script/", "</script", "</script ", "<script><!--",
    "<script><!--<script></script>", "<script></script ", "<x<script>", "\0<script ", "<\0", "<\x1b(B", "\x1b",
    '<a b="', "<a b='\"", "<a b='<script>'>", "<a ", "<a b=", "<a =`>", "a=`", "=", "' \"", "<", "</", "<?", "<!",
    "<p>", "&", "<meta charset=", "charset=", "<meta ", "&#1", "&amp", "<font color=1><p>", "<a href=' ", "\t",
]  # fmt: skip


def _seconds(text: str, strict: bool) -> float:
    msg = read(leaf("text/html", text.encode("latin-1"), "8bit"))
    start = time.process_time()
    mime.check_html(msg, strict=strict)
    return time.process_time() - start


def _grows_in_proportion(unit: str, end: str, strict: bool) -> bool:
    small, big = (unit * (size // len(unit)) + end for size in (_SIZE, _SIZE * _GROWTH))
    # Several tries, because the processor does other things, too.
    return any(_seconds(big, strict) < _MOST * max(_seconds(small, strict), 0.002) for _ in range(4))


@pytest.mark.parametrize("strict", [False, True])
@pytest.mark.parametrize("end", ["<script>x</script>", "\"'><script ", "]]></style>--><script"])
def test_cost_is_in_proportion(end: str, strict: bool) -> None:
    too_much = [unit for unit in _UNITS if not _grows_in_proportion(unit, end, strict)]
    assert too_much == []
