"""Milter.config: what 1.0.5 was seen to answer, and the faults of it that are mended."""

from __future__ import annotations

from configparser import InterpolationMissingOptionError, NoOptionError
from pathlib import Path

import pytest

from Milter.config import MilterConfigParser

CONFIG = """
[DEFAULT]
x = 1
[a]
list = one,two, three ,,four
empty =
int = 42
bad = 4x
inter = %(x)s-y
lost = %(nope)s
users = joe@foo,Ann@FOO,joe@foo, file:more
trailing = joe@foo,
notaddr = joe@foo,bare
twice = joe@x@y
names = good,Bad,missing,good
good = x@y,file:more,Dom.COM,dup
bad2 = z@y
flag = yes
"""


@pytest.fixture
def parser(tmp_path: Path) -> MilterConfigParser:
    (tmp_path / "more").write_text("u1 u2\nu3\n")
    parser = MilterConfigParser({"p": "default", "n": 5})
    parser.read_string(CONFIG)
    return parser


def test_get(parser: MilterConfigParser) -> None:
    assert parser.get("a", "int") == "42"
    assert parser.get("a", "X") == "1"
    assert parser.get("a", "inter") == "1-y"
    assert parser.get("a", "inter", raw=True) == "%(x)s-y"
    assert parser.get("a", "inter", vars={"x": "9"}) == "9-y"
    assert parser.get("a", "nope") is None
    assert parser.get("nosuch", "nope") is None
    assert parser.get("", "x") is None
    with pytest.raises(InterpolationMissingOptionError):
        parser.get("a", "lost")


def test_get_looks_at_the_defaults_last(parser: MilterConfigParser) -> None:
    assert parser.get("a", "p") == parser.get("nosuch", "p") == "default"
    assert parser.get("a", "n") == 5
    assert parser.get("a", "p", "fallback") == "fallback"
    assert parser.get("a", "p", fallback=None) == "default"
    assert parser.defaults == {"p": "default", "n": 5}
    assert parser.getdefault("a", "p") is None
    assert parser.getlist("a", "p") == []


def test_getdefault(parser: MilterConfigParser) -> None:
    assert parser.getdefault("a", "int") == "42"
    assert parser.getdefault("a", "empty", "default") == ""
    assert parser.getdefault("a", "nope", "default") == "default"
    assert parser.getdefault("nosuch", "x", "default") == "default"


def test_getintdefault(parser: MilterConfigParser) -> None:
    assert parser.getintdefault("a", "int") == 42
    assert parser.getintdefault("a", "nope") is None
    assert parser.getintdefault("a", "nope", 5) == 5
    with pytest.raises(ValueError, match="4x"):
        parser.getintdefault("a", "bad", 5)


def test_getlist(parser: MilterConfigParser) -> None:
    assert parser.getlist("a", "list") == ["one", "two", "three", "", "four"]
    assert parser.getlist("a", "empty") == [""]
    assert parser.getlist("a", "nope") == parser.getlist("nosuch", "list") == []


def test_getaddrset(parser: MilterConfigParser, tmp_path: Path) -> None:
    assert parser.getaddrset("a", "users", str(tmp_path)) == {"foo": ["joe", "Ann", "joe"], "more": ["u1", "u2", "u3"]}
    assert parser.getaddrset("a", "nope") == {}
    with pytest.raises(FileNotFoundError):
        parser.getaddrset("a", "users", "/nonexistent")


def test_getaddrset_passes_over_empty_entries_and_names_wrong_ones(parser: MilterConfigParser) -> None:
    assert parser.getaddrset("a", "empty") == {}  # 1.0.5: ValueError, "not enough values to unpack"
    assert parser.getaddrset("a", "trailing") == {"foo": ["joe"]}
    for option, entry in (("notaddr", "bare"), ("twice", "joe@x@y")):
        with pytest.raises(ValueError, match=rf"\[a\] {option}: '{entry}' is neither user@domain nor file:NAME"):
            parser.getaddrset("a", option)


def test_getaddrdict(parser: MilterConfigParser, tmp_path: Path) -> None:
    assert parser.getaddrdict("a", "names", str(tmp_path)) == {
        **dict.fromkeys(["x@y", "u1", "u2", "u3", "Dom.COM", "dup"], "good"),
        "4x": "Bad",
    }
    assert parser.getaddrdict("a", "list") == {}
    assert parser.getaddrdict("a", "nope") == {}


def test_a_file_need_not_be_utf8(parser: MilterConfigParser, tmp_path: Path) -> None:
    (tmp_path / "more").write_bytes(b"caf\xe9\n")
    # 1.0.5: UnicodeDecodeError
    assert parser.getaddrset("a", "users", str(tmp_path))["more"] == ["caf\udce9"]


def test_numbers_without_an_option(parser: MilterConfigParser) -> None:
    assert parser.getint("a", "int") == 42
    assert parser.getfloat("a", "int") == 42.0
    assert parser.getboolean("a", "flag") is True
    assert parser.getint("a", "n") == 5
    assert parser["a"].getint("nope", 3) == 3
    # 1.0.5: TypeError from int(None), AttributeError from None.lower(), whatever the fallback
    for function in (parser.getint, parser.getfloat, parser.getboolean):
        assert function("a", "nope", fallback=3) == 3
        with pytest.raises(NoOptionError, match="nope"):
            function("a", "nope")


def test_instances_share_no_defaults() -> None:
    MilterConfigParser().defaults["k"] = "leak"
    assert MilterConfigParser().get("a", "k") is None  # 1.0.5: 'leak'


def test_what_comes_after_an_empty_entry_counts(tmp_path: Path) -> None:
    parser = MilterConfigParser()
    parser.read_string("[a]\nusers = joe@foo,, ann@foo,\nnames = one,,two\none = x@y,,z@y\ntwo = v@w\n")
    assert parser.getaddrset("a", "users") == {"foo": ["joe", "ann"]}
    assert parser.getlist("a", "names") == ["one", "", "two"]
    assert parser.getaddrdict("a", "names") == {"x@y": "one", "": "one", "z@y": "one", "v@w": "two"}
