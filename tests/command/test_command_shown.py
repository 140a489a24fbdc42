"""What subcommands print, to the letter: results, times, agreements, warnings; and streams that fail."""

from __future__ import annotations

import io
import os
import signal
import sys
from collections.abc import Callable, Iterator, Mapping
from pathlib import Path

import pytest

import pymilter
from pymilter import _core
from pymilter._command import check
from pymilter._command.agreement import agreement_as_json, agreement_lines, listed
from pymilter._command.dialogue import Dialogues
from pymilter._command.main import guarded, main
from pymilter._command.mta_limits import warnings_about
from pymilter._command.output import Failure, Output
from pymilter._command.packets import packet_name
from pymilter._command.playback import Compared
from pymilter._command.relay import Event, Side, What
from pymilter._command.reload import _files, _programs
from pymilter._command.replay import _difference
from pymilter._command.results import STATUSES, outcome_of, result_as_json, times_lines
from pymilter._command.writer import Patience, write_events
from pymilter.testing import (
    Action,
    AddHeader,
    AddRecipient,
    ClientError,
    Command,
    Envelope,
    InsertHeader,
    Negotiation,
    Protocol,
    Refusal,
    ReplaceBody,
    Response,
    Result,
    SmtpReply,
    Stage,
    Step,
    Verdict,
)
from pymilter.testing._paint import RED, Screen
from support.packets import packet

MESSAGE = b"A: b\n\nx\n"


def result(verdict: Verdict = Verdict.ACCEPT, **fields: object) -> Result:
    values: dict[str, object] = {
        "transcript": (),
        "verdict": verdict,
        "decided_at": Command.EOM,
        "reply": SmtpReply(250, "2.0.0", ("Ok",)),
        "accepted": ("<b@example.net>",),
        "refused": (),
        "edits": (),
        "envelope": Envelope("<a@example.org>", ("<b@example.net>",)),
        "original": MESSAGE,
        "message": MESSAGE,
        "queue_id": "1",
    }
    return Result(**(values | fields))  # type: ignore[arg-type]


# -- results


@pytest.mark.parametrize(
    ("verdict", "quarantine", "outcome", "status"),
    [
        (Verdict.ACCEPT, None, "accept", 0),
        (Verdict.ACCEPT, "", "quarantine", 13),
        (Verdict.ACCEPT, "odd", "quarantine", 13),
        (Verdict.REJECT, None, "reject", 10),
        (Verdict.REJECT, "odd", "reject", 10),
        (Verdict.TEMPFAIL, None, "tempfail", 11),
        (Verdict.CONN_FAIL, None, "tempfail", 11),
        (Verdict.SHUTDOWN, None, "tempfail", 11),
        (Verdict.DISCARD, None, "discard", 12),
    ],
)
def test_what_became_of_a_message_has_a_word_and_a_status(
    verdict: Verdict, quarantine: str | None, outcome: str, status: int
) -> None:
    assert outcome_of(result(verdict, envelope=Envelope("<>", (), quarantine=quarantine))) == outcome
    assert STATUSES[outcome] == status
    assert len(STATUSES) == 5


