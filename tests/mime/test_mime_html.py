"""check_html and the filters: scripts go, every other byte stays."""

from __future__ import annotations

import base64
import binascii
import io
import re

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

import mime
from pymilter.mime._scripts import script_spans
from support.mime_messages import leaf, multipart, read

WARN = "<!-- WARNING: embedded script removed -->"
SCRIPT = b"<html>\n<script>alert(1)</script>x</html>"
CLEAN = b"<html>\n" + WARN.encode() + b"x</html>"
_X = "<script>alert(1)</script>"


def filtered(text: str, cls: type[mime.SGMLFilter] = mime.HTMLScriptFilter) -> str:
    out = io.StringIO(newline="")
    parser = cls(out)
    parser.feed(text)
    parser.close()
    return out.getvalue()


def in_pieces(text: str, size: int, cls: type[mime.SGMLFilter] = mime.HTMLScriptFilter) -> str:
    out = io.StringIO(newline="")
    parser = cls(out)
    for start in range(0, len(text), size):
        parser.feed(text[start : start + size])
    parser.close()
    return out.getvalue()


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("<html>\n<script>alert(1)</script>x</html>", f"<html>\n{WARN}x</html>"),
        ('a<SCRIPT type="text/javascript" src=x>\nfoo<b>\n</SCRIPT>b', f"a{WARN}b"),
        ("<script>1</script>2<script>3</script>4", f"{WARN}2{WARN}4"),
        ("<script>a<!-- b -->c</script>d", f"{WARN}d"),
        ("<script><!--\nfoo\n//--></script>d", f"{WARN}d"),
        ("<style>x<script>y</script></style>", f"<style>x{WARN}</style>"),
        ("<title><script>x</script></title>", f"<title>{WARN}</title>"),
        ("<textarea><script>x</script></textarea>", f"<textarea>{WARN}</textarea>"),
    ],
)
def test_scripts_are_removed_as_in_105(text: str, expected: str) -> None:
    assert filtered(text) == expected
    for size in (1, 3, 7):
        assert in_pieces(text, size) == expected


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        pytest.param("<script>unclosed", WARN, id="1.0.5 left no word of it"),
        pytest.param("a<script src=x/>b</script>c", f"a{WARN}c", id="a slash does not close it"),
        pytest.param("<script>x</script x>y", f"{WARN}y", id="1.0.5 lost the rest of the message"),
        pytest.param("<script>x</script\n>y", f"{WARN}y", id="line end in the end tag"),
        pytest.param("<script>document.write('<b>')</script>y", f"{WARN}y", id="1.0.5 let the tag through"),
        pytest.param("<script>&lt;&#65;</script>y", f"{WARN}y", id="references in it"),
        pytest.param("<script><?x ?><![x]></script>y", f"{WARN}y", id="declarations in it"),
        pytest.param("<!--><script>x</script>-->", f"<!-->{WARN}-->", id="short comment"),
        pytest.param("<!---><script>x</script>-->", f"<!--->{WARN}-->", id="another short comment"),
        pytest.param("<!-- --!><script>x</script>-->", f"<!-- --!>{WARN}-->", id="comment ended by --!>"),
        pytest.param(
            "<title><!--</title><script>x</script>-->", f"<title><!--</title>{WARN}-->", id="comment in title"
        ),
        pytest.param(
            "<noscript><!--</noscript><script>x</script>-->", f"<noscript><!--</noscript>{WARN}-->", id="noscript"
        ),
        pytest.param("<a title='<script>'><script>x</script>", f"<a title='<script>'>{WARN}", id="not in an attribute"),
        pytest.param('<a title="\'><script>x</script>">', '<a title="\'><script>x</script>">', id="in an attribute"),
        pytest.param('<a title="><script>x</script>', f'<a title=">{WARN}', id="quote that is never closed"),
        pytest.param("<a b=c <script>x</script>", "<a b=c <script>x</script>", id="a name of an attribute"),
        pytest.param("<scr<script>x</script>ipt>", f"{WARN}ipt>", id="tag in a tag"),
        pytest.param("x<!-- <script>x</script>", f"x<!-- {WARN}", id="comment that is never closed"),
        pytest.param("x<a <script y</script ", f"x<a {WARN}", id="tag that is never closed"),
        pytest.param("<SCRIPT\x0c>x</sCRIPT\t>y", f"{WARN}y", id="odd blanks"),
        pytest.param("<!--[if IE]><script>x</script><![endif]-->y", f"{WARN}y", id="read by Internet Explorer"),
        pytest.param("<?php '<script>x</script>' ?>", f"{WARN}' ?>", id="1.0.5 lost its beginning"),
        pytest.param("</ <script>x</script>y", f"{WARN}y", id="end tag without a name"),
        pytest.param('<script a="</script>">x</script>y', f"{WARN}y", id="end tag in an attribute"),
        pytest.param(
            '<script><!-- write("<script src=x></script>") --></script>y', f"{WARN}y", id="script within a script"
        ),
        pytest.param("<script><!--<script></script>x", f"{WARN}x", id="script within one that is never closed"),
        pytest.param("<scr\0ipt>x</script>y", f"{WARN}y", id="NUL in the name"),
        pytest.param("<script\x0bsrc=x></script>y", f"{WARN}y", id="vertical tab"),
        pytest.param("<<script>x</script>y", f"<{WARN}y", id="behind a sign that is text"),
        pytest.param("<!DOCTYPE html><script>x</script>y", f"<!DOCTYPE html>{WARN}y", id="behind a declaration"),
        pytest.param("<?x?><script>x</script>y", f"<?x?>{WARN}y", id="behind an instruction"),
        pytest.param("<!--x--><script>x</script>y", f"<!--x-->{WARN}y", id="behind a comment"),
        pytest.param(
            "<!--[if x]>z<![endif]--><script>x</script>y", f"<!--[if x]>z<![endif]-->{WARN}y", id="behind a condition"
        ),
        pytest.param("<p><script>x</script>y", f"<p>{WARN}y", id="behind a tag"),
        pytest.param("<p<script>x</script>y", f"{WARN}y", id="in the name of a tag"),
        pytest.param("<script><!--><script></script>y", f"{WARN}y", id="a short comment hides no end tag"),
        pytest.param("<script><!---><script></script>y", f"{WARN}y", id="nor does another one"),
        pytest.param("<script><!----><script></script>y", f"{WARN}y", id="nor does an empty one"),
        pytest.param("<script><!-- --><script></script>y", f"{WARN}y", id="nor one that is over"),
        pytest.param("<script><!--<script>--></script>y", f"{WARN}y", id="with a script in it"),
        pytest.param("<script><!--<script></script></script>y", f"{WARN}y", id="a script within a script"),
        pytest.param("<script><!--a<!--><script></script>--></script>y", f"{WARN}y", id="a comment within a comment"),
        pytest.param(
            "<script><!--<script></script><script></script>--></script>y", f"{WARN}y", id="two scripts in one"
        ),
        pytest.param(
            f"<style><script>a</style><!-- x</script>{_X}-->",
            f"<style>{WARN}</style><!-- x</script>{WARN}-->",
            id="a script that is over for some where a style ends",
        ),
        pytest.param("x<!a <script y", f"x<!a {WARN}", id="a declaration that is never closed"),
        pytest.param("x<script y", f"x{WARN}", id="a script that is never closed"),
        pytest.param("x<script>y</script", f"x{WARN}", id="an end tag that is never closed"),
    ],
)
def test_scripts_hidden_from_105(text: str, expected: str) -> None:
    assert filtered(text) == expected
    assert in_pieces(text, 1) == expected


