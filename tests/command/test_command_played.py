"""`send`, `inspect` and `replay` as whole commands in the test's own process, with a scripted filter."""

from __future__ import annotations

import contextlib
import json
import socket
import struct
import threading
from collections.abc import Callable, Iterator, Mapping
from pathlib import Path

import pytest

from pymilter._command.main import main, run_subcommand
from pymilter.testing import temporary_socket
from support.packets import packet, read_packet

AGREE = struct.pack("!III", 6, 0x1FF, 0)
MESSAGE = (
    b"From: Ann <ann@example.org>\nTo: Bob <bob@example.net>, al@example.net\nCc: cy@example.net\nSubject: hi\n\nline\n"
)
Shown = tuple[int, list[str], str]
Run = Callable[..., Shown]


class Filter:
    """A filter in a thread: answers "continue", or what it was told to; keeps what it got, connection by connection."""

    def __init__(self, address: str, answers: Mapping[bytes, list[bytes]], agree: bytes) -> None:
        self.address = address
        self.connections: list[list[bytes]] = []
        self._answers, self._agree = answers, agree

    def got(self, code: bytes) -> list[bytes]:
        """The packets of one kind, of all connections."""
        return [one for connection in self.connections for one in connection if one[:1] == code]

    def serve(self, listener: socket.socket) -> None:
        while True:
            try:
                sock, _ = listener.accept()
            except OSError:
                return
            with sock, contextlib.suppress(OSError):
                sock.settimeout(20)
                self.connections.append([])
                while said := read_packet(sock):
                    self.connections[-1].append(said)
                    if said == b"Q":
                        break
                    if said[:1] in b"ADK":
                        continue
                    default = [b"O" + self._agree] if said[:1] == b"O" else [b"c"]
                    for one in self._answers.get(said, self._answers.get(said[:1], default)):
                        sock.sendall(packet(one[:1], one[1:]))


@contextlib.contextmanager
def serving(answers: Mapping[bytes, list[bytes]] | None = None, agree: bytes = AGREE) -> Iterator[Filter]:
    with temporary_socket() as address, socket.socket(socket.AF_UNIX) as listener:
        listener.bind(address.removeprefix("unix:"))
        listener.listen()
        filter_ = Filter(address, answers or {}, agree)
        thread = threading.Thread(target=filter_.serve, args=(listener,))
        thread.start()
        try:
            yield filter_
        finally:
            listener.shutdown(socket.SHUT_RDWR)
            thread.join(20)


@pytest.fixture
def run(capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch) -> Run:
    """Runs the command, and returns status, lines and complaints."""
    for name in ("COLUMNS", "NO_COLOR", "FORCE_COLOR"):
        monkeypatch.delenv(name, raising=False)

    def command(*arguments: object) -> Shown:
        status = main([str(one) for one in arguments])
        shown = capsys.readouterr()
        return status, shown.out.splitlines(), shown.err

    return command


@pytest.fixture
def eml(tmp_path: Path) -> Path:
    path = tmp_path / "message.eml"
    path.write_bytes(MESSAGE)
    return path


def steps(lines: list[str]) -> list[str]:
    return [" ".join(line.split()) for line in lines]


# -- send


def test_the_envelope_is_that_of_the_message(run: Run, eml: Path) -> None:
    with serving() as filter_:
        status, lines, err = run("send", eml, filter_.address)
    assert (status, err) == (0, "")
    assert filter_.got(b"C") == [b"Cclient.example.com\x004\xc0\x00192.0.2.1\0"]
    assert filter_.got(b"H") == [b"Hclient.example.com\0"]
    assert filter_.got(b"M") == [b"M<ann@example.org>\0"]
    assert filter_.got(b"R") == [b"R<bob@example.net>\0", b"R<al@example.net>\0", b"R<cy@example.net>\0"]
    assert filter_.got(b"Q") == [b"Q"]
    assert lines[0] == "Session"
    assert lines[-1] == "The message is unchanged, byte for byte."


def test_a_message_without_addresses(run: Run, eml: Path) -> None:
    eml.write_bytes(b"Subject: x\n\n")
    with serving() as filter_:
        assert run("send", eml, filter_.address)[0] == 0
    assert filter_.got(b"M") == [b"M<sender@example.com>\0"]
    assert filter_.got(b"R") == [b"R<recipient@example.net>\0"]


