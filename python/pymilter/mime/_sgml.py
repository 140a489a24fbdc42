"""A parser of HTML with the interface of the sgmllib of Python 2."""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Callable
from typing import ClassVar, NoReturn, SupportsIndex

from ._tags import Attributes
from ._tokens import TokenParser


class SGMLParseError(RuntimeError):
    """Raised by `SGMLParser.error`, which subclasses may call."""


class _OpenElements(list[str]):
    """The open elements, outermost first. Looking for a name takes the same time however many are open."""

    def __init__(self) -> None:
        super().__init__()
        self._counts: Counter[str] = Counter()
        self._counted = 0

    def append(self, name: str, /) -> None:
        """Do what `list` does."""
        super().append(name)
        self._counts[name] += 1
        self._counted += 1

    def pop(self, index: SupportsIndex = -1, /) -> str:
        """Do what `list` does."""
        name = super().pop(index)
        self._counts[name] -= 1
        self._counted -= 1
        return name

    def __contains__(self, name: object, /) -> bool:
        if self._counted != len(self):  # a subclass changed it by another method
            self._counts, self._counted = Counter(self), len(self)
        return self._counts[name] > 0  # type: ignore[index]


class SGMLParser(TokenParser):
    """Calls `start_TAG(attrs)` and `end_TAG()`, or `do_TAG(attrs)`, for each tag that it has such methods for.

    `unknown_starttag` and `unknown_endtag` are called for the others. Tags and attribute names are given in lower case,
    attribute values without quotes and with references replaced; an attribute without a value has its name as value.
    """

    entitydefs: ClassVar[dict[str, str]] = {"lt": "<", "gt": ">", "amp": "&", "quot": '"', "apos": "'"}

    def __init__(self, verbose: int = 0) -> None:
        self.verbose = verbose
        super().__init__()

    def reset(self) -> None:
        """Forget everything that was fed."""
        super().reset()
        self.stack: list[str] = _OpenElements()

    def error(self, message: str) -> NoReturn:
        """End the parsing.

        Raises:
            SGMLParseError: always.
        """
        raise SGMLParseError(message)

    # -- tags

    def finish_starttag(self, tag: str, attrs: Attributes) -> int:
        """Call the method for a start tag. Return 1 for `start_`, 0 for `do_`, -1 for an unknown tag."""
        method = getattr(self, "start_" + tag, None)
        if method is not None:
            self.stack.append(tag)
            self.handle_starttag(tag, method, attrs)
            return 1
        method = getattr(self, "do_" + tag, None)
        if method is not None:
            self.handle_starttag(tag, method, attrs)
            return 0
        self.unknown_starttag(tag, attrs)
        return -1

    def finish_shorttag(self, tag: str, data: str) -> None:
        """Handle an element with its text. HTML has no short tags as SGML does, so only subclasses call this."""
        self.finish_starttag(tag, [])
        self.handle_data(data)
        self.finish_endtag(tag)

    def finish_endtag(self, tag: str) -> None:
        """Call the method for an end tag, and those for the elements that were left open in it."""
        if tag not in self.stack:
            if hasattr(self, "end_" + tag):
                self.report_unbalanced(tag)
            else:
                self.unknown_endtag(tag)
            return
        while self.stack:
            opened = self.stack.pop()
            method = getattr(self, "end_" + opened, None)
            if method is not None:
                self.handle_endtag(opened, method)
            else:
                self.unknown_endtag(opened)
            if opened == tag:
                return

    def handle_starttag(self, tag: str, method: Callable[[Attributes], object], attrs: Attributes) -> None:
        """Call the method of a start tag."""
        method(attrs)

    def handle_endtag(self, tag: str, method: Callable[[], object]) -> None:
        """Call the method of an end tag."""
        method()

    def report_unbalanced(self, tag: str) -> None:
        """Report an end tag without a start tag."""
        if self.verbose:
            print(f"*** Unbalanced </{tag}>\n*** Stack: {self.stack}")

    # -- references

    def convert_reference(self, match: re.Match[str]) -> str:
        """Return the text that a reference in an attribute's value stands for; an unknown one stays."""
        name, number, semicolon = match.groups()
        if name and not semicolon:
            return match.group()
        replacement = self.convert_entityref(name) if name else self.convert_charref(number)
        return match.group() if replacement is None else replacement

    def convert_charref(self, name: str) -> str | None:
        """Return the character of a number, or None if it is not ASCII."""
        try:
            number = int(name)
        except ValueError:
            return None
        return self.convert_codepoint(number) if 0 <= number <= 127 else None

    def convert_codepoint(self, codepoint: int) -> str:
        """Return a character."""
        return chr(codepoint)

    def convert_entityref(self, name: str) -> str | None:
        """Return the text that `entitydefs` has for a name, or None."""
        return self.entitydefs.get(name)

    def handle_charref(self, name: str) -> None:
        """Handle &#NUMBER; as text, or as unknown."""
        replacement = self.convert_charref(name)
        if replacement is None:
            self.unknown_charref(name)
        else:
            self.handle_data(replacement)

    def handle_entityref(self, name: str) -> None:
        """Handle &NAME; as text, or as unknown."""
        replacement = self.convert_entityref(name)
        if replacement is None:
            self.unknown_entityref(name)
        else:
            self.handle_data(replacement)

    # -- to be overridden

    def unknown_starttag(self, tag: str, attrs: Attributes) -> None:
        """Handle a start tag that has no method."""

    def unknown_endtag(self, tag: str) -> None:
        """Handle an end tag that has no method."""

    def unknown_charref(self, ref: str) -> None:
        """Handle a character number that is not ASCII."""

    def unknown_entityref(self, ref: str) -> None:
        """Handle a name that is not in `entitydefs`."""
