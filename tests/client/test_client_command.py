"""What the command and the programs beside it do with bad arguments, a closed pipe, and signals."""

from __future__ import annotations

import contextlib
import os
import signal
import socket
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import pytest

import pymilter.testing
from pymilter.testing import Client, FilterProcess, FilterTimeout, send_message, temporary_socket
from support.cfilter.rogue import read_command, rogue
from support.packets import packet

Probe = Callable[..., FilterProcess]
ROOT = Path(__file__).parents[2]
MESSAGE = b"From: Ann <ann@example.org>\nTo: bob@example.net\nSubject: hello\n\nline\n"

pytestmark = pytest.mark.timeout(60)


@pytest.fixture
def eml(tmp_path: Path) -> Path:
    path = tmp_path / "message.eml"
    path.write_bytes(MESSAGE)
    return path


def argv(*arguments: str | Path) -> list[str]:
    return [sys.executable, "-m", "pymilter.testing", *map(str, arguments)]


def command(*arguments: str | Path, **env: str) -> subprocess.CompletedProcess[str]:
    path = str(Path(pymilter.testing.__file__).parents[2])
    return subprocess.run(
        argv(*arguments),
        capture_output=True,
        text=True,
        check=False,
        timeout=60,
        env={**os.environ, "PYTHONPATH": path, **env},
    )


def test_a_reader_that_has_seen_enough_is_no_error(probe: Probe, eml: Path) -> None:
    read, write = os.pipe()
    os.close(read)
    try:
        done = subprocess.run(
            argv(eml, probe().address), stdout=write, stderr=subprocess.PIPE, text=True, check=False, timeout=60
        )
    finally:
        os.close(write)
    assert (done.returncode, done.stderr) == (0, "")


@pytest.mark.parametrize(
    ("where", "reason"),
    [("absent/changed.eml", "there is no directory"), (".", "it is a directory"), ("message.eml/x", "no directory")],
)
def test_a_place_that_cannot_be_written_is_found_before_the_session(
    probe: Probe, eml: Path, where: str, reason: str
) -> None:
    process = probe()
    done = command(eml, process.address, "--output", eml.parent / where)
    assert done.returncode == 2
    assert f"cannot write {eml.parent / where}" in done.stderr
    assert reason in done.stderr
    assert "connect" not in process.stdout


def test_a_disk_that_is_full_is_told(probe: Probe, eml: Path) -> None:
    if not Path("/dev/full").exists():
        pytest.skip("no /dev/full on this system")
    done = command(eml, probe().address, "--output", "/dev/full")
    assert (done.returncode, done.stderr) == (
        1,
        "python -m pymilter.testing: cannot write /dev/full: No space left on device\n",
    )


@pytest.mark.parametrize(("arguments", "unbuffered"), [([], ""), ([], "1"), (["--help"], "")])
def test_output_that_cannot_be_written_is_told(probe: Probe, eml: Path, arguments: list[str], unbuffered: str) -> None:
    if not Path("/dev/full").exists():
        pytest.skip("no /dev/full on this system")
    with Path("/dev/full").open("w") as full:
        done = subprocess.run(
            argv(eml, probe().address, *arguments),
            stdout=full,
            stderr=subprocess.PIPE,
            text=True,
            timeout=60,
            check=False,
            env={**os.environ, "PYTHONUNBUFFERED": unbuffered},
        )
    told = "python -m pymilter.testing: cannot write the output: No space left on device\n"
    assert (done.returncode, done.stderr) == (1, told)


def test_output_that_is_closed_is_not_wanted(probe: Probe, eml: Path) -> None:
    closing = ["sh", "-c", 'exec "$@" >&-', "sh", *argv(eml, probe().address)]
    done = subprocess.run(closing, stderr=subprocess.PIPE, text=True, timeout=60, check=False)
    assert (done.returncode, done.stderr) == (0, "")


