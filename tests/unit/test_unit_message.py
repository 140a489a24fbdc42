"""A filter's `message` without a process: `Message.parse` in, `edits` and `as_bytes()` out; what is refused where."""

from __future__ import annotations

import gc
import tracemalloc
import types
import weakref
from collections.abc import Callable, Sequence
from functools import partial
from typing import Any

import pytest

from pymilter import Action, Base, DisabledAction, MilterError, Server, Status, decode
from pymilter.message import Address, Connection, Field, Message, MessageFilter, Peer, Recipient, chain, message_filter
from pymilter.message._address import received
from pymilter.message._connection import Tls, peer_of
from pymilter.message._field import checked_raw
from pymilter.message._filter import FINAL
from pymilter.message._grant import OVER
from pymilter.message._header_edits import on_wire
from pymilter.message._source import Parsed
from pymilter.testing import (
    AddHeader,
    AddRecipient,
    ChangeFrom,
    ChangeHeader,
    DeleteRecipient,
    Edit,
    Envelope,
    InsertHeader,
    Mta,
    Quarantine,
    ReplaceBody,
    apply_edits,
)
from support.message_edits import play, random_case

DATA = (
    b"From: a@example.org\r\nSubject: =?utf-8?q?h=C3=A9?= you\r\nX-Fold: one\r\n two\r\nx-fold:three \r\nX-None:\r\n"
    b"X-Raw: \xff\r\n\r\nbody\r\n"
)


def parse(data: bytes = DATA, mta: str = "Postfix 3.7.11", **options: Any) -> Message:
    connection = Connection(macros={"v": mta, "{auth_authen}": "anna", "i": "4XYZ"})
    recipients = ["<b@example.net>", "c@Example.net"]
    return Message.parse(data, sender="<a@example.org>", recipients=recipients, connection=connection, **options)


# ------------------------------------------------------------------------------------ reading


def test_what_is_no_message_is_refused() -> None:
    with pytest.raises(TypeError, match="data is a str: a message is bytes"):
        Message.parse("a: b\n\n")  # type: ignore[arg-type]
    with pytest.raises(TypeError, match="recipients is a str: give a list of addresses"):
        Message.parse(b"", recipients="a@example.org")
    for kind in (bytes, bytearray, memoryview):
        assert Message.parse(kind(b"a: b\n\nx")).body == b"x\r\n"  # type: ignore[arg-type]


def test_a_message_has_as_many_fields_and_recipients_before_they_are_looked_at() -> None:
    assert (len(parse().headers), len(parse().recipients)) == (6, 2)
    assert (len(Message.parse(b"").headers), len(Message.parse(b"").recipients)) == (0, 0)
    assert len(Message.parse(b"x: 1\nno field\n").headers) == 1


def test_time_can_be_asked_for_until_the_message_is_over() -> None:
    message = parse()
    message.progress()
    message._grant.reason = OVER
    with pytest.raises(MilterError, match="the message is over"):
        message.progress()
    with pytest.raises(MilterError, match="the message is over"):
        message.quarantine("late")


def test_a_filter_without_message_says_so() -> None:
    class Bare(MessageFilter): ...

    with pytest.raises(NotImplementedError, match=r"Bare has no method message\(self, message\)"):
        Bare().message(parse())


def test_a_message_is_read() -> None:
    message = parse()
    assert [field.name for field in message.headers] == ["From", "Subject", "X-Fold", "x-fold", "X-None", "X-Raw"]
    assert [field.value for field in message.headers.all("X-FOLD")] == ["one two", "three"]
    assert message.headers["x-fold"].raw == b" one\r\n two"
    assert message.headers["Subject"].text == "h\xe9 you"
    assert message.headers["X-None"].value == ""
    assert message.headers["X-Raw"].value == "\udcff"
    assert "X-RAW" in message.headers
    assert "X-Ra" not in message.headers
    assert message.headers.get("X-Ra") is None
    with pytest.raises(KeyError):
        message.headers["X-Ra"]
    assert (len(message.headers), message.body, bytes(message.body_view)) == (6, b"body\r\n", b"body\r\n")
    assert (str(message.sender), [str(one) for one in message.recipients]) == (
        "a@example.org",
        ["b@example.net", "c@Example.net"],
    )
    assert (message.queue_id, message.connection.login, message.macro("auth_authen")) == ("4XYZ", "anna", "anna")
    assert message.as_bytes() == DATA
    assert message.edits == []


@pytest.mark.parametrize("data", [DATA, b"", b"\r\n", b"\r\nx\r\n", b"X:1\r\n\r\n", b"X: 1\r\n y\r\n\t\r\n\r\n\0\r\n"])
def test_what_is_not_changed_is_the_same(data: bytes) -> None:
    message = parse(data)
    list(message.headers)
    assert message.as_bytes() == (data if data else b"\r\n")
    assert message.email is message.email
    assert message.edits == []
    assert parse(data.replace(b"\r\n", b"\n")).as_bytes() == message.as_bytes()


def test_names_that_differ_in_case_are_one_name() -> None:
    message = parse(b"".join(b"%s: %d\r\n" % (name, at) for at, name in enumerate([b"X", b"x", b"Y", b"X"])) + b"\r\n")
    assert [field.value for field in message.headers.all("x")] == ["0", "1", "3"]
    del message.headers["x"]
    assert message.as_bytes() == b"Y: 2\r\n\r\n"
    # From the last to the first: the numbers of those that are left do not change.
    assert message.edits == [ChangeHeader(3, "X", ""), ChangeHeader(2, "x", ""), ChangeHeader(1, "X", "")]


