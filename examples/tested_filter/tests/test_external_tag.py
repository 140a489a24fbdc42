"""Tests at three levels: without a socket, on libmilter in this process, and of the whole program."""

import external_tag
import pytest
from external_tag import ExternalTag

from pymilter import CONTINUE, Message
from pymilter.testing import MilterFixture, MilterProcessFixture, accepted, rejected

MESSAGE = b"Subject: hello\r\n\r\ntext\r\n"


def test_the_policy_alone() -> None:
    message = Message.parse(MESSAGE, sender="mallory@example.org", recipients=["anna@example.net"])
    assert ExternalTag().message(message) is CONTINUE
    assert message.headers["Subject"].text == "[EXTERNAL] hello"


@pytest.mark.parametrize(
    ("sender", "subject"),
    [("mallory@example.org", "[EXTERNAL] hello"), ("ben@EXAMPLE.net", "hello"), ("<>", "[EXTERNAL] hello")],
)
def test_the_subject_says_where_a_message_came_from(milter: MilterFixture, sender: str, subject: str) -> None:
    result = milter(ExternalTag).send(MESSAGE, sender, ["anna@example.net"])
    assert result == accepted(headers={"Subject": [subject]}, recipients=["anna@example.net"])


def test_a_message_without_a_subject_gets_one(milter: MilterFixture) -> None:
    result = milter(ExternalTag).send(b"From: a@example.org\r\n\r\ntext\r\n", "a@example.org", ["anna@example.net"])
    assert result == accepted(headers={"Subject": "[EXTERNAL]"})


def test_recipients_that_nobody_has_are_refused(milter: MilterFixture) -> None:
    tag = milter(ExternalTag)
    assert tag.send(MESSAGE, "a@example.org", ["nobody@example.net"]) == rejected(550, "5.1.1")
    result = tag.send(MESSAGE, "a@example.org", ["nobody@example.net", "anna@example.net"])
    assert result == accepted(recipients=["anna@example.net"], refused=["<nobody@example.net>"])


def test_people_come_and_go(milter: MilterFixture, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(external_tag, "PEOPLE", frozenset({"carol"}))
    assert milter(ExternalTag).send(MESSAGE, "a@example.org", ["carol@example.net"]) == accepted()


def test_the_program(milter_process: MilterProcessFixture) -> None:
    program = milter_process(external_tag.__file__)
    assert program.send(MESSAGE, "a@example.org", ["anna@example.net"]) == accepted(changed=True)