def test_a_result_as_json() -> None:
    answers = (
        Step(Command.CONNECT, "mx [192.0.2.1]", Response(Command.CONNECT, Verdict.CONTINUE)),
        Step(Command.RCPT, "<c@x>", Response(Command.RCPT, Verdict.REJECT, SmtpReply(550, "5.1.1", ("a", "b")))),
        Step(Command.EOM, "", Response(Command.EOM, Verdict.CONTINUE, progress=2)),
    )
    whole = result(
        transcript=answers,
        refused=(Refusal("<c@x>", SmtpReply(550, "5.1.1", ("a", "b"))),),
        edits=(
            AddHeader("X", "y"),
            InsertHeader(1, "Z", "w"),
            AddRecipient("<d@x>", "NOTIFY=NEVER"),
            ReplaceBody(b"\xff"),
        ),
        envelope=Envelope("<a@x>", ("<b@x>", "<d@x>"), "SIZE=1", "odd"),
        message=b"A: \xe9\n\n",
        queue_id="0A",
    )
    assert result_as_json("f.eml", whole, 0.12345678) == {
        "name": "f.eml",
        "outcome": "quarantine",
        "verdict": "accept",
        "decided_at": "EOM",
        "reply": {"code": 250, "enhanced": "2.0.0", "text": "Ok"},
        "sender": "<a@x>",
        "sender_params": "SIZE=1",
        "recipients": ["<b@x>", "<d@x>"],
        "refused": [{"recipient": "<c@x>", "reply": {"code": 550, "enhanced": "5.1.1", "text": "a\nb"}}],
        "quarantine": "odd",
        "edits": [
            {"edit": "AddHeader", "name": "X", "value": "y"},
            {"edit": "InsertHeader", "index": 1, "name": "Z", "value": "w"},
            {"edit": "AddRecipient", "address": "<d@x>", "params": "NOTIFY=NEVER"},
            {"edit": "ReplaceBody", "data": "\udcff"},
        ],
        "transcript": [
            {"step": "CONNECT", "text": "mx [192.0.2.1]", "answer": "continue", "reply": None, "progress": 0},
            {
                "step": "RCPT",
                "text": "<c@x>",
                "answer": "reject",
                "reply": {"code": 550, "enhanced": "5.1.1", "text": "a\nb"},
                "progress": 0,
            },
            {"step": "EOM", "text": "", "answer": "continue", "reply": None, "progress": 2},
        ],
        "queue_id": "0A",
        "seconds": 0.123457,
        "changed": True,
        "message": "A: \udce9\n\n",
    }
    unchanged = result_as_json("f", result(), 1)
    assert (unchanged["changed"], unchanged["message"], unchanged["quarantine"]) == (False, None, None)


def test_times_are_summed_up() -> None:
    times = [number / 1000 for number in range(20, 0, -1)]
    results = [result()] * 18 + [result(Verdict.REJECT)] * 2
    assert times_lines(results, times, Screen()) == [
        "Messages  20 in 0.210 s, 95.2 a second",
        "Verdicts  accept 18, reject 2",
        "Time      shortest 1.00 ms, median 10.50 ms, 95 % 20.00 ms, longest 20.00 ms",
    ]
    (line,) = times_lines(results + results[:10], times + [0.1] * 10, Screen())[2:]
    assert line == "Time      shortest 1.00 ms, median 15.50 ms, 95 % 100.00 ms, longest 100.00 ms"
    assert times_lines([result()], [0.5], Screen())[2].endswith("95 % 500.00 ms, longest 500.00 ms")
    twenty_one = times_lines([result()] * 41, [number / 1000 for number in range(41)], Screen())[2]
    assert "95 % 38.00 ms" in twenty_one
    assert times_lines(results, times, Screen(width=41, colour=True)) == [
        "\x1b[1mMessages\x1b[0m  20 in 0.210 s, 95.2 a second",
        "\x1b[1mVerdicts\x1b[0m  \x1b[32maccept\x1b[0m 18, \x1b[31mreject\x1b[0m 2",
        "\x1b[1mTime\x1b[0m      shortest 1.00 ms,",
        "          median 10.50 ms, 95 % 20.00 ms,",
        "          longest 20.00 ms",
    ]


# -- agreements


def agreed(
    version: int = 6, actions: int = 0, protocol: int = 0, *, lists: Mapping[str, str] | None = None, **more: str
) -> Negotiation:
    macros = {Stage[stage]: tuple(names.split()) for stage, names in {**(lists or {}), **more}.items()}
    return Negotiation(version, Action(actions), Protocol(protocol), macros)