# ------------------------------------------------------------------------------------ the header


@pytest.mark.parametrize(
    ("change", "edits"),
    [
        (lambda h: h.append("X", "1"), [AddHeader("X", " 1")]),
        (lambda h: h.prepend("X", "1"), [InsertHeader(0, "X", " 1")]),
        (
            lambda h: [h.prepend("X", "1"), h.prepend("Y", "2")],
            [InsertHeader(0, "Y", " 2"), InsertHeader(1, "X", " 1")],
        ),
        (lambda h: h.insert_before(h["X-None"], "X", "1"), [InsertHeader(5, "X", " 1")]),
        (lambda h: h.insert_after(h["From"], "X", "1"), [InsertHeader(2, "X", " 1")]),
        (lambda h: h.replace("X-Fold", "1"), [ChangeHeader(2, "x-fold", ""), ChangeHeader(1, "X-Fold", " 1")]),
        (lambda h: h.replace("X", "1"), [AddHeader("X", " 1")]),
        (lambda h: setattr(h["From"], "value", ""), [ChangeHeader(1, "From", " ")]),
        (lambda h: setattr(h["From"], "value", "a@example.org"), []),
        (lambda h: setattr(h["From"], "value", "x\r\n\ty"), [ChangeHeader(1, "From", " x\n\ty")]),
        (lambda h: setattr(h["Subject"], "text", "pl\xe4n"), [ChangeHeader(1, "Subject", " =?utf-8?q?pl=C3=A4n?=")]),
        (lambda h: h.append("X", "1").delete(), []),
        (lambda h: setattr(h.append("X", "1"), "value", "2"), [AddHeader("X", " 2")]),
        (lambda h: h.__delitem__("nobody"), []),
    ],
)
def test_header_changes_become_the_fewest_edits(change: Callable[[Any], object], edits: list[Edit]) -> None:
    message = parse()
    change(message.headers)
    assert message.edits == edits


@pytest.mark.parametrize("name", ["X", "X-Longer"])
def test_a_field_may_have_just_as_many_bytes_as_postfix_keeps(name: str) -> None:
    """With its name, the colon and the space: Postfix cuts the whole field."""
    message = parse()
    value = ""
    while (left := 60_000 - len(f"{name}: {value}".replace("\r\n", "\n"))) > 900:
        value += "x" * 800 + "\r\n "
    value += "x" * left
    message.headers.append(name, value)
    with pytest.raises(ValueError, match=f"the field {name} would have 60001 bytes: 60000 are allowed"):
        message.headers.append(name, value + "u")


@pytest.mark.parametrize(
    ("name", "value", "why"),
    [
        ("X\r\nEvil", "1", "header name contains"),
        ("X:", "1", "header name contains"),
        ("", "1", "header name is empty"),
        ("X", "a\r\nEvil: 1", "it would begin a new header"),
        ("X", "a\0b", "NUL"),
        ("X", "a\rb", "CR"),
        ("X", "a\r\n \r\n b", "nothing but blanks"),
        ("X", "x" * 1000, "998 are allowed"),
        ("X", "x" * 900 + "\r\n " + ("y" * 900 + "\r\n ") * 70 + "z", "60000 are allowed"),
    ],
)
def test_what_could_not_be_sent_is_refused_at_the_line_of_the_edit(name: str, value: str, why: str) -> None:
    message = parse()
    for change in (message.headers.append, message.headers.prepend, message.headers.replace):
        with pytest.raises(ValueError, match=why):
            change(name, value)
    if name == "X":
        with pytest.raises(ValueError, match=why):
            message.headers["From"].value = value
    assert message.edits == []
    with pytest.raises(TypeError, match="must be a str"):
        message.headers.append("X", b"1")  # type: ignore[arg-type]


@pytest.mark.parametrize(
    ("name", "text"),
    [
        ("Subject", "plain"),
        ("Subject", "Gr\xfc\xdfe " * 30),
        ("Subject", "a long line of words " * 10),
        ("Subject", "x" * 500 + "\xe9"),
        ("Subject", "=?utf-8?q?not_a_word?= =?"),
        ("Subject", "\u2028 and \x0b and \x85 are no line ends"),
        ("To", '"=?utf-8?q?x?=" <g@example.org>, "=?utf-8?q?y?=" <p@example.org>, q@example.org'),
        ("Subject", "emoji \U0001f600 and \u200d"),
        ("To", "G\xfcnter \xd6rtel <g@example.org>, plain <p@example.org>, q@example.org"),
    ],
)
def test_a_text_is_encoded_folded_and_read_again(name: str, text: str) -> None:
    message = parse(b"Subject: x\r\nTo: y\r\n\r\n")
    message.headers[name].text = text
    field = message.headers[name]
    assert field.raw.isascii()
    assert max(map(len, field.raw.split(b"\r\n"))) < 600
    assert field.text.replace('"', "").split() == text.replace('"', "").split()
    if name == "To":
        assert field.raw.count(b"@") == 3  # the addresses themselves are not encoded
    assert parse(message.as_bytes()).headers[name].text == field.text


def test_a_text_has_no_bytes_that_are_no_text() -> None:
    message = parse(b"Subject: \xff x\r\n\r\n")
    subject = message.headers["Subject"]
    subject.text = "[EXTERNAL] " + subject.text
    assert subject.text == "[EXTERNAL] \ufffd x"
    subject.text = "two\r\n lines\n"
    assert (subject.text, subject.raw) == ("two lines", b" two lines")
    with pytest.raises(ValueError, match="NUL"):
        subject.text = "a\0b"


