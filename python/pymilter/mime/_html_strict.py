"""Rewrites HTML with nothing active in it: only the elements and attributes that are listed here, and plain links.

Every reader sees the result alike, whatever its state: no element turns text into markup or markup into text, there is
no comment but the warning, each value is quoted, and each "<" and ">" of the text is a reference. There is no tree of
elements, as in other sanitizers, because the cost must stay in proportion to what a sender writes: in every parser that
follows the standard, 80 KB of `<font color=1><p><font color=2><p>…` become a tree of 2 GB.
"""

from __future__ import annotations

import html
import re
from html.entities import html5
from typing import ClassVar

from ._html_charsets import codecs_to_show, decode
from ._scripts import RAW_ENDS, WARNING, replace_spans, script_spans
from ._tags import Attributes
from ._tokens import TokenParser

ELEMENTS = frozenset({
    "a", "abbr", "acronym", "address", "area", "article", "aside", "b", "bdi", "bdo", "big", "blockquote",
    "body", "br", "caption", "center", "cite", "code", "col", "colgroup", "dd", "del", "details", "dfn", "dir",
    "div", "dl", "dt", "em", "figcaption", "figure", "font", "footer", "h1", "h2", "h3", "h4", "h5", "h6",
    "head", "header", "hr", "html", "i", "img", "ins", "kbd", "li", "main", "map", "mark", "menu", "nav", "ol",
    "p", "pre", "q", "rp", "rt", "ruby", "s", "samp", "section", "small", "span", "strike", "strong", "sub",
    "summary", "sup", "table", "tbody", "td", "tfoot", "th", "thead", "time", "tr", "tt", "u", "ul", "var",
    "wbr",
})  # fmt: skip
ATTRIBUTES = frozenset({
    "abbr", "align", "alink", "alt", "axis", "bgcolor", "border", "cellpadding", "cellspacing", "char",
    "charoff", "clear", "color", "colspan", "compact", "coords", "datetime", "dir", "face", "frame", "headers",
    "height", "hreflang", "hspace", "id", "lang", "link", "name", "noshade", "nowrap", "open", "reversed",
    "role", "rowspan", "rules", "scope", "shape", "size", "span", "start", "summary", "text", "title", "type",
    "valign", "value", "vlink", "vspace", "width",
})  # fmt: skip
LINK_ATTRIBUTES = frozenset({
    "background", "cite", "href", "longdesc", "src", "usemap",
})  # fmt: skip
_LINK = re.compile(r"#|(?:https?|ftp|mailto|tel|sms|cid|mid):", re.IGNORECASE | re.ASCII)
#: Control characters that no text needs. Some readers skip them, or switch the charset because of them.
_CONTROLS = re.compile("[\0-\x08\x0b\x0e-\x1f\x7f]")
_REFERENCE = re.compile(
    r"&(?:#(?:[0-9]{1,9}|[xX][0-9a-fA-F]{1,8});?|([a-zA-Z][a-zA-Z0-9]{0,40}+(?:;|(?![a-zA-Z0-9=]))))"
)
_ESCAPES = {ord("&"): "&amp;", ord("<"): "&lt;", ord(">"): "&gt;", ord('"'): "&quot;", ord("`"): "&#96;"}


def strict_html(data: bytes, charset: str | None) -> bytes:
    """Return the HTML, rewritten in a charset that its label still describes. ASCII stays ASCII."""
    codec, written_in = codecs_to_show(data, charset)
    text = _CONTROLS.sub("", decode(data, codec)[0])
    writer = _Writer()
    writer.feed(replace_spans(text, script_spans(text), WARNING))
    writer.close()
    return "".join(writer.pieces).encode(written_in, "xmlcharrefreplace")


class _Writer(TokenParser):
    raw_text: ClassVar[dict[str, re.Pattern[str]]] = {
        tag: end
        for tag, end in RAW_ENDS.items()
        if tag != "noscript"  # scripts do not run, so readers show what is in it
    }

    def __init__(self) -> None:
        super().__init__()
        self.pieces: list[str] = []

    def finish_starttag(self, tag: str, attrs: Attributes) -> int:
        if tag in ELEMENTS:
            written = dict(_attribute(name, source) for name, source in reversed(attrs) if name in _KNOWN)
            values = (f' {name}="{value}"' for name, value in reversed(written.items()) if value is not None)
            self.pieces.append(f"<{tag}{''.join(values)}>")
        return 1

    def finish_endtag(self, tag: str) -> None:
        if tag in ELEMENTS:
            self.pieces.append(f"</{tag}>")

    def handle_data(self, data: str) -> None:
        if not self._raw_end:
            self.pieces.append(data.replace("<", "&lt;").replace(">", "&gt;"))

    def handle_entityref(self, name: str) -> None:
        self.pieces.append(self.get_token_text())

    def handle_charref(self, name: str) -> None:
        self.pieces.append(self.get_token_text())

    def handle_comment(self, data: str) -> None:
        if self.get_token_text() == WARNING:
            self.pieces.append(WARNING)

    def handle_unterminated(self, data: str) -> None:
        """Drop a tag or a comment that never ends, as browsers do."""


_KNOWN = ATTRIBUTES | LINK_ATTRIBUTES


def _attribute(name: str, source: str) -> tuple[str, str | None]:
    """Return the name and the value to write; the value is None for a link that is not allowed."""
    value = _CONTROLS.sub("", _REFERENCE.sub(_character, source))
    if name in LINK_ATTRIBUTES:
        value = re.sub(r"[\t\n\r]", "", value).strip(" \f")  # as browsers do
        if not _LINK.match(value):
            return name, None
    return name, value.translate(_ESCAPES)


def _character(match: re.Match[str]) -> str:
    """Return the text that a reference stands for; `&copy=1` in a link is not a reference."""
    name = match.group(1)
    return html.unescape(match.group()) if name is None else html5.get(name, match.group())
