"""MimeMessage: a message with the classic names of pymilter 1.0.5, which tells of each header it changes."""

from __future__ import annotations

import contextlib
import email
import re
from collections.abc import Callable
from email.generator import BytesGenerator
from email.header import Header
from email.message import Message
from typing import IO, Any, cast

from ._edit import append_text, drop, replace_with_text, set_text
from ._limits import Limits
from ._names import part_names
from ._source import SourceMessage
from ._zip import zipnames

_ENDING_FIELD = re.compile(r"((?>\r\n|\r|\n))(?![ \t])")
_BAD_NAME = re.compile(r"[\x00-\x20:\x7f-\U0010ffff]")

HeaderChange = Callable[["MimeMessage", str, str | None], object]


class MimeMessage(SourceMessage):
    """A message that can be changed part by part; what is not changed is written as it was read.

    `headerchange` is None, or is called with the message, a header's name and its new value (None when the header was
    deleted) after each change of a header of this message; those of its parts are their own. `modified` is set by the
    changes, and may be set by programs: `ismodified` then is true.
    """

    headerchange: HeaderChange | None
    modified: bool
    removed: str | None = None
    """What the part was called, if a warning was put in its place; otherwise None."""

    def __init__(self, fp: IO[bytes] | None = None, seekable: int = 1) -> None:
        """Make an empty message. `fp` and `seekable` are taken for old programs, and not used."""
        super().__init__()
        self.headerchange = None
        self.modified = False

    # -- changes

    def __setitem__(self, name: str, value: Any) -> None:
        """Add a header at the end. A newline in the value starts a folded line; ValueError for a name that is none."""
        _check_name(name)
        if not isinstance(value, Header):
            value = _ENDING_FIELD.sub(r"\1 ", str(value).rstrip("\r\n"))
        super().__setitem__(name, value)
        self._changed(name, str(value))

    def __delitem__(self, name: str) -> None:
        """Delete all headers of that name; `headerchange` is called while they are still there, as in 1.0.5."""
        self._changed(name, None)
        super().__delitem__(name)

    def replace_header(self, _name: str, _value: Any) -> None:
        """Give the first header of that name another value, in its place. Raises KeyError when there is none."""
        if _name not in self:
            raise KeyError(_name)
        if not isinstance(_value, Header):
            _value = _ENDING_FIELD.sub(r"\1 ", str(_value).rstrip("\r\n"))
        self._changed(_name, None)
        super().replace_header(_name, _value)
        self._changed(_name, str(_value))

    def set_boundary(self, boundary: str) -> None:
        """Change the boundary parameter of Content-Type. Raises email.errors.HeaderParseError without that header."""
        if "content-type" in self:
            self._changed("Content-Type", None)
        super().set_boundary(boundary)
        self._changed("Content-Type", str(self["content-type"]))

    def set_payload(self, val: Any, charset: Any = None) -> None:
        """Set the payload: a list of parts, or a text, which `charset` encodes.

        A text reads back as it was written: it is encoded as Content-Transfer-Encoding says, or that is changed; one
        with characters that the message's charset lacks makes it UTF-8. Line ends are written as the source's. In the
        place of parts, a text makes the message text/plain. Bytes are written as they are.
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

    def set_payload_bytes(self, data: bytes) -> None:
        """Set the body, encoded as Content-Transfer-Encoding says, to be written exactly as it is."""
        self.modified = True
        super().set_payload_bytes(data)

    def set_body_text(self, text: str) -> None:
        """Set the body, encoded as Content-Transfer-Encoding says, to be written with the line ends of the message."""
        self.modified = True
        super().set_payload(text)

    def append_text(self, text: str, html: str | None = None) -> int:
        """Append a text to each text part that mail clients show; return how many there are.

        `html` is for the text/html parts, where it is put before the end of the page; by default it is the text,
        escaped. Attachments, attached messages and what is signed or encrypted as a whole are left alone. What was
        base64 or quoted-printable is so again; a part becomes UTF-8 if its charset lacks a character.
        """
        return append_text(self, text, html)

    def drop(self, part: MimeMessage) -> None:
        """Take a part out, and what is empty then; without any part, the message becomes an empty text.

        Raises ValueError if `part` is not in this message.
        """
        drop(self, part)

    def replace_with_text(self, part: MimeMessage, text: str) -> None:
        """Put a text/plain in the place of a part, which may be this message itself.

        Its headers stay, but for those whose names begin with Content-. Raises ValueError if `part` is not in this
        message.
        """
        replace_with_text(self, part, text)

    def _changed(self, name: str, value: str | None) -> None:
        self.modified = True
        if self.headerchange is not None:
            self.headerchange(self, name, value)

    def ismodified(self) -> bool:
        """Tell whether anything was changed in this message or one of its parts."""
        if self.modified or not self.source:
            return self.modified or bool(self._headers)
        if not self.has_source_header() or not self.has_source_margins():
            return True
        if self.is_multipart():
            return not self.has_source_parts() or any(
                cast(MimeMessage, part).ismodified() for part in self.source_parts()
            )
        return not self.has_source_body()

    # -- classic names

    def getheaders(self, name: str, failobj: Any = None) -> Any:
        """Return the values of all headers of that name, or `failobj`."""
        return self.get_all(name, failobj)

    def gettype(self) -> str:
        """Return the content type in lower case."""
        return self.get_content_type()

    def getencoding(self) -> str | None:
        """Return the Content-Transfer-Encoding header, or None."""
        return self.get("content-transfer-encoding", None)

    def ismultipart(self) -> bool:
        """Tell whether there are parts."""
        return self.is_multipart()

    def getfilename(self, failobj: Any = None) -> Any:
        """Return the file name, or `failobj`."""
        return self.get_filename(failobj)

    def getparam(self, param: str, failobj: Any = None, header: str = "content-type", unquote: bool = True) -> Any:
        """Return a parameter of a header, or `failobj`."""
        return self.get_param(param, failobj, header, unquote)

    def getparams(self) -> list[tuple[str, Any]]:
        """Return the parameters of Content-Type, the type itself first."""
        return cast("list[tuple[str, Any]]", self.get_params([]))

    def getname(self) -> str | None:
        """Return the name parameter of Content-Type, or None."""
        return next((value for key, value in self.getnames() if key == "name"), None)

    def has_too_many_names(self) -> bool:
        """Tell whether a header gives the part so many file names that not all of them are read."""
        return part_names(self).too_many

    def getnames(self, scan_zip: bool = False) -> list[tuple[str, str | None]]:
        """Return what may name the part's content as a file: pairs of a parameter and its value.

        These are all parameters of Content-Type, then ("filename", get_filename()), then other readings of the name,
        and with `scan_zip` ("zipname", NAME) for each file in a zip file and in those in it.
        Raises ZipUnreadableError (a zipfile.BadZipFile) for a zip file that cannot be looked into.
        """
        names = part_names(self)
        if scan_zip and names.is_zip:
            content = self.get_payload(decode=True)
            if content:
                return [*names.pairs, *zipnames(content)]
        return list(names.pairs)

    def get_payload_decoded(self) -> Any:
        """Return the payload's decoded bytes; None when there are parts."""
        return self.get_payload(decode=True)

    def decode(self, filt: IO[bytes]) -> str | None:
        """Write the payload's decoded bytes to `filt`, and return the Content-Transfer-Encoding header."""
        content = self.get_payload(decode=True)
        if content is not None:
            filt.write(content)
        return self.getencoding()

    def get_submsg(self) -> list[Any] | None:
        """Return the list of parts, which for a message/rfc822 is the message in it; None when there are none."""
        return self.get_payload() if self.is_multipart() else None

    @property
    def submsg(self) -> list[Any] | None:
        """The same as `get_submsg()`."""
        return self.get_submsg()