def test_a_field_that_was_deleted_is_over() -> None:
    message, other = parse(), parse()
    field = message.headers["From"]
    field.delete()
    for change in (field.delete, lambda: setattr(field, "value", "x"), lambda: setattr(field, "text", "x")):
        with pytest.raises(MilterError, match="was deleted"):
            change()
    for place in (field, other.headers["From"]):
        with pytest.raises(ValueError, match="not in the header"):
            message.headers.insert_before(place, "X", "1")
    assert field.value == "a@example.org"


def test_fields_may_be_deleted_while_they_are_gone_through() -> None:
    message = parse(b"X: 1\r\n" * 1000 + b"\r\n")
    for field in message.headers:
        field.delete()
    assert len(message.headers) == 0
    assert message.as_bytes() == b"\r\n"
    assert message.edits[0] == ChangeHeader(1000, "X", "")


# ------------------------------------------------------------------------------------ the envelope


def test_recipients_are_a_set() -> None:
    message = parse()
    to = message.recipients
    assert "B@EXAMPLE.net" in to
    assert "<b@example.net>" in to
    assert Recipient("b@example.net") in to
    assert "x@example.net" not in to
    to.add("b@example.net")
    to.add("C@example.NET")
    assert message.edits == []
    to.add("x@example.net", ["NOTIFY=NEVER"])
    to.remove("B@example.net")
    to.discard("nobody@example.net")
    with pytest.raises(KeyError):
        to.remove("nobody@example.net")
    assert message.edits == [DeleteRecipient("<b@example.net>"), AddRecipient("<x@example.net>", "NOTIFY=NEVER")]
    to.add("b@example.net")
    to.remove("x@example.net")
    assert message.edits == []
    to.remove("b@example.net")
    to.add("b@example.net", ["NOTIFY=NEVER"])
    assert message.edits == [DeleteRecipient("<b@example.net>"), AddRecipient("<b@example.net>", "NOTIFY=NEVER")]


def test_a_message_without_recipients_is_not_sent_away_in_silence() -> None:
    message = parse()
    message.recipients.clear()
    with pytest.raises(MilterError, match="return DISCARD"):
        _ = message.edits
    message.recipients.add("new@example.net")
    assert message.edits[-1] == AddRecipient("<new@example.net>")


@pytest.mark.parametrize(
    ("sender", "edits"),
    [
        ("b@example.org", [ChangeFrom("<b@example.org>")]),
        ("<>", [ChangeFrom("<>")]),
        ("", [ChangeFrom("<>")]),
        (Address("a@example.org", ["RET=HDRS", "ENVID=1"]), [ChangeFrom("<a@example.org>", "RET=HDRS ENVID=1")]),
        ("<a@example.org>", []),
    ],
)
def test_the_sender_is_assigned(sender: str | Address, edits: list[Edit]) -> None:
    message = parse()
    message.sender = sender
    assert message.edits == edits


@pytest.mark.parametrize(
    ("text", "local", "domain", "ascii_domain"),
    [
        ("a@Example.org", "a", "Example.org", "example.org"),
        ("<a@example.org>", "a", "example.org", "example.org"),
        ("<@r1,@r2:a@example.org>", "a", "example.org", "example.org"),
        ('"a b\\"c"@example.org', 'a b"c', "example.org", "example.org"),
        ('"a@b"@example.org', "a@b", "example.org", "example.org"),
        ("g\xfcnter@b\xfccher.example", "g\xfcnter", "b\xfccher.example", "xn--bcher-kva.example"),
        ("", "", "", ""),
    ],
)
def test_an_address_is_taken_apart(text: str, local: str, domain: str, ascii_domain: str) -> None:
    address = Address(text)
    assert (address.local, address.domain, address.ascii_domain) == (local, domain, ascii_domain)
    assert address == Address(str(address))
    assert hash(address) == hash(Address(str(address).replace(domain, domain.upper()) if domain.isascii() else text))


@pytest.mark.parametrize(
    "text", ["bob", "a@b,c@d", "<a@b>,<c@d>", "a@b\r\nDATA", "a b@example.org", "a@b>", '"a@example.org', "a\0@b"]
)
def test_what_is_no_address_is_refused(text: str) -> None:
    message = parse()
    with pytest.raises(ValueError, match="address"):
        message.recipients.add(text)
    with pytest.raises(ValueError, match="address"):
        message.sender = text
    with pytest.raises(ValueError, match="address is empty"):
        message.recipients.add("")
    with pytest.raises(ValueError, match="parameter"):
        message.recipients.add("x@example.org", ["NOTIFY=NEVER ORCPT=x"])
    assert message.edits == []


def test_whatever_an_mta_let_through_is_shown() -> None:
    message = Message.parse(b"\r\n", sender="a b", recipients=["<postmaster>", "<\udcff@x>"])
    assert [one.address for one in message.recipients] == ["postmaster", "\udcff@x"]
    assert message.sender.address == "a b"
    message.recipients.remove("postmaster")
    assert message.edits == [DeleteRecipient("<postmaster>")]


@pytest.mark.parametrize(
    ("params", "told"),
    [((), False), (("SIZE=1", "SMTPUTF8"), True), (("smtputf8",), True), (("X-SMTPUTF8", "BODY=SMTPUTF8"), False)],
)
def test_smtputf8_is_told(params: tuple[str, ...], told: bool) -> None:
    class WithParameters(Parsed):
        def sender(self) -> Sequence[str]:
            return ("<a@example.org>", *params)

    assert Message._parsed(WithParameters(DATA, "", []), Connection(), 0).envelope.smtputf8 is told