_RAW = ["style", "title", "textarea", "iframe", "xmp", "noscript", "noembed", "noframes"]


@pytest.mark.parametrize(
    "text",
    [
        *(f"<{tag}><script></script><!--</{tag}>{_X}-->" for tag in _RAW),
        *(f"<{tag}><script></script><a b='</{tag}>{_X}'>" for tag in _RAW),
        *(f"<{tag}><!--</{tag}>{_X}-->" for tag in _RAW),
        *(f"<{tag}><{other}></{tag}><!--</{other}>{_X}-->" for tag in _RAW for other in _RAW if tag != other),
        f'<svg><![CDATA[><a title="]]>{_X}">',
        f"<svg><![CDATA[ > <!-- ]]>{_X}-->",
        f"<svg><![CDATA[ ]x><!-- ]]>{_X}-->",
        f"<svg><![CDATA[ x]><!-- ]]>{_X}-->",
        f"<svg><![CDATA[>\x80]]><!-- ]]>{_X}-->",
        f"<svg><![CDATA[>\x81]]><!-- ]]>{_X}-->",
        f"<![CDATA[\x81]]>]]><a b='{_X}'><svg>",
        f"<!--[if IE]><a b='<![endif]--><!--'>{_X}-->",
        f"<![if x]><!-- <![endif]>{_X} -->",
        f"<!--[if x]> --><a b='<![endif]-->{_X}'>",
        f"<!--[if x]><a b='-->{_X}'>",
        f"<![if x]><a b='<![endif]>{_X}'>",
        f"<!--[if x]>a--><a b='<![endif]>{_X}'>",
        f"<!--[if x]>a-->b<a c='<![endif]-->{_X}'><a c='{_X}'>",
        f'<a b=`><a c="`>{_X}">',
    ],
)
def test_the_more_dangerous_reading_counts(text: str) -> None:
    """Is it the state of the reader that decides, then there is no comment and no attribute that protects a script."""
    assert "alert" not in filtered(text)
    assert filtered(text).replace(WARN, "") == text.replace("<script></script>", "").replace(_X, "")


