"""The mistakes that can be put into a C++ file, found by patterns: in formatted code, blanks surround operators."""

from __future__ import annotations

import re
from collections.abc import Iterator
from pathlib import Path

from mutants.site import Site

SWAPS = [
    (r" < (?=[^>]*$|[^>]*[;{)])", " <= "),
    (r" <= ", " < "),
    (r" > ", " >= "),
    (r" >= ", " > "),
    (r" == ", " != "),
    (r" != ", " == "),
    (r" && (?=[^)])", " || "),
    (r" \|\| ", " && "),
    (r" \+ (?=[\w(])", " - "),
    (r" - (?=[\w(])", " + "),
    (r" \| (?=[\w(])", " & "),
    (r" & (?=[\w(~])", " | "),
    (r"\btrue\b", "false"),
    (r"\bfalse\b", "true"),
    (r"(?<=[(\s])!(?=[\w(])", ""),
    (r"\| O_CLOEXEC|\| SOCK_CLOEXEC|\| MFD_CLOEXEC", ""),
    (r"\bbreak;", ""),
    (r"\bcontinue;", "break;"),
]
NUMBER = re.compile(r"(?<![\w.\"'])(\d+)(?![\w.\"'])")
# A call whose value nobody takes, or an assignment to what was declared before: each can be left out.
STATEMENT = re.compile(
    r"^\s+(?!return|throw|using|if|for|while|else|case|static|const|auto|delete|goto|typedef|friend|template|#)"
    r"(?:[\w:]+(?:\.|->|::|\())[^;{}]*;$|^\s+(?:m_\w+|\w+(?:\.|->)\w+) [|&+-]?= [^;{}]*;$"
)
CONDITION = re.compile(r"^(\s*(?:\} else )?if \()(.+)(\)(?: \{| return.*;| break;| continue;| throw.*;|))$")


def sites(root: Path, path: Path) -> Iterator[Site]:
    """The sites of one file."""
    name = str(path.relative_to(root))
    at = 0
    for number, line in enumerate(path.read_text().splitlines(keepends=True), 1):
        begin, at = at, at + len(line.encode())
        code = line.rstrip("\n")
        if not code.isascii() or code.lstrip().startswith(("//", "#", "*", "/*", "template", "using", 'R"', '"')):
            continue
        comment = code.find("  //") if "  //" in code else len(code)
        bare = re.sub(r'"(?:[^"\\]|\\.)*"', lambda found: " " * len(found.group()), code[:comment])

        def site(start: int, end: int, text: str, what: str, number: int = number, begin: int = begin) -> Site:
            return Site(name, number, begin + start, begin + end, text, what)

        shown = f"`{code.strip()[:80]}`"
        for pattern, text in SWAPS:
            if "operator" in bare or ("<" in pattern and "template" in bare):
                continue
            for found in re.finditer(pattern, bare):
                yield site(*found.span(), text, f"{shown}: `{found.group()}` became `{text}`")
        for found in NUMBER.finditer(bare):
            text = str(int(found.group()) + 1)
            yield site(*found.span(), text, f"{shown}: {found.group()} became {text}")
        if STATEMENT.match(bare.rstrip()):
            yield site(0, comment, ";", f"{shown} left out")
        condition = CONDITION.match(code[:comment].rstrip())
        if condition and "=" not in re.sub(r"[=!<>]=", "", condition.group(2)) and bare.count("(") == bare.count(")"):
            text = f"{condition.group(1)}!({condition.group(2)}){condition.group(3)}"
            yield site(0, len(code[:comment].rstrip()), text, f"{shown} turned round")