class MimeGenerator(BytesGenerator):
    """A generator of the email package that writes each MimeMessage with its source's bytes."""

    def _write(self, msg: Message) -> None:
        if isinstance(msg, MimeMessage):
            self._fp.write(msg.as_bytes())  # type: ignore[attr-defined]
        else:
            super()._write(msg)  # type: ignore[misc]


def message_from_file(fp: IO[bytes], limits: Limits | None = None) -> MimeMessage:
    """Read a message from a binary file, from where it stands to its end.

    Never raises for the message's content: faults are in `defects`, and what passes `limits` is left whole, its
    `too_complex` set. Raises TypeError when the file gives text.
    """
    data = fp.read()
    if not isinstance(data, bytes | bytearray | memoryview):
        raise TypeError(f"message_from_file needs a file opened in binary mode, this one gives {type(data).__name__}")
    return MimeMessage.from_bytes(bytes(data), limits or Limits())


def message_from_binary_file(fp: IO[bytes], *args: Any, **kws: Any) -> Any:
    """email.message_from_binary_file; with MimeMessage or a subclass as `_class`, that class reads the file itself."""
    cls = args[0] if args else kws.get("_class")
    if isinstance(cls, type) and issubclass(cls, SourceMessage):
        return cls.from_bytes(fp.read())
    return email.message_from_binary_file(fp, *args, **kws)


def _check_name(name: str) -> None:
    if not name or _BAD_NAME.search(name):
        raise ValueError(f"{name!r} is no header name: printable ASCII without blanks and colons is allowed")
