"""Removes dangerous attachments and scripts from a message, and leaves a warning in their place."""

from __future__ import annotations

import copy
import logging
import zipfile
from collections.abc import Callable
from functools import partial

from ._html import clean_html
from ._message import MimeMessage
from ._names import check_ext
from ._sniff import head_of, program_extension
from ._sniff import is_zip as is_zip_file
from ._walk import TOO_COMPLEX, Walk, size_of
from ._warning import replace_by_warning
from ._zip import zipnames

_log = logging.getLogger("pymilter.mime")

#: Returns something true for a bad file name.
NameCheck = Callable[[str], object]


def check_name(
    msg: MimeMessage,
    savname: str | None = None,
    ckname: NameCheck = check_ext,
    scan_zip: bool = False,
    by_content: bool = False,
) -> int:
    """Replace a part by a warning if one of its names is bad.

    A part that exceeds a limit (`too_complex`) is replaced too.

    Args:
        msg: the part.
        savname: where a copy of the message is kept, for the warning.
        ckname: gets each file name, and returns something true for a bad one; for text, the warning shows the result.
        scan_zip: also check the names in zip files. A zip file that cannot be read, or exceeds a limit, is bad.
        by_content: treat a part whose content is a program or a zip file as such, whatever its name.

    Returns:
        CONTINUE (0).
    """
    names = _Names(savname, ckname, scan_zip, by_content)
    return Walk(names, savname, by_content, size_of(msg)).leaf(msg, [])


def check_html(msg: MimeMessage, savname: str | None = None, *, strict: bool = False) -> int:
    """Remove the scripts from a text/html part.

    Every other byte of the text stays (in UTF-16 and the like: every other character), in the same transfer encoding.
    Script elements are all that is removed: see docs/reference/html.md. A part with a script that only some mail
    clients see is replaced by a warning.

    Args:
        msg: the part. A part of another type, and one with parts of its own, is left alone.
        savname: where a copy of the message is kept, for the warning.
        strict: rewrite the text with nothing but harmless elements, attributes and links: no event handlers, no
            javascript: or data: links, no styles, frames, objects or forms.

    Returns:
        CONTINUE (0).
    """
    if msg.is_multipart():
        return 0
    return Walk(partial(clean_html, strict=strict), savname, False, size_of(msg)).leaf(msg, [])


def check_attachments(
    msg: MimeMessage, check: Callable[[MimeMessage], int | None], lev: list[int] | None = None
) -> int:
    """Call `check` for each part without parts of its own, until it returns something other than CONTINUE (0) or None.

    If mail clients disagree about a part, `check` also gets the other readings of it, as separate messages. If it
    changes one of these, the part is replaced by a warning. A part that exceeds a limit (`too_complex`) is replaced
    too, unless `check` has replaced it already.

    Args:
        msg: the message.
        check: gets each part.
        lev: the place of `msg` in a larger message, such as [2, 1], for debug messages.

    Returns:
        The result of `check` that ended the walk; otherwise CONTINUE.
    """
    return Walk(check, None, False, size_of(msg)).message(msg, lev or [])


class _Names:
    """Checks the names of one part."""

    def __init__(self, savname: str | None, check: NameCheck, scan_zip: bool, by_content: bool) -> None:
        self._savname = savname
        self._check = check
        self._scan_zip = scan_zip
        self._by_content = by_content

    def __call__(self, msg: MimeMessage) -> int:
        bad = TOO_COMPLEX if msg.too_complex or msg.has_too_many_names() else self._bad_name(msg)
        if bad:
            own = msg.get_filename()
            replace_by_warning(msg, own or bad if bad.startswith("(") else bad, self._savname)
        return 0

    def _bad_name(self, msg: MimeMessage) -> str | None:
        for _, name in msg.getnames():
            found = self._check(name) if name is not None else None
            if found:
                return str(found)
        if msg.is_multipart():
            return None
        is_zip = False
        if self._by_content:
            head = head_of(msg.payload_bytes(), msg.transfer_encoding())
            is_zip = is_zip_file(head)
            extension = program_extension(head)
            if extension and self._check((msg.get_filename() or "program") + extension):
                return "(a program)"
        return self._bad_zip(msg, is_zip) if self._scan_zip else None

    def _bad_zip(self, msg: MimeMessage, is_zip: bool) -> str | None:
        try:
            names = zipnames(msg.get_payload(decode=True)) if is_zip else msg.getnames(scan_zip=True)
            bad = any(key == "zipname" and name is not None and self._check(name) for key, name in names)
        except zipfile.BadZipFile as fault:
            _log.info("zip file %r: %s", msg.get_filename(), fault)
            bad = True
        return "(a zip file without a name)" if bad else None


class _defang:  # noqa: N801 - programs make one of their own: mime._defang(scan_html=False)
    """Removes bad attachments and scripts from a message. Several threads may call one object at the same time."""

    def __init__(self, scan_html: bool = True) -> None:
        self.scan_html = scan_html
        self.scan_rfc822 = True
        self.scan_zip = False
        self.by_content = False
        self._savname: str | None = None
        self._check: NameCheck = check_ext

    def _chk_name(self, msg: MimeMessage) -> int:
        """Check one part without parts."""
        result = _Names(self._savname, self._check, self.scan_zip, self.by_content)(msg)
        if self.scan_html and not msg.removed:
            clean_html(msg)
        return result

    def __call__(
        self,
        msg: MimeMessage,
        savname: str | None = None,
        check: NameCheck = check_ext,
        scan_rfc822: bool = True,
        scan_zip: bool = False,
        by_content: bool = False,
    ) -> bool:
        """Clean a message.

        Args:
            msg: the message.
            savname: where a copy of the message is kept, for the warnings.
            check: gets each file name, and returns something true for a bad one.
            scan_rfc822: has no effect: attached messages are always cleaned.
            scan_zip: also check the names in zip files.
            by_content: treat a part whose content is a program, a zip file, HTML or a message as such, whatever its
                name and type.

        Returns:
            Whether the message was modified, by this call or earlier.
        """
        run = copy.copy(self)  # another thread may call this object with other values at the same time
        run._savname, run._check, run.scan_rfc822, run.scan_zip = savname, check, scan_rfc822, scan_zip
        run.by_content = by_content
        # An attached message is a file too: named x.hta, it may be both.
        messages = _Names(savname, check, False, False)
        Walk(run._chk_name, savname, by_content, size_of(msg), messages).message(msg, [])
        return msg.ismodified()


defang: _defang = _defang()