@pytest.mark.parametrize(
    "around", ["{}", "<style>{}</style>", "<noscript><iframe></iframe>{}</noscript>", "<svg>{}</svg>"]
)
@pytest.mark.parametrize(
    "inner",
    [
        f"<!-- {_X} -->",
        f"<p title='{_X}'>",
        "<title>a &lt; b</title><style>p > a { }</style><!-- <script> -->",
        "<!--[if mso]><style>p > a { }</style><xml>x</xml><![endif]--><!-- <script> -->",
        "<!--[if !mso]><!-->x<!--<![endif]--><!-- <script> -->",
        "<![if !vml]>x<![endif]><!-- <script> -->",
        "<![CDATA[x]]><!-- <script> -->",
    ],
)
def test_what_is_harmless_to_all_stays(around: str, inner: str) -> None:
    text = around.format(inner)
    assert filtered(text) == text
    assert filtered(text + _X) == text + WARN


UNTOUCHED = [
    "<html><body>hi</body></html>",
    '<a onclick="x()">y</a>',
    '<img src="javascript:x">',
    "<object></object><iframe src=x></iframe><applet></applet><embed>",
    "<!-- c --><p>&amp;&nbsp;&#65;&bogus; caf\xe9</p><br/><br /><!DOCTYPE html><?php x ?>",
    "</script>foo",
    '<P CLASS=foo ID="a b">t<',
    "a & b < c > d &#xzz; &#x41; &foo",
    "<![if !vml]>x<![endif]>",
    "<!--[if gte mso 9]>\n<xml>x</xml><![endif]-->y",
    "<p a=1 b='2' c=\"3\" d>q<p/>",
    "<p/text/more",
    "<!ENTITY foo><!bad decl<p>x",
    "<>x</>y",
    "a\r\n<b>\r\n</B >\rc",
    "<a\nb\n=\nc>x</a\n>",
    "<scripty>x</scripty>",
    "<!-- <script>x</script> -->",
    "&#65 &#65x &lt x &ltx &#6",
    "</b>x</B ></i",
    "",
]