class _WithParameters(Parsed):
    def sender(self) -> Sequence[str]:
        return "<a@example.org>", "SIZE=5", "RET=FULL"


@pytest.mark.parametrize(
    ("sender", "edits"),
    [
        ("a@example.org", []),
        (Address("a@example.org"), []),
        (Address("a@example.org", ["SIZE=5", "RET=FULL"]), []),
        (Address("a@example.org", "RET=HDRS"), [ChangeFrom("<a@example.org>", "RET=HDRS")]),
        ("x@example.org", [ChangeFrom("<x@example.org>")]),
        (Address("x@example.org", ["SIZE=5", "RET=FULL"]), [ChangeFrom("<x@example.org>", "SIZE=5 RET=FULL")]),
    ],
)
def test_the_clients_parameters_stay_where_the_filter_gives_none(sender: str | Address, edits: list[Edit]) -> None:
    message = Message._parsed(_WithParameters(DATA, "", ["b@example.net"]), Connection(), sum(Action))
    assert message.sender.params == ("SIZE=5", "RET=FULL")
    message.sender = sender
    assert message.edits == edits


def test_a_recipient_that_came_twice_comes_back_once() -> None:
    message = Message.parse(DATA, recipients=["b@example.net", "<b@example.net>", "c@example.net"])
    assert len(message.recipients) == 3
    message.recipients.remove("B@EXAMPLE.NET")
    assert [str(one) for one in message.recipients] == ["c@example.net"]
    message.recipients.add("b@example.net")
    assert message.edits == [DeleteRecipient("<b@example.net>"), AddRecipient("<b@example.net>")]
    assert len(message.recipients) == 2


@pytest.mark.parametrize(
    ("shown", "text"),
    [
        (Address("<a@Example.org>"), "Address('a@Example.org')"),
        (Recipient("a@example.org", ["NOTIFY=NEVER"]), "Recipient('a@example.org', ('NOTIFY=NEVER',))"),
        (parse().recipients, "<Recipients: b@example.net, c@Example.net>"),
        (parse().envelope, "<Envelope from a@example.org to b@example.net, c@Example.net>"),
        (parse(b"a: b\r\nC: d\r\n\r\n").headers, "<Headers: a, C>"),
        (parse(), "<Message from a@example.org to b@example.net, c@Example.net>"),
        (Message.parse(DATA), "<Message from <> to >"),
        (Message.parse(DATA).envelope, "<Envelope from <> to >"),
        (Connection(Peer("192.0.2.1", 5, "mx.example.org")), "<Connection from mx.example.org[192.0.2.1]>"),
        (Connection(), "<Connection from unknown>"),
    ],
)
def test_what_python_shows_of_it(shown: object, text: str) -> None:
    assert repr(shown) == text


def test_addresses_are_no_texts() -> None:
    assert Address("a@example.org") != "a@example.org"
    assert Address("a@" + "\xe9" * 70 + ".Example").ascii_domain == "\xe9" * 70 + ".example"  # no label is that long
    assert Address("a@example.org", "RET=HDRS").params == ("RET=HDRS",)


# ------------------------------------------------------------------------------------ the connection


@pytest.mark.parametrize(
    ("hostname", "hostaddr", "peer", "text"),
    [
        ("mx.example.org", ("192.0.2.1", 5), Peer("192.0.2.1", 5, "mx.example.org"), "mx.example.org[192.0.2.1]"),
        ("[192.0.2.1]", ("192.0.2.1", 5), Peer("192.0.2.1", 5), "192.0.2.1"),
        ("unknown", ("::1", 5, 0, 0), Peer("::1", 5), "::1"),
        ("localhost", None, Peer(None, None, "localhost"), "localhost"),
        ("localhost", "/run/socket", Peer(None, None, "localhost"), "localhost"),
        ("", None, Peer(), "unknown"),
        (None, None, Peer(), "unknown"),
    ],
)
def test_a_client_is_what_the_mta_knows_of_it(hostname: str | None, hostaddr: Any, peer: Peer, text: str) -> None:
    found = peer_of(hostname, hostaddr)
    assert (found, str(found), found.is_verified) == (peer, text, peer.name is not None)


@pytest.mark.parametrize(
    ("macros", "tls"),
    [
        ({}, None),
        ({"tls_version": ""}, None),
        ({"{tls_version}": "TLSv1.3"}, Tls("TLSv1.3", None, None, None, None)),
        (
            {"tls_version": "TLSv1.2", "cipher": "AES", "cipher_bits": "256", "cert_subject": "s", "cert_issuer": "i"},
            Tls("TLSv1.2", "AES", 256, "s", "i"),
        ),
        (
            {"tls_version": "TLSv1.2", "cipher": "", "cipher_bits": "many", "cert_subject": "", "cert_issuer": ""},
            Tls("TLSv1.2", None, None, None, None),
        ),
    ],
)
def test_encryption_is_read_of_macros(macros: dict[str, str], tls: Tls | None) -> None:
    assert Connection(macros=macros).tls == tls


def test_names_are_read_of_macros() -> None:
    connection = Connection(macros={"{daemon_name}": "smtpd", "j": "mx.example.net", "auth_authen": ""})
    assert (connection.daemon, connection.hostname, connection.login) == ("smtpd", "mx.example.net", None)
    assert (Connection().daemon, Connection().hostname, Connection().login) == (None, None, None)


# ------------------------------------------------------------------------------------ the body


