"""What the extension module itself tells and refuses, without a filter: tables, numbers and the texts of errors."""

from __future__ import annotations

import signal
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import pytest

from pymilter import BadValue, MilterError, _core

# In the order of the protocol: the bit to leave the step out, that to leave its answer out, and whether it has text.
STEPS = {
    "connect": (0x1, 0x1000, True),
    "hello": (0x2, 0x2000, True),
    "envfrom": (0x4, 0x4000, True),
    "envrcpt": (0x8, 0x8000, True),
    "data": (0x200, 0x10000, False),
    "unknown": (0x100, 0x20000, True),
    "header": (0x20, 0x80, True),
    "eoh": (0x40, 0x40000, False),
    "body": (0x10, 0x80000, False),
}
ALL_STEPS = ["negotiate", *STEPS, "eom", "abort", "close"]
REFUSAL = (4, b"452", b"", ())


def test_the_tables_of_the_steps() -> None:
    assert list(_core.NOT_SENT.items()) == [(step, bits[0]) for step, bits in STEPS.items()]
    assert list(_core.NO_REPLY.items()) == [(step, bits[1]) for step, bits in STEPS.items()]
    both = {step: bits[0] | bits[1] for step, bits in STEPS.items()}
    assert both | {"unknown": both["unknown"] | both["data"]} == _core.DECIDED_BITS
    assert tuple(step for step, bits in STEPS.items() if bits[2]) == _core.WITH_TEXT
    stages = [("connect", 0), ("hello", 1), ("envfrom", 2), ("envrcpt", 3), ("data", 4), ("eom", 5), ("eoh", 6)]
    assert list(_core.MACRO_STAGE.items()) == stages


def test_the_events_of_a_service_are_five() -> None:
    names = [name for name in vars(_core) if name.startswith("EVENT_")]
    assert {name: getattr(_core, name) for name in names} == {
        "EVENT_NOTHING": 0,
        "EVENT_INTERRUPTED": 1,
        "EVENT_SIGNAL": 2,
        "EVENT_STOP_REQUESTED": 3,
        "EVENT_ENDED": 4,
    }


def test_nothing_is_counted_where_nothing_runs() -> None:
    told = subprocess.run(
        [sys.executable, "-c", "from pymilter import _core; print(_core.counters())"],
        capture_output=True,
        text=True,
        timeout=60,
        check=True,
    ).stdout
    edits = ["addheader", "insheader", "chgheader", "addrcpt", "delrcpt", "chgfrom", "replacebody", "quarantine"]
    expected = {
        "connections_opened": 0,
        "connections_closed": 0,
        "body_bytes": 0,
        "failures": 0,
        "in_flight": 0,
        "callbacks": dict.fromkeys(ALL_STEPS, 0),
        "answers": {step: {} for step in ALL_STEPS},
        "transports": [0, 0, 0],
        "edits": dict.fromkeys(edits, 0),
    }
    assert told == f"{expected}\n"


def test_the_build_of_libmilter() -> None:
    build = _core.build()
    assert list(build) == ["version", "header", "protocol", "file", "pool", "ipv6", "data_size"]
    assert build["version"] == _core.version()
    assert build["header"][:2] == build["version"][:2]
    assert build["protocol"] == 6
    symbols = Path(build["file"]).read_bytes()
    assert b"smfi_main" in symbols
    for part, name in {"pool": b"mi_pool_controller_init", "ipv6": b"mi_inet_pton"}.items():
        assert build[part] is (name in symbols)
    assert build["data_size"] is True


def test_a_thread_of_ours_takes_faults_only() -> None:
    faults = {
        signal.SIGSEGV,
        signal.SIGBUS,
        signal.SIGFPE,
        signal.SIGILL,
        signal.SIGABRT,
        signal.SIGTRAP,
        signal.SIGSYS,
    }
    assert set(_core.signals_of_others()) == set(signal.valid_signals()) - faults
    assert _core.signals_of_others() == sorted(_core.signals_of_others())


def test_outside_of_callbacks() -> None:
    assert _core.is_in_callback() is False
    assert _core.current_context() is None


def test_a_fork_may_come_within_another() -> None:
    for _ in range(2):
        _core.before_fork()
    for _ in range(3):  # once more than needed, as in a child of another thread
        _core.after_fork()
    _core.before_fork()
    _core.after_fork()


def test_functions_replace_each_other() -> None:
    handlers = _core.make_handlers(exception_policy=4)

    def first(*_: object) -> int:
        return 0

    assert handlers.set_function("hello", first) is None
    assert handlers.set_function("envfrom", print) is None
    assert handlers.set_function("hello", print) is first
    assert handlers.set_function("hello", None) is print
    assert handlers.set_function("hello", None) is None
    for bad in (1, "x"):
        with pytest.raises(TypeError) as caught:
            handlers.set_function("envfrom", bad)  # type: ignore[arg-type]
        kind = type(bad).__name__
        assert str(caught.value) == f"the callback for envfrom must be callable or None, not {kind}"
    assert handlers.set_function("envfrom", None) is print


