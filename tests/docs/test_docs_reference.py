"""The reference as it is built: each constant has its type."""

from __future__ import annotations

import re
from pathlib import Path

DATA = re.compile(r'<dl class="py data">\s*<dt [^>]*id="([\w.]+)">(.*?)</dt>\s*<dd>(.*?)</dd>', re.DOTALL)


def described(site: Path) -> dict[str, tuple[str, str]]:
    """The data of modules by name: the line that describes each, and its text."""
    pages = [page.read_text("utf-8") for page in (site / "reference").glob("*.html")]
    entries = [entry for page in pages for entry in DATA.findall(page)]
    return {name: (re.sub("<[^>]*>", "", line), re.sub("<[^>]*>", "", text)) for name, line, text in entries}


def test_each_constant_has_its_type(site: Path) -> None:
    found = described(site)
    assert len(found) > 70
    without = {name for name, (line, text) in found.items() if ": " not in line and not text.startswith("alias of ")}
    assert without == set()
    assert "CONTINUE: Status = Status.CONTINUE" in found["pymilter.CONTINUE"][0]
    assert "ADDHDRS: Action" in found["pymilter.ADDHDRS"][0]
    assert "DEFAULT_MACROS: Mapping[str, str]" in found["pymilter.testing.DEFAULT_MACROS"][0]
    assert "VERSION: int" in found["milter.VERSION"][0]


def test_what_one_module_changes_in_another_is_not_shown(site: Path) -> None:
    """Milter.testctx, when it is imported, makes Milter.NOREPLY another number."""
    assert "Milter.NOREPLY" not in described(site)
    page = re.sub("<[^>]*>", "", (site / "reference/classic.html").read_text("utf-8"))
    assert re.search(r"^Milter\.NOREPLY\s+pymilter\.NOREPLY$", page, re.MULTILINE)
