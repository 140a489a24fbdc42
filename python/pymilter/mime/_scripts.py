"""Finds the scripts in HTML, whatever state the tokenizer of a reader may be in.

How a browser reads on after a tag depends on more than the tag: `<style>` makes the rest text in HTML, but not within
`<svg>`; `<noscript>` does so only if scripts may run; `<![CDATA[` ends at `]]>` or at the next `>`; Internet Explorer
looks into `<!--[if IE]>`. A sender can use this to show us a comment where the reader sees a script.

So the text is read in all these ways at once, which costs nothing for as long as they agree. They agree again after an
element such as `<style>` if its end tag is where a token ends for a reader who took its content for markup. As long
as all agree, a `<script` within a comment or an attribute is harmless and stays. From the point where they part
for good, each `<script` goes, whatever is around it: with none left, no state of any tokenizer makes one.
"""

from __future__ import annotations

import heapq
import re
from collections.abc import Iterator

from ._tags import ATTRIBUTES, COMMENT_END, TAG_NAME

_FLAGS = re.IGNORECASE | re.ASCII  # a long s is no s

WARNING = "<!-- WARNING: embedded script removed -->"

#: What starts a script. Browsers want white space, "/" or ">" after the name; some readers take other controls as well.
SCRIPT = re.compile(r"<script(?=[\x00-\x20/>])", _FLAGS)
#: What a reader may skip: NUL, in UTF-16 that is not labelled as well, and what changes the charset in ISO 2022.
_SKIPPED = r"(?:[\0\x0e\x0f]|\x1b[ -/]{1,3}[0-~])*"
_SCRIPT_IN_PIECES = re.compile(rf"<{_SKIPPED}{_SKIPPED.join('script')}(?=[\x00-\x20/>])", _FLAGS)
_MAY_BE_SKIPPED = re.compile(r"[\0\x0e\x0f\x1b]")
_IN_SCRIPT = re.compile(r"<!--(?:-*>)?|-->|<(/?)script(?=[\t\n\r\f />])", _FLAGS)

#: Elements whose content is text for some readers, and markup for others.
RAW_ELEMENTS = ("style", "title", "textarea", "xmp", "iframe", "noembed", "noframes", "noscript")
#: What ends each of them.
RAW_ENDS = {tag: re.compile(rf"</{tag}(?=[\t\n\r\f />])", _FLAGS) for tag in RAW_ELEMENTS}
_EMPTY_COMMENT = re.compile("<!---?>")
_CONDITIONAL = re.compile(r"<!(?:--)?\s*\[\s*if\b", _FLAGS)
_CONDITION_END = re.compile(r"<!\[\s*endif[^>]{0,99}", _FLAGS)
_BACKTICKS = re.compile(r"=[\t\n\r\f ]*`")  # quotes, to Internet Explorer
_CDATA = re.compile(r"<!\[CDATA\[", _FLAGS)

Span = tuple[int, int]


def script_spans(text: str, *, trusted: bool = True, skip_controls: bool = True) -> list[Span]:
    """Return start and end of each piece that must go, in order. The caller puts a comment in the place of each.

    With `trusted=False` no comment or attribute protects a `<script`: for a text that may be read in another charset.
    With `skip_controls=False` a NUL is a character as any other: for what is known to be UTF-16.
    """
    if skip_controls and _MAY_BE_SKIPPED.search(text):
        return list(_all_scripts(text, 0, _SCRIPT_IN_PIECES))
    if not SCRIPT.search(text):
        return []
    return list(_Reading(text).spans() if trusted else _all_scripts(text, 0, SCRIPT))


def replace_spans(text: str, spans: list[Span], message: str) -> str:
    """Return the text with `message` in the place of each span."""
    pieces: list[str] = []
    copied = 0
    for start, end in spans:
        pieces += text[copied:start], message
        copied = end
    return "".join((*pieces, text[copied:]))


def _all_scripts(text: str, start: int, pattern: re.Pattern[str]) -> Iterator[Span]:
    """Yield the span of every script from `start` on, whatever it is in."""
    ends = _ScriptEnds(text)
    while found := pattern.search(text, start):
        start = ends.of(found.end())
        yield found.start(), start


class _ScriptEnds:
    """Finds where script elements end, in time that grows with the text's length for all of them together."""

    def __init__(self, text: str) -> None:
        self._text = text
        self._knows_escapes = True

    def of(self, name_end: int) -> int:
        """Return the end of the element whose tag's name ends at `name_end`: of the text if it is never closed."""
        tag = ATTRIBUTES.match(self._text, name_end)
        close = self._close(tag.end()) if tag else -1
        end = ATTRIBUTES.match(self._text, close + len("</script")) if close >= 0 else None
        return end.end() if end else len(self._text)

    def _close(self, content: int) -> int:
        """Return the start of the end tag, or -1. `<!--<script></script>` does not end a script, for old pages' sake.

        A script that is never closed by that rule ends at the first end tag, so that less of the text is lost.
        """
        first, escaped, nested = -1, False, False
        for match in _IN_SCRIPT.finditer(self._text, content):
            token = match.group()
            if token.startswith("<!--"):
                escaped = escaped or not token.endswith(">")
            elif token == "-->":
                escaped = nested = False
            elif not match.group(1):
                nested = escaped
            else:
                first = match.start() if first < 0 else first
                if not nested or not self._knows_escapes:
                    return match.start()
                nested = False
        self._knows_escapes = False
        return first


