"""The classic name of the HTML parser of `pymilter.mime`, whose interface is that of Python 2's sgmllib."""

from __future__ import annotations

import sys
from pathlib import Path

from pymilter.mime import SGMLParseError, SGMLParser

__all__ = ["SGMLParseError", "SGMLParser", "TestSGMLParser", "test"]


class TestSGMLParser(SGMLParser):
    """Prints what it is fed."""

    __test__ = False  # no test case of pytest's

    def __init__(self, verbose: int = 0) -> None:
        super().__init__(verbose)
        self.testdata = ""

    def handle_data(self, data: str) -> None:
        """Keep text, to print neighbouring texts as one."""
        self.testdata += data

    def flush(self) -> None:
        """Print the text that is kept."""
        data, self.testdata = self.testdata, ""
        if data:
            print("data:", repr(data))

    def _print(self, *words: str) -> None:
        self.flush()
        print(*words)

    def handle_comment(self, data: str) -> None:
        """Print a comment."""
        self._print("comment:", repr(data))

    def handle_decl(self, decl: str) -> None:
        """Print a declaration."""
        self._print("decl:", repr(decl))

    def handle_pi(self, data: str) -> None:
        """Print a processing instruction."""
        self._print("pi:", repr(data))

    def unknown_decl(self, data: str) -> None:
        """Print a marked section."""
        self._print("section:", repr(data))

    def unknown_starttag(self, tag: str, attrs: list[tuple[str, str]]) -> None:
        """Print a start tag."""
        self._print("start tag:", f"<{tag}>", *(f'{name}="{value}"' for name, value in attrs))

    def unknown_endtag(self, tag: str) -> None:
        """Print an end tag."""
        self._print("end tag:", f"</{tag}>")

    def unknown_entityref(self, ref: str) -> None:
        """Print a character name."""
        self._print("entity:", f"&{ref};")

    def unknown_charref(self, ref: str) -> None:
        """Print a character number."""
        self._print("charref:", f"&#{ref};")

    def close(self) -> None:
        """Parse and print the rest."""
        super().close()
        self.flush()


def test(args: list[str] | None = None) -> None:  # noqa: PT028 - no test of pytest's
    """Print the tokens of a file, or of the standard input for "-"; `args` are those of the command line."""
    name = (sys.argv[1:] if args is None else args)[-1:] or ["-"]
    text = sys.stdin.read() if name == ["-"] else Path(name[0]).read_text(encoding="utf-8", errors="surrogateescape")
    parser = TestSGMLParser()
    parser.feed(text)
    parser.close()


if __name__ == "__main__":
    test()
