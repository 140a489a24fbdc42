"""Changes the texts and parts of a message, so that mail clients show what the program meant."""

from __future__ import annotations

import html as html_module
import re
from typing import cast

from ._decode import charset_codec, decode_transfer, encode_transfer, is_uuencode, known_encoding
from ._params import encodings
from ._piece import EOL
from ._source import SourceMessage

#: The end of a page. Browsers show text after it too, but validators and signers complain.
_PAGE_END = re.compile(r"</(?:body|html)[\t\n\r\f ]*+>", re.IGNORECASE)
_SEALED = frozenset({"multipart/signed", "multipart/encrypted"})


def set_text(msg: SourceMessage, text: str, charset: str | None = None) -> None:
    """Make a text the body, in `charset`; by default in the message's charset, or UTF-8 if that lacks a character."""
    if msg.is_multipart():
        make_plain(msg)
    label = charset or msg.get_content_charset() or "us-ascii"
    data = _encode(text, label)
    if data is None:
        label = "utf-8"
        data = text.encode("utf-8", "surrogateescape")
    changed = charset is not None or (msg.get_content_charset("us-ascii") != label)
    set_text_bytes(msg, data, label if changed else None)


def set_text_bytes(msg: SourceMessage, data: bytes, charset: str | None) -> None:
    """Make an encoded text the body. A `charset` that is not None is its new label."""
    if charset is not None:
        if "mime-version" not in msg and (not msg.source or msg.source.start == 0):
            msg["MIME-Version"] = "1.0"
        msg.set_param("charset", charset)
    label = charset or msg.get_content_charset()
    wide = not _is_ascii_compatible(label) and data != b""
    eol = msg.line_end()
    if not wide and msg.transfer_encoding() != "binary":
        data = EOL.sub(eol, data)
    coding = _new_coding(msg, data, wide, charset is not None)
    fields = [str(field).strip().lower() for field in msg.get_all("content-transfer-encoding", [])]
    if fields != [coding] and (fields or coding):
        if "content-transfer-encoding" in msg:
            del msg["content-transfer-encoding"]
        if coding:
            msg["Content-Transfer-Encoding"] = coding
    encoded = encode_transfer(data, coding, eol)
    if wide or coding == "binary":
        msg.set_payload_bytes(encoded)
    else:  # as a text, so that it gets the line ends of the message it is put into
        msg.set_body_text(encoded.decode("ascii", "surrogateescape"))


def _new_coding(msg: SourceMessage, data: bytes, wide: bool, relabelled: bool) -> str:
    """Return the Content-Transfer-Encoding for a new text: the present one, unless it cannot represent the text."""
    now = msg.transfer_encoding()
    fields = msg.get_all("content-transfer-encoding", [])
    if is_uuencode(now):
        return "base64"
    if known_encoding(now):
        return now
    if wide:
        return "base64"
    if not data.isascii() and (relabelled or now == "7bit"):
        return "quoted-printable"
    odd = len(fields) > 1 or any(encodings(str(field)) != [""] for field in fields)
    return ("8bit" if not data.isascii() else "") if odd else now


def _encode(text: str, charset: str | None) -> bytes | None:
    """Encode a text, in which surrogates stand for bytes of the source. None if the charset lacks a character.

    Without a charset it is ASCII.
    """
    codec = charset_codec(charset)
    if codec is None and not text.isascii():
        return None
    try:
        return text.encode(codec or "ascii", "surrogateescape")
    except (UnicodeError, LookupError):
        return None


def _is_ascii_compatible(charset: str | None) -> bool:
    codec = charset_codec(charset)
    return codec is None or "A<\n~+".encode(codec, "replace") == b"A<\n~+"


# -- parts


def make_plain(msg: SourceMessage) -> None:
    """Make an entity an empty text/plain: delete all that its header says about the body."""
    for name in {name.lower() for name in msg.keys() if name.lower().startswith("content-") or "=" in name}:  # noqa: SIM118
        del msg[name]
    msg.drop_stray_lines()
    msg.too_complex = False
    msg["Content-Type"] = "text/plain"
    msg.set_payload_bytes(b"")


