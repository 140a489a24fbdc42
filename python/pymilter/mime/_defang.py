"""Replaces dangerous attachments by a warning."""

from __future__ import annotations

import copy
import logging
import socket
import zipfile
from collections.abc import Callable
from typing import cast

from ._html import check_html
from ._message import MimeMessage
from ._names import check_ext

_log = logging.getLogger("pymilter.mime")

#: The warning: %s are the file name, this host and the name the message was saved under. A program may set another
#: text in pymilter.mime (or mime).
virus_msg = """\
This message appeared to contain a virus.
It was originally named '%s', and has been removed.
A copy of your original message was saved as '%s:%s'.
See your administrator.
"""

_LONGEST_NAME = 200

#: Tells whether a file name is bad: by a result that is true.
NameCheck = Callable[[str], object]


def check_name(
    msg: MimeMessage, savname: str | None = None, ckname: NameCheck = check_ext, scan_zip: bool = False
) -> int:
    """Replace a part by a warning when `ckname` finds one of its names bad; return CONTINUE (0).

    With `scan_zip` the names in a zip file count too, and a zip file that cannot be looked into is bad, as it is when
    it passes a bound. So is a part that was not taken apart because it passes a bound (`too_complex`).
    The warning names what `ckname` returned, or for a zip file the part's own name, and `savname`.
    """
    if msg.too_complex:
        _replace(msg, msg.get_filename() or "(too complex to be checked)", savname)
        return 0
    for _, name in msg.getnames():
        found = ckname(name) if name is not None else None
        if found:
            _replace(msg, found, savname)
            return 0
    if scan_zip:
        try:
            names = [name for key, name in msg.getnames(scan_zip=True) if key == "zipname"]
            bad = any(name is not None and ckname(name) for name in names)
        except zipfile.BadZipFile as fault:
            _log.info("zip file %r: %s", msg.get_filename(), fault)
            bad = True
        if bad:
            _replace(msg, msg.get_filename() or "(a zip file without a name)", savname)
    return 0


def check_attachments(
    msg: MimeMessage, check: Callable[[MimeMessage], int | None], lev: list[int] | None = None
) -> int:
    """Call `check` for each part that has no parts, until one returns something other than CONTINUE (0) or None.

    Returns that result, else CONTINUE. `lev` is the part's place in the message, such as [2, 1], for debug messages.
    A part that was not taken apart because it passes a bound (`too_complex`) is replaced by a warning, if `check` has
    not done it.
    """
    place = lev or []
    if msg.is_multipart():
        for number, part in enumerate(cast("list[MimeMessage]", msg.get_payload()), 1):
            result = check_attachments(part, check, [*place, number]) if isinstance(part, MimeMessage) else 0
            if result:
                return result
        return 0
    _log.debug("checking part %s: %s", place, msg.get_content_type())
    verdict = check(msg)
    if msg.too_complex:
        check_name(msg)
    return verdict or 0


class _defang:  # noqa: N801 - programs make their own one: mime._defang(scan_html=False)
    """Takes bad attachments and scripts out of a message. An object may be called by several threads at a time."""

    def __init__(self, scan_html: bool = True) -> None:
        self.scan_html = scan_html
        self.scan_rfc822 = True
        self.scan_zip = False
        self._savname: str | None = None
        self._check: NameCheck = check_ext

    def _chk_name(self, msg: MimeMessage) -> int:
        """Check one part without parts."""
        result = check_name(msg, self._savname, self._check, self.scan_zip)
        if self.scan_html:
            check_html(msg, self._savname)
        return result

    def __call__(
        self,
        msg: MimeMessage,
        savname: str | None = None,
        check: NameCheck = check_ext,
        scan_rfc822: bool = True,
        scan_zip: bool = False,
    ) -> bool:
        """Clean a message, and return whether it was modified, now or before.

        `savname` is told in the warnings: where a copy of the message is kept. `check` gets each file name, and returns
        something true for a bad one. Messages in the message are cleaned too, whatever `scan_rfc822` is.
        """
        run = copy.copy(self)  # the values are this call's, not those of another thread's
        run._savname, run._check, run.scan_rfc822, run.scan_zip = savname, check, scan_rfc822, scan_zip
        # An attached message is a file too: named x.hta, it may be both.
        for part in list(msg.walk()):
            if isinstance(part, MimeMessage) and part.is_multipart() and part.get_content_maintype() == "message":
                check_name(part, savname, check)
        check_attachments(msg, run._chk_name)
        return msg.ismodified()


defang: _defang = _defang()


def _replace(msg: MimeMessage, name: object, savname: str | None) -> None:
    from pymilter.mime import virus_msg as warning  # at the call: programs set it there

    # The name is the sender's: it must not end a line, or it could write headers and parts of its own.
    shown = "".join(char if char.isprintable() else "?" for char in str(name)[:_LONGEST_NAME])
    try:
        text = warning % (shown, socket.gethostname(), savname)
    except (TypeError, ValueError):  # a program's own text, with no or other %s
        text = warning
    del msg["content-type"]
    del msg["content-disposition"]
    del msg["content-transfer-encoding"]
    msg["Content-Type"] = "text/plain; name=WARNING.TXT"
    msg.too_complex = False
    msg.set_payload(text)
