"""MimeMessage: a message that programs change part by part and write back, and the functions that read one."""

from __future__ import annotations

import contextlib
import email
import re
from collections.abc import Callable
from email.generator import BytesGenerator
from email.header import Header
from email.message import Message
from typing import IO, Any, cast

from ._charsets import forget_unknown_charsets
from ._classic import ClassicNames
from ._edit import append_text, drop, replace_with_text, set_text
from ._limits import Limits
from ._piece import source_text
from ._source import SourceMessage
from ._write import message_bytes, write_message

_ENDING_FIELD = re.compile(r"((?>\r\n|\r|\n))(?![ \t])")
_BAD_NAME = re.compile(r"[\x00-\x20:\x7f-\U0010ffff]")

HeaderChange = Callable[["MimeMessage", str, str | None], object]


class MimeMessage(ClassicNames):
    """A message that can be changed part by part; what is not changed is written as it was read.

    `headerchange`, if it is not None, is called for each change of a header, with the message, the header's name and
    its new value (None for a deleted header). Each part has a `headerchange` of its own. `modified` is set by every
    change; if a program sets it, `ismodified` returns true.
    """

    headerchange: HeaderChange | None
    modified: bool
    removed: str | None = None
    """The name that the part had, if it was replaced by a warning; otherwise None."""

    def __init__(self, fp: IO[bytes] | None = None, seekable: int = 1) -> None:
        """Make an empty message. `fp` and `seekable` are accepted for old programs, and ignored."""
        super().__init__()
        self.headerchange = None

    # -- changes

    def __setitem__(self, name: str, value: Any) -> None:
        """Add a header at the end. A newline in the value starts a folded line.

        Raises:
            ValueError: `name` is not the name of a header.
        """
        _check_name(name)
        value = _in_one_field(value)
        super().__setitem__(name, value)
        self._changed(name, str(value))

    def __delitem__(self, name: str) -> None:
        """Delete all headers of that name. `headerchange` is called before they are gone, as in 1.0.5."""
        self._changed(name, None)
        super().__delitem__(name)

    def replace_header(self, _name: str, _value: Any) -> None:
        """Give the first header of that name another value, in its place.

        Raises:
            KeyError: there is no such header.
        """
        if _name not in self:
            raise KeyError(_name)
        _value = _in_one_field(_value)
        self._changed(_name, None)
        super().replace_header(_name, _value)
        self._changed(_name, str(_value))

    def set_boundary(self, boundary: str) -> None:
        """Change the boundary parameter of Content-Type.

        Raises:
            email.errors.HeaderParseError: there is no Content-Type.
        """
        if "content-type" in self:
            self._changed("Content-Type", None)
        super().set_boundary(boundary)
        self._changed("Content-Type", str(self["content-type"]))

    def set_payload(self, val: Any, charset: Any = None) -> None:
        """Set the payload.

        Args:
            val: a list of parts, bytes, which are written as they are, or a text. A text reads back unchanged: it is
                encoded according to Content-Transfer-Encoding, or that header is changed. It gets the line ends of the
                message. A text that replaces parts makes the message text/plain.
            charset: the charset of the text. By default it is that of the message, or UTF-8 if that lacks a character.
        """
        self.modified = True
        if not isinstance(val, str):
            super().set_payload(val, charset)
            return
        if charset is not None and not self.is_multipart() and "content-transfer-encoding" not in self:
            with contextlib.suppress(UnicodeError):
                super().set_payload(val, charset)
                return
        set_text(self, val, None if charset is None else str(charset))

    def append_text(self, text: str, html: str | None = None) -> int:
        """Append a text to each text part that mail clients show.

        Attachments, attached messages, and parts that are signed or encrypted as a whole are left alone. The transfer
        encoding stays. A part becomes UTF-8 if its charset lacks a character.

        Args:
            text: the text.
            html: what to append to text/html parts instead, before the end of the page; by default the text, escaped.

        Returns:
            The number of parts that were changed.
        """
        return append_text(self, text, html)

    def drop(self, part: MimeMessage) -> None:
        """Remove a part, and each multipart that is then empty. If no part is left, the message becomes an empty text.

        Raises:
            ValueError: `part` is not in this message.
        """
        drop(self, part)

    def replace_with_text(self, part: MimeMessage, text: str) -> None:
        """Replace a part, which may be this message itself, by a text/plain.

        Its headers stay, except those whose names begin with Content-.

        Raises:
            ValueError: `part` is not in this message.
        """
        replace_with_text(self, part, text)

    def _changed(self, name: str, value: str | None) -> None:
        self.modified = True
        if self.headerchange is not None:
            self.headerchange(self, name, value)

    def ismodified(self) -> bool:
        """Return whether anything was changed in this message or one of its parts."""
        if self.modified or not self.source:
            return self.modified or bool(self._headers)
        if not self.has_source_header() or not self.has_source_margins():
            return True
        if self.is_multipart():
            return not self.has_source_parts() or any(
                cast(MimeMessage, part).ismodified() for part in self.source_parts()
            )
        return not self.has_source_body()

    # -- writing

    def as_bytes(self, unixfrom: bool = False, policy: Any = None) -> bytes:
        """Return the message, with the source's bytes for all that was not changed.

        Args:
            unixfrom: write a "From " line before the message.
            policy: if given, the email package writes the message with it.
        """
        if policy is not None:
            return super().as_bytes(unixfrom, policy)
        return message_bytes(self, unixfrom)

    def as_string(self, unixfrom: bool = False, maxheaderlen: int = 0, policy: Any = None) -> str:
        """Return the message as text: if ASCII, unchanged except for LF line ends; otherwise as the email package does.

        If the email package fails, the bytes are decoded as UTF-8, with U+FFFD for what is not UTF-8.
        """
        if policy is None and not maxheaderlen:
            whole = self.as_bytes(unixfrom)
            if whole.isascii():
                return source_text(whole)
        try:
            return super().as_string(unixfrom, maxheaderlen, policy)
        except (LookupError, ValueError, TypeError, AttributeError):
            forget_unknown_charsets()  # the email package has looked the sender's charset up
            return self.as_bytes(unixfrom).decode("utf-8", "replace")

    def dump(self, file: IO[bytes], unixfrom: bool = False) -> None:
        """Write the message to a binary file, with `unixfrom` after a "From " line."""
        write_message(self, file.write, unixfrom)


