"""What may differ between recorded and new answers: queue ids, dates, fields, patterns."""

from __future__ import annotations

import argparse
import re
from collections.abc import Iterable
from typing import Final

_MONTH: Final = "(?:Jan|Feb|Mar|Apr|May|Jun|Jul|Aug|Sep|Oct|Nov|Dec)"
_PATTERNS: Final = {
    "dates": (
        rf"\b(?:(?:Mon|Tue|Wed|Thu|Fri|Sat|Sun),? +)?\d{{1,2}} +{_MONTH} +\d{{4}}(?: +\d\d?:\d\d(?::\d\d)?)?"
        r"(?: +(?:[-+]\d{4}|[A-Z]{2,4}\b))?(?: +\([^()]*\))?"
        rf"|\b(?:Mon|Tue|Wed|Thu|Fri|Sat|Sun) +{_MONTH} +\d{{1,2}} +\d\d:\d\d:\d\d(?: +[A-Z]{{2,4}})?(?: +\d{{4}})?"
        r"|\b\d{4}-\d\d-\d\d(?:[T ]\d\d:\d\d(?::\d\d(?:[.,]\d+)?)?(?:Z|[-+]\d\d:?\d\d)?)?"
        r"|\b1\d{9}(?:\.\d+)?\b"
    ),
    "ids": (
        r"\b[0-9a-fA-F]{8}-(?:[0-9a-fA-F]{4}-){3}[0-9a-fA-F]{12}\b"
        r"|\b(?=[A-Za-z]*\d)[0-9A-F]{8,}\b|\b(?=[A-Za-z]*\d)[0-9a-f]{8,}\b"
        r"|\b(?=[A-Za-z]*\d)[0-9B-DF-HJ-NP-TV-Zb-df-hj-np-tv-z]{10,}z[0-9B-DF-HJ-NP-TV-Zb-df-hj-np-tv-y]{1,15}\b"
        r"|\b[0-9A-Za-z]{8}\d{6}\b"
    ),
}
NAMES: Final = {
    "dates": "dates of mail and ISO, seconds since 1970",
    "ids": "queue ids of Postfix and Sendmail, UUIDs, other words of eight or more hexadecimal digits",
}
_MARK: Final = "*"


def ignored(text: str) -> re.Pattern[str] | str:
    """An argument of --ignore: a pattern, or the name of a header field in lower case."""
    if text in _PATTERNS:
        return re.compile(_PATTERNS[text])
    kind, _, name = text.partition(":")
    if kind == "field" and name:
        return name.lower()
    if len(text) > 2 and text[0] == text[-1] == "/":
        try:
            return re.compile(text[1:-1])
        except re.error as error:
            raise argparse.ArgumentTypeError(f"{text!r} is no regular expression: {error}") from None
    names = ", ".join(map(repr, _PATTERNS))
    raise argparse.ArgumentTypeError(f"{text!r} is none of {names}, 'field:NAME' and '/REGEX/'")


class Ignored:
    """Takes what may differ out of texts."""

    def __init__(self, wanted: Iterable[re.Pattern[str] | str]) -> None:
        self._fields = {one for one in wanted if isinstance(one, str)}
        self._patterns = [one for one in wanted if isinstance(one, re.Pattern)]

    def text(self, text: str) -> str:
        """`text` with a star for each piece that may differ."""
        for pattern in self._patterns:
            text = pattern.sub(_MARK, text)
        return text

    def value(self, name: str, value: str) -> str:
        """The value of a header field, with a star for each piece that may differ."""
        return _MARK if name.lower() in self._fields else self.text(value)