@pytest.mark.parametrize(
    ("body", "sent"),
    [
        (b"x", b"x\r\n"),
        (b"x\ny\r\n", b"x\r\ny\r\n"),
        (b"", b""),
        (bytearray(b"a\rb\0"), b"a\rb\0\r\n"),
        (memoryview(b"\n"), b"\r\n"),
    ],
)
def test_a_body_reads_as_it_is_sent(body: Any, sent: bytes) -> None:
    message = parse()
    message.body = body
    assert message.body == sent
    assert message.as_bytes().endswith(b"\r\n\r\n" + sent)
    assert message.edits == [ReplaceBody(sent)]
    message.body = b"body\n"
    assert message.edits == []
    with pytest.raises(TypeError, match="must be bytes"):
        message.body = "text"  # type: ignore[assignment]


def test_changes_of_the_email_are_changes_of_the_message() -> None:
    message = parse(b"Subject: x\r\nContent-Type: text/plain; charset=us-ascii\r\nX: 1\r\nX: 2\r\n\r\nhi\r\n")
    email = message.email
    email.append_text("\xe9\n")
    del email["X"]
    email["X-New"] = "new"
    email.replace_header("Subject", "y")
    message.headers.append("X-Other", "1")
    names = [field.name for field in message.headers]
    assert b"hi\r\n" in message.as_bytes()
    assert message.as_bytes() != email.as_bytes()  # which knows nothing of X-Other
    assert message.headers["Subject"].value == "y"
    assert "utf-8" in message.headers["Content-Type"].value
    assert "X" not in message.headers
    assert message.headers["X-New"].value == "new"
    assert message.email is email
    assert "X-Other" in names
    kinds = {type(edit) for edit in message.edits}
    assert kinds == {ChangeHeader, AddHeader, ReplaceBody}
    once = message.as_bytes()
    assert message.as_bytes() == once


def test_changes_of_email_and_headers_are_made_in_their_order() -> None:
    message = parse(b"Subject: one\r\n\r\nbody\r\n")
    message.email["Subject"] = "via email"
    message.headers["Subject"].value = "via headers"
    assert [field.value for field in message.headers.all("Subject")] == ["via headers", "via email"]
    message.email.append_text("more\n")
    assert message.as_bytes() == b"Subject: via headers\r\nSubject: via email\r\n\r\nbody\r\nmore\r\n"


def test_a_body_that_is_changed_by_the_email_is_the_body() -> None:
    message = parse(b"Content-Type: text/plain\r\nX-Long: a\r\n\r\nbody\r\n")
    message.email.set_payload("new\n")
    assert (message.body, bytes(message.body_view)) == (b"new\r\n", b"new\r\n")
    assert message.edits == [ReplaceBody(b"new\r\n")]


def test_a_fold_that_could_not_be_sent_is_undone() -> None:
    """Another library may write a line with nothing but blanks in it, which lenient readers take for the end."""
    assert checked_raw("X", " one\n two") == " one\n two"
    assert checked_raw("X", "one") == " one"
    assert checked_raw("X", " one\n \n two") == " one  two"
    with pytest.raises(ValueError, match="NUL"):
        checked_raw("X", "a\0b")


def test_an_email_that_was_replaced_is_not_changed_in_silence() -> None:
    message = parse()
    email = message.email
    message.body = b"new"
    assert message.email is not email
    assert message.email.get_payload() == "new\n"
    with pytest.raises(MilterError, match=r"take message\.email anew"):
        email["X"] = "1"


# ------------------------------------------------------------------------------------ what is not granted, and when


@pytest.mark.parametrize(
    ("action", "change"),
    [
        (Action.ADDHDRS, lambda m: m.headers.append("X", "1")),
        (Action.ADDHDRS, lambda m: m.headers.prepend("X", "1")),
        (Action.ADDHDRS, lambda m: m.headers.insert_after(m.headers["From"], "X", "1")),
        (Action.CHGHDRS, lambda m: m.headers["From"].delete()),
        (Action.CHGHDRS, lambda m: setattr(m.headers["From"], "value", "x")),
        (Action.CHGHDRS, lambda m: m.headers.__delitem__("From")),
        (Action.ADDRCPT, lambda m: m.recipients.add("x@example.org")),
        (Action.ADDRCPT_PAR, lambda m: m.recipients.add("x@example.org", ["NOTIFY=NEVER"])),
        (Action.DELRCPT, lambda m: m.recipients.remove("b@example.net")),
        (Action.DELRCPT, lambda m: m.recipients.clear()),
        (Action.CHGFROM, lambda m: setattr(m, "sender", "x@example.org")),
        (Action.CHGBODY, lambda m: setattr(m, "body", b"")),
        (Action.QUARANTINE, lambda m: m.quarantine("why")),
    ],
)
def test_each_change_needs_its_action(action: Action, change: Callable[[Message], object]) -> None:
    message = parse(actions=~action & 0x1FF)
    with pytest.raises(DisabledAction, match=str(action.name)):
        change(message)
    assert message.edits == []
    change(parse(actions=action))


def test_quarantine_needs_a_reason() -> None:
    message = parse()
    with pytest.raises(ValueError, match="reason"):
        message.quarantine("")
    with pytest.raises(ValueError, match="reason"):
        message.quarantine("two\nlines")
    message.quarantine("why")
    assert message.edits == [Quarantine("why")]


# ------------------------------------------------------------------------------------ classes


@pytest.mark.parametrize("name", ["header", "eoh", "body", "eom", "envfrom", "envrcpt"])
def test_events_that_would_never_be_called_are_refused_when_the_class_is_made(name: str) -> None:
    with pytest.raises(TypeError, match=f"{name} would never be called"):
        type("Filter", (MessageFilter,), {name: lambda self: None})


