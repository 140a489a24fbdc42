"""Each program has a page, and each page asks a question."""

from __future__ import annotations

import re
from pathlib import Path

ROOT = Path(__file__).parents[2]
PAGES = ROOT / "docs" / "howto"
INCLUDED = re.compile(r"^```\{literalinclude\} (\S+)$", re.MULTILINE)


def test_each_program_is_on_a_page() -> None:
    programs = {
        path for folder in ("howto", "tutorial", "container") for path in (ROOT / "examples" / folder).rglob("*")
    }
    on_pages = {
        (page.parent / name).resolve()
        for page in (ROOT / "docs").rglob("*.md")
        for name in INCLUDED.findall(page.read_text("utf-8"))
    }
    assert {path for path in programs if path.is_file() and path.suffix != ".pyc"} <= on_pages


def test_each_page_asks_a_question() -> None:
    titles = {page.name: page.read_text("utf-8").partition("\n")[0] for page in PAGES.glob("*.md")}
    assert [name for name, title in titles.items() if not title.endswith("?")] == ["index.md"]
