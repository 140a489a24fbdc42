"""`pymilter.testing.apply_edits` beside real servers: random edits, and each delivery as it was foretold."""

from __future__ import annotations

import json
import re
import secrets
import smtplib
import socketserver
import threading
from collections.abc import Iterator
from contextlib import nullcontext
from dataclasses import dataclass
from pathlib import Path
from typing import Literal

import pytest

from pymilter.testing import (
    AddHeader,
    AddRecipient,
    ChangeFrom,
    ChangeHeader,
    DeleteRecipient,
    Edit,
    Envelope,
    InsertHeader,
    Quarantine,
    ReplaceBody,
    apply_edits,
)
from support import require
from support.cfilter.rogue import AGREE, read_command
from support.edit_rig import EditRig, editing
from support.edits import TOKEN, Case, as_call, random_case
from support.packets import packet, read_packet
from support.postfix import Postfix
from support.sendmail import Sendmail
from support.sink import Delivery, Sink

_FILTER = Path(__file__).with_name("filters") / "edit_filter.py"
_FIELD = re.compile(rb"\r\n(?![ \t])")
# What Sendmail adds to a message that lacks Message-ID, Date or From; no value of random_case looks like it.
_ADDED = re.compile(rb"Message-Id: .*@mta\.example>|Date: .* GMT|From: (t\d+|new)@example\.org|From: MAILER-DAEMON")


class Editing(EditRig):
    """A server with a filter that makes the edits which a file for each message holds."""

    def play(self, cases: list[Case]) -> None:
        """Send each message, all on one connection, and wait until nothing is left to deliver."""
        with self.server.client() as client:
            for case in cases:
                calls = [as_call(edit) for edit in case.edits]
                (self.folder / f"{case.token}.json").write_text(json.dumps(calls))
                sender, to, params = case.envelope.sender, case.envelope.recipients, case.envelope.sender_params
                assert client.sendmail(sender, list(to), case.message, params.split()) == {}
        self.server.settle(120)

    def delivered(self, case: Case) -> list[Delivery]:
        """Every delivery of this message; a server may make more than one."""
        return self.sink.deliveries(f"{TOKEN}: {case.token}\r\n")


@pytest.fixture(scope="module", params=["postfix", "sendmail"])
def mta(request: pytest.FixtureRequest) -> Iterator[Editing]:
    with editing(Editing, request.param, _FILTER) as server:
        yield server


def difference(mta: Editing, case: Case) -> str | None:
    """Where the deliveries of this message are not what the model foretold."""
    foretold = apply_edits(case.message, case.envelope, case.edits, mta=mta.name)
    deliveries = mta.delivered(case)
    recipients = sorted(address for delivery in deliveries for address in delivery.addresses)
    if recipients != sorted(foretold.envelope.recipients):
        return f"recipients {recipients}\nforetold   {sorted(foretold.envelope.recipients)}"
    head, _, body = foretold.message.partition(b"\r\n\r\n")
    for delivery in deliveries:
        fields = _FIELD.split(delivery.head.removesuffix(b"\r\n"))
        fields = [field for field in fields if not (field.startswith(b"Received: ") and b"by mta.example" in field)]
        if mta.name == "sendmail":
            fields = [field for field in fields if not _ADDED.fullmatch(field)]
        if fields != _FIELD.split(head):
            return f"fields   {fields}\nforetold {_FIELD.split(head)}"
        if delivery.body != body:
            return f"body     {delivery.body!r}\nforetold {body!r}"
        if delivery.sender.address != foretold.envelope.sender:
            return f"sender   {delivery.sender.address}\nforetold {foretold.envelope.sender}"
        params = {param for param in delivery.sender.params if param.startswith(("RET=", "ENVID="))}
        if params != set(foretold.envelope.sender_params.split()):
            return f"params   {params}\nforetold {foretold.envelope.sender_params}"
    return None


