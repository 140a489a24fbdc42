"""Text as the value of a header field: encoded words (RFC 2047) where it is not ASCII, and folds."""

from email.charset import QP, Charset
from email.header import Header
from email.utils import formataddr, getaddresses
from typing import Final

_OF_ADDRESSES: Final = frozenset(
    f"{resent}{name}" for resent in ("", "resent-") for name in ("from", "sender", "reply-to", "to", "cc", "bcc")
)
_UTF8: Final = Charset("utf-8")
_UTF8.header_encoding = QP


def encoded(name: str, text: str) -> str:
    """The value of a field: lines of at most 76 characters where the text has places to fold it."""
    text = " ".join(text.encode("utf-8", "replace").decode().splitlines()).strip()
    if name.lower() in _OF_ADDRESSES and not text.isascii():
        mailboxes = getaddresses([text])
        if all("@" in address for _, address in mailboxes):
            return ",\n ".join(_mailbox(*mailbox) for mailbox in mailboxes)
    return Header(text, None if text.isascii() else _UTF8, maxlinelen=76, header_name=name).encode(linesep="\n")


def _mailbox(name: str, address: str) -> str:
    if name.isascii() and address.isascii():
        return formataddr((name, address))
    words = Header(name, _UTF8, maxlinelen=76).encode(linesep="\n")
    return f"{words} <{address}>" if name else address