@pytest.mark.parametrize(
    ("keywords", "error"),
    [
        *(({size: 0}, ValueError) for size in ("limit", "header_limit")),
        *(({size: -1}, ValueError) for size in ("limit", "header_limit", "in_memory")),
        *(({size: 2**63}, ValueError) for size in ("limit", "header_limit", "in_memory")),
        *(({size: "5M"}, TypeError) for size in ("limit", "header_limit", "in_memory")),
        *(({size: True}, TypeError) for size in ("limit", "header_limit", "in_memory")),
        *(({size: 5.0}, TypeError) for size in ("limit", "header_limit", "in_memory")),
        *(({part: "no"}, TypeError) for part in ("headers", "body")),
        *(({part: None}, TypeError) for part in ("headers", "body", "limit")),
        ({"exceeded": 4}, TypeError),
        ({"header_exceeded": "no"}, TypeError),
        ({"macros": "{auth_authen}"}, TypeError),
        ({"macros": ["a b"]}, ValueError),
        ({"lmit": 5}, TypeError),
    ],
)
def test_class_keywords_are_checked(keywords: dict[str, Any], error: type[Exception]) -> None:
    with pytest.raises(error):
        types.new_class("Filter", (MessageFilter,), keywords)


def test_keywords_are_inherited() -> None:
    class A(MessageFilter, limit=10, body=False):
        pass

    class B(A, header_limit=20):
        pass

    assert (B._gathering.limit, B._gathering.header_limit, B._gathering.body) == (10, 20, False)


def test_a_chain_is_made_of_classes() -> None:
    for wrong in ((), (MessageFilter(),), (int,), (Base,), (lambda: 3,), (lambda: Base(),)):
        with pytest.raises(TypeError, match="chain got"):
            chain(*wrong)


class Named(MessageFilter, limit=10):
    def __init__(self, name: str) -> None:
        self.name = name

    def message(self, message: Message) -> None:
        message.headers.append("X-Name", self.name)

    def make(self) -> MessageFilter:
        return Named(self.name + "!")


class Maker:
    def __call__(self) -> MessageFilter:
        return Named("object")


def test_a_chain_takes_what_run_takes() -> None:
    made = chain(partial(Named, "partial"), lambda: Named("lambda"), Named("bound").make, Maker(), partial(Maker()))
    assert made._gathering.limit == 10
    message = parse(b"\r\n")
    made().message(message)
    names = [field.value for field in message.headers]
    assert names == ["partial", "lambda", "bound!", "object", "object"]


@pytest.mark.parametrize(
    ("factory", "why"),
    [
        (Named, "needs 1 argument"),
        (lambda x: Named("x"), "needs 1 argument"),
        (type("Filter", (MessageFilter,), {"message": lambda self: None}), "message cannot be called as it will be"),
        (type("Filter", (MessageFilter,), {}), "has no method message"),
    ],
)
def test_what_could_not_work_in_a_chain_is_found_when_it_is_made(factory: Any, why: str) -> None:
    with pytest.raises(TypeError, match=why):
        chain(factory)


def test_what_a_message_filter_has_for_itself_cannot_be_set_on_an_object() -> None:
    """It would hide how the message is handed to message()."""
    made = Named("x")
    for name in FINAL:
        with pytest.raises(TypeError, match=rf"self\.{name} was set to function, which would never be called"):
            setattr(made, name, lambda: None)
        method = getattr(made, name)
        assert method.__self__ is made
        setattr(made, name, "")  # what is no handler
        assert getattr(made, name) == ""
        delattr(made, name)
        assert getattr(made, name) == method
        with pytest.raises(AttributeError, match=rf"^{name}$"):
            delattr(made, name)


def test_a_chain_refuses_what_it_would_not_call() -> None:
    class Negotiates(MessageFilter):
        def negotiate(self, opts: list[int]) -> Status | None: ...
        def message(self, message: Message) -> None: ...

    with pytest.raises(TypeError, match=r"Negotiates\.negotiate would never be called: a chain negotiates"):
        chain(Negotiates)

    class Sets(MessageFilter):
        def __init__(self, name: str) -> None:
            setattr(self, name, lambda opts: None)

        def message(self, message: Message) -> None: ...

    with pytest.raises(TypeError, match=r"self\.negotiate would never be called: a chain negotiates"):
        chain(partial(Sets, "negotiate"))()
    with pytest.raises(TypeError, match=r"Sets\.connect cannot be called as it will be"):
        chain(partial(Sets, "connect"))()
    with pytest.raises(TypeError, match=r"self\.recipient was set, but .*Sets has no method"):
        chain(partial(Sets, "recipient"))()


def test_filters_of_a_chain_want_the_text_of_a_step_in_one_way() -> None:
    class Text(MessageFilter):
        def hello(self, hostname: str) -> None: ...
        def message(self, message: Message) -> None: ...

    class Bytes(Text):
        @decode("bytes")
        def hello(self, hostname: bytes) -> None: ...

    chain(Bytes, Bytes)
    with pytest.raises(TypeError, match="decode hello differently: as bytes and as surrogateescape"):
        chain(Bytes, Text)


def test_a_factory_in_a_chain_makes_objects_that_want_the_same() -> None:
    class A(MessageFilter):
        def message(self, message: Message) -> None: ...

    class Same(A): ...

    class Other(A):
        def recipient(self, recipient: Recipient, envelope: Any) -> None: ...

    for later, is_right in ((Same, True), (Other, False)):
        classes: list[type[MessageFilter]] = [later, A]
        made = chain(lambda classes=classes: classes.pop()())  # type: ignore[misc]
        if is_right:
            made()
        else:
            with pytest.raises(TypeError, match=r"made a .*Other, which gets other events"):
                made()


