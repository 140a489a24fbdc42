"""What a process has once belongs to its one object: no module keeps what changes, but for a few with reasons."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

from meta.module_state import ALLOWED, state_faults

ROOT = Path(__file__).parents[2]


def test_modules_keep_nothing_that_changes() -> None:
    assert state_faults(ROOT / "python") == []


def test_all_that_is_allowed_is_still_there(monkeypatch: pytest.MonkeyPatch) -> None:
    allowed = set(ALLOWED)
    monkeypatch.setattr("meta.module_state.ALLOWED", {})
    found = {re.sub(r":\d+: ([^:]+): .*", r": \1", fault) for fault in state_faults(ROOT / "python")}
    assert found == allowed


@pytest.mark.parametrize(
    ("source", "told"),
    [
        ("lock = threading.Lock()", "1: lock: threading.Lock() makes an object"),
        ("WRITER: Final = Writer()", "1: WRITER: Writer() makes an object"),
        ("if True:\n    _here = threading.local()", "2: _here: threading.local() makes an object"),
        ("kept = functools.cache(read)", "1: kept: functools.cache() makes an object"),
        ("try:\n    pass\nexcept OSError:\n    _seen = deque()", "4: _seen: deque() makes an object"),
        ("FIRST = None if x else Writer()", "1: FIRST: Writer() makes an object"),
        ("failed: list[int] = []", "1: failed: can be changed"),
        ("_seen = set[int]()", "1: _seen: set[int]() makes an object"),
        ("slots = [None] * 5", "1: slots: can be changed"),
        ("SEEN: Final = {}\ndef see(name): SEEN[name] = 1", "2: SEEN: is changed here"),
        ("SEEN: Final = []\ndef see(name): SEEN.append(name)", "2: SEEN: is changed here"),
        ("SEEN: Final = {}\ndef forget(name): del SEEN[name]", "2: SEEN: is changed here"),
        ("run = None\ndef start():\n    global run\n    run = 1", "3: run: is global"),
        ("import other\ndef count(): other.number += 1", "2: other.number: is set in another module"),
        ("@functools.lru_cache\ndef read(path): ...", "2: read: has a cache"),
    ],
)
def test_fault_is_seen(tmp_path: Path, source: str, told: str) -> None:
    (tmp_path / "module.py").write_text(f"{source}\n")
    (fault,) = state_faults(tmp_path)
    assert fault.startswith(f"module.py:{told}")


@pytest.mark.parametrize(
    "source",
    [
        "NAMES: Final = {'a': 1}",
        "__all__ = ['a']",
        "PATTERN = re.compile('a')",
        "def make():\n    seen = []\n    seen.append(1)\n    return seen",
        "class Kept:\n    def __init__(self):\n        self.seen = {}\n        self.seen[1] = 2",
        "class Kept:\n    @cached_property\n    def names(self): return []",
    ],
)
def test_what_is_no_state_is_let_be(tmp_path: Path, source: str) -> None:
    (tmp_path / "module.py").write_text(f"{source}\n")
    assert state_faults(tmp_path) == []
