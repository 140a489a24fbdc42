"""The enums, the classic names, the exceptions, and what the extension tells of itself."""

from __future__ import annotations

import enum
import subprocess
import sys

import pytest

import pymilter
from pymilter import Action, BadValue, DisabledAction, MilterError, Protocol, Reject, Stage, Status, _core
from pymilter import testing as client_side


def test_statuses_are_libmilters_numbers() -> None:
    assert {status.name: int(status) for status in Status} == {
        "CONTINUE": 0,
        "REJECT": 1,
        "DISCARD": 2,
        "ACCEPT": 3,
        "TEMPFAIL": 4,
        "NOREPLY": 7,
        "SKIP": 8,
        "ALL_OPTS": 10,
    }
    assert issubclass(Status, enum.IntEnum)


def test_members_compare_as_ints() -> None:
    assert pymilter.REJECT == 1
    assert pymilter.REJECT is Status.REJECT
    assert pymilter.ADDHDRS | pymilter.CHGBODY == 3
    assert isinstance(pymilter.ADDHDRS | pymilter.CHGBODY, Action)
    assert {0: "x"}[pymilter.CONTINUE] == "x"
    assert issubclass(Action, enum.IntFlag)
    assert issubclass(Protocol, enum.IntFlag)
    assert issubclass(Stage, enum.IntEnum)


@pytest.mark.parametrize(
    ("ours", "theirs"),
    [(Action, client_side.Action), (Protocol, client_side.Protocol), (Stage, client_side.Stage)],
)
def test_both_sides_of_the_wire_agree(ours: type[enum.IntEnum], theirs: type[enum.IntEnum]) -> None:
    known = {name: int(member) for name, member in theirs.__members__.items()}
    for name in ("NONE", "ALL", "NR_ALL", "MDS_256K", "MDS_1M"):
        known.pop(name, None)
    assert {member.name: int(member) for member in ours} == known


@pytest.mark.parametrize(
    ("prefix", "members"),
    [("P_", Protocol), ("M_", Stage), ("", Action), ("", Status)],
    ids=["P_", "M_", "Action", "Status"],
)
def test_each_classic_name_is_a_member(prefix: str, members: type[enum.IntEnum]) -> None:
    for member in members:
        assert getattr(pymilter, prefix + member.name) is member
        assert prefix + member.name in pymilter.__all__


def test_modbody_is_chgbody() -> None:
    assert pymilter.MODBODY is Action.CHGBODY


def test_disabled_action_is_what_each_kind_of_program_catches() -> None:
    assert issubclass(DisabledAction, MilterError)
    assert issubclass(DisabledAction, RuntimeError)
    assert not issubclass(MilterError, RuntimeError)


def test_bad_value_is_what_each_kind_of_program_catches() -> None:
    for kind in (BadValue, MilterError, ValueError):
        with pytest.raises(kind, match="reply code"):
            Reject(250)


def test_the_version_of_libmilter() -> None:
    major, minor, patch = pymilter.version()
    assert major >= 1
    assert min(minor, patch) >= 0


def test_nothing_is_open_where_nothing_runs() -> None:
    code = "from pymilter import _core; print(_core.connections())"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, timeout=60, check=True)
    assert done.stdout == "(0, 0)\n"


def test_the_size_of_a_packet_can_be_set() -> None:
    before = _core.setmaxdatasize(200000)
    assert _core.setmaxdatasize(before) == 200000