async def _async(message: Message) -> None:
    """A coroutine."""


def _yields(message: Message) -> Any:
    yield


@pytest.mark.parametrize(
    ("function", "why"),
    [
        (_async, "_async, which is async"),
        (partial(_async), "which is async"),
        (_yields, "has a yield in it"),
        (lambda: None, "cannot be called with one argument"),
        (lambda a, b: None, "cannot be called with one argument"),
        (lambda a, *, b: None, "cannot be called with one argument"),
        (int, "the class int"),
        (Named, "the class Named"),
        (5, "does not fit 5: allowed is a function that takes a message"),
    ],
)
def test_what_is_no_function_of_a_message_is_refused_by_the_decorator(function: Any, why: str) -> None:
    for decorate in (message_filter, message_filter(body=False)):
        with pytest.raises(TypeError, match=why):
            decorate(function)


@pytest.mark.parametrize(
    "function", [lambda m: None, partial(lambda x, m: None, 1), Named("x").message, print, lambda *a: None, [].append]
)
def test_whatever_takes_a_message_can_be_a_filter(function: Any) -> None:
    message_filter(function)().message(parse())


def test_a_filter_is_tested_without_a_process() -> None:
    @message_filter
    def gate(message: Message) -> None:
        message.headers.append("X-Gate", "open")

    message = parse()
    assert gate().message(message) is None
    assert message.edits == [AddHeader("X-Gate", " open")]
    connection = Connection(Peer("192.0.2.1", 25, "mail.example.org"), "helo", {"{tls_version}": "TLSv1.3"})
    assert (str(connection.peer), connection.peer.is_verified) == ("mail.example.org[192.0.2.1]", True)
    assert connection.tls is not None
    assert (connection.tls.version, connection.tls.bits) == ("TLSv1.3", None)


# ------------------------------------------------------------------------------------ models, memory


def test_a_field_that_sendmail_has_ready_takes_its_place() -> None:
    """Sendmail adds Date, From and Message-Id by itself where there is none, and would then send two."""
    for name in ("Date", "message-id", "From", "Received", "X-New"):
        message = Message.parse(b"Subject: s\r\n\r\n", connection=Connection(macros={"v": "8.17.1.9/Debian"}))
        message.headers.append(name, "v")
        ready = name not in ("Received", "X-New")
        assert message.edits == [AddHeader(name, " v") if ready else InsertHeader(9, name, " v")]
    message = Message.parse(b"Date: d\r\n\r\n", connection=Connection(macros={"v": "8.17.1.9/Debian"}))
    message.headers.prepend("Date", "v")
    assert message.edits == [InsertHeader(0, "Date", " v")]


@pytest.mark.parametrize("mta", ["postfix", "sendmail"])
def test_the_edits_make_the_message_on_each_server(mta: Mta) -> None:
    version = {"postfix": "Postfix 3.7.11", "sendmail": "8.17.1.9/Debian"}[mta]
    wrong = []
    for number in range(1000):
        case = random_case(f"unit-{number}", f"t{number}")
        connection = Connection(macros={"v": version})
        message = Message.parse(case.message, sender=case.sender, recipients=case.recipients, connection=connection)
        play(message, case.steps)
        envelope = Envelope(f"<{case.sender}>", tuple(f"<{one}>" for one in case.recipients))
        made = apply_edits(case.message, envelope, message.edits, mta=mta, leading_space=True)
        recipients = [f"<{one.address}>" for one in message.recipients]
        if (made.message, sorted(made.envelope.recipients)) != (message.as_bytes(), sorted(recipients)):
            wrong.append(case.seed)
    assert wrong == []


def test_a_message_is_freed_with_its_last_reference() -> None:
    message = parse()
    field: Field = message.headers["From"]
    message.email.append_text("x")
    message.recipients.add("x@example.org")
    _ = message.edits
    gc.collect()
    gc.disable()
    try:
        gone = weakref.ref(message)
        del message
        assert gone() is None
        assert field.value == "a@example.org"
    finally:
        gc.enable()


def test_a_large_body_is_not_copied_to_be_read() -> None:
    data = b"X: 1\r\n\r\n" + b"x" * 78 + b"\r\n"
    message = parse(data)
    tracemalloc.start()
    try:
        for _ in range(1000):
            _ = message.body
        assert tracemalloc.get_traced_memory()[1] < 100_000
    finally:
        tracemalloc.stop()


@pytest.mark.parametrize(
    ("methods", "why"),
    [
        ({}, "has no method message"),
        ({"message": lambda self: None}, r"message cannot be called as it will be: message\(message\)"),
        ({"message": lambda self, m: None, "recipient": lambda self, r: None}, "recipient cannot be called"),
        ({"message": lambda self, m: None, "mail": lambda self: None}, "mail cannot be called"),
        ({"message": 3}, "message is int"),
    ],
)
def test_what_could_not_be_called_is_found_when_the_class_is_read(methods: dict[str, Any], why: str) -> None:
    klass = type("Filter", (MessageFilter,), methods)
    with pytest.raises(TypeError, match=why):
        Server(klass, "inet:0@127.0.0.1")


async def _message(self: MessageFilter, message: Message) -> None:
    """A coroutine."""


def test_an_async_message_is_refused_until_it_is_supported() -> None:
    with pytest.raises(TypeError, match="message is async"):
        Server(type("Filter", (MessageFilter,), {"message": _message}), "inet:0@127.0.0.1")