def test_an_agreement_is_shown() -> None:
    some = agreed(
        6,
        Action.ADDHDRS | Action.ADDRCPT_PAR,
        Protocol.NOHELO | Protocol.NR_HDR | Protocol.SKIP | Protocol.MDS_1M,
        CONNECT="j",
        ENVFROM="i {mail_addr}",
        DATA="",
    )
    lines = list(agreement_lines(some, None, Screen()))
    assert lines == [
        "The filter may",
        "  add header fields",
        "  add recipients with ESMTP parameters",
        "The filter",
        "  may ask for no more of the body",
        "  takes packets of 1 MB",
        "",
        "Step      Answer     Macros",
        "CONNECT   answered   j",
        "HELO      not sent   the MTA's own list",
        "MAIL      answered   i {mail_addr}",
        "RCPT      answered   the MTA's own list",
        "DATA      answered   the MTA's own list",
        "HEADER    no reply",
        "EOH       answered   the MTA's own list",
        "BODY      answered",
        "EOM       answered   the MTA's own list",
        "UNKNOWN   answered",
        "(not sent: the filter asked the MTA to leave this step out, or to send no more of its kind)",
        "(no reply: the filter gets this step, and the MTA does not wait for an answer)",
    ]
    handlers = {Command.MAIL: "Gate.envfrom", Command.EOM: "Gate.eom"}
    table = list(agreement_lines(agreed(ENVFROM="i"), handlers, Screen()))[2:]
    assert table[:4] == [
        "",
        "Step      Answer     Handler      Macros",
        "CONNECT   answered                the MTA's own list",
        "HELO      answered                the MTA's own list",
    ]
    assert table[4] == "MAIL      answered   Gate.envfrom i"
    assert table[10:] == ["EOM       answered   Gate.eom     the MTA's own list", "UNKNOWN   answered"]
    assert list(agreement_lines(agreed(), None, Screen()))[:3] == ["The filter may", "  not change messages", ""]
    short = list(agreement_lines(agreed(), {Command.EOM: "f"}, Screen()))
    assert short[3] == "Step      Answer     Handler Macros"
    assert short[-2] == "EOM       answered   f       the MTA's own list"


def test_each_right_and_habit_of_a_filter_has_its_words() -> None:
    lines = list(agreement_lines(agreed(6, Action.ALL, 0x1FFFFFFF & ~0xFF3FF | 0x30000000), None, Screen()))
    assert lines[: lines.index("")] == [
        "The filter may",
        "  add header fields",
        "  change and delete header fields",
        "  replace the body",
        "  change the sender",
        "  add recipients",
        "  add recipients with ESMTP parameters",
        "  delete recipients",
        "  hold the message",
        "  choose the macros",
        "The filter",
        "  may ask for no more of the body",
        "  sees recipients that the MTA refuses",
        "  gets the space after a field's colon",
        "  takes packets of 256 KB",
        "  takes packets of 1 MB",
    ]


def test_an_agreement_fits_a_narrow_screen() -> None:
    some = agreed(protocol=Protocol.NR_HDR, ENVFROM="i {mail_addr} {auth_authen}")
    lines = list(agreement_lines(some, {Command.MAIL: "Gate.envfrom"}, Screen(width=52)))
    start = lines.index("Step      Answer     Handler      Macros")
    assert lines[start + 1 : start + 6] == [
        "CONNECT   answered                the MTA's own list",
        "HELO      answered                the MTA's own list",
        "MAIL      answered   Gate.envfrom i {mail_addr}",
        "                                  {auth_authen}",
        "RCPT      answered                the MTA's own list",
    ]
    lines = list(agreement_lines(some, {Command.MAIL: "Gate.envfrom"}, Screen(width=51)))
    start = lines.index("Step      Answer")
    assert lines[start + 1 : start + 12] == [
        "CONNECT   answered",
        "    the MTA's own list",
        "HELO      answered",
        "    the MTA's own list",
        "MAIL      answered",
        "    Gate.envfrom",
        "    i {mail_addr} {auth_authen}",
        "RCPT      answered",
        "    the MTA's own list",
        "DATA      answered",
        "    the MTA's own list",
    ]
    assert lines[-2:] == ["(no reply: the filter gets this step, and the MTA", "does not wait for an answer)"]
    assert "Step      Answer" in list(agreement_lines(some, None, Screen(width=33)))


def test_an_agreement_has_colours() -> None:
    lines = list(agreement_lines(agreed(protocol=Protocol.NOHELO | Protocol.NR_HDR), None, Screen(colour=True)))
    for line in (
        "\x1b[1mThe filter may\x1b[0m",
        "\x1b[1mStep      Answer     Macros\x1b[0m",
        "CONNECT   \x1b[32manswered\x1b[0m   \x1b[90mthe MTA's own list\x1b[0m",
        "HELO      \x1b[90mnot sent\x1b[0m   \x1b[90mthe MTA's own list\x1b[0m",
        "HEADER    \x1b[33mno reply\x1b[0m",
        "\x1b[90m(no reply: the filter gets this step, and the MTA does not wait for an answer)\x1b[0m",
    ):
        assert line in lines


