"""What a terminal can show: its width, whether it has colours, and text without control sequences."""

from __future__ import annotations

import os
import textwrap
import unicodedata
from typing import Final, TextIO

PLAIN: Final = ""
BOLD: Final = "1"
RED: Final = "31"
GREEN: Final = "32"
YELLOW: Final = "33"
CYAN: Final = "36"
GREY: Final = "90"

_WIDTH: Final = 72
"""Columns of what is laid out for a file or a pipe."""
_NARROWEST: Final = 20


class Screen:
    """Where lines are shown: `screen(RED, "reject")` is the text in colour, or as it is if there are no colours."""

    def __init__(self, *, colour: bool = False, width: int | None = None) -> None:
        self.colour = colour
        self.width: int = _WIDTH if width is None else max(width, _NARROWEST)
        """How many columns a line has."""
        self.is_narrow: bool = width is not None
        """False for a file or a pipe, which take lines of any length."""

    @classmethod
    def of(cls, out: TextIO, colour: bool | None = None) -> Screen:
        """The screen behind `out`; `colour` None: colours for a terminal that is not "dumb".

        NO_COLOR then forbids colours, FORCE_COLOR demands them, and COLUMNS has the width.
        """
        return cls(colour=_has_colour(out) if colour is None else colour, width=_width_of(out))

    def __call__(self, code: str, text: str) -> str:
        return f"\x1b[{code}m{text}\x1b[0m" if self.colour and code and text else text

    def wrapped(self, text: str, indent: str = "") -> list[str]:
        """The lines of a text, each behind `indent`; words stay whole. One line unless the screen is narrow."""
        width = self.width if self.is_narrow else len(indent) + len(text) + 1
        return textwrap.wrap(
            text, width, initial_indent=indent, subsequent_indent=indent, break_long_words=False, break_on_hyphens=False
        )


def _has_colour(out: TextIO) -> bool:
    if os.environ.get("NO_COLOR"):
        return False
    if os.environ.get("FORCE_COLOR"):
        return True
    return out.isatty() and os.environ.get("TERM") != "dumb"


def _width_of(out: TextIO) -> int | None:
    columns = os.environ.get("COLUMNS", "")
    if columns.isascii() and columns.isdigit() and int(columns):
        return int(columns)
    try:
        return os.get_terminal_size(out.fileno()).columns or None if out.isatty() else None
    except (OSError, ValueError):  # isatty() is true, but it is no terminal
        return None


def clean(text: str) -> str:
    r"""`text` with \xNN for whatever a terminal would obey or UTF-8 cannot encode."""
    if text.isascii() and text.isprintable():
        return text
    known = text.encode("utf-8", "surrogateescape").decode("utf-8", "backslashreplace")
    return "".join(
        char if char.isprintable() or char == "\t" else char.encode("unicode_escape").decode() for char in known
    )


def fitted(text: str, width: int) -> str:
    """`text`, cut to `width` columns and ended with "..." if it is longer."""
    if _columns(text) <= width:
        return text
    while text and _columns(text) > width - 3:
        text = text[: min(len(text) - 1, width - 3)]
    return f"{text}..."


def padded(text: str, width: int) -> str:
    """`text` with spaces up to `width` columns."""
    return text + " " * (width - _columns(text))


def _columns(text: str) -> int:
    """How many columns a terminal needs for `text`; most letters of China, Japan and Korea take two."""
    if text.isascii():
        return len(text)
    return sum(
        0 if unicodedata.combining(char) else 2 if unicodedata.east_asian_width(char) in "WF" else 1 for char in text
    )
