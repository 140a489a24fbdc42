"""Mail through a real Postfix and a real Sendmail with our filter between: the same cases for both, on both sockets.

The sender's local part tells the filter (filters/mail_filter.py) what to do; what was delivered is read from the sink.
"""

from __future__ import annotations

import hashlib
import re
import smtplib

import pytest

from support.rig import Message, Rig

BODY_OF_MANY_CHUNKS = b"".join(b"line %d \xe9\r\n" % number for number in range(15_000))


def reply_of(error: smtplib.SMTPException) -> tuple[int, bytes]:
    """Return the code and the text of the reply that smtplib raised ``error`` for."""
    match error:
        case smtplib.SMTPRecipientsRefused(recipients=refused):
            ((code, text),) = refused.values()
        case smtplib.SMTPResponseException(smtp_code=code, smtp_error=text):
            pass
        case _:
            raise error
    return code, text if isinstance(text, bytes) else text.encode()


def fields_in_order(names: list[str]) -> list[str]:
    """Leave out the fields that the mail servers add or move."""
    return [name for name in names if name in ("Subject", "X-Multi", "X-Single", "X-Added", "X-Inserted")]


def test_accepted_message_arrives_as_it_was_sent(rig: Rig) -> None:
    message = Message()
    delivery = rig.deliver("accept", message, ["<first@example.net>", "<second@example.net>"])
    assert delivery.sender.address == "<accept@example.org>"
    assert sorted(delivery.addresses) == ["<first@example.net>", "<second@example.net>"]
    assert fields_in_order(delivery.names) == ["Subject", "X-Multi", "X-Multi", "X-Multi", "X-Single"]
    assert delivery.header("X-Multi") == ["one", "two", "three"]
    assert delivery.body == message.body


def test_every_step_is_told_to_the_filter(rig: Rig) -> None:
    message = Message(fields=b"Subject: a test\r\nX-Odd: caf\xe9\r\n", body=BODY_OF_MANY_CHUNKS)
    recipients = ["<first@example.net>", "<second@example.net>"]
    rig.send("tell", message, recipients, ["BODY=8BITMIME"])
    delivery = rig.delivered(message)
    (peer,) = delivery.header("X-Peer")
    assert peer.startswith("('127.0.0.1', ")
    assert delivery.header("X-Helo") == ["client.example"]
    assert "BODY=8BITMIME" in delivery.header("X-Params")[0].upper().split()
    assert delivery.header("X-Recipients") == [" ".join(recipients)]
    assert delivery.header("X-Names")[0].split() == ["Message-ID", "Date", "From", "Subject", "X-Odd"]
    assert delivery.header("X-Odd") == ["caf\udce9"]
    assert delivery.header("X-Odd-Seen") == [r"['caf\udce9']"]
    digest = hashlib.sha256(BODY_OF_MANY_CHUNKS).hexdigest()
    assert delivery.header("X-Body") == [f"{len(BODY_OF_MANY_CHUNKS)} {digest}"]
    assert delivery.body == BODY_OF_MANY_CHUNKS
    (queue_id,) = delivery.header("X-Queue-Id")
    assert queue_id in delivery.header("Received")[0]


def test_a_record_is_about_the_message_and_client_that_the_server_names(rig: Rig) -> None:
    message = Message()
    (received, *_) = rig.deliver("log", message).header("Received")
    lines = [line for line in rig.filter.stderr.splitlines() if message.token in line]
    # So written by both: from client.example (localhost [127.0.0.1]) by ... id 4Xy..., or (unknown [127.0.0.1])
    client = re.search(r"\((\S+) \[([0-9.]+)\]\)", received)
    queue_id = re.search(r"\bid (\w+)", received)
    assert client is not None
    assert queue_id is not None
    name, ip = client.groups()
    peer = ip if name == "unknown" else f"{name}[{ip}]"
    assert lines == [f"{queue_id[1]} {peer} <{message.token}@client.example>"]


def test_two_messages_on_one_connection(rig: Rig) -> None:
    refused, accepted = Message(), Message()
    with rig.mta.client() as client:
        with pytest.raises(smtplib.SMTPDataError):
            client.sendmail("<reject-eom@example.org>", ["<first@example.net>"], bytes(refused))
        client.sendmail("<add@example.org>", ["<first@example.net>"], bytes(accepted))
    assert "first" in rig.delivered(accepted).header("X-Added")
    assert rig.undelivered(refused)


def test_refused_at_mail(answering: Rig) -> None:
    message = Message()
    with pytest.raises(smtplib.SMTPSenderRefused) as refusal:
        answering.send("reject-mail", message)
    code, text = reply_of(refusal.value)
    assert code == 550
    assert text.startswith(b"5.7.1 ")
    assert text.endswith(b"go away")
    assert answering.undelivered(message)


def test_refused_at_rcpt_is_that_recipient_alone(answering: Rig) -> None:
    message = Message()
    refused = answering.send("accept", message, ["<refused@example.net>", "<first@example.net>"])
    assert list(refused) == ["<refused@example.net>"]
    code, text = refused["<refused@example.net>"]
    assert code == 550
    assert text.startswith(b"5.1.1 ")
    assert text.endswith(b"nobody here of that name")
    assert answering.delivered(message).addresses == ["<first@example.net>"]


def test_refused_at_the_end_of_data(rig: Rig) -> None:
    message = Message()
    with pytest.raises(smtplib.SMTPDataError) as refusal:
        rig.send("reject-eom", message)
    assert (refusal.value.smtp_code, refusal.value.smtp_error) == (554, b"5.7.1 no thank you, not 100% of it")
    assert rig.undelivered(message)


