"""Reads any mail message, however broken, changes it part by part, and writes it back byte for byte.

Programs set `bad_extensions` and `virus_msg` here to change which file names `defang` refuses, and its warning.
"""

from email import encoders
from email.generator import BytesGenerator
from email.message import Message
from email.utils import quote
from io import BytesIO, StringIO

from ._defang import _defang, check_attachments, check_html, check_name, defang
from ._html import HTMLScriptFilter, SGMLFilter
from ._limits import AmbiguousDefect, Limits, TooComplexDefect, ZipLimitError, ZipLimits, ZipUnreadableError
from ._message import MimeGenerator, MimeMessage, message_from_binary_file, message_from_file
from ._names import bad_extensions, check_ext, extlist
from ._params import _parseparam, _unquotevalue, unquote
from ._sgml import SGMLParseError, SGMLParser
from ._sgml import SGMLParser as HTMLParser
from ._warning import virus_msg
from ._zip import zipnames

__all__ = [
    "AmbiguousDefect",
    "BytesGenerator",
    "BytesIO",
    "HTMLParser",
    "HTMLScriptFilter",
    "Limits",
    "Message",
    "MimeGenerator",
    "MimeMessage",
    "SGMLFilter",
    "SGMLParseError",
    "SGMLParser",
    "StringIO",
    "TooComplexDefect",
    "ZipLimitError",
    "ZipLimits",
    "ZipUnreadableError",
    "_defang",
    "_parseparam",
    "_unquotevalue",
    "bad_extensions",
    "check_attachments",
    "check_ext",
    "check_html",
    "check_name",
    "defang",
    "encoders",
    "extlist",
    "message_from_binary_file",
    "message_from_file",
    "quote",
    "unquote",
    "virus_msg",
    "zipnames",
]