@pytest.mark.parametrize("text", UNTOUCHED)
def test_everything_else_stays(text: str) -> None:
    for cls in (mime.SGMLFilter, mime.HTMLScriptFilter):
        assert filtered(text, cls) == text
        assert in_pieces(text, 1, cls) == text
    raw = leaf("text/html", text.encode("latin-1"))
    msg = read(raw)
    assert mime.check_html(msg, "/saved") == 0
    assert not msg.ismodified()


_PIECES = [
    "<script>", "</script>", "<!--", "-->", "<a ", ">", '"', "'", "=", "x", "<title>", "</title>", "<![CDATA[", "]]>",
    "<?", "&amp;", "&#65", "<", "/", " ", "\r\n", "<SCRIPT src=x>", "<!", "é", "</", "&",
]  # fmt: skip


@settings(deadline=None, max_examples=500, suppress_health_check=list(HealthCheck))
@given(st.lists(st.sampled_from(_PIECES), max_size=30).map("".join))
def test_filter_copies_and_cleans(text: str) -> None:
    assert filtered(text, mime.SGMLFilter) == text
    assert in_pieces(text, 2, mime.SGMLFilter) == text
    once = filtered(text)
    assert in_pieces(text, 1) == once
    if once == text:
        assert WARN not in once


@pytest.mark.parametrize("encoding", [None, "7bit", "8bit", "binary", "x-bad"])
@pytest.mark.parametrize(
    "charset", ["us-ascii", "utf-8", "iso-8859-1", "x-bad", "utf-7", "shift_jis", "punycode", "\x00"]
)
def test_rest_stays_byte_by_byte(charset: str, encoding: str | None) -> None:
    """1.0.5 raised NameError for 8-bit HTML, and else changed the transfer encoding and all blanks to =20."""
    raw = leaf(f'text/html; charset="{charset}"', SCRIPT + b" \xe9\xc3\xa9\r\n  = =20\n", encoding)
    raw = multipart(leaf("text/plain", b"x"), raw if charset != "utf-7" else raw.replace(b"\xe9\xc3\xa9", b""))
    msg = read(raw)
    assert mime.check_html(msg.get_payload(1)) == 0
    assert msg.as_bytes() == raw.replace(SCRIPT, CLEAN)


def test_base64_stays_base64() -> None:
    msg = read(leaf("text/html", base64.encodebytes(SCRIPT), "base64"))
    events: list[object] = []
    msg.headerchange = lambda *args: events.append(args)
    mime.check_html(msg)
    assert msg.as_bytes() == leaf("text/html", base64.encodebytes(CLEAN), "base64")
    assert events == []


def test_quoted_printable_stays_quoted_printable() -> None:
    text = "<p>\r\n" + "é €" * 40 + "\n--B\n=\t\r\nFrom x \n.\n"
    coded = re.sub(rb"[=\x80-\xff]|^-|\t", lambda m: b"=%02X" % m[0][0], (text.encode() + SCRIPT), flags=re.MULTILINE)
    msg = read(multipart(leaf("text/html", coded, "quoted-printable"), leaf("a/b")))
    mime.check_html(msg.get_payload(0))
    again = read(msg.as_bytes())
    assert len(again.get_payload()) == 2
    assert again.get_payload(0).get_payload(decode=True) == (text + CLEAN.decode()).encode()
    assert max(map(len, again.get_payload(0).get_payload().splitlines())) <= 76
    assert again.get_payload(1).as_bytes() == leaf("a/b")


def test_base64_cannot_bring_in_parts() -> None:
    """1.0.5 wrote the decoded text: its lines could be boundaries, and what followed parts."""
    evil = b"x\n--B\nContent-Type: x/y; name=a.exe\n\nAAAA\n" + SCRIPT
    msg = read(multipart(leaf("text/html", base64.encodebytes(evil), "base64")))
    mime.defang(msg)
    assert len(read(msg.as_bytes()).get_payload()) == 1


