"""`pymilter send`: several messages, standard input, JSON, verdicts as exit status, times, any kind of terminal."""

from __future__ import annotations

import json
import os
import re
import signal
import subprocess
from pathlib import Path

import pytest

from pymilter.testing import Protocol
from support.cfilter import probe as cprobe
from support.cfilter.fixtures import Probe
from support.commands import argv, environment, in_pipe, in_terminal, read_to_end, start_in_terminal

pytestmark = pytest.mark.timeout(60)


def squeezed(text: str) -> list[str]:
    return [" ".join(line.split()) for line in text.splitlines()]


def test_several_messages_go_over_one_connection(probe: Probe, eml: Path) -> None:
    process = probe()
    done = in_pipe("send", eml, "-", process.address, stdin=b"From: <b@example.org>\n\nsecond\n")
    assert (done.returncode, done.stderr) == (0, "")
    assert [line for line in done.stdout.splitlines() if line.startswith("== ")] == [f"== {eml}", "== standard input"]
    told = [line.split()[0] for line in cprobe.log(process)]
    assert (told.count("connect"), told.count("mail"), told.count("eom")) == (1, 2, 2)


def test_a_connection_that_is_ended_by_421_is_opened_anew(probe: Probe, eml: Path) -> None:
    process = probe("-r", "rcpt=421 4.7.0 later")
    done = in_pipe("send", "--expect=tempfail", eml, eml, process.address)
    assert (done.returncode, done.stderr) == (0, "")
    assert [line.split()[0] for line in cprobe.log(process)].count("connect") == 2


def test_standard_input_is_read_once(eml: Path) -> None:
    done = in_pipe("send", "-", "-", "unix:/x")
    assert (done.returncode, done.stderr) == (2, "pymilter send: standard input (-) can be read only once\n")


def test_options_may_stand_between_messages(probe: Probe, eml: Path) -> None:
    done = in_pipe("send", eml, "--from=x@example.org", eml, "--to", "y@example.net", probe().address)
    assert (done.returncode, done.stderr) == (0, "")
    assert squeezed(done.stdout).count("MAIL <x@example.org> continue") == 2


def test_json_has_a_line_for_each_message(probe: Probe, eml: Path) -> None:
    process = probe("-e", "addheader|X-Gate|caf\xe9", "-e", "replacebody|\x01new\r\n")
    done = in_pipe("send", "--json", eml, eml, process.address)
    assert (done.returncode, done.stderr) == (0, "")
    first, second = map(json.loads, done.stdout.splitlines())
    assert first["name"] == str(eml)
    assert (first["outcome"], first["verdict"], first["decided_at"]) == ("accept", "accept", "EOM")
    assert first["edits"] == [
        {"edit": "AddHeader", "name": "X-Gate", "value": "caf\xe9"},
        {"edit": "ReplaceBody", "data": "\x01new\r\n"},
    ]
    assert first["changed"] is True
    assert first["message"].endswith("X-Gate: caf\xe9\n\n\x01new\n")
    assert first["recipients"] == ["<bob@example.net>"]
    assert [step["step"] for step in first["transcript"]][:3] == ["CONNECT", "HELO", "MAIL"]
    assert [step["step"] for step in second["transcript"]][:1] == ["MAIL"]
    assert first["seconds"] > 0


def test_bytes_that_are_no_utf8_survive_json(probe: Probe, eml: Path) -> None:
    eml.write_bytes(b"Subject: \xa6\n\nx\n")
    done = in_pipe("send", "--json", eml, probe("-e", "addheader|A|b").address)
    message = json.loads(done.stdout)["message"]
    assert message.encode("utf-8", "surrogateescape") == b"Subject: \xa6\nA: b\n\nx\n"


VERDICTS = {
    "accept": [],
    "reject": ["-r", "mail=550 5.7.1 no"],
    "tempfail": ["-r", "eom=tempfail"],
    "discard": ["-r", "eom=discard"],
    "quarantine": ["-e", "quarantine|odd"],
}