def test_nothing_of_an_agreement_reaches_the_terminal_raw() -> None:
    shown = "\n".join(agreement_lines(agreed(CONNECT="\x1b[2J"), {Command.EOM: "\x1bx"}, Screen()))
    assert "\x1b" not in shown
    narrow = "\n".join(agreement_lines(agreed(CONNECT="\x1b[2J"), {Command.EOM: "\x1bx"}, Screen(width=20)))
    assert "\x1b" not in narrow
    assert "    \\x1bx" in narrow


@pytest.mark.parametrize("version", [2, 3, 4])
def test_an_agreement_as_json(version: int) -> None:
    found = agreement_as_json(agreed(version, Action.CHGBODY, Protocol.NR_EOH | Protocol.RCPT_REJ, DATA="i", HELO=""))
    steps = found.pop("steps")
    assert found == {"version": version, "actions": ["CHGBODY"], "extras": ["RCPT_REJ"]}
    assert list(steps) == ["CONNECT", "HELO", "MAIL", "RCPT", "DATA", "HEADER", "EOH", "BODY", "EOM", "UNKNOWN"]
    assert steps["HELO"] == {"answer": "answered", "macros": None}
    assert steps["EOH"] == {"answer": "no reply", "macros": None}
    assert steps["DATA"] == {"answer": "answered" if version > 3 else "not sent", "macros": ["i"]}
    assert steps["UNKNOWN"]["answer"] == ("answered" if version > 2 else "not sent")


def test_texts_are_listed_under_a_title() -> None:
    assert list(listed("Faults", [], RED, Screen())) == []
    assert list(listed("Faults", ["one", "two:\n  lines\x1b"], RED, Screen())) == [
        "",
        "Faults",
        "  - one",
        "  - two:",
        r"      lines\x1b",
    ]
    assert list(listed("Faults", ["one two three four"], RED, Screen(width=20, colour=True))) == [
        "",
        "\x1b[1mFaults\x1b[0m",
        "  \x1b[31m-\x1b[0m one two three",
        "    four",
    ]


# -- what an MTA will not do


@pytest.mark.parametrize(
    ("stage", "names", "warnings"),
    [
        ("CONNECT", "j v _ {client_addr} {client_connections} {daemon_port}", []),
        ("CONNECT", "i", ["no MTA knows i at CONNECT yet"]),
        ("CONNECT", "{cipher} {cipher_bits}", ["no MTA knows {cipher}, {cipher_bits} at CONNECT yet"]),
        ("CONNECT", "{cert_issuer} {cert_subject}", ["no MTA knows {cert_issuer}, {cert_subject} at CONNECT yet"]),
        ("HELO", "{tls_version} {cipher} {cipher_bits} {cert_issuer} {cert_subject}", []),
        ("HELO", "{auth_authen} {auth_author}", ["no MTA knows {auth_authen}, {auth_author} at HELO yet"]),
        ("HELO", "{auth_type} {mail_host}", ["no MTA knows {auth_type}, {mail_host} at HELO yet"]),
        ("HELO", "{mail_mailer} i", ["no MTA knows {mail_mailer}, i at HELO yet"]),
        ("ENVFROM", "{auth_authen} {auth_author} {auth_type} {mail_addr} {mail_host} {mail_mailer}", []),
        ("ENVFROM", "{rcpt_addr}", ["no MTA knows {rcpt_addr} at ENVFROM yet"]),
        ("ENVFROM", "{rcpt_host} {rcpt_mailer}", ["no MTA knows {rcpt_host}, {rcpt_mailer} at ENVFROM yet"]),
        ("ENVRCPT", "i {rcpt_addr} {rcpt_host} {rcpt_mailer} {mail_addr}", []),
        ("DATA", "i {rcpt_addr}", []),
        (
            "EOH",
            "i {auth_authen} j {client_addr} {daemon_name} {daemon_addr} {client_name} {client_ptr} {client_port}",
            [],
        ),
        ("EOM", "{mail_addr}", ["Postfix does not send {mail_addr} at EOM: ask for it before the content"]),
        ("EOH", "{client_resolve}", ["Postfix does not send {client_resolve} at EOH: ask for it before the content"]),
        ("EOH", "{load_avg} ab", ["Postfix has no {load_avg}, {ab}, which it asks for at EOH"]),
    ],
)
def test_a_macro_has_its_stages(stage: str, names: str, warnings: list[str]) -> None:
    assert warnings_about(agreed(actions=0x1FF, lists={stage: names})) == warnings


