"""Text as the value of a header field: encoded words (RFC 2047) where it is not ASCII, and folds."""

import re
from email.charset import QP, Charset
from email.header import Header
from email.utils import formataddr, getaddresses
from typing import Final

_OF_ADDRESSES: Final = frozenset(
    f"{resent}{name}" for resent in ("", "resent-") for name in ("from", "sender", "reply-to", "to", "cc", "bcc")
)
_LINE_ENDS: Final = re.compile(r"[ \t]*(?:\r\n?|\n)[ \t\r\n]*")
_WIDTH: Final = 76
_UTF8: Final = Charset("utf-8")
_UTF8.header_encoding = QP


def encoded(name: str, text: str) -> str:
    """Return the value of a field, in lines of at most 76 characters if the text has blanks to fold it at.

    Line ends become blanks. A surrogate, which stands for a byte that is not UTF-8, becomes U+FFFD.

    Raises:
        ValueError: the text contains NUL.
    """
    if "\0" in text:
        raise ValueError(f"the text of {name} holds NUL, which no mail server keeps")
    text = _LINE_ENDS.sub(" ", text).strip(" \t").encode("utf-8", "surrogateescape").decode("utf-8", "replace")
    is_plain = text.isascii() and "=?" not in text  # what looks like an encoded word must not be read as one
    if name.lower() in _OF_ADDRESSES and not is_plain:
        mailboxes = getaddresses([text])
        if all("@" in address for _, address in mailboxes):
            return ",\n ".join(_mailbox(*mailbox, "" if place else name) for place, mailbox in enumerate(mailboxes))
    return Header(text, None if is_plain else _UTF8, maxlinelen=_WIDTH, header_name=name).encode(linesep="\n")


def _mailbox(name: str, address: str, field: str) -> str:
    """Return a mailbox; `field` is the name of the field if this is the first one, whose line has the name too."""
    if name.isascii() and address.isascii() and "=?" not in name:
        return formataddr((name, address))
    if not name:
        return address
    words = Header(name, _UTF8, maxlinelen=_WIDTH, header_name=field).encode(linesep="\n")
    last = words if "\n" in words else f"{field}: {words}"
    # With the comma that may follow.
    gap = " " if len(f"{last.rpartition(chr(10))[2]} <{address}>,") <= _WIDTH else "\n "
    return f"{words}{gap}<{address}>"