def check(mta: Editing, count: int) -> None:
    """Play `count` random cases; fail with the seeds of those that were not foretold."""
    run = secrets.token_hex(4)
    cases = [random_case(f"{run}-{number}", f"t{int(run, 16)}{number:05}", complete=False) for number in range(count)]
    mta.play(cases)
    assert sum(bool(mta.delivered(case)) for case in cases) > count / 2
    wrong = [(case, found) for case in cases if (found := difference(mta, case))]
    shown = "\n\n".join(
        f"random_case({case.seed!r}, {case.token!r}, complete=False)\n{case.message!r}\n"
        + "".join(f"  {edit}\n" for edit in case.edits)
        + found
        for case, found in wrong[:5]
    )
    assert not wrong, f"{len(wrong)} of {count} were mispredicted for {mta.name}:\n{shown}"


def test_random_edits_are_foretold(mta: Editing) -> None:
    check(mta, 200 if mta.name == "postfix" else 25)


@pytest.mark.long
@pytest.mark.timeout(600)
def test_many_random_edits_are_foretold(mta: Editing) -> None:
    check(mta, 1000 if mta.name == "postfix" else 400)


def test_a_wrong_model_would_be_seen(mta: Editing) -> None:
    """Each server's deliveries compared with the other's habits."""
    cases = [random_case(f"fixed-{number}", f"t9{number:05}") for number in range(20)]
    mta.play(cases)
    other = Editing("sendmail" if mta.name == "postfix" else "postfix", mta.server, mta.sink, mta.folder)
    assert [case.seed for case in cases if difference(mta, case)] == []
    assert len([case.seed for case in cases if difference(other, case)]) > 5


BODIES = [
    [b""],
    [b"no line end"],
    [b"bare\nLF\n"],
    [b"\n"],
    [b"CRLF\r", b"\nin two"],
    [b"CR\r", b"in two\r\n"],
    [b"end\r"],
    [b"end\r", b""],
    [b"end\r", b"", b"", b"\nmore"],
    [b"\0\r\n"],
    [b".\r\n..\r\n"],
    [b"\r\r\n\n"],
]


def test_bodies_are_foretold(mta: Editing) -> None:
    top = b"Date: Mon, 2 Mar 2026 10:00:00 +0000\r\nFrom: Some <from@example.org>\r\nMessage-ID: <m@host>\r\n"
    cases = [
        Case(
            repr(pieces),
            top + f"{TOKEN}: t8{number:05}\r\n\r\nold\r\n".encode(),
            Envelope(f"<t8{number:05}@example.org>", ("<a@example.net>",)),
            tuple(map(ReplaceBody, pieces)),
        )
        for number, pieces in enumerate(BODIES)
    ]
    mta.play(cases)
    assert all(mta.delivered(case) for case in cases)
    assert {case.seed: found for case in cases if (found := difference(mta, case))} == {}


# ---------------------------------------------- each row of the table "What the servers make of edits" in the docs

PAGE = Path(__file__).parents[2] / "docs" / "reference" / "libmilter.md"


@dataclass(frozen=True)
class Habit:
    """Edits of one message, and what the servers make of them: one part of the delivery, None if there is none."""

    edits: tuple[Edit, ...]
    part: Literal["fields", "recipients", "sender", "body"]
    postfix: str | bytes | None
    sendmail: str | bytes | None


def same(part: Literal["fields", "recipients", "sender", "body"], result: str | bytes | None, *edits: Edit) -> Habit:
    return Habit(edits, part, result, result)


def fields(postfix: str, sendmail: str, *edits: Edit) -> Habit:
    return Habit(edits, "fields", postfix, sendmail)