def test_a_queue_id_comes_after_the_sender() -> None:
    told = ["Postfix has no i at ENVFROM: a message has a queue id from its first accepted recipient on"]
    assert warnings_about(agreed(ENVFROM="i j")) == told
    assert warnings_about(agreed(ENVFROM="i", HELO="j")) == told
    for later in ("ENVRCPT", "DATA", "EOH", "EOM"):
        assert warnings_about(agreed(ENVFROM="i", lists={later: "i"})) == [], later


def test_what_no_mta_goes_on_with() -> None:
    assert warnings_about(agreed(7)) == [
        "it answers with version 7 of the protocol, but 6 was offered: an MTA does not go on with it"
    ]
    assert warnings_about(agreed(6, 0x201)) == [
        "it asks for actions that no MTA offers (0x200): an MTA does not go on with it"
    ]
    assert warnings_about(agreed(6, 0, 0x10000001)) == [
        "it asks for protocol options that no MTA offers (0x10000000): an MTA does not go on with it"
    ]
    assert warnings_about(agreed(4)) == []
    assert warnings_about(agreed(3)) == ["version 3 of the protocol has no DATA: they are never sent"]
    assert warnings_about(agreed(2)) == [
        "version 2 of the protocol has no DATA and unknown commands: they are never sent"
    ]
    serious_first = warnings_about(agreed(7, 0x200, 0x10000000, CONNECT="i", HELO="{x}"))
    assert [warning.split()[0] for warning in serious_first] == ["it", "it", "it", "no", "Postfix"]


# -- check


def test_the_build_of_libmilter_in_words() -> None:
    build = {
        "version": (1, 0, 1),
        "header": (1, 0, 1),
        "protocol": 6,
        "file": "/lib/x.so",
        "pool": True,
        "ipv6": True,
        "data_size": True,
    }
    assert check._build_lines(build) == [
        "version 1.0.1; protocol 6 in the header",
        "loaded from /lib/x.so",
        "one pool of threads for all connections, and poll",
        "IPv6",
        "larger packets can be set (smfi_setmaxdatasize)",
    ]
    other = {**build, "header": (1, 0, 2), "file": "", "pool": False, "ipv6": False, "data_size": False}
    assert check._build_lines(other) == [
        "version 1.0.1, built here with the header of 1.0.2; protocol 6 in the header",
        "loaded from a place that is not known",
        "a thread for each connection",
        "no sign of IPv6",
        "packets of 64 KiB only",
    ]
    assert set(_core.build()) == set(build)


class Gate(pymilter.Base):
    @pymilter.symlist("i", "{auth_authen}")
    def envfrom(self, sender: str, *params: str) -> pymilter.Outcome:
        return pymilter.CONTINUE

    def header(self, name: str, value: str) -> None: ...


class Inherits(Gate):
    def eom(self) -> pymilter.Outcome:
        return pymilter.CONTINUE


class Negotiates(pymilter.Base):
    def negotiate(self, opts: list[int]) -> pymilter.Status | None:
        return super().negotiate(opts)

    def abort(self) -> pymilter.Outcome:
        return pymilter.CONTINUE


def handled(factory: Callable[[], pymilter.Base]) -> dict[str, str]:
    faults: list[str] = []
    handlers = check._handlers(factory, faults)
    assert handlers is not None
    assert faults == []
    return {command.name: name for command, name in check._handled(handlers).items()}


def test_who_handles_each_step() -> None:
    assert handled(Gate) == {"MAIL": "Gate.envfrom", "HEADER": "Gate.header"}
    assert handled(Inherits) == {**handled(Gate), "EOM": "Inherits.eom"}
    assert handled(lambda: Inherits()) == handled(Inherits)
    assert handled(Negotiates) == {}


def test_faults_of_what_a_factory_makes() -> None:
    class Wrong(pymilter.Base):
        def header(self, name: str) -> pymilter.Outcome:  # type: ignore[override]
            return pymilter.CONTINUE

    def fails() -> pymilter.Base:
        raise RuntimeError("no database")

    for factory, told in (
        (lambda: Gate, "the factory made the class Gate itself: it must make an object derived from pymilter.Base"),
        (lambda: 7, "the factory made a int: it must make an object derived from pymilter.Base"),
        (fails, "the factory failed:\nTraceback (most recent call last):\n"),
        (Wrong, None),
        (lambda: Wrong(), "Wrong.header cannot be called as it will be: header(name, value)"),
    ):
        faults: list[str] = []
        found = check._handlers(factory, faults)  # type: ignore[arg-type]
        if told is None:
            assert found is not None  # whoever calls has looked for the faults of a class
            continue
        assert found is None
        assert "".join(faults).count(told.removesuffix("\n")) == 1
        assert len(faults) == 1


