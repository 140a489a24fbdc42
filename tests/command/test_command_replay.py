"""`pymilter replay`: recordings of any kind are played, and whatever is answered otherwise is told."""

from __future__ import annotations

import json
import sys
from collections.abc import Callable
from pathlib import Path

import pytest

from pymilter._command.ignored import Ignored, ignored
from pymilter.testing import Client, FilterGone, FilterProcess, Protocol, send_message, temporary_socket
from support.cfilter import probe as cprobe
from support.cfilter.fixtures import Probe
from support.commands import in_pipe, in_terminal
from support.tracing import tracing

pytestmark = pytest.mark.timeout(90)

MESSAGE = b"From: ann@example.org\r\nTo: bob@example.net\r\nSubject: hello\r\n\r\nline\r\n"
POSTFIX = Path(__file__).with_name("recordings") / "postfix.jsonl"
Record = Callable[..., Path]


@pytest.fixture
def record(probe: Probe, tmp_path: Path) -> Record:
    """Records a session of two messages with the C filter: `record("-r", "mail=reject")`."""

    def session(*options: str) -> Path:
        file = tmp_path / "recording"
        with tracing(probe(*options).address, "--save", file) as trace:
            client = Client(trace.address)
            client.play(MESSAGE, "a@example.org", ["b@example.net", "c@example.net"])
            if not client.closed:
                client.play(MESSAGE.replace(b"hello", b"bye"))
                client.quit()
        return file

    return session


def test_the_same_filter_answers_the_same(probe: Probe, record: Record) -> None:
    edits = ["-e", "addheader|A|b", "-e", "replacebody|new\r\n"]
    options = [*edits, "-r", "rcpt@c@=550 5.1.1 no", "-P", hex(Protocol.NR_HDR)]
    file = record(*options)
    filter_ = probe(*options)
    done = in_pipe("replay", file, filter_.address)
    assert (done.returncode, done.stderr) == (0, "")
    assert done.stdout == "1 connection, 16 answers, 0 of them differ\n"
    told = [line.split()[0] for line in cprobe.log(filter_)]
    assert (told.count("header"), told.count("eom"), told.count("connect")) == (6, 2, 1)


def test_macros_are_played(probe: Probe, record: Record) -> None:
    filter_ = probe("-m", "eom=i")
    assert in_pipe("replay", record(), filter_.address).returncode == 0
    assert "macro i [0000000002]" in filter_.stdout or "0000000002" in filter_.stdout


@pytest.mark.parametrize(
    ("before", "now", "step", "told"),
    [
        ([], ["-r", "mail=550 5.7.1 go away"], "MAIL <a@example.org>", ["-continue", "+reject 550 5.7.1 go away"]),
        (["-r", "eom=accept"], ["-r", "eom=discard"], "EOM", ["-accept", "+discard"]),
        (["-e", "addheader|A|b"], ["-e", "addheader|A|c"], "EOM", ["-add header       A: b", "+add header       A: c"]),
        (["-e", "addheader|A|b"], [], "EOM", ["-add header       A: b"]),
        ([], ["-e", "quarantine|odd"], "EOM", ["+quarantine       odd"]),
        (
            ["-e", "replacebody|a\r\nb\r\n"],
            ["-e", "replacebody|a\r\nc\r\n"],
            "EOM",
            ["-  b", "+  c"],
        ),
        ([], ["-r", "rcpt@c@=451 4.7.1 later"], "RCPT <c@example.net>", ["-continue", "+tempfail 451 4.7.1 later"]),
        ([], ["-r", "connect=reject"], "CONNECT client.example.com [192.0.2.1] port 49152", ["-continue", "+reject"]),
        ([], ["-P", hex(Protocol.NOHELO)], "negotiation", ["-protocol none", "+protocol NOHELO"]),
        ([], ["-P", hex(Protocol.NR_HDR)], "negotiation", ["-protocol none", "+protocol NR_HDR"]),
        (["-P", hex(Protocol.NR_HDR)], [], "negotiation", ["-protocol NR_HDR", "+protocol none"]),
        ([], ["-x", "eoh"], "EOH", ["-continue", "+no answer: the filter closed the connection"]),
    ],
)
def test_other_answers_are_told(
    probe: Probe, record: Record, before: list[str], now: list[str], step: str, told: list[str]
) -> None:
    file = record(*before)
    done = in_pipe("replay", file, probe(*now).address)
    assert done.returncode == 1
    lines = done.stdout.splitlines()
    assert f"connection 1, {step}" in lines
    for line in told:
        assert f"  {line}" in lines, line


