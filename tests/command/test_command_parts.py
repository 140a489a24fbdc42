"""What `trace`, `run --reload` and `check` do beside printing: a child that writes, files that change, plans."""

from __future__ import annotations

import argparse
import contextlib
import io
import json
import os
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from pymilter._command import reload, trace, writer
from pymilter._command.main import main
from pymilter._command.output import Failure, Output
from pymilter._command.relay import Event
from pymilter._command.trace import _listener, _saved
from pymilter._command.writer import Patience, WriterProcess
from pymilter.testing import temporary_socket

# -- the child that writes for `trace`


@contextlib.contextmanager
def writing(write: Callable[[Iterator[list[Event]], Patience], int]) -> Iterator[tuple[WriterProcess, int]]:
    """The child, and the end of the pipe to which events are written; the signals of this process are put back."""
    before = {number: signal.getsignal(number) for number in (signal.SIGINT, signal.SIGTERM)}
    receiver, pipe = os.pipe()
    child = WriterProcess(pipe, receiver, write)
    try:
        yield child, pipe
    finally:
        for number, handler in before.items():
            signal.signal(number, handler)
        with contextlib.suppress(OSError):
            os.close(pipe)
        with contextlib.suppress(ProcessLookupError):
            os.kill(child._pid, signal.SIGKILL)
        with contextlib.suppress(ChildProcessError):
            os.waitpid(child._pid, 0)


@pytest.mark.parametrize(("status", "result"), [(0, 0), (1, 1), (3, 1)])
def test_the_child_has_a_status(status: int, result: int) -> None:
    def write(batches: Iterator[list[Event]], _patience: Patience) -> int:
        return status if list(batches) == [] else 9

    with writing(write) as (child, pipe):
        os.close(pipe)
        assert child.finish() == result
        with pytest.raises(OSError, match="Bad file descriptor"):
            os.fstat(pipe)


def test_a_child_that_fails_says_so(capfd: pytest.CaptureFixture[str]) -> None:
    def write(_batches: Iterator[list[Event]], _patience: Patience) -> int:
        raise ValueError("no disk")

    with writing(write) as (child, _):
        assert child.finish() == 1  # although the pipe has not ended
    assert "ValueError: no disk" in capfd.readouterr().err


def test_the_child_ends_with_the_pipe_and_not_with_a_signal(tmp_path: Path) -> None:
    told = tmp_path / "told"

    def write(batches: Iterator[list[Event]], _patience: Patience) -> int:
        told.write_text(f"{os.nice(0)} {signal.getsignal(signal.SIGINT).name}")  # type: ignore[union-attr]
        for number in (signal.SIGINT, signal.SIGTERM):
            signal.raise_signal(number)
        return len(list(batches))

    with writing(write) as (child, pipe):
        assert not child._has_ended
        os.close(pipe)
        assert child.finish() == 0
        assert child._has_ended
    nice, handler = told.read_text().split()
    assert int(nice) == min(os.nice(0) + 10, 19)
    assert handler == "SIG_IGN"


def test_the_parent_keeps_its_mask_and_only_its_end() -> None:
    mask = signal.pthread_sigmask(signal.SIG_BLOCK, ())
    before = set(os.listdir("/proc/self/fd"))  # noqa: PTH208 - the names are numbers
    with writing(lambda batches, _: len(list(batches))) as (child, pipe):
        assert signal.pthread_sigmask(signal.SIG_BLOCK, ()) == mask
        kept = set(os.listdir("/proc/self/fd")) - before  # noqa: PTH208
        assert {str(pipe), str(child._life)} <= kept
        os.close(pipe)
        assert child.finish() == 0
    os.close(child._life)


def test_the_child_is_hastened_by_this_process_and_by_signals(tmp_path: Path) -> None:
    told = tmp_path / "told"
    told.touch()

    def write(batches: Iterator[list[Event]], patience: Patience) -> int:
        while not patience._is_ending:
            time.sleep(0.005)
        told.write_text("once")
        again: list[int] = []
        signal.signal(signal.SIGUSR1, lambda number, _frame: again.append(number))
        told.write_text("ready")
        while not again:
            time.sleep(0.005)
        told.write_text("again")
        return len(list(batches))

    def wait_for(text: str) -> None:
        while told.read_text() != text:  # the test's own timeout is the limit
            time.sleep(0.005)

    with writing(write) as (child, pipe):
        child.hasten()
        wait_for("ready")
        signal.raise_signal(signal.SIGTERM)
        wait_for("again")
        signal.raise_signal(signal.SIGINT)
        os.close(pipe)
        assert child.finish() in (0, 1)
        signal.raise_signal(signal.SIGTERM)  # there is nobody to hasten any more


def test_constants_of_the_writer() -> None:
    assert (writer._NICENESS, writer._PIPE_SIZE, writer._PATIENCE) == (10, 1024 * 1024, 2.0)


# -- sockets and files of `trace`


