"""The classes behind the fixtures of the plugin, with no pytest around them: what they notice, and what they say."""

from __future__ import annotations

import logging
import sys
from collections.abc import Iterator
from pathlib import Path
from types import SimpleNamespace

import pytest

from pymilter.testing import FilterFailed, FilterProcess, MilterFixture, MilterProcessFixture, temporary_socket
from pymilter.testing._fixtures import _Errors, _shown

LISTENS = """
import os, signal, socket, sys
sock = socket.socket(socket.AF_UNIX)
sock.bind(sys.argv[1].removeprefix("unix:"))
sock.listen()
print(*sys.argv[2:], os.environ.get("WORD"), os.getcwd(), flush=True)
{extra}
signal.signal(signal.SIGTERM, lambda *_: sys.exit({status}))
signal.pause()
"""


@pytest.fixture
def errors() -> Iterator[_Errors]:
    found = _Errors()
    with found.watching():
        yield found


def test_what_pymilter_logs_as_an_error_is_noticed(errors: _Errors) -> None:
    logging.getLogger("pymilter").error("one %s", 1)
    logging.getLogger("pymilter.handlers").critical("two")
    logging.getLogger("pymilter.handlers").warning("no error")
    logging.getLogger("pymilters").error("of another")
    logging.getLogger("gate").error("outside of a callback")
    assert errors.left([]) == ["pymilter: one 1", "pymilter.handlers: two"]


def test_it_is_noticed_only_as_long_as_it_is_watched() -> None:
    found = _Errors()
    logging.getLogger("pymilter").error("before")
    with found.watching():
        logging.getLogger("pymilter").error("within")
    logging.getLogger("pymilter").error("after")
    assert found.left([]) == ["pymilter: within"]
    assert found not in logging.getLogger().handlers


def test_what_the_test_has_got_is_left_out(errors: _Errors) -> None:
    first, second = ValueError("x"), ValueError("x")
    for failure in (first, second):
        logging.getLogger("pymilter").error("failed", exc_info=failure)
    assert errors.left([first]) == ["pymilter: failed"]
    assert errors.left([first, second]) == []
    logging.getLogger("pymilter").error("no exception")
    assert errors.left([first, second]) == ["pymilter: no exception"]


def test_errors_fail_the_test_that_has_not_failed() -> None:
    def log_errors(own: type[Exception] | None = None) -> None:
        with MilterFixture():
            logging.getLogger("pymilter").error("one")
            logging.getLogger("pymilter").error("two")
            if own is not None:
                raise own

    with pytest.raises(AssertionError) as raised:
        log_errors()
    assert str(raised.value) == "the filter logged errors:\npymilter: one\npymilter: two"
    with MilterFixture() as allowing:
        allowing.allow_errors()
        logging.getLogger("pymilter").error("one")
    with pytest.raises(KeyError):  # of the test itself
        log_errors(KeyError)
    with MilterFixture():
        logging.getLogger("pymilter").warning("one")


def program(folder: Path, extra: str = "", status: int = 0) -> Path:
    path = folder / "gate.py"
    path.write_text(LISTENS.format(extra=extra, status=status))
    return path


def test_a_program_is_named_by_its_file_or_its_command() -> None:
    for argv, name in (
        (("python", "/x/gate.py", "unix:/s"), "gate.py"),
        (("/x/gate", "unix:/s"), "gate"),
        (("/x/gate",), "gate"),
    ):
        assert _shown(SimpleNamespace(argv=argv)) == name  # type: ignore[arg-type]


def test_a_program_runs_until_the_end(tmp_path: Path) -> None:
    path = program(tmp_path)
    with MilterProcessFixture() as started:
        first = started(path)
        assert first.process.argv == (sys.executable, str(path), first.address)
        assert first.process.timeout == 10.0
        with temporary_socket("other") as address:
            command = [sys.executable, str(path), "{address}", "at {address}"]
            second = started(command, address=address, timeout=20, env={"WORD": "w"}, cwd=tmp_path)
            assert (second.address, second.process.timeout) == (address, 20)
            assert second.process.stdout == f"at {address} w {tmp_path}\n"
        assert (first.process.returncode, second.process.returncode) == (None, None)
        assert first.address != second.address
    assert (first.process.returncode, second.process.returncode) == (0, 0)
    assert first.process.stdout == f" None {Path.cwd()}\n"[1:]


@pytest.mark.parametrize(
    ("extra", "status", "told"),
    [
        ("print('odd', file=sys.stderr)", 3, "gate.py ended with status 3:\nodd\n"),
        (
            "print('Traceback (most recent call last):', file=sys.stderr)",
            0,
            "gate.py wrote a traceback:\nTraceback (most recent call last):\n",
        ),
        ("print('Traceback', file=sys.stderr)", 0, None),
    ],
)
def test_a_program_that_goes_wrong_fails_the_test(tmp_path: Path, extra: str, status: int, told: str | None) -> None:
    path = program(tmp_path, extra, status)
    if told is None:
        with MilterProcessFixture() as started:
            started(path)
        return
    with pytest.raises(AssertionError) as raised, MilterProcessFixture() as started:
        started(path)
    assert str(raised.value) == told
    with MilterProcessFixture() as started:
        started(path)
        started.allow_errors()


def test_a_program_that_does_not_listen_is_told(tmp_path: Path) -> None:
    with MilterProcessFixture() as started:
        with pytest.raises(FilterFailed, match="ended with status 0 before it listened"):
            started([sys.executable, "-c", "pass"], timeout=20)
        with temporary_socket() as address, pytest.raises(FilterFailed, match=r"within 0\.2 s"):
            FilterProcess([sys.executable, "-c", "import time; time.sleep(60)"], address, timeout=0.2).start()
