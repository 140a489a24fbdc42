"""The pages about Postfix, Sendmail and sockets: what they say about parameters holds on the real servers."""

from __future__ import annotations

import re
import shutil
import smtplib
import subprocess
import sys
from pathlib import Path

import pytest

from pymilter.testing import FilterProcess, free_port
from support import require, sendmail
from support.mta import socket_folder
from support.other_user import python_for
from support.postfix import ChrootedPostfix, Postfix
from support.room import PROGRAMS, Room, refused
from support.sink import Sink
from support.tracing import recorded, tracing
from support.wire import eventually

PAGES = Path(__file__).parents[2] / "docs" / "howto"
PLAIN = b"From: some@example.org\r\nTo: a@example.net\r\nSubject: one\r\n\r\nbody\r\n"


def blocks(page: str, language: str) -> list[str]:
    return re.findall(rf"^```{language}\n(.*?)^```$", (PAGES / page).read_text("utf-8"), re.DOTALL | re.MULTILINE)


@pytest.mark.parametrize("number", range(2))
def test_postfix_takes_the_lines_of_the_page(tmp_path: Path, number: int) -> None:
    postconf = require.command("postconf", "postfix")
    (tmp_path / "main.cf").write_text("compatibility_level = 3.6\n" + blocks("postfix.md", "cfg")[number])
    (tmp_path / "master.cf").touch()
    done = subprocess.run([postconf, "-c", tmp_path, "-n"], capture_output=True, text=True, timeout=60, check=False)
    assert (done.returncode, done.stderr) == (0, "")  # it warns of parameters that do not exist
    assert "smtpd_milters = " in done.stdout


def test_the_defaults_of_the_page_are_those_of_postfix() -> None:
    postconf = require.command("postconf", "postfix")
    page = (PAGES / "postfix.md").read_text("utf-8")
    found = re.findall(r"^\| `(\w+_\w+)` \| (?:`(\w+)`|\(empty\))(?:, from 3\.11 on `(\w+)`)? \|", page, re.MULTILINE)
    assert len(found) == 10
    rows = [(name, newer if newer and version() >= (3, 11) else default) for name, default, newer in found]
    done = subprocess.run(
        [postconf, "-d", *(name for name, _ in rows)], capture_output=True, text=True, timeout=60, check=True
    )
    assert done.stderr == ""
    assert [line.partition(" = ")[::2] for line in done.stdout.replace(" =\n", " = \n").splitlines()] == rows


def version() -> tuple[int, ...]:
    """The version of Postfix."""
    command: list[str | Path] = [require.command("postconf", "postfix"), "-dh", "mail_version"]
    done = subprocess.run(command, capture_output=True, text=True, timeout=60, check=True)
    return tuple(map(int, re.findall(r"\d+", done.stdout)[:2]))


WITHOUT = {
    "tempfail": "451",
    "accept": "delivered",
    "reject": "554",
    "quarantine": "held",
    "shutdown": "421",
}
"""What the client gets by `milter_default_action`."""


@pytest.mark.long
@pytest.mark.parametrize("action", WITHOUT)
def test_each_default_action(action: str) -> None:
    """The filter is there when Postfix starts, and then no more."""
    require.root("a mail server of our own")
    page = (PAGES / "postfix.md").read_text("utf-8")
    (words,) = re.findall(rf"^\| `{action}` \| (.*) \|$", page, re.MULTILINE)
    assert WITHOUT[action].replace("delivered", "passes") in words
    port = free_port()
    address = f"inet:{port}@127.0.0.1"
    settings = {"smtpd_milters": f"{{ inet:127.0.0.1:{port}, default_action={action} }}"}
    with (
        Sink() as sink,
        FilterProcess([sys.executable, PROGRAMS / "headers.py", address], address) as program,
        Postfix([], sink.port, settings) as server,
    ):
        assert program.stop() == 0
        try:
            with server.client() as client:
                client.sendmail("some@example.org", ["a@example.net"], PLAIN)
            found = "held" if server.held() else "delivered"
        except smtplib.SMTPResponseException as refusal:
            found = str(refusal.smtp_code)
    if action == "shutdown" and version() < (3, 11):
        assert found == "451"  # unknown there: "Server configuration problem"
    else:
        assert found == WITHOUT[action]