def test_options_of_the_session(run: Run, eml: Path) -> None:
    with serving() as filter_:
        options = (
            "--from x@y --to a@b --to c@d --client-name mx --client-address ::1 --helo hey --macro i=1 --macro {z}=2"
        )
        assert run("send", *options.split(), eml, filter_.address)[0] == 0
    assert filter_.got(b"C") == [b"Cmx\x006\xc0\x00::1\0"]
    assert filter_.got(b"H") == [b"Hhey\0"]
    assert filter_.got(b"M") == [b"M<x@y>\0"]
    assert filter_.got(b"R") == [b"R<a@b>\0", b"R<c@d>\0"]
    assert b"DEi\x001\0" in filter_.got(b"D")


def test_an_empty_sender_is_one(run: Run, eml: Path) -> None:
    with serving() as filter_:
        assert run("send", "--from", "", "--client-name", "mx", eml, filter_.address)[0] == 0
    assert filter_.got(b"M") == [b"M<>\0"]
    assert filter_.got(b"H") == [b"Hmx\0"]  # as the client is called


@pytest.mark.parametrize("mta", ["postfix", "sendmail"])
def test_the_mta_decides_what_becomes_of_edits(run: Run, eml: Path, tmp_path: Path, mta: str) -> None:
    changed = tmp_path / "changed"
    with serving({b"E": [b"i\0\0\0\3X\0y\0", b"c"]}) as filter_:
        assert run("send", "--mta", mta, "--output", changed, eml, filter_.address)[0] == 0
    place = 2 if mta == "postfix" else 0
    assert changed.read_bytes().splitlines()[place] == b"X: y"


def test_messages_have_titles_if_there_are_several(run: Run, eml: Path, tmp_path: Path) -> None:
    other = tmp_path / "odd\x1bname"
    other.write_bytes(b"A: b\n\n")
    with serving() as filter_:
        status, lines, _ = run("send", eml, other, filter_.address)
        assert status == 0
        alone = run("send", eml, filter_.address)[1]
    titles = [place for place, line in enumerate(lines) if line.startswith("== ")]
    assert [lines[place] for place in titles] == [f"== {eml}", f"== {tmp_path}/odd\\x1bname"]
    assert titles[0] == 0
    assert lines[titles[1] - 1] == ""
    assert lines[titles[1] - 2] == "The message is unchanged, byte for byte."
    assert not [line for line in alone if line.startswith("==")]
    assert len(filter_.connections) == 2


@pytest.mark.parametrize("form", ["--json", "--diff"])
def test_other_forms_of_results(run: Run, eml: Path, form: str) -> None:
    with serving({b"E": [b"hX\0y\0", b"c"]}) as filter_:
        status, lines, err = run("send", form, "--repeat", "2", eml, eml, filter_.address)
    assert (status, err) == (0, "")
    assert len(filter_.connections) == 1
    assert len(filter_.got(b"E")) == 4
    if form == "--json":
        assert [json.loads(line)["name"] for line in lines] == [str(eml)] * 4
    else:
        assert lines.count("+X: y") == 2  # each message once
        assert lines[0] == "--- as received"


def test_repeated_messages_are_only_timed(run: Run, eml: Path) -> None:
    with serving() as filter_:
        status, lines, err = run("send", "--repeat", "2", eml, eml, filter_.address)
    assert (status, err) == (0, "")
    assert [line.split()[0] for line in lines] == ["Messages", "Verdicts", "Time"]
    assert lines[0].startswith("Messages  4 in ")
    assert len(filter_.got(b"E")) == 4
    assert len(filter_.connections) == 1


ANSWERS = {
    "accept": (0, [b"c"]),
    "reject": (10, [b"y550 5.7.1 no\0"]),
    "tempfail": (11, [b"t"]),
    "discard": (12, [b"d"]),
    "quarantine": (13, [b"qodd\0", b"c"]),
}


@pytest.mark.parametrize("outcome", ANSWERS)
def test_verdicts_have_a_status_only_if_asked_for(run: Run, eml: Path, outcome: str) -> None:
    status, answer = ANSWERS[outcome]
    with serving({b"E": answer}) as filter_:
        assert run("send", eml, filter_.address)[0] == 0
        assert run("send", "--exit-code", eml, filter_.address)[0] == status
        assert run("send", "--expect", outcome, eml, filter_.address)[::2] == (0, "")
        other = "discard" if outcome != "discard" else "accept"
        status, lines, err = run("send", "--expect", other, eml, filter_.address)
    assert status == 1
    assert lines[0] == "Session"
    assert err.startswith(f"pymilter send: {eml}: expected {other}, got {outcome}: ")
    assert ("550 5.7.1 no" in err) is (outcome == "reject")


