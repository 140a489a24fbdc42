"""The names, signatures and values of the helper modules, beside those of pymilter 1.0.5."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path

import pytest

from support.parity import Surface, differences, surface, unexplained

_NAMES = "cache config dns dsn dynip greylist greysql plock policy pyip6 sgmllib unsign utils"
MODULES = [f"Milter.{name}" for name in _NAMES.split()]

_TOKENS = "a regular expression of its tokeniser; ours reads as browsers do, and works otherwise"
REASONS = {
    "Milter.config.MilterConfigParser": "its default was one dict for all instances",
    "Milter.dns.DNSLookup": "takes a timeout too, behind 1.0.5's parameters",
    "Milter.dns.Session": "takes a timeout too, behind 1.0.5's parameters",
    "Milter.dsn.send_dsn": "takes allow_private= too, behind 1.0.5's parameters",
    "Milter.dynip.hpats": "the patterns are our own",
    "Milter.dynip.rehmac": "the patterns are our own",
    "Milter.policy.db": "the module of bsddb3, which no longer installs",
    "Milter.sgmllib.SGMLParser": "our own parser, that of pymilter.mime, needs no ParserBase",
    "Milter.sgmllib.TestSGMLParser": "our own parser, that of pymilter.mime, needs no ParserBase",
    "Milter.sgmllib.attrfind": _TOKENS,
    "Milter.sgmllib.charref": _TOKENS,
    "Milter.sgmllib.endbracket": _TOKENS,
    "Milter.sgmllib.entityref": _TOKENS,
    "Milter.sgmllib.incomplete": _TOKENS,
    "Milter.sgmllib.interesting": _TOKENS,
    "Milter.sgmllib.piclose": _TOKENS,
    "Milter.sgmllib.shorttag": _TOKENS,
    "Milter.sgmllib.shorttagopen": _TOKENS,
    "Milter.sgmllib.starttagopen": _TOKENS,
    "Milter.sgmllib.tagfind": _TOKENS,
    "Milter.utils.ip6re": "built from the grammar of RFC 3986; it matches the same (test_answers_are_those_of_1_0_5)",
}


@pytest.fixture(scope="module")
def old(old_python: Path) -> Surface:
    # Three of its modules need what is not there on Python 3: stand-ins let their names be seen.
    return surface(old_python, MODULES, stubs=("DNS", "bsddb3"), aliases={"thread": "_thread"})


@pytest.fixture(scope="module")
def new() -> Surface:
    return surface(sys.executable, MODULES)


def test_surface_is_that_of_1_0_5_but_for_the_listed(old: Surface, new: Surface) -> None:
    assert unexplained(differences(old, new), REASONS) == []


def test_every_module_was_imported(old: Surface, new: Surface) -> None:
    for found in (old, new):
        assert {name: names["ImportError"]["value"] for name, names in found.items() if "ImportError" in names} == {}


def test_a_difference_is_seen(old: Surface) -> None:
    assert differences(old, old) == {}
    utils = old["Milter.utils"]
    changed = {"Milter.utils": {**utils, "MASK": utils["MASK6"], "cidr": utils["addr2bin"]}}
    changed["Milter.utils"].pop("decode")
    assert set(differences({"Milter.utils": utils}, changed)) == {
        f"Milter.utils.{n}" for n in ("MASK", "cidr", "decode")
    }


def test_a_reason_whose_difference_is_gone_fails() -> None:
    assert unexplained({"m.a": "missing"}, {"m.b": "reason"}) == [
        "not listed: m.a: missing",
        "listed, but the same or gone: m.b",
    ]


def _answers(python: Path | str, folder: Path) -> dict[str, list[list[object]]]:
    script = Path(__file__).with_name("helpers_corpus.py")
    folder.mkdir()
    done = subprocess.run(
        [str(python), "-W", "ignore", str(script)], cwd=folder, capture_output=True, text=True, timeout=100, check=False
    )
    assert done.returncode == 0, done.stderr
    found: dict[str, list[list[object]]] = json.loads(done.stdout)
    return found


def test_answers_are_those_of_1_0_5(old_python: Path, tmp_path: Path) -> None:
    """Thousands of calls with what mail brings; helpers_corpus.py leaves out what is mended on purpose."""
    old, new = _answers(old_python, tmp_path / "old"), _answers(sys.executable, tmp_path / "new")
    assert {topic: len(calls) for topic, calls in new.items()} == {topic: len(calls) for topic, calls in old.items()}
    for topic, calls in old.items():
        different = [(was, now) for was, now in zip(calls, new[topic], strict=True) if was != now]
        # dynip is a guess with our own patterns: it may differ in one name of a hundred.
        assert len(different) <= (len(calls) // 50 if topic == "dynip" else 0), (topic, different[:5])
