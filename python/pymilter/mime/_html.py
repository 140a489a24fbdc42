"""Removes scripts from HTML, and leaves every other character alone."""

from __future__ import annotations

import re
from typing import ClassVar, Protocol

from ._decode import decode_transfer, encode_transfer, is_uuencode
from ._html_charsets import codecs_to_read, decode, encode, is_wide
from ._html_strict import strict_html
from ._message import MimeMessage
from ._scripts import RAW_ENDS, WARNING, replace_spans, script_spans
from ._sgml import SGMLParser
from ._tags import Attributes

#: How often a text is cleaned in all its charsets: a removal in one charset changes the text in the others.
_ROUNDS = 4


class Writable(Protocol):
    """Anything with a `write` for text."""

    def write(self, text: str, /) -> object:
        """Write text."""


class SGMLFilter(SGMLParser):
    """Copies the text it is fed to `out`, character by character; subclasses override what they change."""

    def __init__(self, out: Writable) -> None:
        super().__init__()
        self.out = out

    def write(self, buf: str) -> None:
        """Write text to `out`."""
        self.out.write(buf)

    def handle_data(self, data: str) -> None:
        """Copy text."""
        self.write(data)

    def handle_comment(self, comment: str) -> None:
        """Copy a comment."""
        self._copy(f"<!--{comment}-->", self.get_token_text()[4:].startswith(comment))

    def handle_special(self, data: str) -> None:
        """Copy a declaration or a marked section: what is between "<!" and ">"."""
        self.write(f"<!{data}>")

    def handle_pi(self, data: str) -> None:
        """Copy a processing instruction."""
        self.write(f"<?{data}>")

    def handle_charref(self, ref: str) -> None:
        """Copy a character number."""
        self._copy(f"&#{ref};", self.get_token_text()[2:].rstrip(";") == ref)

    def handle_entityref(self, ref: str) -> None:
        """Copy a character name."""
        self._copy(f"&{ref};", self.get_token_text()[1:].rstrip(";") == ref)

    def unknown_starttag(self, tag: str, attr: Attributes) -> None:
        """Copy a start tag."""
        self.write(self.get_starttag_text() or f"<{tag}>")

    def unknown_endtag(self, tag: str) -> None:
        """Copy an end tag."""
        self._copy(f"</{tag}>", self.get_token_text()[2:].lower().startswith(tag))

    def parse_declaration(self, i: int) -> int:
        """Give declarations and marked sections to `handle_special`; return the end, or -1."""
        j = self.rawdata.find(">", i)
        if j >= 0:
            self._token = self.rawdata[i : j + 1]
            self.handle_special(self.rawdata[i + 2 : j])
        return j + 1 if j >= 0 else -1

    def _copy(self, made: str, unchanged: bool) -> None:
        """Write the source of the token, unless a subclass passed other text."""
        self.write(self.get_token_text() if unchanged else made)


class HTMLScriptFilter(SGMLFilter):
    """Writes `msg` in place of each script element, and sets `modified`.

    Whether something is a script can depend on the text after it, so everything is written by `close`. A browser must
    read `msg` as text or as a comment.
    """

    modified: bool
    ignoring: int

    raw_text: ClassVar[dict[str, re.Pattern[str]]] = RAW_ENDS

    def __init__(self, out: Writable) -> None:
        super().__init__(out)
        self.ignoring = 0
        self.modified = False
        self.msg = WARNING

    def reset(self) -> None:
        """Forget everything that was fed."""
        super().reset()
        self._fed: list[str] = []

    def start_script(self, unused: object) -> None:
        """Note that a script begins."""
        self.ignoring += 1
        self.modified = True

    def end_script(self) -> None:
        """Write the warning, and continue copying."""
        self.ignoring -= 1
        if not self.ignoring:
            self.write(self.msg or "<!---->")  # the text before and after must not form a tag

    def report_unbalanced(self, tag: str) -> None:
        """Copy an end tag without a start tag."""
        self.unknown_endtag(tag)

    def feed(self, data: str) -> None:
        """Keep a piece of the text for `close`."""
        self._fed.append(data)

    def close(self) -> None:
        """Parse the text, and write it without its scripts."""
        text, pos = "".join(self._fed), 0
        self._fed = []
        for start, end in script_spans(text):
            super().feed(text[pos:start])
            self.goahead(1)
            self.start_script([])
            self._advance(text, start, end)
            self.end_script()
            pos = end
        super().feed(text[pos:])
        super().close()


def clean_html(msg: MimeMessage, *, strict: bool = False) -> int:
    """Do what `pymilter.mime.check_html` does, in the one reading that we have of the part."""
    if msg.get_content_type() != "text/html" or msg.is_multipart():
        return 0
    encoding = msg.transfer_encoding()
    data = decode_transfer(msg.payload_bytes(), encoding)
    cleaned = (strict_html if strict else _without_scripts)(data, msg.get_content_charset())
    if cleaned == data:
        return 0
    if is_uuencode(encoding):
        encoding = "base64"
        del msg["content-transfer-encoding"]
        msg["Content-Transfer-Encoding"] = encoding
    msg.set_payload_bytes(encode_transfer(cleaned, encoding, msg.line_end()))
    return 0


def _without_scripts(data: bytes, charset: str | None) -> bytes:
    """Return the HTML without its scripts."""
    codecs = codecs_to_read(data, charset)
    for _ in range(_ROUNDS):
        before = data
        for codec in codecs:
            data = _filter(data, codec, trusted=is_wide(codec))
        # In all other charsets markup is ASCII, and Latin-1 keeps the other bytes. The label may be wrong, too.
        wide = [is_wide(codec) for codec in codecs]
        data = _filter(data, "latin-1", trusted=all(wide), skip_controls=not any(wide))
        if not codecs or data == before:
            return data
    # The text was built so that each removal in one charset leaves a script in another.
    return WARNING.encode(codecs[0], "replace")


def _filter(data: bytes, codec: str, *, trusted: bool, skip_controls: bool = True) -> bytes:
    text, rest = decode(data, codec)
    spans = script_spans(text, trusted=trusted, skip_controls=skip_controls)
    return encode(replace_spans(text, spans, WARNING), codec) + rest if spans else data
