"""Owns the classic names of Milter.sgmllib, with the parser of pymilter.mime behind them, and a parser that prints.

The interface is that of the sgmllib of Python 2. `python -m Milter.sgmllib FILE` shows what is found in a file.
"""

import sys
from collections.abc import Sequence
from pathlib import Path

from pymilter.mime import SGMLParseError, SGMLParser

Attributes = list[tuple[str, str]]

__all__ = ["SGMLParseError", "SGMLParser", "TestSGMLParser", "test"]


class TestSGMLParser(SGMLParser):
    """Prints the events that it finds, with adjacent text in one piece."""

    __test__ = False  # not a test case for pytest, in spite of its name

    def __init__(self, verbose: int = 0) -> None:
        self.testdata: str = ""
        super().__init__(verbose)

    def flush(self) -> None:
        """Print the text collected so far."""
        data, self.testdata = self.testdata, ""
        if data:
            print("data:", repr(data))

    def close(self) -> None:
        super().close()
        self.flush()

    def handle_data(self, data: str) -> None:
        self.testdata += data

    def handle_comment(self, data: str) -> None:
        self.flush()
        print("comment:", repr(data if len(data) <= 68 else f"{data[:32]}...{data[-32:]}"))

    def handle_decl(self, decl: str) -> None:
        self.flush()
        print("declaration:", repr(decl))

    def handle_pi(self, data: str) -> None:
        self.flush()
        print("processing instruction:", repr(data))

    def unknown_starttag(self, tag: str, attrs: Attributes) -> None:
        self.flush()
        print("".join([f"start tag: <{tag}", *(f' {name}="{value}"' for name, value in attrs), " >" if attrs else ">"]))

    def unknown_endtag(self, tag: str) -> None:
        self.flush()
        print(f"end tag: </{tag}>")

    def unknown_entityref(self, ref: str) -> None:
        self.flush()
        print(f"*** unknown entity ref: &{ref};")

    def unknown_charref(self, ref: str) -> None:
        self.flush()
        print(f"*** unknown char ref: &#{ref};")

    def unknown_decl(self, data: str) -> None:
        self.flush()
        print(f"*** unknown decl: [{data}]")


def test(args: Sequence[str] | None = None) -> None:  # noqa: PT028 - no test case
    """Parse a file and print what is in it: [FILE], or ["-s", FILE] for a parser that prints nothing.

    Without `args`, those of the command line; without a file, test.html; "-" is standard input. Raises SystemExit with
    status 1 if the file cannot be read.
    """
    rest = list(sys.argv[1:] if args is None else args)
    silent = rest[:1] == ["-s"]
    name = (rest[1:] if silent else rest)[:1] or ["test.html"]
    parser = SGMLParser() if silent else TestSGMLParser()
    try:
        text = sys.stdin.read() if name[0] == "-" else Path(name[0]).read_text(errors="surrogateescape")
    except OSError as error:
        print(name[0], ":", error)
        sys.exit(1)
    parser.feed(text)
    parser.close()


if __name__ == "__main__":
    test()