def options(listen: str, **values: object) -> argparse.Namespace:
    return argparse.Namespace(listen=listen, **values)


def test_where_the_mta_connects_to() -> None:
    with temporary_socket() as address:
        listener = _listener(options(address, socket_mode=0o640))
        path = Path(address.removeprefix("unix:"))
        assert path.stat().st_mode & 0o777 == 0o640
        with socket.socket(socket.AF_UNIX) as sock:
            sock.connect(str(path))
        with pytest.raises(Failure) as raised:
            _listener(options(address))
        assert (str(raised.value), raised.value.status) == (
            f"cannot listen on {address}: another program serves it",
            1,
        )
        listener.discard()
        assert not path.exists()
    for listen, status in (("nonsense:x", 2), ("unix:/absent/x", 1)):
        with pytest.raises(Failure) as raised:
            _listener(options(listen))
        assert raised.value.status == status


def test_the_recording_has_a_first_line_and_one_owner(tmp_path: Path) -> None:
    file = tmp_path / "recording"
    with _saved(file, "unix:/x") as recording:
        assert recording is not None
        assert json.loads(file.read_text())["target"] == "unix:/x"
        assert file.stat().st_mode & 0o777 == 0o600
        recording.write("more\n")
    assert recording.closed
    assert file.read_text().count("\n") == 2
    with _saved(None, "unix:/x") as recording:
        assert recording is None
    with pytest.raises(Failure) as raised, _saved(tmp_path, "unix:/x"):
        pass
    assert (str(raised.value), raised.value.status) == (f"cannot write {tmp_path}: Is a directory", 1)


# -- `run --reload`


class Child:
    """A process that has ended, or has not."""

    def __init__(self, status: int | None = None) -> None:
        self.status = status
        self.asked = 0

    def poll(self) -> int | None:
        self.asked += 1
        return self.status


@pytest.fixture
def output() -> Output:
    return Output("prog", io.StringIO())


def test_a_change_is_found(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, output: Output) -> None:
    for name in ("a.py", "b.py", "c.py"):
        (tmp_path / name).write_text("x")
    before = reload._files(tmp_path, None)
    sleeps: list[float] = []

    def sleep(seconds: float) -> None:
        sleeps.append(seconds)
        if len(sleeps) == 2:
            (tmp_path / "a.py").write_text("xy")
            (tmp_path / "b.py").unlink()
            (tmp_path / "d.py").write_text("x")

    monkeypatch.setattr(reload, "watch", None)
    monkeypatch.setattr(time, "sleep", sleep)
    child = Child()
    found = reload._changed(child, tmp_path, None, before, output)  # type: ignore[arg-type]
    assert found == [tmp_path / "a.py", tmp_path / "b.py", tmp_path / "d.py"]
    assert sleeps == [0.25, 0.25]
    assert child.asked == 2
    # What changed before the first look is seen at once.
    assert reload._changed(child, tmp_path, None, before, output) == found  # type: ignore[arg-type]
    assert len(sleeps) == 2


def test_a_child_that_ends_is_told_once(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, output: Output, capsys: pytest.CaptureFixture[str]
) -> None:
    def watch(*places: Path, **settings: object) -> Iterator[set[str]]:
        assert (places, settings["watch_filter"]) == ((tmp_path,), None)
        assert (settings["rust_timeout"], settings["yield_on_timeout"]) == (250, True)
        (tmp_path / "a.py").write_text("x")
        yield from (set(), set(), set(), {"a.py"})

    monkeypatch.setattr(reload, "watch", watch)
    child = Child(3)
    assert reload._changed(child, tmp_path, None, {}, output) == [tmp_path / "a.py"]  # type: ignore[arg-type]
    assert child.asked == 1
    assert capsys.readouterr().err == "prog: the filter has ended with status 3; it starts anew when a file changes\n"


def test_what_watchfiles_takes_is_an_interrupt(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, output: Output) -> None:
    asked: list[list[Path]] = []

    def watch(*places: Path, **_settings: object) -> Iterator[set[str]]:
        asked.append(sorted(places))
        return iter(())

    monkeypatch.setattr(reload, "watch", watch)
    config = tmp_path / "sub" / "conf.toml"
    config.parent.mkdir()
    with pytest.raises(KeyboardInterrupt):
        reload._changed(Child(), tmp_path, config, {}, output)  # type: ignore[arg-type]
    assert asked == [[tmp_path, tmp_path / "sub"]]


