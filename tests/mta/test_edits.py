"""`pymilter.testing.apply_edits` beside real servers: random edits, and each delivery as it was foretold."""

from __future__ import annotations

import json
import re
import secrets
from collections.abc import Iterator
from pathlib import Path

import pytest

from pymilter.testing import Envelope, ReplaceBody, apply_edits
from support.edit_rig import EditRig, editing
from support.edits import TOKEN, Case, as_call, random_case
from support.sink import Delivery

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
