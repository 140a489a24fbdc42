"""How tags and comments of HTML are written, as browsers read them."""

from __future__ import annotations

import re
from collections.abc import Iterator

TAG_NAME = re.compile(r"</?([a-zA-Z][^\t\n\r\f />]*+)")
# A quote that is never closed is read as part of a name: the tag then ends at the next ">".
ATTRIBUTES = re.compile(
    r"""(?:[\t\n\r\f /]++|[^\t\n\r\f />][^\t\n\r\f />=]*+"""
    r"""(?:[\t\n\r\f ]*+=[\t\n\r\f ]*+(?:"[^"]*+"|'[^']*+'|[^\t\n\r\f >"'][^\t\n\r\f >]*+)?)?)*+>"""
)
_ATTRIBUTE = re.compile(
    r"""[\t\n\r\f /]*+([^\t\n\r\f />][^\t\n\r\f />=]*+)"""
    r"""(?:[\t\n\r\f ]*+=[\t\n\r\f ]*+("[^"]*+"|'[^']*+'|[^\t\n\r\f >"'][^\t\n\r\f >]*+|))?"""
)
COMMENT_END = re.compile("--!?>")

Attributes = list[tuple[str, str]]


def read_attributes(text: str, pos: int, end: int) -> Iterator[tuple[str, str]]:
    """Yield the attributes between a tag's name and its ">": names in lower case, values without their quotes.

    An attribute without a value has its name as value.
    """
    while match := _ATTRIBUTE.match(text, pos, end):
        name, value = match.group(1).lower(), match.group(2)
        if value is None:
            value = name
        elif value.startswith(("'", '"')):
            value = value[1:-1]
        yield name, value
        pos = match.end()