def test_uuencode_becomes_base64() -> None:
    raw = leaf("text/html", b"begin 644 x\n" + binascii.b2a_uu(SCRIPT) + b"`\nend\n", "x-uuencode")
    msg = read(raw)
    mime.check_html(msg)
    assert msg.getencoding() == "base64"
    assert msg.get_payload(decode=True) == CLEAN


@pytest.mark.parametrize(
    "charset", ["utf-16", "utf-16-le", "utf-16-be", "utf-32", "utf-7", "iso-2022-jp", "hz", "cp037"]
)
def test_charset_in_which_a_tag_is_not_ascii(charset: str) -> None:
    """1.0.5 raised NameError, or saw no script."""
    for text in ("é日本" if charset.startswith("utf") else "", ""):
        data = (text + SCRIPT.decode() + text).encode(charset)
        if charset == "utf-7":
            data = data.replace(b"<script>", b"+ADw-script+AD4-")
        msg = read(leaf(f"text/html; charset={charset}", base64.encodebytes(data), "base64"))
        mime.check_html(msg)
        assert msg.get_payload(decode=True).decode(charset) == text + CLEAN.decode() + text


def test_utf16_keeps_its_byte_order() -> None:
    for mark, codec in ((b"\xfe\xff", "utf-16-be"), (b"\xff\xfe", "utf-16-le")):
        data = mark + SCRIPT.decode().encode(codec)
        msg = read(leaf("text/html; charset=utf-16", base64.encodebytes(data), "base64"))
        mime.check_html(msg)
        assert msg.get_payload(decode=True) == mark + CLEAN.decode().encode(codec)


@pytest.mark.parametrize(
    ("content_type", "data", "codec"),
    [
        ("text/html", b"\xff\xfe" + SCRIPT.decode().encode("utf-16-le"), "utf-16"),
        ("text/html; charset=us-ascii", b"\xfe\xff" + SCRIPT.decode().encode("utf-16-be"), "utf-16"),
        ("text/html; charset=utf-8", b"\xff\xfe\0\0" + SCRIPT.decode().encode("utf-32-le"), "utf-32"),
        *(
            (f"text/html; charset={label}", SCRIPT.decode().encode("utf-16-le"), "utf-16-le")
            for label in ("unicode", "UCS-2", "iso-10646-ucs-2", "csunicode", "utf-16")
        ),
        ("text/html; charset=utf-16", SCRIPT.decode().encode("utf-16-be"), "utf-16-be"),
        ("text/html; charset=x-unicode-2-0-utf-7", SCRIPT.replace(b"<script>", b"+ADw-script+AD4-"), "utf-7"),
        ("text/html", b"<meta charset=utf-7>" + SCRIPT.replace(b"<script>", b"+ADw-script+AD4-"), "utf-7"),
    ],
)
def test_charset_that_is_not_labelled(content_type: str, data: bytes, codec: str) -> None:
    """Browsers take a mark for more than the label, and look for a label in the text."""
    msg = read(leaf(content_type, base64.encodebytes(data), "base64"))
    mime.check_html(msg)
    text = msg.get_payload(decode=True).decode(codec, "replace")
    assert WARN in text
    assert "alert" not in text
    assert text.endswith(("x</html>", "x</html>-->"))


@pytest.mark.parametrize(
    "content_type", ["text/html", "text/html; charset=iso-2022-jp", "text/html; charset=iso-2022-kr"]
)
def test_iso_2022_with_a_tag_in_pieces_or_behind_an_error(content_type: str) -> None:
    """Browsers look for ISO 2022 where nothing is labelled, too; and no two decoders agree about errors in it."""
    for hidden in (b"<!-- \x1b$B-->\x1b(B%s-->", b"<a title='\x1b$B'>\x1b(B%s'>", b"\x1b$B$\x1b(B%s"):
        for start in (b"<script>", b"<scr\x1b(Bipt>", b"\x1b(J<\x1b(Bscript\x1b(B\x0e >"):
            msg = read(leaf(content_type, hidden % (start + b"alert(1)</script>x")))
            mime.check_html(msg)
            assert msg.get_payload() == (hidden % (WARN.encode() + b"x")).decode() or start[0] != ord("<")
            assert b"alert" not in msg.as_bytes()


