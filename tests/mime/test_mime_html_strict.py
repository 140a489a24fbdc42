"""check_html(strict=True): what it writes has nothing that acts, to two parsers that are not ours."""

from __future__ import annotations

import base64
import re
from collections.abc import Iterator

import pytest
from selectolax.lexbor import LexborHTMLParser

import mime
from support.html_documents import active_document
from support.html_readers import html5lib_tree
from support.mime_messages import leaf, read

WARN = "<!-- WARNING: embedded script removed -->"
_IN_CI = 2_000
_IN_LONG = 50_000

#: What must not be in the result, listed apart from the code's lists of what may be.
_BAD_ELEMENTS = re.compile(
    "script|style|link|meta|base|iframe|frame|frameset|object|embed|applet|form|input|button|select|textarea|keygen|svg|math"
    "|template|noscript|xmp|plaintext|title|audio|video|source|track|canvas|portal|marquee|animate|set|isindex|dialog|slot"
)
_BAD_ATTRIBUTES = re.compile(
    "on.*|style|class|srcdoc|srcset|action|formaction|data|poster|ping|code|codebase|archive|classid|profile|manifest|content"
    "|http-equiv|target|form|is|xmlns.*|.*:.*|lowsrc|dynsrc|integrity|nonce|autofocus|contenteditable|tabindex|slot"
)
_GOOD_LINK = re.compile("#|https?:|ftp:|mailto:|tel:|sms:|cid:|mid:")


def cleaned(text: str, content_type: str = "text/html; charset=utf-8") -> str:
    msg = read(leaf(content_type, text.encode(), "8bit"))
    assert mime.check_html(msg, strict=True) == 0
    return msg.payload_bytes().decode()


def elements(text: str) -> Iterator[tuple[str, str, dict[str, str]]]:
    """Yield for each parser and state the reader, and each element with its attributes."""
    for scripting in (True, False):
        for container in (None, "div"):
            for element in html5lib_tree(text, scripting=scripting, container=container).iter():
                if isinstance(element.tag, str) and element.tag != "document_root":
                    yield f"html5lib, {scripting=}, {container=}", element.tag, dict(element.attrib)
        for parser in (
            LexborHTMLParser(text, scripting=scripting),
            LexborHTMLParser(text, is_fragment=True, scripting=scripting),
        ):
            for node in parser.css("*"):
                yield f"lexbor, {scripting=}", node.tag or "", {k: v or "" for k, v in node.attributes.items()}


def what_acts(text: str) -> Iterator[str]:
    for reader, tag, attributes in elements(text):
        if _BAD_ELEMENTS.fullmatch(tag.rpartition("}")[2].lower()):
            yield f"{reader}: <{tag}>"
        for name, value in attributes.items():
            if _BAD_ATTRIBUTES.fullmatch(name.lower()):
                yield f"{reader}: <{tag} {name}>"
            if re.fullmatch("href|src|background|cite|longdesc|usemap", name):
                address = re.sub("[\t\n\r]", "", value).lstrip("".join(map(chr, range(33)))).lower()
                if not _GOOD_LINK.match(address):
                    yield f"{reader}: <{tag} {name}={value!r}>"
            elif re.search("^[\0- ]*(javascript|vbscript|data):", value, re.IGNORECASE) and name not in (
                "title",
                "alt",
            ):
                yield f"{reader}: <{tag} {name}={value!r}>"


def judge(seeds: range) -> None:
    for seed in seeds:
        text = active_document(seed)
        result = cleaned(text)
        found = list(what_acts(result))
        assert not found, f"active_document({seed}) = {text!r} became {result!r}: {found}"
        assert cleaned(result) == result, f"active_document({seed}) = {text!r} is changed again"


@pytest.mark.parametrize("part", range(2))
def test_nothing_that_acts_is_found_by_a_parser(part: int) -> None:
    share = _IN_CI // 2
    judge(range(part * share, (part + 1) * share))


@pytest.mark.long
@pytest.mark.timeout(600)
@pytest.mark.parametrize("part", range(10))
def test_nothing_that_acts_is_found_in_many_documents(part: int) -> None:
    share = _IN_LONG // 10
    judge(range(_IN_CI + part * share, _IN_CI + (part + 1) * share))


