"""What `TokenParser` calls for each token of HTML; subclasses override what they need."""

from __future__ import annotations

import re

from ._tags import Attributes


class TokenHandlers:
    """A method for each kind of token. They do nothing, or the least that is possible."""

    def finish_starttag(self, tag: str, attrs: Attributes) -> int:
        """Handle a start tag. Only subclasses use the result."""
        return -1

    def finish_endtag(self, tag: str) -> None:
        """Handle an end tag."""

    def convert_reference(self, match: re.Match[str]) -> str:
        """Return the text that a reference in an attribute's value stands for."""
        return match.group()

    def handle_charref(self, name: str) -> None:
        """Handle &#NUMBER;."""

    def handle_entityref(self, name: str) -> None:
        """Handle &NAME;."""

    def handle_data(self, data: str) -> None:
        """Handle text."""

    def handle_comment(self, data: str) -> None:
        """Handle a comment."""

    def handle_decl(self, decl: str) -> None:
        """Handle a declaration such as DOCTYPE."""

    def handle_pi(self, data: str) -> None:
        """Handle a processing instruction."""

    def handle_unterminated(self, data: str) -> None:
        """Handle the rest of the text if a tag, comment or declaration in it never ends."""
        self.handle_data(data)

    def unknown_decl(self, data: str) -> None:
        """Handle a marked section."""