class MimeGenerator(BytesGenerator):
    """A generator of the email package that writes each MimeMessage with the bytes of its source."""

    def _write(self, msg: Message) -> None:
        if isinstance(msg, MimeMessage):
            self._fp.write(msg.as_bytes())  # type: ignore[attr-defined]
        else:
            super()._write(msg)  # type: ignore[misc]


def message_from_file(fp: IO[bytes], limits: Limits | None = None) -> MimeMessage:
    """Read a message from a binary file, from the current position to the end.

    The content of a message never makes it raise: faults are listed in `defects`, and a part that exceeds `limits` is
    left whole, with `too_complex` set.

    Args:
        fp: the file.
        limits: how much of the structure is followed; by default `Limits()`.

    Raises:
        TypeError: the file was opened in text mode.
    """
    data = fp.read()
    if not isinstance(data, bytes | bytearray | memoryview):
        raise TypeError(f"message_from_file needs a file opened in binary mode, this one gives {type(data).__name__}")
    return MimeMessage.from_bytes(bytes(data), limits or Limits())


def message_from_binary_file(fp: IO[bytes], *args: Any, **kws: Any) -> Any:
    """Call email.message_from_binary_file; with MimeMessage or a subclass as `_class`, read byte for byte."""
    cls = args[0] if args else kws.get("_class")
    if isinstance(cls, type) and issubclass(cls, SourceMessage):
        return cls.from_bytes(fp.read())
    return email.message_from_binary_file(fp, *args, **kws)


def _in_one_field(value: Any) -> Any:
    """Return a header's value with each of its line ends made a fold, so that none ends the header."""
    return value if isinstance(value, Header) else _ENDING_FIELD.sub(r"\1 ", str(value).rstrip("\r\n"))


def _check_name(name: str) -> None:
    if not name or _BAD_NAME.search(name):
        raise ValueError(f"{name!r} is no header name: printable ASCII without blanks and colons is allowed")