@pytest.mark.parametrize("hidden", ["<!-- {} -->", "<a title='{}'>x</a>", "<textarea>{}</textarea>"])
@pytest.mark.parametrize(("charset", "codec"), [("utf-7", "utf-7"), ("cp037", "cp037")])
def test_nothing_protects_a_script_in_a_charset_that_readers_may_not_know(
    charset: str, codec: str, hidden: str
) -> None:
    """Who reads the text in another charset sees no comment there, but perhaps the script."""
    page = hidden.format("<script>alert(1)</script>").encode(codec)
    if codec == "utf-7":
        page = page.replace(b"<", b"+ADw-").replace(b">", b"+AD4-")
    msg = read(leaf(f"text/html; charset={charset}", base64.encodebytes(page), "base64"))
    mime.check_html(msg)
    text = msg.get_payload(decode=True).decode(codec)
    assert "alert" not in text
    assert WARN in text


def test_utf16_that_is_not_labelled_at_all() -> None:
    for codec in ("utf-16-le", "utf-16-be"):
        msg = read(leaf("text/html", base64.encodebytes(SCRIPT.decode().encode(codec)), "base64"))
        mime.check_html(msg)
        assert b"alert" not in msg.get_payload(decode=True).replace(b"\0", b"")


def test_charsets_that_never_agree(monkeypatch: pytest.MonkeyPatch) -> None:
    """No such text is known; one round is too few to see that all charsets agree."""
    monkeypatch.setattr("pymilter.mime._html._ROUNDS", 1)
    msg = read(leaf("text/html; charset=utf-16", base64.encodebytes(b"\xfe\xff" + SCRIPT), "base64"))
    mime.check_html(msg)
    assert msg.get_payload(decode=True) == WARN.encode("utf-16-be")


def test_utf16_stays_what_it_is_but_for_the_script() -> None:
    rest = b"<\x00!\x00-\x00-\x00" + SCRIPT.decode().encode("utf-16-le") + b"-\x00-\x00>\x00\x00\xd8x"
    msg = read(leaf("text/html", base64.encodebytes(b"\xff\xfe" + rest), "base64"))
    mime.check_html(msg)
    assert not msg.ismodified()
    msg = read(leaf("text/html", base64.encodebytes(b"\xff\xfe" + rest[8:]), "base64"))
    mime.check_html(msg)
    assert msg.get_payload(decode=True) == b"\xff\xfe" + CLEAN.decode().encode("utf-16-le") + rest[-9:]


def test_charset_that_lies() -> None:
    for charset in ("utf-16", "utf-7", "iso-2022-jp", "cp037"):
        msg = read(leaf(f"text/html; charset={charset}", SCRIPT))
        mime.check_html(msg)
        assert b"alert" not in msg.as_bytes()


@pytest.mark.parametrize("content_type", ["text/plain", "text/plain; name=a.html", "application/xml"])
def test_other_types_are_left_alone(content_type: str) -> None:
    msg = read(leaf(content_type, SCRIPT))
    mime.check_html(msg)
    assert not msg.ismodified()


def test_defang_takes_scripts_out() -> None:
    msg = read(multipart(leaf("text/plain", b"hi"), leaf("TEXT/HTML", SCRIPT)))
    assert mime.defang(msg, "/saved")
    assert msg.as_bytes() == multipart(leaf("text/plain", b"hi"), leaf("TEXT/HTML", CLEAN))


