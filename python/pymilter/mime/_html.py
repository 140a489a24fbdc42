"""Takes scripts out of HTML, and leaves every other character of it alone."""

from __future__ import annotations

import io
import re
from typing import ClassVar, Protocol

from ._decode import charset_codec, decode_transfer, encode_transfer, is_uuencode
from ._message import MimeMessage
from ._sgml import SGMLParser
from ._tokens import Attributes

_SCRIPT = re.compile(r"<script(?=[\t\n\r\f />])", re.IGNORECASE)
# Browsers read no markup in these; some of them do in <svg>, so that a script in them is taken out all the same.
_RAW_ELEMENTS = ("style", "title", "textarea", "xmp", "iframe", "noembed", "noframes", "noscript")
#: Charsets in which the bytes of "<" do not always stand for "<".
_NOT_ASCII = re.compile(r"utf.?(7|16|32)|iso2022|hz|cp(037|273|424|500|875|1026|1140)\b", re.IGNORECASE)


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
        """Write the source of the token, unless a subclass has put something else in its place."""
        self.write(self.get_token_text() if unchanged else made)


class HTMLScriptFilter(SGMLFilter):
    """Writes `msg` in the place of each script element; `modified` then is true."""

    modified: bool
    ignoring: int

    raw_text: ClassVar[dict[str, re.Pattern[str]]] = {
        **{tag: re.compile(rf"</{tag}(?=[\t\n\r\f />])|{_SCRIPT.pattern}", re.IGNORECASE) for tag in _RAW_ELEMENTS},
        "script": re.compile(r"</script(?=[\t\n\r\f />])", re.IGNORECASE),
    }

    def __init__(self, out: Writable) -> None:
        super().__init__(out)
        self.ignoring = 0
        self.modified = False
        self.msg = "<!-- WARNING: embedded script removed -->"
        self._foreign = False

    def start_script(self, unused: object) -> None:
        """Leave out what follows."""
        self.ignoring += 1
        self.modified = True

    def end_script(self) -> None:
        """Write the warning, and go on copying."""
        self.ignoring -= 1
        if not self.ignoring:
            self.write(self.msg)

    def unknown_starttag(self, tag: str, attr: Attributes) -> None:
        """Copy a start tag; but one such as <x<script> is a script to some."""
        if tag.endswith("<script"):
            self.lasttag = "script"
            self.stack.append("script")
            self.start_script(attr)
        else:
            super().unknown_starttag(tag, attr)

    def report_unbalanced(self, tag: str) -> None:
        """Copy an end tag with no start tag."""
        self.unknown_endtag(tag)

    def handle_data(self, data: str) -> None:
        """Copy text that is not a script's."""
        if not self.ignoring:
            super().handle_data(data)

    def handle_comment(self, comment: str) -> None:
        """Copy a comment; but one with a script in it, where it may not be a comment to a browser, is taken out."""
        if self.ignoring:
            return
        if self._foreign and _SCRIPT.search(comment):
            self.modified = True
            self.write(self.msg)
        else:
            super().handle_comment(comment)

    def handle_special(self, data: str) -> None:
        """Copy a declaration or a marked section."""
        # <![CDATA[ is a section in <svg> and a comment elsewhere: from there on, comments may not be what they seem.
        self._foreign = self._foreign or data.upper().startswith("[CDATA[")
        super().handle_special(data)

    def handle_unterminated(self, data: str) -> None:
        """Copy the rest of the text, up to a script in it."""
        script = _SCRIPT.search(data)
        if script:
            self.modified = True
            data = data[: script.start()] + self.msg
        self.handle_data(data)

    def close(self) -> None:
        """Parse what is left. A script that is never closed ends here."""
        super().close()
        if self.ignoring:
            self.ignoring = 0
            self.write(self.msg)


def check_html(msg: MimeMessage, savname: str | None = None) -> int:
    """Take the scripts out of a text/html part, and return CONTINUE (0). `savname` is not used.

    The rest of the text stays as it is, byte by byte (in UTF-16 and the like: character by character). What was base64
    or quoted-printable is so again.
    """
    if msg.get_content_type() != "text/html" or msg.is_multipart():
        return 0
    encoding = msg.transfer_encoding()
    data = decode_transfer(msg.payload_bytes(), encoding)
    cleaned = _without_scripts(data, msg.get_content_charset())
    if cleaned is None:
        return 0
    if is_uuencode(encoding):
        encoding = "base64"
        del msg["content-transfer-encoding"]
        msg["Content-Transfer-Encoding"] = encoding
    msg.set_payload_bytes(encode_transfer(cleaned, encoding, msg.line_end()))
    return 0


def _without_scripts(data: bytes, charset: str | None) -> bytes | None:
    """Return the HTML without its scripts, or None when it has none."""
    cleaned = None
    codec = charset_codec(charset)
    if codec and _NOT_ASCII.match(codec):
        if codec in ("utf-16", "utf-32"):  # keep the byte order, and its mark as a character
            codec += "-be" if data.startswith((b"\xfe\xff", b"\x00\x00\xfe\xff")) else "-le"
        text = _filter(data.decode(codec, "replace"))
        if text is not None:
            cleaned = text.encode(codec, "replace")
    # In all other charsets markup is ASCII, and Latin-1 keeps the other bytes. The charset may be a lie, too.
    text = _filter((data if cleaned is None else cleaned).decode("latin-1"))
    return cleaned if text is None else text.encode("latin-1")


def _filter(text: str) -> str | None:
    out = io.StringIO(newline="")
    script_filter = HTMLScriptFilter(out)
    script_filter.feed(text)
    script_filter.close()
    return out.getvalue() if script_filter.modified else None