class _Reading:
    """Reads a text as markup, for as long as it is the same markup to all readers."""

    def __init__(self, text: str) -> None:
        self._text = text
        self._ends = _ScriptEnds(text)
        self._found: dict[re.Pattern[str], tuple[int, int]] = {}
        self._meetings: list[int] = []
        """A heap of where readers who took what lies before it otherwise read on as the others do."""
        self._parted = -1
        """From here on the readers disagree; -1 while they agree."""

    def spans(self) -> Iterator[Span]:
        """Yield the span of each script that is one to any reader."""
        text, pos = self._text, 0
        script = SCRIPT.search(text)
        while script and self._parted < 0:
            start = text.find("<", pos)
            while self._meetings and self._meetings[0] <= start:
                heapq.heappop(self._meetings)
            removed, end = self._token(start, script)
            if self._parted < 0 and self._meetings and start < self._meetings[0] < end:
                end = self._parted = self._meetings[0] if removed >= 0 else start
            if removed >= 0:
                yield removed, end
            pos = end
            if script.start() < pos:
                script = SCRIPT.search(text, pos)
        if script:
            yield from _all_scripts(text, self._parted, SCRIPT)

    def _token(self, start: int, script: re.Match[str]) -> Span:
        """Return where the next token starts, and before it the start of what goes up to there, or -1.

        `script` is the first one from `start` on. Sets `_parted` if there is no next token that all agree on.
        """
        kind = self._text[start + 1 : start + 2]
        if name := TAG_NAME.match(self._text, start):
            return self._tag(name, script)
        if self._text.startswith("<!--", start):
            return self._comment(start, script.start())
        if _CDATA.match(self._text, start):
            return self._section(start, script.start())
        if kind and kind in "!?/":
            return self._declaration(start, script)
        return -1, start + 1

    def _tag(self, name: re.Match[str], script: re.Match[str]) -> Span:
        start = name.start()
        if script.start() < name.end():  # in <x<script> as well: some take what follows the second "<" for a tag
            return start, self._ends.of(script.end())
        tag = ATTRIBUTES.match(self._text, name.end())
        if not tag or _BACKTICKS.search(self._text, name.end(), tag.end()):
            return self._part(start)
        raw_end = RAW_ENDS.get(name.group().lower()[1:])
        if raw_end:
            self._meet_at(self._next(raw_end, tag.end())[0])
        return -1, tag.end()

    def _comment(self, start: int, script: int) -> Span:
        empty = _EMPTY_COMMENT.match(self._text, start)
        end = empty.end() if empty else self._next(COMMENT_END, start + 4)[1]
        if end < 0:
            return self._part(start)
        if not _CONDITIONAL.match(self._text, start):
            return -1, end
        if script < end:
            return start, end
        self._meet_at(end)
        self._meet_after_condition(start)
        return -1, self._text.index(">", start) + 1

    def _section(self, start: int, script: int) -> Span:
        """Handle <![CDATA[: to some it ends at "]]>", to others at ">"."""
        end = self._text.find(">", start) + 1
        # After a byte above 127 the first "]" may be half of a character.
        agreed = end and self._text.startswith("]]", end - 3) and self._text[end - 4] < "\x80"
        return (-1, end) if agreed and end < script else self._part(start)

    def _declaration(self, start: int, script: re.Match[str]) -> Span:
        """Handle what starts with "<!", "<?" or "</": a comment up to ">" to browsers, and text to others."""
        end = self._text.find(">", start) + 1
        if not end:
            return self._part(start)
        if script.start() < end:
            return start, self._ends.of(script.end())
        if _CONDITIONAL.match(self._text, start):
            self._meet_after_condition(end)
        return -1, end

    def _part(self, start: int) -> Span:
        """Note that the readers disagree from `start` on."""
        self._parted = start
        return -1, start

    def _meet_after_condition(self, start: int) -> None:
        """Expect Internet Explorer after the next <![endif]>: it reads up to there, or else it skips all of it."""
        end = self._next(_CONDITION_END, start)[1]
        self._meet_at(end + 1 if self._text.startswith(">", end) else end)

    def _meet_at(self, position: int) -> None:
        """Expect other readers at `position`, which is -1 if those who look for it will see no more tags."""
        if position >= 0:
            heapq.heappush(self._meetings, position)

    def _next(self, pattern: re.Pattern[str], start: int) -> Span:
        """Return start and end of the next match, or -1 twice; searches no part of the text again."""
        known = self._found.get(pattern)
        if not known or 0 <= known[0] < start:
            match = pattern.search(self._text, start)
            known = self._found[pattern] = match.span() if match else (-1, -1)
        return known