def warned(klass: type[pymilter.Base]) -> list[str]:
    handlers = check._handlers(klass, [])
    assert handlers is not None
    return check._warnings(handlers, check._agreement(handlers))


def test_warnings_of_a_class() -> None:
    assert warned(Inherits) == [
        "Postfix has no i at ENVFROM: a message has a queue id from its first accepted recipient on"
    ]
    assert warned(Negotiates) == [
        "it handles no step: the MTA asks it nothing, and every message passes",
        "it has a negotiate() of its own, which may change this plan for each connection",
    ]
    handlers = check._handlers(Gate, [])
    assert handlers is not None
    plan = check._agreement(handlers)
    assert plan.macro_lists == {Stage.ENVFROM: ("i", "{auth_authen}")}
    assert plan.version == 6
    assert Protocol.NR_HDR in plan.protocol
    assert Protocol.NOHELO in plan.protocol


# -- replay


def test_a_difference_is_shown() -> None:
    compared = Compared(
        3, "MAIL <a\x1b@b>", ["a", "same", "same", "same", "same"], ["b\x1b", "same", "same", "same", "same"]
    )
    assert list(_difference(compared, Screen())) == [
        r"connection 3, MAIL <a\x1b@b>",
        "  --- recorded",
        "  +++ now",
        "  @@ -1,3 +1,3 @@",
        "  -a",
        r"  +b\x1b",
        "   same",
        "   same",
    ]
    assert list(_difference(compared, Screen(width=20, colour=True)))[:6] == [
        "\x1b[1mconnection 3, MAIL\x1b[0m",
        "\x1b[1m<a\\x1b@b>\x1b[0m",
        "  \x1b[31m--- recorded\x1b[0m",
        "  \x1b[32m+++ now\x1b[0m",
        "  \x1b[36m@@ -1,3 +1,3 @@\x1b[0m",
        "  \x1b[31m-a\x1b[0m",
    ]
    wide = Compared(1, "EOM", [], ["x" * 30 + "  y"])
    assert list(_difference(wide, Screen(width=20)))[-2:] == ["  +" + "x" * 17, "  " + "x" * 13 + "  y"]


# -- reload


def test_which_files_are_watched(tmp_path: Path) -> None:
    for name in (
        "gate.py",
        "sub/part.py",
        "sub/data.txt",
        ".hidden/no.py",
        "__pycache__/no.py",
        "venv/pyvenv.cfg",
        "venv/no.py",
        "venv/lib/no.py",
        "sub/.git/no.py",
    ):
        (tmp_path / name).parent.mkdir(exist_ok=True, parents=True)
        (tmp_path / name).write_text("x")
    programs = {tmp_path / "gate.py", tmp_path / "sub/part.py"}
    assert set(_programs(tmp_path)) == programs
    config = tmp_path / "sub/data.txt"
    assert set(_files(tmp_path, None)) == programs
    before = _files(tmp_path, config)
    assert set(before) == programs | {config}
    os.utime(config, ns=(1, 1))
    assert _files(tmp_path, config)[config] == (1, 1)
    config.write_text("xy")
    os.utime(config, ns=(1, 1))
    assert _files(tmp_path, config)[config] == (1, 2)
    config.unlink()
    assert set(_files(tmp_path, config)) == programs


# -- output


class Stream(io.StringIO):
    """Fails as often as it is told to."""

    def __init__(self, failure: OSError | None = None, at: str = "write") -> None:
        super().__init__()
        self.failure, self.at, self.flushed = failure, at, 0

    def write(self, text: str, /) -> int:
        if self.failure is not None and self.at == "write":
            raise self.failure
        return super().write(text)

    def flush(self) -> None:
        self.flushed += 1
        if self.failure is not None and self.at == "flush":
            raise self.failure


def test_lines_are_printed() -> None:
    stream = Stream()
    output = Output("prog", stream)
    output.lines(["a", "b"])
    output.lines([])
    assert (stream.getvalue(), stream.flushed, output.is_closed) == ("a\nb\n", 0, False)
    output.flush()
    assert stream.flushed == 1
    assert [output.finish(0), output.finish(3)] == [0, 3]
    assert stream.flushed == 3