def test_of_several_messages_the_highest_status_counts(run: Run, eml: Path, tmp_path: Path) -> None:
    other = tmp_path / "other"
    other.write_bytes(b"From: x@y\n\n")
    with serving({b"M<x@y>\0": [b"d"], b"M<ann@example.org>\0": [b"r"]}) as filter_:
        assert run("send", "--exit-code", other, eml, filter_.address)[0] == 12
        assert run("send", "--exit-code", eml, other, filter_.address)[0] == 12
        assert run("send", "--expect=discard", eml, other, filter_.address)[0] == 1
        assert run("send", "--expect=discard", other, other, filter_.address)[0] == 0


def test_a_connection_that_is_over_is_made_anew(run: Run, eml: Path) -> None:
    with serving({b"M": [b"y421 4.7.0 later\0"]}) as filter_:
        assert run("send", "--expect=tempfail", eml, eml, filter_.address)[0] == 0
    assert [[one[:1] for one in connection].count(b"M") for connection in filter_.connections] == [1, 1]


@pytest.mark.parametrize(
    ("arguments", "status", "told"),
    [
        (["-", "-", "unix:/x"], 2, "pymilter send: standard input (-) can be read only once"),
        (["EML", "EML", "unix:/x", "--output=NEW"], 2, "pymilter send: --output is for one message; --json has the"),
        (["EML", "unix:/x", "--repeat=2", "--output=NEW"], 2, "pymilter send: --output is for one message; --json has"),
        (["FOLDER", "unix:/x"], 2, "pymilter send: cannot read FOLDER: Is a directory"),
        (
            ["EML", "unix:FOLDER/none"],
            1,
            "pymilter send: cannot connect to unix:FOLDER/none: No such file or directory",
        ),
        (["EML", "unix:/x", "--from=a\0b"], 1, "pymilter send: cannot connect to unix:/x: "),
    ],
)
def test_what_cannot_be_sent(run: Run, eml: Path, arguments: list[str], status: int, told: str) -> None:
    folder = str(eml.parent)
    words = [
        one.replace("EML", str(eml)).replace("FOLDER", folder).replace("NEW", f"{folder}/new") for one in arguments
    ]
    found, lines, err = run("send", *words)
    assert (found, lines) == (status, [])
    assert err.startswith(told.replace("FOLDER", folder))
    assert err.count("\n") == 1
    assert not (eml.parent / "new").exists()


def test_a_value_that_cannot_go_over_the_wire(run: Run, eml: Path) -> None:
    with serving() as filter_:
        status, lines, err = run("send", "--from=a\0b", eml, filter_.address)
    assert (status, lines) == (1, [])
    assert err.startswith("pymilter send: '<a\\x00b>' contains NUL")


def test_a_filter_that_breaks_the_protocol(run: Run, eml: Path) -> None:
    with serving({b"H": [b"hA\0b\0"]}) as filter_:
        status, lines, err = run("send", "--timeout=5", eml, filter_.address)
    assert (status, lines) == (1, [])
    assert err.startswith("pymilter send: the filter answered HELO with b'h' (add header)")
    with serving({b"H": [b"p"]}) as filter_:
        status, _, err = run("send", "--timeout=0.05", eml, filter_.address)
    assert (status, err) == (1, "pymilter send: the filter did not answer HELO within 0.05 s\n")