@pytest.mark.parametrize(("verdict", "status"), list(zip(VERDICTS, (0, 10, 11, 12, 13), strict=True)))
def test_verdicts_can_be_expected_and_told_by_the_exit_status(
    probe: Probe, eml: Path, verdict: str, status: int
) -> None:
    address = probe(*VERDICTS[verdict]).address
    assert in_pipe("send", eml, address).returncode == 0
    assert in_pipe("send", "--exit-code", eml, address).returncode == status
    for expected in VERDICTS:
        done = in_pipe("send", "--expect", expected, eml, address)
        if expected == verdict:
            assert (done.returncode, done.stderr) == (0, "")
        else:
            assert done.returncode == 1
            assert f"pymilter send: {eml}: expected {expected}, got {verdict}: " in done.stderr


def test_the_exit_status_is_the_highest_of_all_messages(probe: Probe, eml: Path, tmp_path: Path) -> None:
    other = tmp_path / "other.eml"
    other.write_bytes(b"From: bad@example.org\n\nx\n")
    address = probe("-r", "mail@bad=reject").address
    assert in_pipe("send", "--exit-code", other, eml, address).returncode == 10
    done = in_pipe("send", "--expect=accept", other, eml, address)
    assert (done.returncode, done.stderr.count("expected accept, got reject")) == (1, 1)


def test_repeated_messages_are_timed(probe: Probe, eml: Path) -> None:
    process = probe("-r", "mail=550 5.7.1 no")
    done = in_pipe("send", "--repeat=5", eml, eml, process.address)
    assert (done.returncode, done.stderr) == (0, "")
    messages, verdicts, times = done.stdout.splitlines()
    assert re.fullmatch(r"Messages +10 in [0-9.]+ s, [0-9.]+ a second", messages)
    assert re.fullmatch(r"Verdicts +reject 10", verdicts)
    number = r"[0-9]+\.[0-9]{2} ms"
    assert re.fullmatch(rf"Time +shortest {number}, median {number}, 95 % {number}, longest {number}", times)
    assert [line.split()[0] for line in cprobe.log(process)].count("connect") == 1
    shown = in_terminal("send", "--repeat=5", eml, process.address, columns=40, NO_COLOR="1")[1].splitlines()
    assert max(map(len, shown)) <= 40
    assert re.search(
        rf"Time shortest {number}, median {number}, 95 % {number}, longest", " ".join(" ".join(shown).split())
    )


def test_the_changes_alone_are_shown(probe: Probe, eml: Path) -> None:
    done = in_pipe("send", "--diff", eml, probe("-e", "addheader|A|b").address)
    assert done.stdout.splitlines() == [
        "--- as received",
        "+++ as changed",
        "@@ -1,5 +1,6 @@",
        " From: Ann <ann@example.org>",
        " To: bob@example.net",
        " Subject: hello",
        "+A: b",
        " ",
        " line",
    ]
    assert in_pipe("send", "--diff", eml, probe().address).stdout == ""


def test_a_legend_says_what_is_no_answer(probe: Probe, eml: Path) -> None:
    shown = in_pipe("send", eml, probe("-P", hex(Protocol.NOHELO | Protocol.NR_HDR)).address).stdout
    assert "  (not sent: the filter asked the MTA to leave this step out" in shown
    assert "  (no reply: the filter gets this step, and the MTA does not wait" in shown
    shown = in_pipe("send", eml, probe().address).stdout
    assert "not sent" not in shown
    assert "no reply" not in shown


def test_a_terminal_has_colours_and_a_pipe_has_none(probe: Probe, eml: Path) -> None:
    address = probe().address
    assert "\x1b" not in in_pipe("send", eml, address).stdout
    assert "\x1b[32maccept\x1b[0m" in in_terminal("send", eml, address)[1]
    assert "\x1b" not in in_terminal("send", eml, address, TERM="dumb")[1]
    assert "\x1b" not in in_terminal("send", eml, address, NO_COLOR="1")[1]
    assert "\x1b[32maccept\x1b[0m" in in_pipe("send", eml, address, FORCE_COLOR="1").stdout
    assert "\x1b" not in in_pipe("send", eml, address, FORCE_COLOR="1", NO_COLOR="1").stdout
    assert "\x1b[32maccept\x1b[0m" in in_terminal("send", eml, address, NO_COLOR="")[1]


