from gate import Gate

from pymilter import Message
from pymilter.testing import MilterFixture, accepted, rejected

MESSAGE = b"Subject: hello\r\n\r\ntext\r\n"


def test_the_tag_alone() -> None:
    message = Message.parse(MESSAGE, sender="ada@example.org", recipients=["grace@example.net"])
    Gate().message(message)
    assert message.headers["Subject"].text == "[EXTERNAL] hello"


def test_mail_from_outside_is_tagged(milter: MilterFixture) -> None:
    result = milter(Gate).send(MESSAGE, "ada@example.org", ["grace@example.net"])
    assert result == accepted(headers={"Subject": "[EXTERNAL] hello"})


def test_our_own_mail_is_not(milter: MilterFixture) -> None:
    result = milter(Gate).send(MESSAGE, "ben@example.net", ["grace@example.net"])
    assert result == accepted(changed=False)


def test_a_blocked_domain_is_refused(milter: MilterFixture) -> None:
    assert milter(Gate).send(MESSAGE, "x@spam.example", ["grace@example.net"]) == rejected(550, "5.7.1")


def test_nobody_is_refused(milter: MilterFixture) -> None:
    result = milter(Gate).send(MESSAGE, "ada@example.org", ["nobody@example.net", "grace@example.net"])
    assert result == accepted(refused=["<nobody@example.net>"])