def test_put_off_at_the_end_of_data(rig: Rig) -> None:
    message = Message()
    with pytest.raises(smtplib.SMTPDataError) as refusal:
        rig.send("tempfail-eom", message)
    assert (refusal.value.smtp_code, refusal.value.smtp_error) == (451, b"4.7.1 come back later")
    assert rig.undelivered(message)


def test_discarded(rig: Rig) -> None:
    message = Message()
    assert rig.send("discard", message) == {}
    assert rig.undelivered(message)


@pytest.mark.parametrize("step", ["envfrom", "envrcpt", "data", "header", "eoh", "body", "eom"])
def test_exception_in_a_handler_puts_the_message_off(rig: Rig, step: str) -> None:
    message = Message()
    # A message is refused as a whole after these steps; before them the failure may be told sooner or at the end.
    expected = smtplib.SMTPDataError if step in ("header", "eoh", "body", "eom") else smtplib.SMTPException
    with pytest.raises(expected) as refusal:
        rig.send(f"fail-{step}", message)
    code, text = reply_of(refusal.value)
    assert 400 <= code <= 499
    assert b"inner matter" not in text
    assert b"RuntimeError" not in text
    assert rig.undelivered(message)


def test_failure_does_not_outlive_its_message(rig: Rig) -> None:
    failed, accepted = Message(), Message()
    with rig.mta.client() as client:
        with pytest.raises(smtplib.SMTPDataError):
            client.sendmail("<fail-header@example.org>", ["<first@example.net>"], bytes(failed))
        assert client.sendmail("<accept@example.org>", ["<first@example.net>"], bytes(accepted)) == {}
    assert rig.delivered(accepted).body == accepted.body
    assert rig.undelivered(failed)


def test_headers_added(rig: Rig) -> None:
    delivery = rig.deliver("add", Message())
    # Sendmail puts a field that is added before an earlier one of its name.
    assert sorted(delivery.header("X-Added")) == ["first", "second,\r\n\tfolded"]
    assert fields_in_order(delivery.names)[-2:] == ["X-Added", "X-Added"]


def test_header_inserted(rig: Rig) -> None:
    delivery = rig.deliver("insert", Message())
    assert delivery.header("X-Inserted") == ["at the top"]
    assert fields_in_order(delivery.names)[:2] == ["X-Inserted", "Subject"]


def test_headers_changed(rig: Rig) -> None:
    delivery = rig.deliver("change", Message())
    assert delivery.header("X-Multi") == ["one", "changed", "three"]
    assert delivery.header("X-Single") == ["changed too"]


def test_headers_deleted(rig: Rig) -> None:
    delivery = rig.deliver("delete", Message())
    assert delivery.header("X-Multi") == ["one", "two"]
    assert delivery.header("X-Single") == []


def test_recipient_added(rig: Rig) -> None:
    delivery = rig.deliver("addrcpt", Message())
    assert sorted(delivery.addresses) == ["<added@example.net>", "<first@example.net>"]


def test_recipient_added_with_esmtp_parameters(rig: Rig) -> None:
    delivery = rig.deliver("addrcpt-params", Message())
    params = {mailbox.address: mailbox.params for mailbox in delivery.recipients}
    assert sorted(params) == ["<added@example.net>", "<first@example.net>"]
    assert "NOTIFY=NEVER" in params["<added@example.net>"]
    assert "NOTIFY=NEVER" not in params["<first@example.net>"]


def test_recipient_removed(rig: Rig) -> None:
    delivery = rig.deliver("delrcpt", Message(), ["<first@example.net>", "<second@example.net>"])
    assert delivery.addresses == ["<first@example.net>"]


def test_recipient_with_a_source_route_removed_as_the_filter_got_it(rig: Rig) -> None:
    message = Message()
    with rig.mta.client() as client:  # sendmail() would take the route away
        client.ehlo()
        client.docmd("MAIL", "FROM:<delrcpt-as-got@example.org>")
        assert client.docmd("RCPT", "TO:<first@example.net>")[0] == 250
        assert client.docmd("RCPT", "TO:<@one.example,@two.example:second@example.net>")[0] == 250
        assert client.data(bytes(message))[0] == 250
    rig.sink.wait(message.token)
    assert rig.delivered(message).addresses == ["<first@example.net>"]


def test_sender_changed(rig: Rig) -> None:
    assert rig.deliver("chgfrom", Message()).sender.address == "<changed@example.org>"


def test_sender_changed_with_esmtp_parameters(rig: Rig) -> None:
    sender = rig.deliver("chgfrom-params", Message()).sender
    assert sender.address == "<changed@example.org>"
    assert {"RET=HDRS", "ENVID=abc"} <= set(sender.params)


def test_body_replaced(rig: Rig) -> None:
    delivery = rig.deliver("replacebody", Message())
    assert delivery.body == b"".join(b"line %d of the new body\r\n" % number for number in range(9000))
    assert delivery.header("X-Multi") == ["one", "two", "three"]


def test_quarantined(rig: Rig) -> None:
    message = Message()
    assert rig.send("quarantine", message) == {}
    assert rig.undelivered(message)
    (held,) = rig.held_from("<quarantine@example.org>")
    assert held.recipients == ("<first@example.net>",)
    assert held.reason in ("smells of fish", None)  # Postfix does not keep it


def test_all_edits_of_one_message(rig: Rig) -> None:
    delivery = rig.deliver("everything", Message(), ["<first@example.net>", "<second@example.net>"])
    assert delivery.sender.address == "<changed@example.org>"
    assert sorted(delivery.addresses) == ["<added@example.net>", "<first@example.net>"]
    assert delivery.header("X-Added") == ["first"]
    assert delivery.header("X-Single") == ["changed too"]
    assert delivery.body == b"new\r\n"
