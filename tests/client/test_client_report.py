"""The readable report, and the command that prints it."""

from __future__ import annotations

import io
import os
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import pytest

import pymilter.testing
from pymilter.testing import Client, FilterProcess, Protocol, Result, print_result, send_message

Probe = Callable[..., FilterProcess]

MESSAGE = b"From: Ann <ann@example.org>\nTo: bob@example.net\nCc: Al <al@example.net>\nSubject: hello\n\nline\n"


def report(result: Result, *, colour: bool | None = None) -> str:
    out = io.StringIO()
    print_result(result, out, colour=colour)
    return out.getvalue()


def squeezed(text: str) -> list[str]:
    return [" ".join(line.split()) for line in text.splitlines()]


def test_an_accepted_and_changed_message(probe: Probe) -> None:
    edits = ["addheader|X-Gate|open", "chgheader|1|Subject|bye", "chgheader|1|Cc|", "insheader|0|X-Top|1"]
    edits += ["delrcpt|<al@example.net>", "addrcpt_par|<x@y>|NOTIFY=NEVER", "chgfrom|<n@y>|RET=FULL"]
    edits += ["quarantine|odd", "replacebody|new\r\n"]
    process = probe(*[word for edit in edits for word in ("-e", edit)], "-P", hex(Protocol.NR_HDR))
    text = report(send_message(process.address, MESSAGE, "ann@example.org", ["bob@example.net", "al@example.net"]))
    lines = squeezed(text)
    for line in (
        "CONNECT client.example.com [192.0.2.1] continue",
        "MAIL <ann@example.org> continue",
        "HEADER Subject: hello no reply",
        "EOM continue, 9 edits",
        "add header X-Gate: open",
        "change header Subject, number 1, to: bye",
        "delete header Cc, number 1",
        "insert header at 0, X-Top: 1",
        "delete recipient <al@example.net>",
        "add recipient <x@y> NOTIFY=NEVER",
        "change sender <n@y> RET=FULL",
        "quarantine odd",
        "replace body 5 bytes",
        "Verdict accept, decided at EOM",
        "SMTP reply 250 2.0.0 Ok: queued as 0000000001",
        "From <n@y> RET=FULL",
        "To <bob@example.net>, <x@y>",
        "On hold odd",
        "-Subject: hello",
        "+Subject: bye",
        "+new",
        "-line",
    ):
        assert line in lines, line
    assert "\x1b" not in text


def test_a_refused_message(probe: Probe) -> None:
    result = send_message(probe("-r", "eom=550 5.7.1 no|never", "-e", "addheader|A|b").address, MESSAGE)
    lines = squeezed(report(result))
    assert "EOM reject: 550-5.7.1 no / 550 5.7.1 never, 1 edit" in lines
    assert lines[lines.index("SMTP reply 550-5.7.1 no") + 1] == "550 5.7.1 never"
    assert "Edits (not used: the message is not delivered)" in lines
    assert lines[-1] == "The message is not delivered."


def test_an_unchanged_message(probe: Probe) -> None:
    assert squeezed(report(send_message(probe().address, MESSAGE)))[-1] == "The message is unchanged, byte for byte."


def test_many_body_chunks_are_one_run(probe: Probe) -> None:
    with Client(probe().address) as client:
        lines = squeezed(report(client.play(MESSAGE + b"x" * 100, chunk_size=5)))
    assert sum(line.startswith("BODY 5 bytes") for line in lines) == 3
    assert "BODY 19 more, answered alike" in lines


def test_a_huge_change_is_cut(probe: Probe) -> None:
    message = b"A: b\n\n" + b"line\n" * 5000
    text = report(send_message(probe("-e", "replacebody|x\r\n").address, message))
    assert "(lines after the first 2000 were not compared)" in text


def test_nothing_in_a_message_reaches_the_terminal_raw(probe: Probe) -> None:
    message = b"Subject: \x1b[2J\xa6\r\nX: \xc2\x9b\r\n\r\n\x07\r\n"
    process = probe(
        "-e", "addheader|X-Esc|\x1b]0;title\x07", "-e", "quarantine|\x1b[31m", "-e", "replacebody|\x1b[5m\r\n"
    )
    text = report(send_message(process.address, message, "a\x1b@x"), colour=False)
    assert all(char.isprintable() or char in "\n\t" for char in text)
    assert r"Subject: \x1b[2J\xa6" in text
    assert text.encode("utf-8")


def test_colour_only_on_a_terminal_or_on_demand(probe: Probe, monkeypatch: pytest.MonkeyPatch) -> None:
    class Terminal(io.StringIO):
        def isatty(self) -> bool:
            return True

    monkeypatch.delenv("NO_COLOR", raising=False)
    result = send_message(probe("-e", "addheader|A|b").address, MESSAGE)
    plain = report(result)
    assert "\x1b" not in plain
    terminal = Terminal()
    print_result(result, terminal)
    assert "\x1b[32maccept\x1b[0m" in terminal.getvalue()
    assert report(result, colour=True) == terminal.getvalue()
    monkeypatch.setenv("NO_COLOR", "1")
    quiet = Terminal()
    print_result(result, quiet)
    assert quiet.getvalue() == plain


def command(*arguments: str) -> subprocess.CompletedProcess[str]:
    path = str(Path(pymilter.testing.__file__).parents[2])
    return subprocess.run(
        [sys.executable, "-m", "pymilter.testing", *arguments],
        capture_output=True,
        text=True,
        check=False,
        timeout=60,
        env={**os.environ, "PYTHONPATH": path},
    )


def test_the_command(probe: Probe, tmp_path: Path) -> None:
    eml, changed = tmp_path / "message.eml", tmp_path / "changed.eml"
    eml.write_bytes(MESSAGE)
    process = probe("-e", "addheader|X-Gate|open", "-m", "eom=i")
    done = command(str(eml), process.address, "--output", str(changed), "--macro", "i=QUEUE")
    assert (done.returncode, done.stderr) == (0, "")
    lines = squeezed(done.stdout)
    assert "MAIL <ann@example.org> continue" in lines
    assert "RCPT <bob@example.net> continue" in lines
    assert "RCPT <al@example.net> continue" in lines
    assert "+X-Gate: open" in lines
    assert changed.read_bytes() == MESSAGE.replace(b"\n\n", b"\nX-Gate: open\n\n")
    assert "eom i=QUEUE" in process.stdout


def test_the_commands_options(probe: Probe, tmp_path: Path) -> None:
    eml = tmp_path / "message.eml"
    eml.write_bytes(MESSAGE)
    process = probe()
    options = "--from s@x --to r@x --to t@x --client-name cn --client-address 2001:db8::1 --helo he"
    assert command(str(eml), process.address, *options.split()).returncode == 0
    assert process.stdout.splitlines()[1:6] == [
        "connect [cn] inet6 2001:db8::1 49152",
        "helo [he]",
        "mail [<s@x>]",
        "rcpt [<r@x>]",
        "rcpt [<t@x>]",
    ]


def test_the_commands_errors(tmp_path: Path) -> None:
    eml = tmp_path / "message.eml"
    eml.write_bytes(MESSAGE)
    gone = command(str(eml), f"unix:{tmp_path}/none.sock")
    assert gone.returncode == 1
    assert gone.stderr.startswith("python -m pymilter.testing: cannot connect to unix:")
    assert "error: argument SOCKET: socket is 'nonsense:1'" in command(str(eml), "nonsense:1").stderr
    assert "cannot read" in command(str(tmp_path / "absent.eml"), "unix:/x").stderr
    assert "NAME=VALUE" in command(str(eml), "unix:/x", "--macro", "i").stderr
