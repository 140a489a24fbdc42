"""What check_html lets through has no script for two parsers that are not ours: html5lib, and lexbor."""

from __future__ import annotations

import re

import pytest
from selectolax.lexbor import LexborHTMLParser

import mime
from support.html_documents import document
from support.html_readers import lexbor_scripts, readers_of_a_script
from support.mime_messages import leaf, read

_IN_CI = 5_000
_IN_LONG = 100_000


def cleaned(text: str) -> str:
    msg = read(leaf("text/html; charset=utf-8", text.encode(), "8bit"))
    mime.check_html(msg)
    return msg.payload_bytes().decode()


def judge(seeds: range, *, all_readers: bool) -> int:
    """Fail if a document has a script left; return in how many there is still the text of one."""
    left = 0
    for seed in seeds:
        text = document(seed)
        result = cleaned(text)
        found = readers_of_a_script(result, all_readers=all_readers)
        assert not found, f"document({seed}) = {text!r} became {result!r}, in which a script is found by {found}"
        left += "<script" in result.lower()
    return left


@pytest.mark.parametrize("part", range(5))
def test_no_parser_finds_a_script(part: int) -> None:
    share = _IN_CI // 5
    seeds = range(part * share, (part + 1) * share)
    left = judge(seeds, all_readers=False)
    assert left > share // 20, "hardly a comment or an attribute with a script was let through: this shows too little"


@pytest.mark.long
@pytest.mark.timeout(600)
@pytest.mark.parametrize("part", range(20))
def test_no_parser_finds_a_script_in_many_documents(part: int) -> None:
    share = _IN_LONG // 20
    judge(range(_IN_CI + part * share, _IN_CI + (part + 1) * share), all_readers=True)


def test_no_script_comes_up_when_a_parser_writes_the_text_and_reads_it_again() -> None:
    """Texts with `&lt;script>` are left out: lexbor writes it as `<script>` within <svg><style>."""
    seen = 0
    for seed in range(1_000):
        result = cleaned(document(seed))
        if re.search("&(lt|#60);", result):
            continue
        seen += 1
        for scripting in (True, False):
            again = LexborHTMLParser(result, scripting=scripting).html or ""
            found = [allowed for allowed in (True, False) if any(lexbor_scripts(again, scripting=allowed))]
            assert not found, f"document({seed}) became {result!r}, and then {again!r}"
    assert seen > 700


def test_the_documents_have_scripts_for_both_parsers() -> None:
    """The proof is worth something only if there is much to find, by each of the parsers."""
    found = [" ".join(readers_of_a_script(document(seed), all_readers=False)) for seed in range(300)]
    assert sum("lexbor" in readers for readers in found) > 80
    assert sum("html5lib" in readers for readers in found) > 80


def test_nothing_like_a_script_stays_byte_for_byte() -> None:
    seen = 0
    for seed in range(_IN_CI):
        text = document(seed)
        if "script" in text.replace("\0", "").lower():
            text = re.sub("script", "section", text, flags=re.IGNORECASE)
            seen += 1
        raw = leaf("text/html; charset=utf-8", text.encode(), "8bit")
        msg = read(raw)
        mime.check_html(msg)
        assert msg.as_bytes() == raw, f"document({seed})"
    assert seen > _IN_CI // 3
