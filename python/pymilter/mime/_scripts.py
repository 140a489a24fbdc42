"""Finds the scripts in HTML for every state that a reader's tokenizer may be in.

How a browser continues after a tag depends on more than the tag: the content of `<style>` is text in HTML, but not
within `<svg>`; `<noscript>` contains text only if scripts may run; `<![CDATA[` ends at `]]>` or at the next `>`;
Internet Explorer reads `<!--[if IE]>` as markup. A sender can use this to show us a comment and the reader a script.

So the text is read in all these ways at once, which costs nothing as long as they agree. After an element such as
`<style>` they agree again if its end tag also ends a token for a reader who took its content for markup. As long as all
agree, a `<script` within a comment or an attribute is harmless and stays. From the point where they diverge for good,
each `<script` is removed, whatever surrounds it: if none is left, no state of any tokenizer can see one.
"""

from __future__ import annotations

import heapq
import re
from collections.abc import Iterator

from ._tags import ATTRIBUTES, COMMENT_END, TAG_NAME

_FLAGS = re.IGNORECASE | re.ASCII  # "ſ" is no "s"

WARNING = "<!-- WARNING: embedded script removed -->"

#: The start of a script. Browsers require white space, "/" or ">" after the name; some readers accept other controls.
SCRIPT = re.compile(r"<script(?=[\x00-\x20/>])", _FLAGS)
#: Characters that a reader may skip: NUL, as in unlabelled UTF-16, and escape sequences of ISO 2022.
_SKIPPED = r"(?:[\0\x0e\x0f]|\x1b[ -/]{1,3}[0-~])*"
_SCRIPT_IN_PIECES = re.compile(rf"<{_SKIPPED}{_SKIPPED.join('script')}(?=[\x00-\x20/>])", _FLAGS)
_MAY_BE_SKIPPED = re.compile(r"[\0\x0e\x0f\x1b]")
_IN_SCRIPT = re.compile(r"<!--(?:-*>)?|-->|<(/?)script(?=[\t\n\r\f />])", _FLAGS)

#: Elements whose content is text for some readers, and markup for others.
RAW_ELEMENTS = ("style", "title", "textarea", "xmp", "iframe", "noembed", "noframes", "noscript")
#: The end tag of each of them.
RAW_ENDS = {tag: re.compile(rf"</{tag}(?=[\t\n\r\f />])", _FLAGS) for tag in RAW_ELEMENTS}
_EMPTY_COMMENT = re.compile("<!---?>")
_CONDITIONAL = re.compile(r"<!(?:--)?\s*\[\s*if\b", _FLAGS)
_CONDITION_END = re.compile(r"<!\[\s*endif[^>]{0,99}", _FLAGS)
_BACKTICKS = re.compile(r"=[\t\n\r\f ]*`")  # Internet Explorer reads these as quotes
_CDATA = re.compile(r"<!\[CDATA\[", _FLAGS)

Span = tuple[int, int]


def script_spans(text: str, *, trusted: bool = True, skip_controls: bool = True) -> list[Span]:
    """Return start and end of each piece that must be removed, in order. The caller replaces each by a comment.

    Args:
        text: the HTML.
        trusted: False if some reader may decode the text differently: then no comment or attribute protects a script.
        skip_controls: False for text that is known to be UTF-16, in which NUL is an ordinary character.
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
    """Finds the ends of script elements; for all of them together the time is proportional to the text's length."""

    def __init__(self, text: str) -> None:
        self._text = text
        self._knows_escapes = True

    def of(self, name_end: int) -> int:
        """Return the end of the element whose tag name ends at `name_end`, or of the text if it is never closed."""
        tag = ATTRIBUTES.match(self._text, name_end)
        close = self._close(tag.end()) if tag else -1
        end = ATTRIBUTES.match(self._text, close + len("</script")) if close >= 0 else None
        return end.end() if end else len(self._text)

    def _close(self, content: int) -> int:
        """Return the start of the end tag, or -1.

        For the sake of old pages, `</script>` after `<!--<script>` does not end a script. If a script is never closed
        by this rule, it ends at the first end tag, so that less of the text is lost.
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
    """Reads a text as markup for as long as all readers see the same markup."""

    def __init__(self, text: str) -> None:
        self._text = text
        self._ends = _ScriptEnds(text)
        self._found: dict[re.Pattern[str], tuple[int, int]] = {}
        self._meetings: list[int] = []
        """A heap of positions at which readers who read differently before agree with the others again."""
        self._parted = -1
        """The position from which the readers disagree; -1 while they agree."""

    def spans(self) -> Iterator[Span]:
        """Yield the span of everything that some reader takes for a script."""
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
        """Return a pair: the start of a span to remove, or -1, and its end, which is where the next token starts.

        `script` is the first script from `start` on. Sets `_parted` if the readers disagree about the next token.
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
        if script.start() < name.end():  # also in <x<script>: some readers see a tag after the second "<"
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
        """Handle <![CDATA[, which ends at "]]>" for some readers and at ">" for others."""
        end = self._text.find(">", start) + 1
        # After a byte above 127 the first "]" may be half of a character.
        agreed = end and self._text.startswith("]]", end - 3) and self._text[end - 4] < "\x80"
        return (-1, end) if agreed and end < script else self._part(start)

    def _declaration(self, start: int, script: re.Match[str]) -> Span:
        """Handle "<!", "<?" and "</": for browsers a comment up to ">", for others text."""
        end = self._text.find(">", start) + 1
        if not end:
            return self._part(start)
        if script.start() < end:
            return start, self._ends.of(script.end())
        if _CONDITIONAL.match(self._text, start):
            self._meet_after_condition(end)
        return -1, end

    def _part(self, start: int) -> Span:
        """Record that the readers disagree from `start` on."""
        self._parted = start
        return -1, start

    def _meet_after_condition(self, start: int) -> None:
        """Expect Internet Explorer to agree after the next <![endif]>: it reads the text up to there, or skips it."""
        end = self._next(_CONDITION_END, start)[1]
        self._meet_at(end + 1 if self._text.startswith(">", end) else end)

    def _meet_at(self, position: int) -> None:
        """Expect other readers to agree again at `position`; -1 means never, because they will see no more tags."""
        if position >= 0:
            heapq.heappush(self._meetings, position)

    def _next(self, pattern: re.Pattern[str], start: int) -> Span:
        """Return start and end of the next match, or -1 twice. No part of the text is searched twice."""
        known = self._found.get(pattern)
        if not known or 0 <= known[0] < start:
            match = pattern.search(self._text, start)
            known = self._found[pattern] = match.span() if match else (-1, -1)
        return known
