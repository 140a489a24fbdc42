"""Finds the tokens in the HTML of mail.

It reads tags, comments and declarations as the HTML standard (WHATWG) requires of browsers, so that nothing that a
browser would run can be hidden from it. Its time is proportional to the length of the text, and it keeps the source of
each token, so that a filter can copy it. In some release that we support, Python's html.parser lacks each of these.
"""

from __future__ import annotations

import re
from typing import ClassVar

from ._tags import ATTRIBUTES, COMMENT_END, TAG_NAME, Attributes, read_attributes
from ._token_handlers import TokenHandlers

_INTERESTING = re.compile("[&<]")
_LITERAL_END = re.compile("</[a-zA-Z]")


class TokenParser(TokenHandlers):
    """Finds the tokens in the text it is fed, and calls a method of `TokenHandlers` for each."""

    rawdata: str
    lasttag: str
    nomoretags: int
    literal: int
    lineno: int
    offset: int

    entity_or_charref: ClassVar[re.Pattern[str]] = re.compile("&(?:([a-zA-Z][-.a-zA-Z0-9]*)|#([0-9]+))(;?)")
    #: Elements whose content is text, and the end of each.
    raw_text: ClassVar[dict[str, re.Pattern[str]]] = {}

    def __init__(self) -> None:
        self.reset()

    def reset(self) -> None:
        """Forget everything that was fed."""
        self.rawdata = ""
        self.lasttag = "???"
        self.nomoretags = 0
        self.literal = 0
        self.lineno = 1
        self.offset = 0
        self._raw_end: re.Pattern[str] | None = None
        self._starttag_text: str | None = None
        self._token = ""

    # -- feeding

    def feed(self, data: str) -> None:
        """Parse a piece of the text. A token that may continue in the next piece is kept."""
        self.rawdata += data
        self.goahead(0)

    def close(self) -> None:
        """Parse the rest: the text ends here."""
        self.goahead(1)

    def setnomoretags(self) -> None:
        """Treat everything that follows as text."""
        self.nomoretags = self.literal = 1

    def setliteral(self, *args: object) -> None:
        """Treat everything up to the next end tag as text."""
        self.literal = 1

    def getpos(self) -> tuple[int, int]:
        """Return line (from 1) and column (from 0) of the current token."""
        return self.lineno, self.offset

    def get_starttag_text(self) -> str | None:
        """Return the source of the last start tag."""
        return self._starttag_text

    def get_token_text(self) -> str:
        """Return the source of the token that is being handled."""
        return self._token

    # -- tokens

    def goahead(self, end: int) -> None:
        """Parse `rawdata` up to the last complete token, or with `end` to its end."""
        data, i = self.rawdata, 0
        while i < len(data):
            k = self._next(data, i, bool(end))
            if k < 0 and not end:
                break
            if k < 0:
                k = len(data)
                self._token = data[i:]
                self.handle_unterminated(data[i:])
            self._advance(data, i, k)
            i = k
        self.rawdata = data[i:]

    def _next(self, data: str, i: int, end: bool) -> int:
        """Handle the token at i, and return its end; -1 if it is incomplete."""
        stop = self._text_end(data, i)
        if stop > i:
            if stop == len(data) and not end and self._raw_end:
                return -1  # the start of the end tag may be here
            self._token = data[i:stop]
            self.handle_data(self._token)
            return stop
        if data[i] == "&" and not self.literal:
            return self._reference(data, i, end)
        self.literal = 0
        self._raw_end = None
        following = data[i + 1 : i + 2]
        if following == "!":
            if data.startswith("<!--", i):
                return self.parse_comment(i)
            return self.parse_declaration(i)
        if following == "?":
            return self.parse_pi(i)
        if following == "/" and TAG_NAME.match(data, i):
            return self.parse_endtag(i)
        if TAG_NAME.match(data, i):
            return self.parse_starttag(i)
        if not end and data[i : i + 3] in ("<", "</"):
            return -1
        self._token = data[i : i + 1 + (following == "/")]
        self.handle_data(self._token)
        return i + len(self._token)

    def _text_end(self, data: str, i: int) -> int:
        if self.nomoretags:
            return len(data)
        pattern = self._raw_end or (_LITERAL_END if self.literal else _INTERESTING)
        match = pattern.search(data, i)
        return match.start() if match else len(data)

    def _reference(self, data: str, i: int, end: bool) -> int:
        match = self.entity_or_charref.match(data, i)
        if not match:
            if not end and data[i : i + 3] in ("&", "&#"):
                return -1
            self._token = "&"
            self.handle_data("&")
            return i + 1
        unfinished = match.end() == len(data) and not match.group(3)
        if unfinished and not end:
            return -1
        self._token = match.group()
        name, number, _ = match.groups()
        if unfinished:
            self.handle_data(self._token)
        elif name:
            self.handle_entityref(name)
        else:
            self.handle_charref(number)
        return match.end()

    def _advance(self, data: str, i: int, k: int) -> None:
        lines = data.count("\n", i, k)
        self.lineno += lines
        self.offset = k - data.rfind("\n", i, k) - 1 if lines else self.offset + k - i

    # Each parse_ method handles the token at rawdata[i:], and returns its end, or -1 if it is incomplete.

    def parse_starttag(self, i: int) -> int:
        """Handle the start tag at `i`; return its end, or -1."""
        tag, k = self._tag(i)
        if k < 0:
            return -1
        self._starttag_text = self._token = self.rawdata[i:k]
        attributes: Attributes = [
            (name, self.entity_or_charref.sub(self.convert_reference, value))
            for name, value in read_attributes(self.rawdata, i + 1 + len(tag), k - 1)
        ]
        self.lasttag = tag.lower()
        self.finish_starttag(self.lasttag, attributes)
        self._raw_end = self.raw_text.get(self.lasttag)
        return k

    def parse_endtag(self, i: int) -> int:
        """Handle the end tag at `i`; return its end, or -1."""
        tag, k = self._tag(i)
        if k >= 0:
            self._token = self.rawdata[i:k]
            self.finish_endtag(tag.lower())
        return k

    def _tag(self, i: int) -> tuple[str, int]:
        name = TAG_NAME.match(self.rawdata, i)
        if not name:
            return "", -1
        match = ATTRIBUTES.match(self.rawdata, name.end())
        return name.group(1), match.end() if match else -1

    def parse_comment(self, i: int, report: int = 1) -> int:
        """Handle the comment at `i`; return its end, or -1."""
        for empty in ("<!-->", "<!--->"):
            if self.rawdata.startswith(empty, i):
                return self._comment(i, i + 4, i + len(empty), report)
        match = COMMENT_END.search(self.rawdata, i + 4)
        return self._comment(i, match.start(), match.end(), report) if match else -1

    def _comment(self, i: int, stop: int, k: int, report: int) -> int:
        self._token = self.rawdata[i:k]
        if report:
            self.handle_comment(self.rawdata[i + 4 : stop])
        return k

    def parse_declaration(self, i: int) -> int:
        """Handle the declaration or marked section at `i`; return its end, or -1."""
        j = self.rawdata.find(">", i)
        if j < 0:
            return -1
        self._token = self.rawdata[i : j + 1]
        if self.rawdata.startswith("<![", i):
            self.unknown_decl(self.rawdata[i + 3 : j].removesuffix("]"))
        else:
            self.handle_decl(self.rawdata[i + 2 : j])
        return j + 1

    def parse_pi(self, i: int) -> int:
        """Handle the processing instruction at `i`; return its end, or -1."""
        j = self.rawdata.find(">", i)
        if j < 0:
            return -1
        self._token = self.rawdata[i : j + 1]
        self.handle_pi(self.rawdata[i + 2 : j])
        return j + 1