@pytest.mark.parametrize("stubborn", [False, True])
def test_a_child_is_stopped(stubborn: bool, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(reload, "_STOP_WITHIN", 0.2 if stubborn else 30.0)
    ignore = "signal.signal(signal.SIGTERM, signal.SIG_IGN);" if stubborn else ""
    program = f"import signal, time; {ignore} print('ready', flush=True); time.sleep(60)"
    with subprocess.Popen([sys.executable, "-c", program], stdout=subprocess.PIPE) as child:
        assert child.stdout is not None
        assert child.stdout.readline() == b"ready\n"
        reload._stop(child, 0.1)
        assert child.returncode == (-signal.SIGKILL if stubborn else -signal.SIGTERM)


# -- `check`

PROGRAM = """
import logging
import pymilter
from pymilter import CONTINUE

class Gate(pymilter.Base):
    def envfrom(self, sender, *params):
        return CONTINUE

class Slip(pymilter.Base):
    def envfrm(self, sender):
        return CONTINUE
    def eom(self):
        return CONTINUE

class Broken(pymilter.Base):
    def header(self, name):
        return CONTINUE

def made():
    logging.getLogger("pymilter").warning("not to be seen")
    return Gate()

def broken():
    return Broken()
"""


@pytest.fixture
def check(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> Iterator[Callable[..., tuple[int, str, str]]]:
    """Runs `pymilter check` beside a program gate.py."""
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr(sys, "path", list(sys.path))
    monkeypatch.delitem(sys.modules, "gate", raising=False)
    monkeypatch.setattr(sys, "dont_write_bytecode", True)
    for name in list(os.environ):
        if name.startswith("PYMILTER_") or name in ("COLUMNS", "NO_COLOR", "FORCE_COLOR"):
            monkeypatch.delenv(name)
    (tmp_path / "gate.py").write_text(PROGRAM)

    def run(*arguments: str) -> tuple[int, str, str]:
        status = main(["check", *arguments])
        shown = capsys.readouterr()
        return status, shown.out, shown.err

    yield run
    sys.modules.pop("gate", None)


def test_a_plan_is_shown(check: Callable[..., tuple[int, str, str]]) -> None:
    for name in ("gate:Gate", "gate:made"):
        status, out, err = check(name)
        lines = out.splitlines()
        assert (status, err) == (0, "")
        assert lines[0].startswith(f"{name}, on libmilter ")
        assert lines[1:3] == ["", "The filter may"]
        assert "MAIL      answered   Gate.envfrom the MTA's own list" in lines
        assert lines[lines.index("libmilter") - 1] == ""
        assert lines[-2:] == ["", "Nothing is wrong with it."]
        assert check("--strict", name)[0] == 0
    status, out, err = check("--json", "gate:Gate")
    found = json.loads(out)
    assert (status, err, out.count("\n")) == (0, "", 1)
    assert list(found) == ["filter", "libmilter", "version", "actions", "extras", "steps", "faults", "warnings"]
    assert (found["filter"], found["faults"], found["warnings"]) == ("gate:Gate", [], [])
    assert found["libmilter"]["version"].count(".") == found["libmilter"]["header"].count(".") == 2


def test_faults_and_warnings_are_shown(check: Callable[..., tuple[int, str, str]]) -> None:
    status, out, err = check("gate:Slip")
    assert (status, err) == (0, "")
    assert "\nWarnings\n  - " in out
    assert "envfrom" in out
    assert "Faults" not in out
    assert "Nothing is wrong" not in out
    assert check("--strict", "gate:Slip")[0] == 1
    for name in ("gate:Broken", "gate:broken"):
        status, out, err = check(name)
        assert (status, err) == (1, "")
        assert "\nFaults\n  - Broken.header cannot be called as it will be" in out
        assert "The filter may" not in out
        assert "Nothing is wrong" not in out
        found = json.loads(check("--json", name)[1])
        assert list(found) == ["filter", "libmilter", "faults", "warnings"]
        assert len(found["faults"]) == 1


@pytest.mark.parametrize(
    ("arguments", "told"),
    [
        ([], "FILTER is missing: see --help"),
        (["gate:Gate", "nonsense:x"], "socket is 'nonsense:x': 'nonsense' is no kind of socket"),
        (["gate:Gate", "--max-rss=5"], "max_rss needs workers="),
        (["gate:Gate", "unix:/x", "--workers=1", "--on"], "unrecognized arguments: --on"),
    ],
)
def test_settings_are_checked_too(check: Callable[..., tuple[int, str, str]], arguments: list[str], told: str) -> None:
    status, out, err = check(*arguments)
    assert (status, out) == (2, "")
    assert told in err.splitlines()[-1]


def test_a_socket_is_only_named(check: Callable[..., tuple[int, str, str]], tmp_path: Path) -> None:
    assert check("gate:Gate", f"unix:{tmp_path}/sock", "--socket-mode=600")[0] == 0
    assert not (tmp_path / "sock").exists()


@pytest.mark.parametrize("first", [signal.SIGINT, signal.SIGTERM])
def test_a_signal_that_follows_the_first_one_raises_nothing(first: signal.Signals) -> None:
    before = {number: signal.getsignal(number) for number in trace._ENDING}
    try:
        for number in trace._ENDING:
            signal.signal(number, trace._end)
        with pytest.raises(KeyboardInterrupt):
            signal.raise_signal(first)
        for number in (signal.SIGINT, signal.SIGTERM):
            signal.raise_signal(number)
    finally:
        for number, handler in before.items():
            signal.signal(number, handler)
