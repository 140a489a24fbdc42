"""Numbers and names of the classic modules: each name that is announced is there, each number is that of mfapi.h."""

from __future__ import annotations

import importlib
import pkgutil
import sys
from importlib.machinery import EXTENSION_SUFFIXES
from types import SimpleNamespace

import pytest

import Milter
import milter
from Milter import _shadow

MODULES = ["Milter", "milter", *(f"Milter.{found.name}" for found in pkgutil.iter_modules(Milter.__path__))]


@pytest.mark.parametrize("name", MODULES)
def test_each_name_that_is_announced_is_there(name: str) -> None:
    module = importlib.import_module(name)
    announced = getattr(module, "__all__", [])
    assert [one for one in announced if not hasattr(module, one)] == []
    assert len(announced) == len(set(announced))


@pytest.mark.parametrize(
    ("name", "public"),
    [
        ("Milter.cache", "AddrCache"),
        ("Milter.config", "MilterConfigParser"),
        ("Milter.dns", "MAX_CNAME DNSError DNSLookup Session"),
        ("Milter.dsn", "Vars create_msg send_dsn"),
        ("Milter.dynip", "is_dynip"),
        ("Milter.greylist", "Greylist Record log quoteAddress"),
        ("Milter.greysql", "Greylist"),
        ("Milter.plock", "PLock"),
        ("Milter.policy", "DB MTAPolicy dbmopen"),
        ("Milter.pyip6", "PAT_IP4 RE_IP4 inet_ntop inet_pton"),
        ("Milter.sgmllib", "SGMLParseError SGMLParser TestSGMLParser test"),
        ("Milter.unsign", "unsign"),
    ],
)
def test_what_a_star_imports(name: str, public: str) -> None:
    assert sorted(importlib.import_module(name).__all__) == sorted(public.split())


def test_numbers_are_those_of_libmilter() -> None:
    assert (milter.SUCCESS, milter.FAILURE) == (0, -1)
    assert (milter.V1_ACTS, milter.V2_ACTS, milter.CURR_ACTS) == (0x0F, 0x3F, 0x1FF)
    major, minor, patch = milter.getversion()
    assert major * 0x1000000 + minor * 0x100 + patch == milter.VERSION
    assert major > 0
    assert milter.error is Milter.error


@pytest.mark.parametrize("flags", [0, 1, 0x1FF, 0xFFFF, Milter.ADDHDRS])
def test_flags_may_be_set_and_change_nothing(flags: int) -> None:
    milter.set_flags(flags)


@pytest.mark.parametrize("size", [0, -1])
def test_a_backlog_is_at_least_1(size: int) -> None:
    with pytest.raises(Milter.error, match=rf"^backlog is {size}: it must be at least 1$"):
        milter.setbacklog(size)


@pytest.mark.parametrize(
    ("status", "error"),
    [(True, TypeError), (False, TypeError), ("4", TypeError), (7, Milter.error), (-1, Milter.error)],
)
def test_a_policy_that_is_none(status: int, error: type[Exception]) -> None:
    told = f"exception policy is {status!r}: allowed are TEMPFAIL, REJECT, ACCEPT and CONTINUE"
    with pytest.raises(error) as raised:
        milter.set_exception_policy(status)
    assert str(raised.value) == told


def test_names_and_addresses_are_texts() -> None:
    for use, what in ((milter.register, "name"), (milter.setconn, "address")):
        with pytest.raises(TypeError, match=f"^{what} must be str, not bytes$"):
            use(b"x")  # type: ignore[arg-type]
    with pytest.raises(Milter.error, match=r"^the address is empty$"):
        milter.setconn("")
    for number in (milter.settimeout, milter.setbacklog, milter.set_flags):
        with pytest.raises(TypeError, match="integer"):
            number("1")  # type: ignore[arg-type]


@pytest.mark.parametrize("is_loaded", [True, False])
@pytest.mark.parametrize("suffix", [*EXTENSION_SUFFIXES, ".py", None])
def test_a_module_left_by_an_older_pymilter_is_named(
    monkeypatch: pytest.MonkeyPatch, is_loaded: bool, suffix: str | None
) -> None:
    found = None if suffix is None else SimpleNamespace(origin=f"/site/milter{suffix}")
    asked: list[str] = []

    def find_spec(name: str) -> object:
        asked.append(name)
        return found

    monkeypatch.setattr(_shadow, "find_spec", find_spec)
    if is_loaded:
        monkeypatch.setitem(sys.modules, "milter", SimpleNamespace(__spec__=found))
    else:
        monkeypatch.delitem(sys.modules, "milter")
    if suffix in EXTENSION_SUFFIXES:
        with pytest.raises(ImportError) as raised:
            _shadow.check_milter()
        assert str(raised.value) == (
            f"/site/milter{suffix} was left by an older pymilter, and hides milter.py: remove this file"
        )
    else:
        _shadow.check_milter()
    assert asked == ([] if is_loaded else ["milter"])


def test_an_older_module_is_looked_for_at_the_import(monkeypatch: pytest.MonkeyPatch) -> None:
    odd = SimpleNamespace(__spec__=SimpleNamespace(origin=f"/site/milter{EXTENSION_SUFFIXES[0]}"))
    monkeypatch.setitem(sys.modules, "milter", odd)
    with pytest.raises(ImportError, match="was left by an older pymilter"):
        importlib.reload(_shadow)


@pytest.mark.parametrize("count", [1, 3])
def test_numbers_are_given_once(count: int) -> None:
    first = Milter.uniqueID()
    assert [Milter.uniqueID() for _ in range(count)] == list(range(first + 1, first + 1 + count))


@pytest.mark.parametrize(
    ("arguments", "called"),
    [
        (["<a@b>"], "('<a@b>',) {}"),
        (
            ["<a@b>", "SIZE=5", "smtputf8", "body=8BITMIME=x"],
            "('<a@b>', 'smtputf8') {'SIZE': '5', 'BODY': '8BITMIME=x'}",
        ),
        (["<a@b>", "X="], "('<a@b>',) {'X': ''}"),
    ],
)
def test_parameters_become_arguments(arguments: list[str], called: str) -> None:
    assert Milter.envcallback(lambda *plain, **named: f"{plain} {named}", arguments) == called
    with pytest.raises(IndexError):
        Milter.envcallback(lambda: "", [])


def test_parameters_become_a_dict() -> None:
    params = ["SIZE=5", "smtputf8", "x="]
    assert Milter.param2dict(params) == {"SIZE": "5", "SMTPUTF8": None, "X": ""}
    assert Milter.dictfromlist(params) == {"SIZE": "5", "X": ""}


def test_bits_and_stages_of_methods() -> None:
    assert {name: tuple(map(int, bits)) for name, bits in Milter.OPTIONAL_CALLBACKS.items()} == {
        "connect": (0x1000, 0x1),
        "hello": (0x2000, 0x2),
        "envfrom": (0x4000, 0x4),
        "envrcpt": (0x8000, 0x8),
        "data": (0x10000, 0x200),
        "unknown": (0x20000, 0x100),
        "eoh": (0x40000, 0x40),
        "body": (0x80000, 0x10),
        "header": (0x80, 0x20),
    }
    assert {name: int(stage) for name, stage in Milter.MACRO_CALLBACKS.items()} == {
        "connect": 0,
        "hello": 1,
        "envfrom": 2,
        "envrcpt": 3,
        "data": 4,
        "eom": 5,
        "eoh": 6,
    }
    assert Milter.R.sub("%%", "100%%% 5%") == "100%% 5%%"