def test_the_documents_have_what_acts() -> None:
    found = [" ".join(what_acts(active_document(seed))) for seed in range(200)]
    for what in (
        "lexbor",
        "html5lib",
        " onerror>",
        "<iframe",
        "<meta",
        "<base",
        "srcdoc",
        "style>",
        "javascript",
        "data:",
    ):
        assert any(what in acts for acts in found), what


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("<p>x &amp; y &lt; &nbsp;&euro; z < 3 & 4</p>", "<p>x &amp; y &lt; &nbsp;&euro; z &lt; 3 & 4</p>"),
        ("<P Align=center NOWRAP>x</P >", '<p align="center" nowrap="nowrap">x</p>'),
        (
            "<a href='http://x.example/?a=1&copy=2&amp;b=\"'>",
            '<a href="http://x.example/?a=1&amp;copy=2&amp;b=&quot;">',
        ),
        ("<a href=' HTTPS://x.example/'>y</a>", '<a href="HTTPS://x.example/">y</a>'),
        ("<a href=mailto:a@b.example>", '<a href="mailto:a@b.example">'),
        ("<img src=cid:a@b alt=`>", '<img src="cid:a@b" alt="&#96;">'),
        ("<img src=x.png><img src=//x><img src=\\\\x\\y>", "<img><img><img>"),
        ("<a href='java&#115;cript:x' href='http://x/'>y</a>", "<a>y</a>"),
        ("a<script>x</script>b", f"a{WARN}b"),
        ("a<style>p > b { }</style>b<title>x</title>c<textarea>x</textarea>", "abc"),
        ("<noscript><b onclick=x>y</b></noscript>", "<b>y</b>"),
        ("a<!-- x --><!DOCTYPE html><?x y?><![CDATA[z]]>b", "ab"),
        ("<form action=x><input value=y><b>z</b></form>", "<b>z</b>"),
        ("a<!-- never closed <b>", "a"),
        ("\x00a\x1b\x0e<b\x00>", "a<b>"),
        ("a &lt", "a &lt"),
        ("a &#6", "a &#6"),
        ("<p title='a<b>c&d`'>", '<p title="a&lt;b&gt;c&amp;d&#96;">'),
        ("", ""),
    ],
)
def test_what_is_written(text: str, expected: str) -> None:
    assert cleaned(text) == expected
    assert cleaned(expected) == expected


def test_a_text_that_has_nothing_to_take_out_is_not_changed() -> None:
    raw = leaf(
        "text/html", b'<html><body bgcolor="#ffffff"><p>Hi,<br>\n<a href="http://x.example/">x</a></p></body></html>'
    )
    msg = read(raw)
    mime.check_html(msg, strict=True)
    assert not msg.ismodified()


@pytest.mark.parametrize(
    ("content_type", "data", "expected"),
    [
        ("text/html; charset=utf-8", "<p x>é€</p>".encode(), "<p>é€</p>".encode()),
        ("text/html; charset=utf-8", b"\xef\xbb\xbf<p x>", b"\xef\xbb\xbf<p>"),
        ("text/html", "<p x>é€</p>".encode(), b"<p>&#233;&#8364;</p>"),
        ("text/html; charset=us-ascii", "<p x>é</p>".encode(), b"<p>&#233;</p>"),
        ("text/html; charset=iso-8859-1", b"<p x>\xe9\x80</p>", b"<p>&#233;&#8364;</p>"),
        ("text/html; charset=iso-8859-15", b"<p x>\xa4&Alpha;</p>", b"<p>\xa4&Alpha;</p>"),
        ("text/html; charset=iso-8859-15", b"<p x title='&Alpha;'>\xa4", b'<p title="&#913;">\xa4'),
        ("text/html; charset=utf-8", b"<p x title='&eacute;'>", b'<p title="&#233;">'),
        ("text/html", b"<meta charset='koi8-r'><p>\xc1", b"<p>&#1072;"),
        ("text/html", b"<meta charset=utf-16><p>\xc3\xa9", b"<p>&#233;"),
        ("text/html", b"<p x>\xe9", b"<p>&#233;"),
        ("text/html; charset=unicode", "<p x>é".encode("utf-16-le"), "<p>é".encode("utf-16-le")),
        ("text/html; charset=utf-16", "<p x>é".encode("utf-16-be"), "<p>é".encode("utf-16-be")),
        ("text/html; charset=x", "\ufeff<p x>é".encode("utf-16-be"), "\ufeff<p>é".encode("utf-16-be")),
        ("text/html; charset=shift_jis", "<p x>日本\\".encode("shift_jis"), "<p>日本\\".encode("shift_jis")),
        ("text/html; charset=iso-2022-jp", "<p x>日本".encode("iso-2022-jp"), "<p>日本".encode("iso-2022-jp")),
        ("text/html; charset=iso-2022-jp", b"<p x>&#27;\x1b\x0e", b"<p>&#27;"),
        ("text/html; charset=utf-7", b"<p title='&#43;ADw-script+AD4-'>", b'<p title="+-ADw-script&gt;">'),
    ],
)
def test_the_charset_is_still_right(content_type: str, data: bytes, expected: bytes) -> None:
    msg = read(leaf(content_type, base64.encodebytes(data), "base64"))
    mime.check_html(msg, strict=True)
    assert msg.get_payload(decode=True) == expected


def test_strict_is_not_the_default() -> None:
    raw = leaf("text/html", b"<img src=x onerror=alert(1)>")
    msg = read(raw)
    mime.check_html(msg)
    assert msg.as_bytes() == raw


@pytest.mark.parametrize(
    "unit", ["<font color={}><p>", "<b id={}>", "<table>", "<a title='{}", "<p x{}=y ", "&#{}", "<!--{}"]
)
def test_a_tree_that_no_parser_could_hold_is_only_text_here(unit: str) -> None:
    """Parsers that build the tree of 80 KB of the first one need 2 GB for it."""
    text = "".join(unit.format(number) for number in range(20_000))
    assert len(cleaned(text)) < 2 * len(text)