# Each message has the fields "Date From Message-ID X-Token A:1 B:1 A:2" and the recipients a and b; the servers put
# their Received on top. "0" stands for a field with an empty value.
HABITS: dict[str, list[Habit]] = {
    "addheader, the name exists": [
        fields("R D F M X A1 B1 A2 A3", "R D F M X A3 A1 B1 A2", AddHeader("A", "3")),
    ],
    "addheader(..., 0) and 1": [
        same("fields", "N1 R D F M X A1 B1 A2", InsertHeader(0, "N", "1")),
        same("fields", "R N1 D F M X A1 B1 A2", InsertHeader(1, "N", "1")),
    ],
    "addheader(..., n)": [
        fields("R D F M N1 X A1 B1 A2", "R N1 D F M X A1 B1 A2", InsertHeader(4, "N", "1")),
    ],
    "numbers of fields after a deletion": [
        fields("R D F M X B1 A9", "R D F M X A9 B1 A2", ChangeHeader(1, "A", ""), ChangeHeader(1, "A", "9")),
        fields("R D F M X B1 A2", "R D F M X B1", ChangeHeader(1, "A", ""), ChangeHeader(2, "A", "")),
        same("fields", "R D F M X B1", ChangeHeader(2, "A", ""), ChangeHeader(1, "A", "")),
    ],
    "chgheader beyond the last": [
        fields("R D F M X A1 B1 A2 A3", "R D F M X A3 A1 B1 A2", ChangeHeader(3, "A", "3")),
    ],
    "chgheader with the name in another case": [
        fields("R D F M X a9 B1 A2", "R D F M X A9 B1 A2", ChangeHeader(1, "a", "9")),
    ],
    "an empty value in addheader, chgheader": [
        same("fields", "R D F M X A1 B1 A2 N0", AddHeader("N", "")),
        same("fields", "R D F M X A1 A2", ChangeHeader(1, "B", "")),
    ],
    "addrcpt of one that is there": [Habit((AddRecipient("<a@example.net>"),), "recipients", "a a b", "a b")],
    "addrcpt twice": [same("recipients", "a b c", AddRecipient("<c@example.net>"), AddRecipient("<c@example.net>"))],
    "delrcpt of none, or in another case": [
        same("recipients", "a b", DeleteRecipient("<c@example.net>")),
        same("recipients", "a b", DeleteRecipient("<A@example.net>")),
    ],
    "delrcpt of all": [
        same("recipients", None, DeleteRecipient("<a@example.net>"), DeleteRecipient("<b@example.net>")),
    ],
    "chgfrom twice": [
        same("sender", "<y@example.org>", ChangeFrom("<x@example.org>"), ChangeFrom("<y@example.org>")),
        same("sender", "<>", ChangeFrom("<x@example.org>"), ChangeFrom("<>")),
    ],
    "a body without a last CRLF, or with LF alone": [
        same("body", b"one\r\ntwo\r\n", ReplaceBody(b"one\r\ntwo")),
        same("body", b"one\r\ntwo\r\n", ReplaceBody(b"one\ntwo\n")),
    ],
    "a body with NUL, CR alone or lines of dots": [
        same("body", b"\0\r\n.\r\n..\r\na\rb\r\n", ReplaceBody(b"\0\r\n.\r\n..\r\na\rb\r\n")),
    ],
    "an empty body": [same("body", b"", ReplaceBody(b""))],
}
# Rows that need more than a delivery to be seen, with the tests that show them.
ELSEWHERE = {
    "delrcpt of an address with a source route": "test_recipient_with_a_source_route_removed_as_the_filter_got_it",
    "edits of headers between chunks of the body": "test_edits_of_headers_between_chunks_of_the_body",
    "quarantine": "test_quarantine_keeps_other_edits",
}


def test_each_row_of_the_table_has_its_test() -> None:
    _, _, table = PAGE.read_text().partition("| edit | Postfix | Sendmail |\n|---|---|---|\n")
    rows = [line.split("|")[1].strip().replace("`", "") for line in table.partition("\n\n")[0].splitlines()]
    assert rows == sorted({**HABITS, **ELSEWHERE}, key=rows.index)
    tests = "".join(path.read_text() for path in Path(__file__).parent.glob("test_*.py"))
    assert all(f"def {name}(" in tests for name in ELSEWHERE.values())