def test_a_complaint_comes_after_what_was_printed(capsys: pytest.CaptureFixture[str]) -> None:
    stream = Stream()
    output = Output("prog", stream)
    output.complain("one\ntwo\x1b")
    assert stream.flushed == 1
    assert capsys.readouterr().err == "prog: one\ntwo\\x1b\n"


@pytest.mark.parametrize("at", ["write", "flush"])
def test_a_closed_pipe_is_no_failure(at: str) -> None:
    output = Output("prog", stream := Stream(BrokenPipeError(32, "Broken pipe"), at))
    output.lines(["a"])
    output.flush()
    assert output.is_closed
    flushed = stream.flushed
    stream.failure = OSError(28, "No space left on device")
    output.lines(["b"])
    output.flush()
    assert stream.flushed == flushed
    assert output.finish(0) == 0


def fill(output: Output) -> None:
    output.lines(["a"])
    output.flush()


@pytest.mark.parametrize("at", ["write", "flush"])
def test_a_full_disk_is_told_once(at: str, capsys: pytest.CaptureFixture[str]) -> None:
    output = Output("prog", Stream(OSError(28, "No space left on device"), at))
    with pytest.raises(Failure, match=r"^cannot write the output: No space left on device$") as raised:
        fill(output)
    assert raised.value.status == 1
    assert output.is_closed
    assert output.finish(0) == 0
    output = Output("prog", Stream(OSError(28, "No space left on device"), "flush"))
    output.complain("first")
    assert capsys.readouterr().err == "prog: first\n"
    output = Output("prog", Stream(OSError(28, "No space left on device"), "flush"))
    assert [output.finish(0), output.finish(2)] == [1, 2]
    assert capsys.readouterr().err == "prog: cannot write the output: No space left on device\n"


def test_a_complaint_that_cannot_be_printed_is_lost(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sys, "stderr", Stream(OSError(28, "No space left on device")))
    Output("prog", Stream()).complain("x")


@pytest.mark.parametrize(
    ("end", "status", "told"),
    [
        (None, 5, ""),
        (KeyboardInterrupt(), 130, ""),
        (Failure("wrong", 2), 2, "prog: wrong\n"),
        (Failure("wrong"), 1, "prog: wrong\n"),
        (ClientError("gone"), 1, "prog: gone\n"),
        (SystemExit(3), 3, ""),
        (SystemExit(None), 0, ""),
    ],
)
def test_each_end_has_a_status(
    capsys: pytest.CaptureFixture[str], end: BaseException | None, status: int, told: str
) -> None:
    def run(output: Output) -> int:
        output.lines(["said \ud800"])
        if end is not None:
            raise end
        return 5

    assert guarded("prog", run) == status
    assert capsys.readouterr() == ("said \\ud800\n", told)


def test_no_stdout_is_no_failure(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sys, "stdout", None)
    assert main(["--version"]) == 0
    sys.stdout.close()


@pytest.mark.parametrize(
    ("arguments", "status", "out", "err"),
    [
        ([], 2, "usage: pymilter SUBCOMMAND ...", ""),
        (["--help"], 0, "usage: pymilter SUBCOMMAND ...", ""),
        (["--version"], 0, "pymilter ", ""),
        (["sned"], 2, "", "there is no subcommand 'sned': choose from run, check, send, inspect, trace, replay"),
        (["--nope"], 2, "", "unrecognized arguments: --nope"),
        (["-h", "x"], 0, "usage: pymilter SUBCOMMAND ...", ""),
        (["send"], 2, "", "pymilter send: error: the following arguments are required: "),
    ],
)
def test_the_command_without_a_subcommand(
    capsys: pytest.CaptureFixture[str], arguments: list[str], status: int, out: str, err: str
) -> None:
    assert main(arguments) == status
    shown = capsys.readouterr()
    assert shown.out.startswith(out)
    assert bool(shown.out) is bool(out)
    assert err in shown.err
    assert bool(shown.err) is bool(err)


# -- the writer of trace


class Recording(Stream):
    name = "the.recording"


def batches(*counts: int) -> Iterator[list[Event]]:
    number = 0
    for count in counts:
        batch = []
        for _ in range(count):
            number += 1
            batch.append(Event(0.0, number, What.DATA, Side.MTA, packet(b"N")))
        yield batch


