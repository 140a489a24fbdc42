"""The mistakes that `make mutants` puts in are of many kinds, each compiles, and it knows which tests to ask."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from mutants import of_cpp, of_python, trial
from mutants.covering import Lines, moved
from mutants.site import Site

PYTHON = '''\
"""A docstring is no code."""
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from x import y


def handle(self, name: "str | None", limit: int = 3) -> bool:
    if name and not self.seen:
        self.count += 1
    self.last = name
    for each in range(limit):
        if each >= 2:
            break
        log.warning("a text that people read", extra=each)
    raise ValueError(f"{name}: too many")
'''

CPP = """\
// a comment with 3 < 4
void Balance::leave(int slot) {
  if (slot < 0 || !m_open) {
    return;
  }
  m_slots.clear(slot + 1);
  m_count = 0;
}
"""


def test_mistakes_of_python(tmp_path: Path) -> None:
    path = tmp_path / "file.py"
    path.write_text(PYTHON)
    found = list(of_python.sites(tmp_path, path))
    assert [str(site).removeprefix("file.py:") for site in found] == [
        "8: `3` became `4`",
        "9: condition `name and not self.seen` turned round",
        "9: `name and not self.seen`: or",
        "9: `name` became `True`",
        "9: `not self.seen` became `True`",
        "9: `not self.seen` became `(self.seen)`",
        "10: `self.count += 1` became `pass`",
        "10: `1` became `2`",
        "11: `self.last = name` became `pass`",
        "13: condition `each >= 2` turned round",
        "13: `each >= 2`: >",
        "13: `2` became `3`",
        "14: `break` became `continue`",
        '15: `log.warning("a text that people read", extra=each)` became `pass`',
        "15: `extra=each` became ``",
        '16: `raise ValueError(f"{name}: too many")` became `pass`',
    ]
    mistaken = [site.apply(PYTHON.encode()).decode() for site in found]
    assert "if name or not self.seen:" in mistaken[2]
    assert 'log.warning("a text that people read", )' in mistaken[14]


def test_mistakes_of_cpp(tmp_path: Path) -> None:
    path = tmp_path / "file.cpp"
    path.write_text(CPP)
    found = list(of_cpp.sites(tmp_path, path))
    lines = [site.apply(CPP.encode()).decode().splitlines()[site.line - 1].strip() for site in found]
    assert lines == [
        "if (slot <= 0 || !m_open) {",
        "if (slot < 0 && !m_open) {",
        "if (slot < 0 || m_open) {",
        "if (slot < 1 || !m_open) {",
        "if (!(slot < 0 || !m_open)) {",
        "m_slots.clear(slot - 1);",
        "m_slots.clear(slot + 2);",
        ";",
        "m_count = 1;",
        ";",
    ]


def test_the_tests_of_a_line_begin_with_the_closest() -> None:
    lines = Lines("", {"slow": 60.0, "wide": 2.0, "close": 2.0})
    for line in range(10):
        lines.add("a.py", line, "close")
    for test in ("slow", "wide"):
        lines.add("a.py", 3, test)
    lines.add("a.py", 11, None)
    assert lines.tests("a.py", 3) == ["close", "wide", "slow"]
    assert lines.tests("a.py", 11) == []
    assert lines.tests("a.py", 12) is None


def test_lines_are_found_again_after_a_change() -> None:
    found = {1: ["a"], 2: ["b"], 3: [], 5: ["c"]}
    assert moved(found, ["one", "two", "three", "four", "five"], ["one", "new", "two", "three", "five"]) == {
        1: ["a"],
        2: ["a", "b"],
        3: ["b"],
        4: [],
        5: ["c"],
    }


def test_a_mistake_is_in_no_later_trial(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A C++ file is compiled again afterwards; for Python nothing was kept, and what was is right again."""
    monkeypatch.setattr(trial, "ROOT", tmp_path)
    monkeypatch.setattr(trial, "compile_core", lambda: False)
    for name, is_newer in {"cpp/core.cpp": True, "python/file.py": False}.items():
        path = tmp_path / name
        path.parent.mkdir()
        path.write_text("a < b\n")
        os.utime(path, ns=(0, 1_000_000_000))
        with trial.mistaken(Site(name, 1, 2, 3, "<=", "a mistake")):
            assert path.read_text() == "a <= b\n"
        assert path.read_text() == "a < b\n"
        assert (path.stat().st_mtime_ns > 1_000_000_000) is is_newer