@pytest.fixture(scope="module")
def habits(mta: Editing) -> dict[Habit, Case]:
    """All of the table, played at once."""
    top = "Date: Mon, 2 Mar 2026 10:00:00 +0000\r\nFrom: <from@example.org>\r\nMessage-ID: <m@host>\r\n"
    cases = {}
    for number, habit in enumerate(habit for row in HABITS.values() for habit in row):
        token = f"t7{number:05}"
        envelope = Envelope(f"<{token}@example.org>", ("<a@example.net>", "<b@example.net>"))
        data = f"{top}{TOKEN}: {token}\r\nA: 1\r\nB: 1\r\nA: 2\r\n\r\nold\r\n"
        cases[habit] = Case(token, data.encode(), envelope, habit.edits)
    mta.play(list(cases.values()))
    return cases


@pytest.mark.parametrize("row", HABITS)
def test_what_the_servers_make_of_edits(mta: Editing, habits: dict[Habit, Case], row: str) -> None:
    for habit in HABITS[row]:
        deliveries = mta.delivered(habits[habit])
        found = _part(deliveries, habit.part) if deliveries else None
        assert found == (habit.postfix if mta.name == "postfix" else habit.sendmail), habit.edits
        assert difference(mta, habits[habit]) is None


def _part(deliveries: list[Delivery], part: str) -> str | bytes:
    match part:
        case "recipients":
            return " ".join(sorted(address[1] for delivery in deliveries for address in delivery.addresses))
        case "sender":
            return deliveries[0].sender.address
        case "body":
            return deliveries[0].body
        case _:
            lines = _FIELD.split(deliveries[0].head.removesuffix(b"\r\n"))
            found = [line.decode().partition(":") for line in lines]
            return " ".join(f"{name}{value.strip() or 0}" if len(name) == 1 else name[0] for name, _, value in found)


def test_quarantine_keeps_other_edits(mta: Editing) -> None:
    envelope = Envelope("<t600000@example.org>", ("<a@example.net>",))
    edits = (Quarantine("smells"), AddRecipient("<c@example.net>"), ChangeFrom("<t600001@example.org>"))
    case = Case("", f"{TOKEN}: t600000\r\n\r\n".encode(), envelope, edits)
    mta.play([case])
    [held] = [one for one in mta.server.held() if one.sender == "<t600001@example.org>"]
    assert held.recipients == ("<a@example.net>", "<c@example.net>")
    assert held.reason == (None if mta.name == "postfix" else "smells")  # Postfix does not keep it
    assert mta.delivered(case) == []


class _Interleaving(socketserver.BaseRequestHandler):
    """A milter that sends an edit of the header between two chunks of a new body, which pymilter never does."""

    def handle(self) -> None:
        read_packet(self.request)
        self.request.sendall(packet(b"O", AGREE))
        while command := read_command(self.request):
            if command.startswith(b"E"):
                self.request.sendall(packet(b"b", b"one\r\n") + packet(b"h", b"N\0001\0") + packet(b"b", b"two\r\n"))
            if not command.startswith((b"A", b"Q")):
                self.request.sendall(packet(b"c"))


@pytest.fixture
def interleaving() -> Iterator[str]:
    """The address of that milter."""
    with socketserver.ThreadingTCPServer(("127.0.0.1", 0), _Interleaving) as milter:
        serving = threading.Thread(target=milter.serve_forever)
        serving.start()
        yield f"inet:{milter.server_address[1]}@127.0.0.1"
        milter.shutdown()
        serving.join()


@pytest.mark.parametrize("server", [Postfix, Sendmail])
def test_edits_of_headers_between_chunks_of_the_body(interleaving: str, server: type[Postfix] | type[Sendmail]) -> None:
    require.root("a mail server of our own")
    with Sink() as sink, server([interleaving], sink.port) as mta:
        with mta.client() as client:
            refusal = pytest.raises(smtplib.SMTPDataError, match="451") if server is Postfix else nullcontext()
            with refusal:
                client.sendmail("<a@example.org>", ["<b@example.net>"], f"{TOKEN}: t\r\n\r\nold\r\n".encode())
        mta.settle()
        bodies = [delivery.body for delivery in sink.deliveries(f"{TOKEN}: t\r\n")]
        assert bodies == ([] if server is Postfix else [b"one\r\ntwo\r\n"])