def test_a_file_that_cannot_be_written_after_all(run: Run, eml: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def full(self: Path, data: bytes) -> int:
        raise OSError(28, "No space left on device")

    with serving() as filter_:
        monkeypatch.setattr(Path, "write_bytes", full)
        status, _, err = run("send", "--output", eml.parent / "new", eml, filter_.address)
    assert (status, err) == (1, f"pymilter send: cannot write {eml.parent}/new: No space left on device\n")


def test_the_program_of_another_name(capsys: pytest.CaptureFixture[str]) -> None:
    assert run_subcommand("send", "python -m pymilter.testing", ["-", "-", "unix:/x"]) == 2
    assert capsys.readouterr().err == "python -m pymilter.testing: standard input (-) can be read only once\n"


# -- inspect


def test_a_negotiation_is_shown(run: Run) -> None:
    agree = struct.pack("!III", 6, 1, 0x80) + b"\0\0\0\0i\0"
    with serving(agree=agree) as filter_:
        status, lines, err = run("inspect", filter_.address)
        assert (status, err) == (0, "")
        assert lines[:4] == [
            f"{filter_.address}: milter protocol, version 6",
            "",
            "The filter may",
            "  add header fields",
        ]
        assert lines[-3:] == ["", "Warnings", "  - no MTA knows i at CONNECT yet"]
        status, (line,), err = run("inspect", "--json", filter_.address)
        found = json.loads(line)
    assert (status, err) == (0, "")
    assert list(found) == ["socket", "version", "actions", "extras", "steps", "warnings"]
    assert (found["socket"], found["warnings"]) == (filter_.address, ["no MTA knows i at CONNECT yet"])
    offer = b"O" + struct.pack("!III", 6, 0x1FF, 0x1FFFFF)
    assert filter_.connections == [[offer, b"Q"]] * 2


@pytest.mark.parametrize(
    ("answer", "told"),
    [
        ([b"c"], "the filter answered the negotiation with b'c' (continue)"),
        ([b"O\0"], "the filter's negotiation packet has 1 bytes of data; 12 are the least"),
    ],
)
def test_what_is_no_filter_is_told(run: Run, answer: list[bytes], told: str) -> None:
    with serving({b"O": answer}) as filter_:
        assert run("inspect", filter_.address) == (1, [], f"pymilter inspect: {told}\n")


# -- replay


def recording(tmp_path: Path, *packets: tuple[int, str, str], extra: str = "") -> Path:
    file = tmp_path / "recording"
    lines = ['{"recording": "pymilter trace", "format": 1}\n']
    lines += [json.dumps({"t": 0, "c": number, "from": side, "packet": said}) + "\n" for number, side, said in packets]
    file.write_text("".join(lines) + extra)
    return file


OFFER = "O" + struct.pack("!III", 6, 0x1FF, 0x1FFFFF).decode("latin-1")
AGREED = "O" + AGREE.decode("latin-1")


def test_a_recording_is_replayed(run: Run, tmp_path: Path) -> None:
    file = recording(
        tmp_path,
        (1, "mta", OFFER),
        (1, "filter", AGREED),
        (1, "mta", "Hx\0"),
        (1, "filter", "c"),
        (1, "mta", "M<a>\0"),
        (1, "filter", "c"),
        (2, "mta", OFFER),
        (2, "filter", AGREED),
        (2, "mta", "M<a>\0"),
        (2, "filter", "r"),
        extra='{"t": 0, "c": 3, "from": "mta", "bytes": "x"}\n',
    )
    with serving({b"M": [b"r"]}) as filter_:
        status, lines, err = run("replay", file, filter_.address)
        assert status == 1
        assert lines == [
            "connection 1, MAIL <a>",
            "  --- recorded",
            "  +++ now",
            "  @@ -1 +1 @@",
            "  -continue",
            "  +reject",
            "3 connections, 5 answers, 1 of them differ, 1 not played to the end",
        ]
        assert err == "pymilter replay: connection 3: not played: the mta said what is no packet\n"
        assert len(filter_.connections) == 2
        status, (line,), _ = run("replay", "--json", file, filter_.address)
        assert status == 1
        assert json.loads(line) == {"connection": 1, "step": "MAIL <a>", "recorded": ["continue"], "now": ["reject"]}
    ignore = ["--ignore=/continue/", "--ignore=/reject/"]
    with serving({b"M": [b"r"]}) as filter_:
        assert run("replay", *ignore, file, filter_.address)[1] == [
            "3 connections, 5 answers, 0 of them differ, 1 not played to the end"
        ]
        assert run("replay", *ignore[1:], file, filter_.address)[0] == 1


def test_what_is_equal_is_only_counted(run: Run, tmp_path: Path) -> None:
    file = recording(tmp_path, (1, "mta", OFFER), (1, "filter", AGREED), (1, "mta", "Hx\0"), (1, "filter", "c"))
    with serving() as filter_:
        assert run("replay", file, filter_.address) == (0, ["1 connection, 2 answers, 0 of them differ"], "")
        assert run("replay", "--json", file, filter_.address) == (0, [], "")
    with serving({b"H": [b"p"]}) as filter_:
        status, lines, _ = run("replay", "--timeout=0.05", file, filter_.address)
    assert status == 1
    assert "  +the filter did not answer HELO within 0.05 s" in lines
    assert run("replay", file, f"{filter_.address}.none")[0] == 1
    assert run("replay", recording(tmp_path), "unix:/x") == (0, ["0 connections, 0 answers, 0 of them differ"], "")