@pytest.fixture
def patience() -> Iterator[Patience]:
    """As in the child; the signals of this process are put back."""
    numbers = (signal.SIGUSR1, signal.SIGALRM)
    before = [signal.getsignal(number) for number in numbers]
    yield Patience()
    for number, handler in zip(numbers, before, strict=True):
        signal.signal(number, handler)


def write(stream: Stream, patience: Patience, shows: bool, recording: Recording | None) -> tuple[int, list[int]]:
    """The status, and which batches were not looked at."""
    left = batches(1, 2, 0, 1)
    output = Output("prog", stream)
    status = write_events(left, Dialogues(0.0, Screen()), output, patience, shows, recording)
    return status, [len(batch) for batch in left]


def test_events_go_to_screen_and_recording(patience: Patience) -> None:
    screen, recording = Stream(), Recording()
    assert write(screen, patience, True, recording) == (0, [])
    assert [line[12:].split() for line in screen.getvalue().splitlines()] == [
        [f"{n}", ">", "EOH"] for n in (1, 2, 3, 4)
    ]
    assert recording.getvalue().count(f'"name": "{packet_name(Side.MTA, b"N")}"') == 4
    assert recording.getvalue().endswith("}\n")
    assert (screen.flushed, recording.flushed) == (3, 3)  # after each batch in which something was
    screen, recording = Stream(), Recording()
    assert write(screen, patience, False, recording) == (0, [])
    assert (screen.getvalue(), recording.getvalue().count("\n")) == ("", 4)
    assert write(screen := Stream(), patience, True, None) == (0, [])
    assert screen.getvalue().count("\n") == 4


def test_writing_ends_when_nothing_takes_events_any_more(
    patience: Patience, capsys: pytest.CaptureFixture[str]
) -> None:
    assert write(Stream(BrokenPipeError()), patience, True, None) == (0, [2, 0, 1])
    full = OSError(28, "No space left on device")
    assert write(Stream(full), patience, True, None) == (1, [2, 0, 1])
    assert capsys.readouterr().err == "prog: cannot write the output: No space left on device\n"
    for at in ("write", "flush"):
        assert write(Stream(), patience, False, Recording(full, at)) == (1, [2, 0, 1])
        assert capsys.readouterr().err == (
            "prog: cannot write the.recording: No space left on device; the recording is not complete\n"
        )


def test_one_goes_on_when_the_other_fails(patience: Patience, capsys: pytest.CaptureFixture[str]) -> None:
    full = OSError(28, "No space left on device")
    screen = Stream()
    assert write(screen, patience, True, Recording(full)) == (1, [])
    assert screen.getvalue().count("\n") == 4
    assert capsys.readouterr().err.count("not complete") == 1
    recording = Recording()
    assert write(Stream(full), patience, True, recording) == (1, [])
    assert recording.getvalue().count("\n") == 4
    assert capsys.readouterr().err.count("cannot write the output") == 1
    recording = Recording()
    assert write(Stream(BrokenPipeError()), patience, True, recording) == (0, [])
    assert recording.getvalue().count("\n") == 4


def test_a_screen_that_stands_still_is_given_up_only_at_the_end(patience: Patience) -> None:
    """Nothing is given up before SIGUSR1; from then on a second one ends what is being shown."""
    output = Output("prog", Stream())
    with patience.showing(output):
        signal.raise_signal(signal.SIGALRM)  # nothing has ended yet, and yet it stands still
        raise AssertionError("the block went on")
    assert output.is_closed
    output = Output("prog", Stream())
    with patience.showing(output):
        signal.raise_signal(signal.SIGUSR1)
        assert 0 < signal.getitimer(signal.ITIMER_REAL)[0] <= 2
    assert signal.getitimer(signal.ITIMER_REAL)[0] == 0
    assert not output.is_closed
    with patience.showing(output):
        assert 0 < signal.getitimer(signal.ITIMER_REAL)[0] <= 2
        signal.raise_signal(signal.SIGUSR1)
        raise AssertionError("the block went on")
    assert output.is_closed
    assert signal.getitimer(signal.ITIMER_REAL)[0] == 0
    signal.raise_signal(signal.SIGUSR1)  # nothing is being shown
    signal.raise_signal(signal.SIGALRM)
    assert signal.getitimer(signal.ITIMER_REAL)[0] == 0