@pytest.mark.parametrize("name", ["", "helo", "(between callbacks)", "Hello"])
def test_a_name_that_is_no_step(name: str) -> None:
    with pytest.raises(BadValue) as caught:
        _core.make_handlers(exception_policy=4).set_function(name, None)
    assert str(caught.value) == f"'{name}' is not the name of a callback"


def test_a_policy_is_one_of_four() -> None:
    for status in range(-1, 12):
        if status in (0, 1, 3, 4):
            _core.make_handlers(exception_policy=status).set_exception_policy(status)
            continue
        for use in (
            lambda: _core.make_handlers(exception_policy=status),  # noqa: B023
            lambda: _core.make_handlers(exception_policy=4).set_exception_policy(status),  # noqa: B023
        ):
            with pytest.raises(BadValue) as caught:
                use()
            assert str(caught.value) == (
                f"exception policy is {status}: allowed are TEMPFAIL, REJECT, ACCEPT and CONTINUE"
            )


def test_a_way_to_read_text_is_one_of_five() -> None:
    def plan(mode: str) -> object:
        return _core.make_plan(
            actions=0,
            protocol=0,
            steps=ALL_STEPS,
            no_reply=[],
            negotiates=False,
            has_begin=False,
            text={"hello": mode},
            macros=[],
            hooks={},
            gather=_core.make_gather(piece=0, limit=1, in_memory=0, as_view=False, exceeded=REFUSAL),
            whole=_core.make_whole(header_limit=1, header_exceeded=REFUSAL),
        )

    for mode in ("surrogateescape", "strict", "ignore", "replace", "bytes"):
        assert isinstance(plan(mode), _core.Plan)
    for mode in ("", "byte", "bytess", "Strict"):
        with pytest.raises(BadValue) as caught:
            plan(mode)
        assert str(caught.value) == (
            f"text mode is '{mode}': allowed are surrogateescape, strict, ignore, replace and bytes"
        )


@pytest.mark.parametrize("status", [1, 4])
def test_the_codes_of_a_reply_at_their_edges(status: int) -> None:
    hundreds = {1: 500, 4: 400}[status]
    first = str(hundreds)[0]
    for code in (hundreds, hundreds + 99):
        wire = _core.encode_reply(status, code, f"{first}.1.1", ("50%", ""))
        assert wire == (status, str(code).encode(), f"{first}.1.1".encode(), (b"50%%", b""))
        assert _core.encode_reply(status, code, None, ()) == (status, str(code).encode(), b"", ())
    allowed = {1: "Reject allows 500 to 599", 4: "TempFail allows 400 to 499"}[status]
    for code in (hundreds - 1, hundreds + 100, 0, -500, 5000, 50, 4):
        with pytest.raises(BadValue) as caught:
            _core.encode_reply(status, code, None, ())
        assert str(caught.value) == f"reply code is {code}: {allowed}"


def test_there_is_one_filter_in_a_process() -> None:
    told = subprocess.run(
        [
            sys.executable,
            "-c",
            """
from pymilter import _core
def service():
    return _core.make_service(name="x", handlers=_core.make_handlers(exception_policy=4), report=print)
first = service()
first.register(timeout=7)
for each in first, service():
    try:
        each.register(timeout=None)
    except Exception as error:
        print(type(error).__name__, error)
try:
    first.start(-1, no_reply_over_tcp=True, log_connections=False)
except OSError as error:
    print(error.errno, error)
first.disown_in_child()
try:
    first.start(-1, no_reply_over_tcp=True, log_connections=False)
except Exception as error:
    print(type(error).__name__, error)
print(first.wait(None), first.wait(0.0))
""",
        ],
        capture_output=True,
        text=True,
        timeout=60,
        check=True,
    ).stdout
    registered = "MilterError a filter is registered already: there is one filter in a process"
    assert told.splitlines() == [
        registered,
        registered,
        "22 [Errno 22] the descriptor is not a listening socket: Invalid argument",
        "MilterError this process was forked while the filter started: the filter is its parent's",
        f"({_core.EVENT_ENDED}, None) ({_core.EVENT_ENDED}, None)",
    ]


def test_edits_are_checked_as_they_are_sent() -> None:
    assert _core.check_header(b"Subject", b"one\r\n two\r\n") == b"one\n two"
    _core.check_address("sender", b"<a@x>")
    _core.check_parameters(b"SIZE=1 BODY=7BIT")
    _core.check_line("reason", b"held")
    refused: dict[Callable[[], object], str] = {
        lambda: _core.check_header(b"", b""): "header name is empty: it needs at least one character",
        lambda: _core.check_address("sender", b""): "sender is empty: an address is needed, <> for the null sender",
        lambda: _core.check_parameters(b"a\nb"): (
            "ESMTP parameter contains \\x0a at position 1: NUL, CR and LF are not allowed"
        ),
        lambda: _core.check_line("reason", b""): "reason is empty: some text is needed",
    }
    for check, text in refused.items():
        with pytest.raises(BadValue) as caught:
            check()
        assert str(caught.value) == text


def test_no_packet_is_too_large_to_ask_for() -> None:
    before = _core.setmaxdatasize(1 << 40)
    assert _core.setmaxdatasize(before) == 1 << 40
    with pytest.raises((MilterError, TypeError)):
        _core.setmaxdatasize(-1)