@pytest.mark.parametrize(
    ("name", "meant"),
    [
        *(("mailfrom", "mail"), ("rcpt", "recipient"), ("recipent", "recipient"), ("on_recipient", "recipient")),
        *(("endofmessage", "message"), ("end_of_message", "message"), ("messge", "message"), ("bdy", "message")),
        *(("on_eom", "message"), ("helo", "hello"), ("rset", "abort"), ("headers_", ""), ("messages", "")),
    ],
)
def test_near_misses_name_the_method_that_a_message_filter_has(
    caplog: pytest.LogCaptureFixture, name: str, meant: str
) -> None:
    klass = type("Filter", (MessageFilter,), {"message": lambda self, m: None, name: lambda self: None})
    Server(klass, "inet:0@127.0.0.1")
    warned = [f"Filter.{name} is no event and is never called: did you mean {meant}?"] if meant else []
    assert [record.getMessage() for record in caplog.records] == warned


ORDINARY = (
    *(
        "about",
        "accept",
        "add_footer",
        "address",
        "archive",
        "body_text",
        "check",
        "check_body",
        "check_header",
        "clone",
    ),
    *("closed", "closer", "commit", "connection_count", "connector", "database", "date", "domain", "email", "fail"),
    *(
        "find_header",
        "flush",
        "get_body",
        "handle",
        "handle_data",
        "header_names",
        "helper",
        "hostname",
        "is_spam",
        "load",
    ),
    *("loader", "lookup", "main", "mailbox", "mailer", "mails", "messages", "metadata", "on_load", "on_start", "once"),
    *("open", "parse_header", "process", "quarantine_it", "reader", "recipients", "reject", "reply", "report", "reset"),
    *("rollback", "run", "save", "scan", "send", "sender_domain", "start", "stop", "subject", "update", "verify"),
)


@pytest.mark.parametrize("base", [Base, MessageFilter])
def test_ordinary_names_are_no_near_misses(caplog: pytest.LogCaptureFixture, base: type[Base]) -> None:
    methods = {name: lambda self: None for name in ORDINARY}
    Server(type("Filter", (base,), {"message": property(lambda self: len), **methods}), "inet:0@127.0.0.1")
    assert [record.getMessage() for record in caplog.records] == []


def test_a_helper_that_the_class_uses_is_no_near_miss(caplog: pytest.LogCaptureFixture) -> None:
    class Filter(MessageFilter):
        def message(self, message: Message) -> None:
            self.bdy()

        def bdy(self) -> None: ...

    Server(Filter, "inet:0@127.0.0.1")
    assert [record.getMessage() for record in caplog.records] == []


def test_message_in_a_base_names_message_filter(caplog: pytest.LogCaptureFixture) -> None:
    Server(type("Filter", (Base,), {"message": lambda self, m: None}), "inet:0@127.0.0.1")
    assert [record.getMessage() for record in caplog.records] == [
        "Filter.message is no event and is never called: derive from MessageFilter to get whole messages"
    ]


def test_local_parts_differ_in_case_and_domains_do_not() -> None:
    assert Address("a@example.org") != Address("A@example.org")
    assert Address("a@example.org") == Address("a@EXAMPLE.org")


@pytest.mark.parametrize(
    ("address", "local", "domain"),
    [
        ("<a@example.org>", "a", "example.org"),
        ('<"a@b">', "a@b", ""),
        ('<"a@b"@example.org>', "a@b", "example.org"),
        ('<"a\\"b"@example.org>', 'a"b', "example.org"),
        ('<"@example.org>', '"', "example.org"),
        ('<""@example.org>', "", "example.org"),
        ('<"a@example.org>', '"a', "example.org"),
        ("<@route:a@example.org>", "a", "example.org"),
        ("<@a@example.org>", "@a", "example.org"),
        ("<a@example.org", "<a", "example.org"),
        ("a@example.org>", "a", "example.org>"),
        ("<postmaster>", "postmaster", ""),
        ("<>", "", ""),
    ],
)
def test_an_address_is_taken_apart_as_the_mta_gave_it(address: str, local: str, domain: str) -> None:
    found = received(Address, address, ())
    assert (found.local, found.domain) == (local, domain)


@pytest.mark.parametrize(
    ("raw", "plain", "with_space"),
    [(" a", "a", " a"), ("  a", " a", "  a"), ("\ta", "\ta", "\ta"), ("a", "a", "a"), (" ", " ", " "), ("", " ", " ")],
)
def test_just_one_space_after_the_colon_is_the_servers(raw: str, plain: str, with_space: str) -> None:
    assert on_wire(raw, leading_space=False) == plain
    assert on_wire(raw, leading_space=True) == with_space


def test_a_chain_has_the_smallest_limits_and_the_parts_that_any_wants() -> None:
    class A(MessageFilter, limit=10, header_limit=100, body=False, macros=["{a}"], in_memory=7):
        def message(self, message: Message) -> None: ...

    class B(MessageFilter, limit=100, header_limit=50, headers=False, macros=["{b}", "{a}"]):
        def message(self, message: Message) -> None: ...

    made = chain(A, B)._gathering
    assert (made.limit, made.header_limit, made.in_memory) == (10, 50, 7)
    assert (made.headers, made.body, made.macros) == (True, True, ("{a}", "{b}"))


def test_a_new_field_may_be_changed_where_those_that_came_may_not() -> None:
    message = parse(actions=Action.ADDHDRS)
    field = message.headers.append("X", "1")
    field.value = "2"
    message.headers.append("Y", "1").delete()
    assert message.edits == [AddHeader("X", " 2")]
