"""Numbers and names of the classic modules: each name that is announced is there, each number is that of mfapi.h."""

from __future__ import annotations

import importlib
import pkgutil

import pytest

import Milter
import milter

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