def test_what_postfix_does_without_the_filter(room: Room) -> None:
    """By default it puts mail off; a filter may have an action of its own, as the page writes it."""
    assert refused(room.client(), PLAIN)[0] == 451
    second = blocks("postfix.md", "cfg")[1].partition("{ inet:127.0.0.1:8891")[2].rpartition("}")[0]
    settings = {"smtpd_milters": f"{{ inet:127.0.0.1:{free_port()}{second}}}"}
    with Sink() as sink, Postfix([], sink.port, settings) as server, server.client() as client:
        assert client.sendmail("some@example.org", ["a@example.net"], PLAIN) == {}
        assert "connect to Milter service inet:127.0.0.1" in server.log()
        sink.wait("Subject: one")


def test_mail_that_does_not_come_by_smtp(room: Room) -> None:
    """What the page says about the session that Postfix makes up, and about the command `sendmail`."""
    program = require.command("sendmail", "postfix")
    with room.running("client.py"):
        subprocess.run(
            [program, "-C", room.postfix.folder / "etc", "-f", "cron@example.org", "a@example.net"],
            input=b"Subject: by command\n\nbody\n",
            check=True,
            timeout=60,
        )
        (known,) = room.sink.wait("Subject: by command").header("X-Client")
    assert known == "localhost[127.0.0.1]; helo=localhost; tls=none"


@pytest.mark.parametrize("number", range(2))
def test_sendmail_takes_the_lines_of_the_page(tmp_path: Path, number: int) -> None:
    m4, share = require.command("m4", "m4"), sendmail.unpacked() / "usr/share/sendmail/cf"
    source = tmp_path / "sendmail.mc"
    block = blocks("sendmail.md", "text")[number]
    source.write_text(f"OSTYPE(`linux')dnl\n{block}MAILER(`smtp')dnl\n")
    command: list[str | Path] = [m4, "-D_CF_DIR_=../", "../m4/cf.m4", source]
    done = subprocess.run(command, cwd=share / "cf", capture_output=True, text=True, timeout=60, check=True)
    assert "*** ERROR" not in done.stderr
    lines = done.stdout.splitlines()
    assert f"O InputMailFilters={('gate', 'gate, footer')[number]}" in lines
    assert [line.partition(", ")[0] for line in lines if re.match("X[a-z]", line)] == [["Xgate"], ["Xgate", "Xfooter"]][
        number
    ]
    if number == 0:
        assert "Xgate, S=unix:/run/gate/socket, F=T, T=C:30s;S:30s;R:30s;E:5m" in lines
        assert "O Milter.LogLevel=9" in lines


def test_own_socket() -> None:
    """A confined smtpd finds and opens the socket of a filter that became another user."""
    require.root("a filter that becomes another user")
    folder = socket_folder()
    settings = {"queue_directory": str(folder / "queue"), "smtpd_milters": "unix:gate/socket"}
    gate = folder / "queue" / "gate"
    gate.mkdir(parents=True)
    shutil.chown(gate, "nobody")
    address = f"unix:{gate}/socket"
    program = shutil.copy(PROGRAMS / "own_socket.py", folder)
    try:
        command: list[str | Path] = [python_for("nobody", folder), program, address, "nobody"]
        with (
            Sink() as sink,
            ChrootedPostfix([], sink.port, settings) as server,
            FilterProcess(command, address, cwd="/") as process,
        ):
            assert (gate / "socket").stat().st_mode & 0o777 == 0o660
            with server.client() as client:
                assert client.sendmail("some@example.org", ["a@example.net"], PLAIN) == {}
            assert sink.wait("Subject: one").header("X-Gate") == ["open"]
            assert process.stop() == 0, process.stderr
    finally:
        shutil.rmtree(folder)


def test_debugging(room: Room, tmp_path: Path) -> None:
    """The page's two commands: a session is recorded, and a filter that has changed answers otherwise."""
    target, file = f"inet:{free_port()}@127.0.0.1", tmp_path / "today.jsonl"
    command: list[str | Path] = [sys.executable, PROGRAMS / "headers.py", target]
    with FilterProcess(command, target), tracing(target, "--save", file, listen=room.address) as trace:
        room.deliver(PLAIN)
        eventually(lambda: trace.stdout, lambda shown: "the MTA has closed" in shown)
    assert recorded(file)
    replay: list[str | Path] = [
        sys.executable,
        "-m",
        "pymilter",
        "replay",
        file,
        room.address,
        "--ignore",
        "dates",
        "--ignore",
        "ids",
    ]
    with room.running("headers.py"):
        done = subprocess.run(replay, capture_output=True, text=True, timeout=60, check=False)
        assert (done.returncode, done.stderr) == (0, ""), done.stdout
    with room.running("client.py"):
        assert subprocess.run(replay, capture_output=True, timeout=60, check=False).returncode == 1
