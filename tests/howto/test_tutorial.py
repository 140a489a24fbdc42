"""The tutorial, step by step: each file does what its page says."""

from __future__ import annotations

import os
import re
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

from pymilter.testing import FilterProcess, temporary_socket
from support import require
from support.commands import in_pipe
from support.mta import free_port
from support.postfix import Postfix
from support.room import Room, refused
from support.sink import Sink

ROOT = Path(__file__).parents[2]
STEPS = ROOT / "examples" / "tutorial"
PAGES = ROOT / "docs" / "tutorial"
HELLO = STEPS / "step3" / "hello.eml"
# Each reader has one folder, in which the file of step 7 still lies at step 9.
SETTINGS = {"GATE_CONFIG": str(STEPS / "step7" / "gate.toml")}
TAGGED = "+Subject: [EXTERNAL] Hello"


def played(step: int, *options: str) -> tuple[int, str]:
    """What `pymilter send` shows of the program of a step, and its exit status."""
    with (
        temporary_socket() as address,
        FilterProcess([sys.executable, STEPS / f"step{step}" / "gate.py", address], address, env=SETTINGS) as program,
    ):
        done = in_pipe("send", *options, HELLO, address)
        assert program.stop() == 0, program.stderr
    assert done.stderr == ""
    return done.returncode, done.stdout


def test_the_first_filter() -> None:
    done = subprocess.run(
        [sys.executable, "-m", "pymilter", "check", "gate:gate"],
        cwd=STEPS / "step2",
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )
    assert (done.returncode, done.stderr) == (0, "")
    status, shown = played(2)
    assert status == 0
    assert "X-Gate: open" in shown


def test_refusals() -> None:
    status, shown = played(4, "--exit-code", "--from", "x@spam.example")
    assert status == 10
    assert "550 5.7.1 We do not take mail from this domain" in shown
    status, shown = played(4, "--exit-code", "--to", "nobody@example.net", "--to", "grace@example.net")
    assert status == 0
    assert "550 5.1.1 There is nobody of that name" in shown


@pytest.mark.parametrize("step", [5, 7, 9])
def test_changes(step: int) -> None:
    status, shown = played(step, "--diff")
    assert status == 0
    assert TAGGED in shown
    assert "+This message came from outside." in shown
    _, shown = played(step, "--diff", "--from", "ben@example.net")
    assert TAGGED not in shown


def test_the_tests_of_the_tutorial(tmp_path: Path) -> None:
    for name in ("step5/gate.py", "step6/test_gate.py"):
        shutil.copy(STEPS / name, tmp_path)
    command = [sys.executable, "-m", "pytest", "-q", "-p", "no:cacheprovider"]
    done = subprocess.run(command, cwd=tmp_path, capture_output=True, text=True, timeout=100, check=False)
    assert done.returncode == 0, done.stdout
    assert "5 passed" in done.stdout


def test_a_wrong_file_of_settings_ends_the_start(tmp_path: Path) -> None:
    file = tmp_path / "gate.toml"
    file.write_text("blocked = [\n")
    done = subprocess.run(
        [sys.executable, STEPS / "step7" / "gate.py", f"unix:{tmp_path}/socket"],
        env=os.environ | {"GATE_CONFIG": str(file)},
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )
    assert done.returncode == 1
    assert "TOMLDecodeError" in done.stderr


def test_behind_postfix() -> None:
    """The lines of main.cf, but for the port, and the line of the log that the page shows, but for the queue id."""
    require.root("a mail server of our own")
    port = free_port()
    lines = (STEPS / "step8" / "main.cf").read_text().replace("8890", str(port))
    settings = dict(re.findall(r"^(\w+) = (.*)$", lines, re.MULTILINE))
    assert len(settings) == 3
    settings |= {"smtpd_authorized_xclient_hosts": "127.0.0.0/8", "mynetworks": "0.0.0.0/0"}
    address = f"inet:{port}@127.0.0.1"
    with Sink() as sink, Postfix([], sink.port, settings) as server:
        room = Room(address, sink, server, server.folder)
        with FilterProcess([sys.executable, STEPS / "step9" / "gate.py", address], address, env=SETTINGS) as program:
            with room.client(addr="192.0.2.7", name="mail.example.org") as client:
                assert client.sendmail("ada@example.org", ["grace@example.net"], HELLO.read_bytes()) == {}
            delivery = sink.wait("hello@example.org")
            assert delivery.header("Subject") == ["[EXTERNAL] Hello"]
            assert program.stop() == 0
        (queue_id,) = re.findall(r"\bid (\w+)", delivery.header("Received")[0])
        (shown,) = re.findall(r"^```text\n(.*)\n```$", (PAGES / "09-log.md").read_text("utf-8"), re.MULTILINE)
        assert re.sub(r"^INFO \w+", f"INFO {queue_id}", shown) in program.stderr.splitlines()
        assert refused(room.client(), HELLO.read_bytes()) == (451, "4.7.1 Service unavailable - try again later")


def test_the_service() -> None:
    """What the last page copies is what the unit starts; tests/ops has the units themselves."""
    page = (PAGES / "10-service.md").read_text("utf-8")
    unit = (ROOT / "examples" / "pymilter-gate.service").read_text()
    folder = Path("/opt/gate")
    assert f"cp gate.py gate.toml {folder}/\n" in page
    assert f"ExecStart={folder}/venv/bin/python {folder}/gate.py systemd:\n" in unit
    assert f"python3 -m venv {folder}/venv\n" in (PAGES / "01-install.md").read_text("utf-8")
    steps = re.findall(r"^#   (.*)$", (ROOT / "examples" / "pymilter-gate.socket").read_text(), re.MULTILINE)
    assert "\n".join(steps) in page


def test_ten_steps() -> None:
    assert [page.name[:2] for page in sorted(PAGES.glob("[0-9]*.md"))] == [f"{number:02}" for number in range(1, 11)]