def test_json_has_a_line_for_each_difference(probe: Probe, record: Record) -> None:
    done = in_pipe("replay", "--json", record(), probe("-r", "eom=550 5.7.1 no").address)
    assert (done.returncode, done.stderr) == (1, "")
    assert [json.loads(line) for line in done.stdout.splitlines()] == [
        {"connection": 1, "step": "EOM", "recorded": ["continue"], "now": ["reject 550 5.7.1 no"]}
    ] * 2


def test_what_may_differ_does_not_count(probe: Probe, record: Record) -> None:
    def seen(date: str, queue_id: str) -> list[str]:
        return ["-e", f"addheader|X-Seen|by mx, id {queue_id}; {date}", "-r", f"rcpt@c@=550 5.1.1 no ({queue_id[5:]})"]

    file = record(*seen("Thu, 26 Nov 2026 15:38:23 +0000 (UTC)", "4AB3CDEF0123456789"))
    address = probe(*seen("Fri, 27 Nov 2026 5:00:00 +0100", "9F8E7D6C5B2345678A")).address

    def status(*ignored: str) -> int:
        return in_pipe("replay", *(f"--ignore={what}" for what in ignored), file, address).returncode

    assert [status(), status("ids"), status("dates"), status("field:x-seen")] == [1, 1, 1, 1]
    assert [status("dates", "ids"), status("field:x-seen", "/no .*/"), status("field:x-seen", "ids")] == [0, 0, 0]


@pytest.mark.parametrize(
    ("what", "text", "left"),
    [
        ("dates", "Thu, 26 Nov 2026 15:38:23 +0000 (UTC) x", "* x"),
        ("dates", "at 2026-11-26T15:38:23.746Z and 2026-11-26", "at * and *"),
        ("dates", "t=1795707503; b", "t=*; b"),
        ("dates", "550 5.7.1 call 192.0.2.1 or 12345", "550 5.7.1 call 192.0.2.1 or 12345"),
        ("ids", "id 4XyZ1234", "id 4XyZ1234"),
        ("ids", "queued as 0A1B2C3D4E.", "queued as *."),
        ("ids", "queued as 3Pt2mN2VXxznjll as well", "queued as * as well"),
        ("ids", "id 5AQFcNdx012345", "id *"),
        ("ids", "7d444840-9dc0-11d1-b245-5ffdce74fad2", "*"),
        ("ids", "Wednesday defaced somewhere", "Wednesday defaced somewhere"),
        ("/[0-9]+ms/", "took 12ms", "took *"),
    ],
)
def test_what_is_ignored(what: str, text: str, left: str) -> None:
    assert Ignored([ignored(what)]).text(text) == left


def test_a_filter_that_dies_in_a_recording(probe: Probe, tmp_path: Path) -> None:
    file = tmp_path / "recording"
    with tracing(probe("-x", "eoh").address, "--save", file) as trace, pytest.raises(FilterGone):
        send_message(trace.address, MESSAGE)
    done = in_pipe("replay", file, probe("-x", "eoh").address)
    assert (done.returncode, done.stderr) == (0, "")
    done = in_pipe("replay", file, probe().address)
    assert done.returncode == 1
    assert "  -no answer: the filter closed the connection\n  +continue\n" in done.stdout


def test_an_mta_that_breaks_off_in_a_recording(probe: Probe, tmp_path: Path) -> None:
    file = tmp_path / "recording"
    filter_ = probe()
    with tracing(filter_.address, "--save", file) as trace:
        client = Client(trace.address)
        client.connect()
        client.mail("<a@example.org>")
        client.close()
        while "close" not in filter_.stdout.split():
            pass
    done = in_pipe("replay", file, filter_.address)
    assert (done.returncode, done.stdout) == (0, "1 connection, 3 answers, 0 of them differ\n")