def replace_with_text(root: SourceMessage, part: SourceMessage, text: str) -> None:
    """Replace a part, which may be the message itself, by a text."""
    _path(root, part)
    make_plain(part)
    set_text(part, text)


def drop(root: SourceMessage, part: SourceMessage) -> None:
    """Remove a part, and each multipart or message/rfc822 that is then empty."""
    *parents, _ = _path(root, part)
    while parents:
        parent = parents.pop()
        siblings = cast("list[SourceMessage]", parent.get_payload())
        siblings[:] = [sibling for sibling in siblings if sibling is not part]
        parent.modified = True
        if siblings:
            return
        part = parent
    replace_with_text(root, root, "")


def _path(root: SourceMessage, part: SourceMessage) -> list[SourceMessage]:
    """Return the entities from the message down to a part.

    Raises:
        ValueError: the part is not in the message.
    """
    paths = [[root]]
    while paths:
        path = paths.pop()
        here = path[-1]
        if here is part:
            return path
        if here.is_multipart():
            paths += [[*path, child] for child in here.get_payload()]
    raise ValueError("the part is not one of this message")


# -- text at the end


def append_text(root: SourceMessage, text: str, html: str | None) -> int:
    """Append to each text that is shown; see `MimeMessage.append_text`."""
    if html is None:
        html = "<br>\n" + html_module.escape(text, quote=False).replace("\n", "<br>\n")
    count = 0
    for part in _shown(root):
        kind = part.get_content_type()
        if kind == "text/plain":
            _append_plain(part, text)
        else:
            _append_html(part, html)
        count += 1
    return count


def _shown(msg: SourceMessage) -> list[SourceMessage]:
    """Return the texts that mail clients show: no attachments, no attached messages, nothing signed or encrypted."""
    kind = msg.get_content_type()
    if msg.is_multipart():
        if not kind.startswith("multipart/") or kind in _SEALED:
            return []
        return [text for part in msg.get_payload() if isinstance(part, SourceMessage) for text in _shown(part)]
    attached = msg.get_content_disposition() == "attachment" or msg.get_filename() is not None
    return [msg] if kind in ("text/plain", "text/html") and not attached and not msg.too_complex else []


def _append_plain(part: SourceMessage, text: str) -> None:
    data = decode_transfer(part.payload_bytes(), part.transfer_encoding())
    charset = part.get_content_charset()
    codec = charset_codec(charset) or "ascii"
    more = _encode(text, charset)
    if more is not None and _is_ascii_compatible(charset):
        end = b"" if not data or data.endswith((b"\n", b"\r")) else part.line_end()
        set_text_bytes(part, data + end + more, None)
        return
    try:
        whole = data.decode(codec)
    except UnicodeError:
        if codec == "utf-8" or not _is_ascii_compatible(charset):
            whole = data.decode(codec, "replace")
        else:  # the bytes are not valid in the charset: keep them, and append what the charset can represent
            end = b"" if data.endswith((b"\n", b"\r")) else part.line_end()
            set_text_bytes(part, data + end + text.encode(codec, "replace"), None)
            return
    end_line = "" if not whole or whole.endswith(("\n", "\r")) else "\n"
    set_text(part, whole + end_line + text)


def _append_html(part: SourceMessage, html: str) -> None:
    """Insert before the end of the page, with references for characters that are not ASCII: they fit any charset."""
    data = decode_transfer(part.payload_bytes(), part.transfer_encoding())
    charset = part.get_content_charset()
    codec = "latin-1" if _is_ascii_compatible(charset) else charset_codec(charset) or "latin-1"
    errors = "surrogatepass" if codec.startswith("utf-") else "replace"
    try:
        page = data.decode(codec, errors)
    except UnicodeError:
        page = data.decode(codec, "replace")
    ends = [match.start() for match in _PAGE_END.finditer(page)][-2:]
    at = ends[0] if ends else len(page)
    more = html.encode("ascii", "xmlcharrefreplace").decode("ascii")
    page = page[:at] + more + page[at:]
    set_text_bytes(part, page.encode(codec, errors), None)