@pytest.mark.parametrize(
    ("option", "value", "reason"),
    [
        ("--timeout", "-1", "'-1' is not a number of seconds above 0"),
        ("--timeout", "0", "'0' is not a number of seconds above 0"),
        ("--timeout", "nan", "'nan' is not a number of seconds above 0"),
        ("--timeout", "inf", "'inf' is not a number of seconds above 0"),
        ("--timeout", "soon", "'soon' is not a number of seconds above 0"),
        ("--client-address", "1.2.3", "'1.2.3' does not appear to be an IPv4 or IPv6 address"),
        ("--macro", "=x", "argument --macro: NAME=VALUE is needed, not '=x'"),
        ("--mta", "exim", "invalid choice: 'exim'"),
    ],
)
def test_bad_values_are_told_in_one_line(eml: Path, option: str, value: str, reason: str) -> None:
    done = command(eml, "unix:/x", f"{option}={value}")
    assert done.returncode == 2
    assert reason in done.stderr.splitlines()[-1]
    assert "Traceback" not in done.stderr


def test_letters_that_the_terminal_has_not_are_escaped(probe: Probe, eml: Path) -> None:
    eml.write_bytes("Subject: é\n\nx\n".encode())
    done = command(eml, probe().address, PYTHONIOENCODING="ascii")
    assert (done.returncode, done.stderr) == (0, "")
    assert r"Subject: \xe9" in done.stdout


def test_ctrl_c_ends_it_without_a_traceback(probe: Probe, eml: Path) -> None:
    process = probe("-w", "helo")
    with subprocess.Popen(argv(eml, process.address), stderr=subprocess.PIPE, text=True) as running:
        while "connect" not in process.stdout:
            assert running.poll() is None
        running.send_signal(signal.SIGINT)
        _, errors = running.communicate(timeout=30)
    assert (running.returncode, errors) == (130, "")


@pytest.mark.parametrize(
    ("mta", "after"), [("postfix", b"Subject: hello\nSubject: bye\n"), ("sendmail", b"Subject: bye\nSubject: hello\n")]
)
def test_the_mta_may_be_chosen(probe: Probe, eml: Path, mta: str, after: bytes) -> None:
    changed = eml.with_name("changed.eml")
    done = command(eml, probe("-e", "addheader|Subject|bye").address, f"--mta={mta}", "--output", changed)
    assert (done.returncode, done.stderr) == (0, "")
    assert after in changed.read_bytes()


@pytest.mark.parametrize("name", ["timeout", "progress_timeout"])
@pytest.mark.parametrize("value", [0, -1, float("nan"), float("inf")])
def test_a_timeout_must_be_of_use(name: str, value: float) -> None:
    with temporary_socket() as address, pytest.raises(ValueError, match=f"^{name} must be a number of seconds above 0"):
        send_message(address, MESSAGE, **{name: value})  # type: ignore[arg-type]


def test_endless_progress_ends_after_progress_timeout() -> None:
    def script(sock: socket.socket) -> None:
        with contextlib.suppress(OSError):  # the client has had enough
            while read_command(sock)[:1] != b"M":
                sock.sendall(packet(b"c"))
            while True:
                sock.sendall(packet(b"p"))

    with rogue(script) as address, Client(address, timeout=0.5, progress_timeout=1) as client:
        with pytest.raises(FilterTimeout, match=r"more time at MAIL \d+ times, and gave no answer within 1 s"):
            client.play(MESSAGE)
        client.close()


@pytest.mark.parametrize("name", ["gate.py", "threads.py", "asyncio_beside.py", "processes.py"])
def test_the_examples_take_no_option_for_a_socket(tmp_path: Path, name: str) -> None:
    def example(option: str) -> subprocess.CompletedProcess[str]:
        program = [sys.executable, str(ROOT / "examples" / name), option]
        return subprocess.run(program, capture_output=True, text=True, check=False, timeout=30, cwd=tmp_path)

    shown = example("--help")
    assert (shown.returncode, shown.stderr) == (0, "")
    assert f"usage: {name}" in shown.stdout
    assert example("--socket").returncode == 2
    assert list(tmp_path.iterdir()) == []
