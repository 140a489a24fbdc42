"""MessageFilter through real mail servers: what is delivered is what `Message` says, after random edits too."""

from __future__ import annotations

import json
import re
import secrets
from collections.abc import Iterator
from pathlib import Path

import pytest

from pymilter.message import Connection, Message
from pymilter.testing import Envelope, apply_edits
from support.edit_rig import EditRig, editing
from support.message_edits import Case, play, random_case
from support.sink import Delivery

_FILTER = Path(__file__).with_name("filters") / "message_filter.py"
_FIELD = re.compile(rb"\r\n(?![ \t])")
_OWN = re.compile(rb"Received: .*\bby mta\.example\b", re.DOTALL)
# What Sendmail adds to a message that lacks Message-ID, Date or From; no value of random_case looks like it.
_ADDED = re.compile(rb"Message-Id: .*@mta\.example>|Date: .* GMT|From: (t\d+|changed|x\.y|MAILER-DAEMON)\b.*")


class Editing(EditRig):
    """A server with the filter, and a folder in which both sides leave a file for each message."""

    def play(self, cases: list[Case]) -> None:
        """Send each message, all on one connection, and wait until nothing is left to deliver."""
        with self.server.client() as client:
            for case in cases:
                (self.folder / f"{case.token}.json").write_text(json.dumps(case.steps))
                assert client.sendmail(case.sender, list(case.recipients), case.message) == {}
        self.server.settle(120)

    def delivered(self, case: Case) -> list[Delivery]:
        """Every delivery of this message; a server may make more than one."""
        return self.sink.deliveries(case.token)


@pytest.fixture(scope="module", params=["postfix", "sendmail"])
def mta(request: pytest.FixtureRequest) -> Iterator[Editing]:
    with editing(Editing, request.param, _FILTER) as server:
        yield server


def message_of(mta: Editing, case: Case) -> Message:
    """The message as the filter got it, made anew as a test without a process makes it, with the steps played."""
    came = (mta.folder / f"{case.token}.came").read_bytes()
    version = {"postfix": "Postfix 3.7.11", "sendmail": "8.17.1.9/Debian"}[mta.name]
    connection = Connection(macros={"v": version})
    message = Message.parse(came, sender=case.sender, recipients=case.recipients, connection=connection)
    play(message, case.steps)
    return message


def difference(mta: Editing, case: Case) -> str | None:
    """Where the deliveries of this message, or the testing client's model of them, are not what `Message` says."""
    message = message_of(mta, case)
    expected = message.as_bytes()
    recipients = sorted(f"<{one.address}>" for one in message.recipients)
    sender = f"<{message.sender.address}>"
    came = (mta.folder / f"{case.token}.came").read_bytes()
    if (went := (mta.folder / f"{case.token}.went").read_bytes()) != expected:
        return f"filter   {went!r}\nexpected {expected!r}"
    envelope = Envelope(f"<{case.sender}>", tuple(f"<{one}>" for one in case.recipients))
    model = apply_edits(came, envelope, message.edits, mta=mta.name, leading_space=True)
    if model.message != expected or sorted(model.envelope.recipients) != recipients or model.envelope.sender != sender:
        return f"model    {model}\nexpected {expected!r} from {sender} to {recipients}"
    deliveries = mta.delivered(case)
    got = sorted(address for delivery in deliveries for address in delivery.addresses)
    if got != recipients:
        return f"recipients {got}\nexpected   {recipients}"
    head, _, body = expected.partition(b"\r\n\r\n") if not expected.startswith(b"\r\n") else (b"", b"", expected[2:])
    for delivery in deliveries:
        fields = [field for field in _FIELD.split(delivery.head.removesuffix(b"\r\n")) if not _OWN.match(field)]
        if mta.name == "sendmail":
            fields = [field for field in fields if not _ADDED.fullmatch(field)]
        if fields != (_FIELD.split(head) if head else []):
            return f"fields   {fields}\nexpected {_FIELD.split(head)}"
        if delivery.body != body:
            return f"body     {delivery.body!r}\nexpected {body!r}"
        if delivery.sender.address != sender:
            return f"sender   {delivery.sender.address}\nexpected {sender}"
    return None


def check(mta: Editing, count: int) -> None:
    """Play `count` random cases; fail with the seeds of those whose delivery was another."""
    run = secrets.token_hex(4)
    cases = [random_case(f"{run}-{number}", f"t{int(run, 16)}{number:05}") for number in range(count)]
    mta.play(cases)
    wrong = [(case, found) for case in cases if (found := difference(mta, case))]
    shown = "\n\n".join(
        f"random_case({case.seed!r}, {case.token!r})\n{case.message[:2000]!r}\n"
        + "".join(f"  {step}\n" for step in case.steps)
        + "".join(f"  {edit}\n" for edit in message_of(mta, case).edits)
        + found[:4000]
        for case, found in wrong[:5]
    )
    assert not wrong, f"{len(wrong)} of {count} were delivered otherwise by {mta.name}:\n{shown}"


def test_random_edits_are_delivered_as_the_message_says(mta: Editing) -> None:
    check(mta, 200)


@pytest.mark.long
@pytest.mark.timeout(3600)
def test_many_random_edits_are_delivered_as_the_message_says(mta: Editing) -> None:
    check(mta, 5000)