@pytest.mark.parametrize("columns", [40, 80, 200])
def test_the_session_fits_the_terminal(probe: Probe, eml: Path, columns: int) -> None:
    eml.write_bytes(b"Subject: " + "漢字".encode() * 100 + b"\nX: " + b"y" * 500 + b"\n\nx\n")
    reply = "550 5.7.1 a reply of many words, which does not fit beside its step"
    address = probe("-r", f"eom={reply}", "-P", hex(Protocol.NR_HDR)).address
    shown = in_terminal("send", eml, address, columns=columns, NO_COLOR="1")[1]
    session = shown.partition("\n\n")[0].splitlines()
    assert max(len(line) + sum(char in "漢字" for char in line) for line in session) <= columns
    assert reply in " ".join(shown.split())
    assert sum(line.endswith("no reply") for line in session) == 2
    assert in_pipe("send", eml, address, COLUMNS=str(columns)).stdout == shown


def test_a_reader_that_has_seen_enough_is_no_error(probe: Probe, eml: Path) -> None:
    read, write = os.pipe()
    os.close(read)
    try:
        command = argv("send", "--expect=reject", eml, probe().address)
        done = subprocess.run(
            command, stdout=write, stderr=subprocess.PIPE, text=True, check=False, timeout=60, env=environment()
        )
    finally:
        os.close(write)
    assert done.returncode == 1  # as without head: the verdict is not the expected one
    assert done.stderr == f"pymilter send: {eml}: expected reject, got accept: 250 2.0.0 Ok: queued as 0000000001\n"


def test_a_full_disk_is_told(probe: Probe, eml: Path) -> None:
    if not Path("/dev/full").exists():
        pytest.skip("no /dev/full on this system")
    with open("/dev/full", "w") as full:  # noqa: PTH123
        command = argv("send", eml, probe().address)
        done = subprocess.run(
            command, stdout=full, stderr=subprocess.PIPE, text=True, check=False, timeout=60, env=environment()
        )
    assert (done.returncode, done.stderr) == (
        1,
        "pymilter send: cannot write the output: No space left on device\n",
    )


def test_ctrl_c_in_a_terminal_ends_it_without_a_traceback(probe: Probe, eml: Path) -> None:
    process = probe("-w", "helo")
    running, master = start_in_terminal("send", eml, process.address)
    with running:
        while "connect" not in process.stdout:
            assert running.poll() is None
        os.write(master, b"\x03")
        assert running.wait(30) == 130
        assert read_to_end(master) == "^C"


def test_hangup_ends_it(probe: Probe, eml: Path) -> None:
    process = probe("-w", "helo")
    running, master = start_in_terminal("send", eml, process.address)
    with running:
        while "connect" not in process.stdout:
            assert running.poll() is None
        os.close(master)
        assert running.wait(30) == -signal.SIGHUP


@pytest.mark.parametrize(
    ("arguments", "told"),
    [
        (["absent.eml", "unix:/x"], "pymilter send: cannot read absent.eml: No such file or directory"),
        (["/", "unix:/x"], "pymilter send: cannot read /: Is a directory"),
        (["/dev/null", "/dev/null", "unix:/x", "--output=x"], "pymilter send: --output is for one message"),
        (["unix:/x"], "the following arguments are required: "),
        (["/dev/null", "inet:127.0.0.1:8890"], "argument SOCKET: socket is 'inet:127.0.0.1:8890': write inet:8890@127"),
        (["/dev/null", "unix:/x", "--repeat=0"], "argument --repeat: '0' is not a whole number of at least 1"),
        (["/dev/null", "unix:/x", "--expect=skip"], "argument --expect: invalid choice: 'skip' (choose from "),
        (["/dev/null", "unix:/x", "--json", "--diff"], "argument --diff: not allowed with argument --json"),
        (["/dev/null", "unix:/x", "--rep=2"], "unrecognized arguments: --rep=2"),
    ],
)
def test_bad_arguments_are_told_in_one_line(arguments: list[str], told: str) -> None:
    done = in_pipe("send", *arguments)
    assert done.returncode == 2
    assert told in done.stderr.splitlines()[-1]
    assert "Traceback" not in done.stderr


def test_a_filter_that_is_not_there_is_told(tmp_path: Path, eml: Path) -> None:
    done = in_pipe("send", eml, tmp_path / "none")
    assert done.returncode == 1
    assert done.stderr == f"pymilter send: cannot connect to unix:{tmp_path}/none: No such file or directory\n"
