"""Plain values for what a filter answers: replies, edits, and the response to one step."""

from __future__ import annotations

import re
from dataclasses import dataclass

from pymilter.message._edits import Edit

from ._constants import Command, Verdict

_LINE = re.compile(r"([45][0-9][0-9])(?:([ -])(.*))?", re.DOTALL)
_ENHANCED = re.compile(r"([245]\.[0-9]{1,3}\.[0-9]{1,3})(?: |$)")


@dataclass(frozen=True, slots=True)
class SmtpReply:
    """An SMTP reply as the SMTP client would see it (RFC 5321, 4.2; RFC 3463)."""

    code: int
    """Three digits, such as 550."""
    enhanced: str = ""
    """Enhanced status code such as "5.7.1", or "" if there is none."""
    lines: tuple[str, ...] = ("",)
    """The text, one string a line, without the codes."""

    @property
    def text(self) -> str:
        """The text of all lines, joined by LF."""
        return "\n".join(self.lines)

    def __str__(self) -> str:
        status = f"{self.enhanced} " if self.enhanced else ""
        last = len(self.lines) - 1
        return "\n".join(
            f"{self.code}{' ' if number == last else '-'}{status}{line}" for number, line in enumerate(self.lines)
        )

    @classmethod
    def parse(cls, text: str) -> SmtpReply:
        """Read a reply in SMTP form, lines ended by CRLF or LF.

        Raises:
            ValueError: it is no 4xx or 5xx reply, or its lines disagree on the code.
        """
        code = enhanced = ""
        lines: list[str] = []
        for line in text.removesuffix("\n").removesuffix("\r").split("\n"):
            match = _LINE.fullmatch(line.removesuffix("\r"))
            if match is None:
                raise ValueError(f"{line!r} does not begin with a 4xx or 5xx code and a space or hyphen")
            if code and match[1] != code:
                raise ValueError(f"its lines have different codes, {code} and {match[1]}")
            code = match[1]
            rest = match[3] or ""
            status = _ENHANCED.match(rest)
            if status is not None:
                if status[1][0] != code[0]:
                    raise ValueError(f"the classes of {code} and {status[1]} differ")
                enhanced = enhanced or status[1]
                rest = rest[status.end() :]
            lines.append(rest)
        return cls(int(code), enhanced, tuple(lines))


@dataclass(frozen=True, slots=True)
class Response:
    """What came back for one step."""

    step: Command
    """The command that this answers."""
    verdict: Verdict
    """A reply code is given as REJECT (5xx) or TEMPFAIL (4xx), with `reply` set."""
    reply: SmtpReply | None = None
    """The SMTP reply that the filter chose (smfi_setreply, smfi_setmlreply), or None."""
    edits: tuple[Edit, ...] = ()
    """The changes asked for, in the order in which they came; only the end of a message has any."""
    progress: int = 0
    """How many times the filter asked for more time (smfi_progress)."""

    @property
    def code(self) -> int | None:
        """The reply's code, or None if the filter chose no reply."""
        return None if self.reply is None else self.reply.code

    @property
    def enhanced(self) -> str | None:
        """The reply's enhanced status code, or None if the filter chose no reply."""
        return None if self.reply is None else self.reply.enhanced

    @property
    def text(self) -> str | None:
        """The reply's text, lines joined by LF, or None if the filter chose no reply."""
        return None if self.reply is None else self.reply.text
