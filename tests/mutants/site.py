"""A place where a small mistake can be put in: which bytes of which file become which others."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True, order=True)
class Site:
    """One mutant: the bytes from `begin` to `end` of `path`, which is below the repository, become `text`."""

    path: str
    line: int
    begin: int
    end: int
    text: str
    what: str

    def apply(self, source: bytes) -> bytes:
        """The file with the mistake in it."""
        return source[: self.begin] + self.text.encode() + source[self.end :]

    def __str__(self) -> str:
        return f"{self.path}:{self.line}: {self.what}"