def test_a_recording_that_ends_in_the_middle(probe: Probe, record: Record) -> None:
    file = record()
    lines = file.read_text().splitlines(keepends=True)
    for end in range(2, len(lines)):
        file.write_text("".join(lines[:end]))
        if end in (2, 3) or end % 7 == 0:
            assert in_pipe("replay", file, probe().address).returncode in (0, 1), end
    file.write_text("".join(lines)[:-20])
    done = in_pipe("replay", file, "unix:/x")
    assert done.returncode == 2
    assert done.stderr.endswith("it is not a JSON object; the end of the file is missing\n")


def test_what_is_no_recording_is_told(tmp_path: Path) -> None:
    file = tmp_path / "recording"
    file.write_text("hello\n")
    done = in_pipe("replay", file, "unix:/x")
    assert (done.returncode, done.stderr) == (
        2,
        f"pymilter replay: {file} is no recording of `pymilter trace --save`: see its first line\n",
    )


def test_a_recording_that_makes_no_sense_is_told(probe: Probe, tmp_path: Path) -> None:
    file = tmp_path / "recording"
    head = {"recording": "pymilter trace", "format": 1}
    lines = [head, {"t": 0, "c": 4, "from": "filter", "packet": "c"}, {"t": 0, "c": 5, "from": "mta", "bytes": "GET"}]
    file.write_text("".join(f"{json.dumps(line)}\n" for line in lines))
    done = in_pipe("replay", file, probe().address)
    assert done.returncode == 1
    assert done.stderr == (
        "pymilter replay: connection 4: the recording does not begin with a negotiation\n"
        "pymilter replay: connection 5: not played: the mta said what is no packet\n"
    )
    assert done.stdout == "2 connections, 0 answers, 0 of them differ, 2 not played to the end\n"


def test_bad_arguments_are_told(tmp_path: Path, record: Record) -> None:
    done = in_pipe("replay", tmp_path / "none", "unix:/x")
    assert (done.returncode, done.stderr) == (
        2,
        f"pymilter replay: cannot read {tmp_path}/none: No such file or directory\n",
    )
    assert (
        in_pipe("replay", "--ignore=/(/", "f", "unix:/x")
        .stderr.splitlines()[-1]
        .startswith("pymilter replay: error: argument --ignore: '/(/' is no regular expression: ")
    )
    done = in_pipe("replay", "--ignore=id", "f", "unix:/x")
    assert "argument --ignore: 'id' is none of 'dates', 'ids', 'field:NAME' and '/REGEX/'" in done.stderr
    done = in_pipe("replay", record(), f"unix:{tmp_path}/none")
    assert done.returncode == 1
    assert f"connection 1: cannot connect to unix:{tmp_path}/none: " in done.stderr


@pytest.mark.parametrize("changed", [False, True])
def test_a_recorded_session_of_postfix(tmp_path: Path, changed: bool) -> None:
    """Made by tests/mta/test_mta_trace.py, with examples/gate.py behind the trace."""
    program = tmp_path / "gate.py"
    source = (Path(__file__).parents[2] / "examples" / "gate.py").read_text()
    program.write_text(source.replace("There is nobody here", "Nobody is here") if changed else source)
    with temporary_socket() as address, FilterProcess([sys.executable, program, address], address):
        done = in_pipe("replay", POSTFIX, address)
    assert done.returncode == int(changed), done.stdout
    assert done.stdout.splitlines()[-1] == f"2 connections, 7 answers, {int(changed)} of them differ"
    assert ("  +reject 550 5.1.1 Nobody is here of that name" in done.stdout) is changed


def test_a_terminal_has_colours(probe: Probe, record: Record) -> None:
    status, shown = in_terminal("replay", record(), probe("-r", "eom=reject").address, columns=40)
    assert status == 1
    assert "\x1b[31m-continue\x1b[0m" in shown
    assert "\x1b[32m+reject\x1b[0m" in shown


def test_differences_fit_the_terminal(probe: Probe, record: Record) -> None:
    reply = "550 5.7.1 a reply of many words, which does not fit into a line of a narrow terminal"
    file, address = record(), probe("-r", f"eom={reply}").address
    status, shown = in_terminal("replay", file, address, columns=40, NO_COLOR="1")
    assert status == 1
    assert max(map(len, shown.splitlines())) <= 40
    assert reply in " ".join(shown.split())
    assert f"  +reject {reply}" in in_pipe("replay", file, address).stdout.splitlines()
