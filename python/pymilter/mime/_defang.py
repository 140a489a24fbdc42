"""Replaces dangerous attachments by a warning."""

from __future__ import annotations

import copy
import logging
import zipfile
from collections.abc import Callable, Iterable
from functools import partial
from typing import cast

from ._html import clean_html
from ._limits import Limits, UnreadableError
from ._message import MimeMessage
from ._names import check_ext
from ._readings import Budget, Reading, other_readings, whole_readings
from ._sniff import head_of, program_extension
from ._sniff import is_zip as is_zip_file
from ._warning import replace_by_warning
from ._zip import zipnames

_log = logging.getLogger("pymilter.mime")

#: Tells whether a file name is bad: by a result that is true.
NameCheck = Callable[[str], object]


_TOO_COMPLEX = "(too complex to be checked)"


def check_name(
    msg: MimeMessage,
    savname: str | None = None,
    ckname: NameCheck = check_ext,
    scan_zip: bool = False,
    by_content: bool = False,
) -> int:
    """Replace a part by a warning when `ckname` finds one of its names bad; return CONTINUE (0).

    With `scan_zip` the names in a zip file count too, and a zip file that cannot be looked into is bad, as it is when
    it passes a bound. So is a part that was not taken apart because it passes a bound (`too_complex`).
    With `by_content`, a part that is a program or a zip file in fact is one whatever it is called.
    The warning names what `ckname` returned, or for a zip file the part's own name, and `savname`.
    """
    names = _Names(savname, ckname, scan_zip, by_content)
    return _Walk(names, savname, by_content, _size(msg)).leaf(msg, [])


def check_html(msg: MimeMessage, savname: str | None = None, *, strict: bool = False) -> int:
    """Take the scripts out of a text/html part, and return CONTINUE (0).

    The rest of the text stays as it is, byte by byte (in UTF-16 and the like: character by character). What was base64
    or quoted-printable is so again. A part with a script in it that only some mail clients see is replaced by a
    warning; `savname` is told there. Script elements are all that is taken out: see docs/html.md.

    With `strict` the text is written anew, with elements, attributes and links that are known to be harmless, and with
    nothing else: no event handlers, no javascript: or data: links, no styles, frames, objects or forms.
    """
    if msg.is_multipart():
        return 0
    return _Walk(partial(clean_html, strict=strict), savname, False, _size(msg)).leaf(msg, [])


def check_attachments(
    msg: MimeMessage, check: Callable[[MimeMessage], int | None], lev: list[int] | None = None
) -> int:
    """Call `check` for each part that has no parts, until one returns something other than CONTINUE (0) or None.

    Returns that result, else CONTINUE. `lev` is the part's place in the message, such as [2, 1], for debug messages.
    Where mail clients do not agree on what is in a part, `check` also gets what the others see, as messages of their
    own: if it changes one of them, the part is replaced by a warning. So is a part that was not taken apart
    (`too_complex`), if `check` has not done it.
    """
    return _Walk(check, None, False, _size(msg)).message(msg, lev or [])


class _Names:
    """Checks the names of one part."""

    def __init__(self, savname: str | None, check: NameCheck, scan_zip: bool, by_content: bool) -> None:
        self._savname = savname
        self._check = check
        self._scan_zip = scan_zip
        self._by_content = by_content

    def __call__(self, msg: MimeMessage) -> int:
        bad = _TOO_COMPLEX if msg.too_complex or msg.has_too_many_names() else self._bad_name(msg)
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


class _Walk:
    """Goes through the parts of one message, and through what mail clients may see in their place."""

    def __init__(
        self,
        check: Callable[[MimeMessage], int | None],
        savname: str | None,
        by_content: bool,
        size: int,
        check_message: Callable[[MimeMessage], object] | None = None,
    ) -> None:
        self._check = check
        self._savname = savname
        self._by_content = by_content
        self._check_message = check_message
        self._budget = Budget(size)

    def message(self, msg: MimeMessage, place: list[int]) -> int:
        """Check a whole message."""
        return self._others(msg, whole_readings(msg), place) or (0 if msg.removed else self._part(msg, place))

    def _part(self, msg: MimeMessage, place: list[int]) -> int:
        if not msg.is_multipart():
            return self.leaf(msg, place)
        if self._check_message and msg.get_content_maintype() == "message":
            self._check_message(msg)
        result = 0 if msg.removed else self._others(msg, other_readings(msg, self._by_content), place)
        if result or msg.removed:
            return result
        for number, part in enumerate(cast("list[MimeMessage]", msg.get_payload()), 1):
            result = self._part(part, [*place, number]) if isinstance(part, MimeMessage) else 0
            if result:
                return result
        return 0

    def leaf(self, msg: MimeMessage, place: list[int]) -> int:
        """Check a part without parts."""
        _log.debug("checking part %s: %s", place, msg.get_content_type())
        verdict = self._check(msg) or 0
        if msg.too_complex:
            replace_by_warning(msg, msg.get_filename() or _TOO_COMPLEX, self._savname)
        if verdict or msg.removed:
            return verdict
        return self._others(msg, other_readings(msg, self._by_content), place)

    def _others(self, msg: MimeMessage, readings: Iterable[Reading], place: list[int]) -> int:
        """Check other readings of a part, and replace it if one of them is bad."""
        limits = Limits(depth=max(1, Limits().depth - len(place)))
        try:
            for number, reading in enumerate(readings):
                self._budget.take(len(reading.data))
                other = type(msg).from_bytes(reading.data, limits)
                result = self._part(other, [*place, -number])
                if result:
                    return result
                if not other.ismodified():
                    continue
                removed = [part.removed for part in other.walk() if isinstance(part, MimeMessage) and part.removed]
                if reading.same_body and not removed:
                    _take_over(msg, other)
                    continue
                name = msg.get_filename() or next(iter(removed), "(dangerous to some mail clients)")
                replace_by_warning(msg, name, self._savname)
                return 0
        except UnreadableError:
            replace_by_warning(msg, msg.get_filename() or _TOO_COMPLEX, self._savname)
        return 0


def _take_over(msg: MimeMessage, other: MimeMessage) -> None:
    """Give a part the text that was cleaned in another reading of it."""
    if msg.transfer_encoding() != other.transfer_encoding():
        del msg["content-transfer-encoding"]
        msg["Content-Transfer-Encoding"] = other.transfer_encoding() or "8bit"
    msg.set_payload_bytes(other.payload_bytes())


def _size(msg: MimeMessage) -> int:
    return msg.source.end - msg.source.start if msg.source else 0


class _defang:  # noqa: N801 - programs make their own one: mime._defang(scan_html=False)
    """Takes bad attachments and scripts out of a message. An object may be called by several threads at a time."""

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
        """Clean a message, and return whether it was modified, now or before.

        `savname` is told in the warnings: where a copy of the message is kept. `check` gets each file name, and returns
        something true for a bad one. Messages in the message are cleaned too, whatever `scan_rfc822` is. With
        `by_content`, a part that is a program, a zip file, HTML or a message in fact is treated as what it is.
        """
        run = copy.copy(self)  # the values are this call's, not those of another thread's
        run._savname, run._check, run.scan_rfc822, run.scan_zip = savname, check, scan_rfc822, scan_zip
        run.by_content = by_content
        # An attached message is a file too: named x.hta, it may be both.
        messages = _Names(savname, check, False, False)
        _Walk(run._chk_name, savname, by_content, _size(msg), messages).message(msg, [])
        return msg.ismodified()


defang: _defang = _defang()