def test_subclass_of_a_filter() -> None:
    """Programs derive filters: tags with methods are theirs, the rest is copied."""

    class NoImages(mime.HTMLScriptFilter):
        def do_img(self, attrs: list[tuple[str, str]]) -> None:
            self.modified = True
            self.write(f"[{dict(attrs).get('alt', '')}]")

        def unknown_endtag(self, tag: str) -> None:
            super().unknown_endtag("b" if tag == "strong" else tag)

        def handle_comment(self, comment: str) -> None:
            super().handle_comment(comment.upper())

    text = '<P><IMG SRC="x" alt="A &amp; B"/></P ><!-- c --></strong><script>x</script>'
    assert filtered(text, NoImages) == f"<P>[A & B]</P ><!-- C --></b>{WARN}"


def test_filter_with_no_message_makes_no_tag_of_what_is_left() -> None:
    out = io.StringIO()
    script_filter = mime.HTMLScriptFilter(out)
    script_filter.msg = ""
    script_filter.feed("<<script></script>script>alert(1)</script>")
    script_filter.close()
    assert out.getvalue() == "<<!---->script>alert(1)</script>"


def test_filter_tells_the_position_in_the_text_it_was_fed() -> None:
    found: list[tuple[int, int]] = []

    class Positions(mime.HTMLScriptFilter):
        def do_img(self, attrs: list[tuple[str, str]]) -> None:
            found.append(self.getpos())

    filtered("<script>\n\n</script> <img>\n<img>", Positions)
    assert found == [(3, 10), (4, 0)]


def test_filters_own_message() -> None:
    out = io.StringIO()
    script_filter = mime.HTMLScriptFilter(out)
    assert script_filter.msg == WARN
    assert (script_filter.modified, script_filter.ignoring) == (False, 0)
    script_filter.msg = "[gone]"
    script_filter.feed("a<script>b</script>c")
    script_filter.close()
    assert out.getvalue() == "a[gone]c"
    assert script_filter.modified


@pytest.mark.parametrize(
    "raw", [leaf("text/plain", b"<script>"), multipart(leaf("text/html", b"<script>")), leaf("text/html", b"<script>")]
)
def test_check_html_returns_continue(raw: bytes) -> None:
    assert mime.check_html(read(raw)) == 0
    assert mime.check_html(read(raw), strict=True) == 0


@pytest.mark.parametrize(
    ("text", "trusted", "skip_controls", "spans"),
    [
        ("<script>x</script>y", True, True, [(0, 18)]),
        ("<script>x</script>y", False, True, [(0, 18)]),
        ("<!--<script>x</script>-->", True, True, []),
        ("<!--<script>x</script>-->", False, True, [(4, 22)]),
        ("<scr\0ipt>x</script>y", True, True, [(0, 19)]),
        ("<scr\0ipt>x</script>y", True, False, []),
        ("<!--<script>x</script>-->\0", True, True, [(4, 22)]),
        ("<!--<script>x</script>-->\x0e", True, True, [(4, 22)]),
        ("<!--<script>x</script>-->\x0f", True, True, [(4, 22)]),
        ("<!--<script>x</script>-->\x1b", True, True, [(4, 22)]),
        ("<!--<script>x</script>-->\0", True, False, []),
        ("<script>x</script><script>y", False, True, [(0, 18), (18, 27)]),
        ("x", False, True, []),
    ],
)
def test_the_spans_of_scripts(text: str, trusted: bool, skip_controls: bool, spans: list[tuple[int, int]]) -> None:
    assert script_spans(text, trusted=trusted, skip_controls=skip_controls) == spans


@pytest.mark.parametrize("charset", ["utf-7", "cp037"])
def test_a_nul_in_the_name_hides_no_script_in_any_charset(charset: str) -> None:
    page = "<scr\0ipt>alert(1)</script>".encode(charset)
    msg = read(leaf(f"text/html; charset={charset}", base64.encodebytes(page), "base64"))
    mime.check_html(msg)
    assert msg.get_payload(decode=True).decode(charset) == WARN


def test_defang_leaves_what_is_no_script() -> None:
    assert not mime.defang(read(leaf("text/html", b"<p onclick=x style=y>")))
