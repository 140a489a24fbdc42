"""Parts of a message at their edges: addresses, values of fields, encoded text, places of new fields, the email."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import pytest

from pymilter import Action, DisabledAction, MilterError
from pymilter.message import Address, Connection, Message, Peer, Recipient
from pymilter.message._address import received, without_brackets
from pymilter.message._connection import Tls, peer_of
from pymilter.message._encode import encoded
from pymilter.message._field import checked_raw, raw_value
from pymilter.message._grant import make_grant
from pymilter.message._guarded import Guard
from pymilter.message._source import Parsed, fields_of, with_line_ends
from pymilter.testing import (
    AddHeader,
    AddRecipient,
    ChangeFrom,
    ChangeHeader,
    DeleteRecipient,
    InsertHeader,
    Quarantine,
    ReplaceBody,
)

SENDMAIL = Connection(macros={"v": "8.17.1.9/Debian"})
POSTFIX = Connection(macros={"v": "Postfix 3.7.11"})


# ------------------------------------------------------------------------------------ addresses


@pytest.mark.parametrize(
    ("text", "bare"),
    [
        ("<a@b>", "a@b"),
        ("a@b", "a@b"),
        ("<a@b", "<a@b"),
        ("a@b>", "a@b>"),
        ("<>", ""),
        ("", ""),
        ("<", "<"),
        (">", ">"),
        ("<@r:a@b>", "a@b"),
        ("@r,@s:a@b", "a@b"),
        ("<@r>", "@r"),
        ('<@"x:y>', '@"x:y'),
        ("<@[::1]:a@b>", ":1]:a@b"),
    ],
)
def test_brackets_and_routes(text: str, bare: str) -> None:
    assert without_brackets(text) == bare


@pytest.mark.parametrize(
    ("text", "is_right"),
    [
        ('"a b"@example.org', True),
        ('"a\\" b"@example.org', True),
        ('"a b" c@example.org', False),
        ("a b@example.org", False),
        ("a@exam ple.org", False),
        ("a@example.org", True),
        ("a\xe9\udcff@example.org", True),
        ("a@", False),
        ("@example.org", True),
        ("a", False),
        ('"a@b"', False),
    ],
)
def test_which_addresses_can_be_sent(text: str, is_right: bool) -> None:
    if is_right:
        assert Address(text).address == text
    else:
        with pytest.raises(ValueError, match=r"^address is "):
            Address(text)


@pytest.mark.parametrize("param", ["", "A B", "A=1 B=2", " A", "A\r\nB", "A\0B", "A=\n"])
def test_which_parameters_can_be_sent(param: str) -> None:
    for kind in (Address, Recipient):
        with pytest.raises(ValueError, match="parameter"):
            kind("a@example.org", ["X=1", param])
    assert Address("a@example.org", ["X=\udcff"]).params == ("X=\udcff",)
    assert Address("", ["X=1"]).params == ("X=1",)


def test_what_a_recipient_is() -> None:
    assert Recipient("a@b").is_accepted
    assert not Recipient("a@b", is_accepted=False).is_accepted
    assert received(Recipient, "<a@b>", ["X=1"]).is_accepted
    made = received(Recipient, "<a@b>", ["X=1"], is_accepted=False)
    assert (made.is_accepted, made.address, made.params, type(made)) == (False, "a@b", ("X=1",), Recipient)
    with pytest.raises(ValueError, match=r"^address is empty: a recipient has a mailbox$"):
        Recipient("<>")
    assert str(Recipient("a@b")) == "a@b"
    assert (Address("a@b") == Recipient("A@b"), Address("a@b") == Recipient("a@B")) == (False, True)
    assert len({Address("a@b"), Recipient("a@B"), Address("a@c")}) == 2
    assert Address("a@B\xdcCHER.example").ascii_domain == "xn--bcher-kva.example"
    assert Address("a@EXAMPLE.org").ascii_domain == "example.org"
    assert Address("a@[192.0.2.1]").domain == "[192.0.2.1]"


# ------------------------------------------------------------------------------------ recipients


def message(
    *recipients: str, actions: int = sum(Action), data: bytes = b"Subject: s\r\n\r\n", **options: Any
) -> Message:
    return Message.parse(data, sender="a@example.org", recipients=recipients or ["b@c"], actions=actions, **options)


class WithParameters(Parsed):
    """A message whose recipients came with parameters."""

    def recipients(self) -> Sequence[tuple[bool, Sequence[str]]]:
        return [(True, (address, "NOTIFY=NEVER")) for address in self._recipients]


def with_parameters(*recipients: str, actions: int = sum(Action)) -> Message:
    return Message._parsed(WithParameters(b"\r\n", "", recipients), Connection(), actions)


def test_who_was_removed_comes_back_as_he_was() -> None:
    for params in ((), ("NOTIFY=NEVER",)):
        made = with_parameters("<x@c>", "<b@c>")
        original = next(iter(made.recipients))
        made.recipients.remove("x@c")
        assert made.recipients.add("x@c", params) is original
        assert made.edits == []
    made = with_parameters("<x@c>", "<b@c>")
    made.recipients.remove("x@c")
    assert made.recipients.add("x@c", ["NOTIFY=DELAY"]).params == ("NOTIFY=DELAY",)
    assert made.edits == [DeleteRecipient("<x@c>"), AddRecipient("<x@c>", "NOTIFY=DELAY")]
    # Another spelling is another recipient.
    made = with_parameters("<x@c>", "<b@c>")
    made.recipients.remove("x@c")
    assert made.recipients.add("X@c").params == ()
    assert made.edits == [DeleteRecipient("<x@c>"), AddRecipient("<X@c>")]


def test_one_of_several_needs_the_action_for_parameters() -> None:
    without = sum(Action) & ~Action.ADDRCPT_PAR
    for recipients, is_refused in ((("<x@c>", "<x@c>", "<b@c>"), True), (("<x@c>", "<b@c>"), False)):
        made = with_parameters(*recipients, actions=without)
        made.recipients.remove("x@c")
        if is_refused:
            with pytest.raises(DisabledAction, match="ADDRCPT_PAR"):
                made.recipients.add("x@c")
        else:
            made.recipients.add("x@c")
    plain = message("x@c", "x@c", "b@c", actions=without)
    plain.recipients.remove("x@c")
    plain.recipients.add("x@c")
    assert plain.edits == [DeleteRecipient("<x@c>"), AddRecipient("<x@c>")]


def test_recipients_are_found_in_every_form() -> None:
    made = message("B@c", "d@c")
    wrong: Any = 5
    for form in ("b@C", "<b@c>", Recipient("b@c"), Address("b@c"), "<@r:b@c>"):
        assert form in made.recipients
    assert wrong not in made.recipients
    with pytest.raises(KeyError, match="x@c"):
        made.recipients.remove(Address("x@c"))
    assert made.recipients.add(Recipient("B@C", ["X=1"])) is next(iter(made.recipients))
    made.recipients.discard(Address("B@c"))
    made.recipients.discard("B@c")
    assert [str(one) for one in made.recipients] == ["d@c"]
    assert made.edits == [DeleteRecipient("<B@c>")]
    made.recipients.clear()
    assert (len(made.recipients), list(made.recipients)) == (0, [])
    later = message("b@c", "d@c")
    for one in later.recipients:
        later.recipients.remove(one)
    assert len(later.recipients) == 0


def test_a_sender_that_did_not_come() -> None:
    class Nobody(Parsed):
        def sender(self) -> Sequence[str]:
            return ()

    made = Message._parsed(Nobody(b"\r\n", "", ["b@c"]), Connection(), sum(Action))
    assert (made.sender.address, made.envelope.smtputf8) == ("", False)
    made.sender = "x@c"
    assert made.edits == [ChangeFrom("<x@c>")]
    assert made.envelope.sender is made.sender
    assert made.envelope is made.envelope
    assert made.recipients is made.envelope.recipients


# ------------------------------------------------------------------------------------ values of fields


@pytest.mark.parametrize(
    ("value", "raw"),
    [
        ("1", " 1"),
        (" \t1\t ", " 1"),
        ("", " "),
        ("\t", " "),
        ("a\r\n b", " a\n b"),
        ("a\n\tb", " a\n\tb"),
        ("\udcff\xe9", " \udcff\xe9"),
    ],
)
def test_a_value_as_it_is_sent(value: str, raw: str) -> None:
    assert raw_value("X", value) == raw


@pytest.mark.parametrize("more", [0, 1])
def test_a_line_may_have_998_bytes(more: int) -> None:
    values = [
        "x" * (998 + more - len("Name: ")),
        "short\r\n " + "x" * (998 + more - 1),
        "\udcff" * (998 + more - len("Name: ")),
    ]
    for value in values:
        if more:
            with pytest.raises(ValueError, match="the field Name would have a line of 999 bytes: 998 are allowed"):
                raw_value("Name", value)
        else:
            assert raw_value("Name", value).endswith(value[-5:])


def test_what_another_library_wrote() -> None:
    assert checked_raw("X", "\tone") == "\tone"
    assert checked_raw("X", " \udcff") == " \udcff"
    assert checked_raw("X", "\udcff") == " \udcff"
    assert checked_raw("X", "one\n \n") == " one"
    assert checked_raw("X", " one\r\n \t\r\n\ttwo\t") == " one \t\ttwo"


def test_a_field_is_unfolded_and_kept() -> None:
    made = message(data=b"X:\tone\r\n\ttwo\t\r\nY: \xff\r\n\r\n")
    field = made.headers["X"]
    assert (field.name, field.value, field.raw) == ("X", "one\ttwo", b"\tone\r\n\ttwo\t")
    assert repr(field) == "<Field X: one\ttwo>"
    assert made.headers["Y"].raw == b" \xff"
    made.headers["Y"].value = "\udcfe"
    assert made.headers["Y"].raw == b" \xfe"
    assert made.edits == [ChangeHeader(1, "Y", " \udcfe")]
    assert b"Y: \xfe\r\n" in made.as_bytes()
    with pytest.raises(TypeError, match=r"^the value of X is a bytes: it must be a str$"):
        field.value = b"x"  # type: ignore[assignment]


@pytest.mark.parametrize(
    ("name", "text", "value"),
    [
        ("Subject", "plain", "plain"),
        ("Subject", " \tplain\t ", "plain"),
        ("Subject", "a \r\n\r\n b", "a b"),
        ("Subject", "a\rb", "a b"),
        ("Subject", "a=b?c", "a=b?c"),
        ("To", "a=b \xe9 <c@d>, a=b <e@f>", "=?utf-8?q?a=3Db_=C3=A9?= <c@d>,\n a=b <e@f>"),
        ("Subject", "=?x", "=?utf-8?q?=3D=3Fx?="),
        ("Subject", "\xe9", "=?utf-8?q?=C3=A9?="),
        ("Subject", "\udcff", "=?utf-8?q?=EF=BF=BD?="),
        ("X", "word " * 16, ("word " * 14).strip() + "\n " + "word word"),
        ("X-Long-Name", "word " * 15, ("word " * 12).strip() + "\n " + "word word word"),
        ("To", "plain <a@b>, other <c@d>", "plain <a@b>, other <c@d>"),
        ("To", "Z\xe9 <a@b>, plain <c@d>, <e@f>", "=?utf-8?q?Z=C3=A9?= <a@b>,\n plain <c@d>,\n e@f"),
        ("RESENT-CC", "\xe9 <a@b>", "=?utf-8?q?=C3=A9?= <a@b>"),
        ("Cc", "\xe9 nobody", "=?utf-8?q?=C3=A9_nobody?="),
        ("Subject", "\xe9 <a@b>", "=?utf-8?q?=C3=A9_=3Ca=40b=3E?="),
        ("From", "\xe9@b", "\xe9@b"),
        ("From", '"=?x" <a@b>', "=?utf-8?q?=3D=3Fx?= <a@b>"),
        ("Reply-To", "a.b c <x@\xe9>", "=?utf-8?q?a=2Eb_c?= <x@\xe9>"),
        ("Sender", '"a, b" <x@y>, \xe9 <z@y>', '"a, b" <x@y>,\n =?utf-8?q?=C3=A9?= <z@y>'),
    ],
)
def test_a_text_as_it_is_sent(name: str, text: str, value: str) -> None:
    made = encoded(name, text)
    assert made == value
    lines = made.split("\n")
    assert max(len(line) for line in lines[1:] or [""]) <= 76
    assert len(f"{name}: {lines[0]}") <= 78


@pytest.mark.parametrize("name", ["To", "Resent-Reply-To"])
@pytest.mark.parametrize("letters", range(1, 40))
def test_no_line_with_encoded_names_is_too_long(name: str, letters: int) -> None:
    """RFC 2047 allows 76 characters, with the name of the field and what else is in the line."""
    accents, spaced, local = "\xe9" * letters, "\xe9 " * letters, "y" * letters
    text = f"{accents} x <someone@mail.example.org>, {spaced}<a@b>, \xe9 <{local}@b>"
    lines = f"{name}: {encoded(name, text)}".split("\n")
    assert max(map(len, lines)) <= 76
    found = message(data=("\r\n".join(lines) + "\r\n\r\n").encode()).headers[name].text
    assert found.replace('"', "").split() == text.replace(",", ", ").split()


def test_a_text_has_no_nul() -> None:
    with pytest.raises(ValueError, match=r"^the text of Subject holds NUL, which no mail server keeps$"):
        encoded("Subject", "a\0b")


# ------------------------------------------------------------------------------------ places of new fields

THREE = b"A: 1\r\nB: 2\r\nC: 3\r\n\r\n"
READY = 8  # fields that Sendmail has ready and counts


@pytest.mark.parametrize(
    ("change", "postfix", "sendmail"),
    [
        (lambda h: h.prepend("X", "1"), [InsertHeader(0, "X", " 1")], [InsertHeader(0, "X", " 1")]),
        (
            lambda h: [h.prepend("X", "1"), h.prepend("Y", "2")],
            [InsertHeader(0, "Y", " 2"), InsertHeader(1, "X", " 1")],
            [InsertHeader(0, "Y", " 2"), InsertHeader(1, "X", " 1")],
        ),
        (
            lambda h: h.insert_after(h["A"], "X", "1"),
            [InsertHeader(2, "X", " 1")],
            [InsertHeader(READY + 1, "X", " 1")],
        ),
        (
            lambda h: h.insert_before(h["C"], "X", "1"),
            [InsertHeader(3, "X", " 1")],
            [InsertHeader(READY + 2, "X", " 1")],
        ),
        (lambda h: h.insert_after(h["C"], "X", "1"), [AddHeader("X", " 1")], [InsertHeader(READY + 3, "X", " 1")]),
        (lambda h: h.append("X", "1"), [AddHeader("X", " 1")], [InsertHeader(READY + 3, "X", " 1")]),
        (
            lambda h: [h.prepend("X", "1"), h.insert_after(h["A"], "Y", "2"), h.append("Z", "3")],
            [InsertHeader(0, "X", " 1"), InsertHeader(3, "Y", " 2"), AddHeader("Z", " 3")],
            [InsertHeader(0, "X", " 1"), InsertHeader(READY + 2, "Y", " 2"), InsertHeader(READY + 5, "Z", " 3")],
        ),
        (
            lambda h: [h["A"].delete(), h.insert_after(h["B"], "X", "1")],
            [ChangeHeader(1, "A", ""), InsertHeader(2, "X", " 1")],
            [ChangeHeader(1, "A", ""), InsertHeader(READY + 2, "X", " 1")],
        ),
        (
            lambda h: [h[name].delete() for name in "ABC"] + [h.append("X", "1")],
            [*(ChangeHeader(1, name, "") for name in "CBA"), AddHeader("X", " 1")],
            [*(ChangeHeader(1, name, "") for name in "CBA"), InsertHeader(0, "X", " 1")],
        ),
        (
            lambda h: h.append("Received", "x"),
            [AddHeader("Received", " x")],
            [InsertHeader(READY + 3, "Received", " x")],
        ),
        (
            lambda h: [h.prepend("X", "1"), h.prepend("Date", "x")],
            [InsertHeader(0, "Date", " x"), InsertHeader(1, "X", " 1")],
            [AddHeader("Date", " x"), InsertHeader(0, "X", " 1")],
        ),
        (lambda h: h.prepend("Date", "x"), [InsertHeader(0, "Date", " x")], [AddHeader("Date", " x")]),
        (lambda h: h.replace("B", "x"), [ChangeHeader(1, "B", " x")], [ChangeHeader(1, "B", " x")]),
    ],
)
def test_where_each_server_is_told_to_insert(change: Any, postfix: list[object], sendmail: list[object]) -> None:
    for connection, expected in ((POSTFIX, postfix), (SENDMAIL, sendmail), (Connection(), postfix)):
        made = message(data=THREE, connection=connection)
        change(made.headers)
        assert made.edits == expected


def test_new_fields_in_a_header_without_any() -> None:
    for connection, expected in (
        (POSTFIX, [AddHeader("X", " 1")]),
        (SENDMAIL, [InsertHeader(0, "X", " 1")]),
    ):
        made = message(data=b"\r\nbody\r\n", connection=connection)
        made.headers.prepend("X", "1")
        assert made.edits == expected


def test_what_can_be_done_with_headers() -> None:
    made = message(data=b"A: 1\r\na: 2\r\nB: 3\r\n\r\n")
    headers = made.headers
    first = headers.replace("a", "x")
    assert (first.name, first.value, len(headers)) == ("A", "x", 2)
    assert [field.name for field in headers] == ["A", "B"]
    new = headers.insert_before(first, "New", "y")
    assert [field.name for field in headers] == ["New", "A", "B"]
    assert headers.insert_after(new, "Other", "z").value == "z"
    assert [field.name for field in headers] == ["New", "Other", "A", "B"]
    assert headers.replace("none", "w") is list(headers)[-1]
    wrong: Any = 5
    assert wrong not in headers
    assert ("b" in headers, "c" in headers) == (True, False)
    del headers["B"], headers["none"]
    assert "b" not in headers
    gone = headers["New"]
    gone.delete()
    with pytest.raises(ValueError, match=r"^this field is not in the header: it was deleted, or belongs to another"):
        headers.insert_after(gone, "X", "1")


# ------------------------------------------------------------------------------------ what came


def test_a_message_of_a_test_is_read_as_an_mta_reads_it() -> None:
    for data, header, count, body in (
        (b"A: 1\r\nB:2\r\n\r\nx\r\n", b"A\0 1\0B\0002\0", 2, b"x\r\n"),
        (b"A: 1\n\tmore\n\nx", b"A\0 1\n\tmore\0", 1, b"x\r\n"),
        (b"A \t: 1\n\n", b"A\0 1\0", 1, b""),
        (b"A: 1\0 2\n\n", b"A\0 1\0", 1, b""),
        (b"A: 1", b"A\0 1\0", 1, b""),
        (b"A: 1\nno field\n", b"A\0 1\0", 1, b"no field\r\n"),
        (b"\n\nx\n", b"", 0, b"\r\nx\r\n"),
        (b"", b"", 0, b""),
        (b": no name\n", b"", 0, b": no name\r\n"),
        (b"A:1\n\n\n", b"A\0001\0", 1, b"\r\n"),
    ):
        found = Parsed(data, "a@b", iter(["c@d"]))
        assert (found.header, found.field_count, found.body) == (header, count, body)
        assert (found.sender(), found.recipients()) == (("a@b",), [(True, ("c@d",))])
    assert fields_of(b"A\0 1\0B\0\xff\0") == (["A", "B"], [" 1", "\udcff"])
    assert fields_of(b"") == ([], [])


@pytest.mark.parametrize(
    ("body", "sent"),
    [
        (b"", b""),
        (b"x", b"x\r\n"),
        (b"x\n", b"x\r\n"),
        (b"x\r\ny", b"x\r\ny\r\n"),
        (b"x\r", b"x\r\r\n"),
        (b"\n\n", b"\r\n\r\n"),
    ],
)
def test_each_line_of_a_body_ends_in_crlf(body: bytes, sent: bytes) -> None:
    assert with_line_ends(body) == sent


def test_a_reason_may_hold_any_byte_but_line_ends() -> None:
    made = message()
    made.quarantine("\xe9\udcff")
    assert made.edits == [Quarantine("\xe9\udcff")]
    with pytest.raises(ValueError, match=r"^reason is empty: an MTA holds no message without one$"):
        made.quarantine("")


def test_a_message_is_made_by_parse() -> None:
    with pytest.raises(TypeError, match=r"^a Message is made by Message\.parse\(data, \.\.\.\)$"):
        Message(b"x")


# ------------------------------------------------------------------------------------ the connection


def test_macros_are_found_with_and_without_braces() -> None:
    connection = Connection(macros={"{auth_authen}": "anna", "i": "4XYZ", "{v}": "Postfix"})
    for name in ("auth_authen", "{auth_authen}"):
        assert connection.macro(name) == "anna"
    assert (connection.macro("{i}"), connection.macro("none"), connection.mta) == ("4XYZ", None, "postfix")
    assert Connection(macros=lambda name: name.upper()).macro("i") == "I"


@pytest.mark.parametrize(
    ("version", "mta"),
    [
        ("Postfix 3.7.11", "postfix"),
        ("POSTFIX", "postfix"),
        ("8.17.1.9/Debian", "sendmail"),
        ("Sendmail 8.18", "sendmail"),
        ("88.1", ""),
        ("9.1", ""),
        ("not Postfix", ""),
        ("", ""),
    ],
)
def test_which_mail_server_it_is(version: str, mta: str) -> None:
    assert Connection(macros={"v": version}).mta == mta
    assert Connection().mta == ""


def test_what_is_not_known_is_none() -> None:
    empty = dict.fromkeys(("auth_authen", "daemon_name", "j", "tls_version", "cipher"), "")
    for macros in ({}, empty):
        connection = Connection(macros=macros)
        assert (connection.login, connection.daemon, connection.hostname, connection.tls) == (None,) * 4
    assert (Connection().peer, Connection().helo, Connection().values) == (Peer(), None, {})
    full = Connection(macros={"auth_authen": "a", "daemon_name": "d", "j": "h"})
    assert (full.login, full.daemon, full.hostname) == ("a", "d", "h")
    assert Connection(macros={"tls_version": "T", "cipher_bits": "\xb2"}).tls == Tls("T", None, None, None, None)
    values = full.values
    values["x"] = 1
    assert full.values is values
    assert peer_of("[mx]", None) == Peer()
    assert peer_of("mx", ("::1", 5, 0, 0)) == Peer("::1", 5, "mx")
    assert (str(Peer("::1")), str(Peer(None, None, "mx")), str(Peer())) == ("::1", "mx", "unknown")


class Context:
    """A handle whose client says HELO again."""

    def __init__(self) -> None:
        self.helo: str | None = None

    def _origin(self) -> tuple[str, tuple[str, int], str | None]:
        return "mx.example.org", ("192.0.2.1", 5), self.helo

    def getsymval(self, name: str) -> str | None:
        return f"value of {name}"


def test_a_connection_is_looked_at_anew() -> None:
    context: Any = Context()
    assert str(Connection._of(context).peer) == "mx.example.org[192.0.2.1]"
    connection = Connection._of(context)
    assert (connection.helo, str(connection.peer)) == (None, "mx.example.org[192.0.2.1]")
    context.helo = "again"
    assert connection.helo == "again"
    assert connection.macro("x") == "value of x"
    connection.values["kept"] = 1
    known = connection._as_known(["{y}"])
    context.helo = "later"
    assert (known.helo, known.peer, known.values) == ("again", connection.peer, {"kept": 1})
    assert (known.macro("x"), known.macro("{x}"), known.macro("y")) == ("value of x", "value of x", "value of y")
    with pytest.raises(MilterError, match=r"^the message is over, and macro z was not read before: it is no longer"):
        known.macro("z")
    fresh = Connection._of(context)._as_known([])
    assert fresh.values == {}
    with pytest.raises(MilterError, match="was not read before"):
        fresh.macro("x")


# ------------------------------------------------------------------------------------ the email

MIXED = (
    b"Subject: s\r\nContent-Type: multipart/mixed; boundary=b\r\n\r\n"
    b"--b\r\nContent-Type: text/plain\r\n\r\nfirst\r\n--b\r\n\r\nsecond\r\n--b--\r\n"
)


@pytest.mark.parametrize(
    ("actions", "change", "is_allowed"),
    [
        (Action.CHGHDRS, lambda e: e.replace_header("Subject", "t"), True),
        (Action.CHGHDRS, lambda e: e.replace_header("Content-Type", "text/plain"), False),
        (Action.CHGHDRS | Action.CHGBODY, lambda e: e.replace_header("Content-Type", "text/plain"), True),
        (Action.CHGBODY, lambda e: e.replace_header("Content-Type", "text/plain"), False),
        (Action.ADDHDRS, lambda e: e.__setitem__("X", "1"), True),
        (Action.CHGHDRS, lambda e: e.__setitem__("X", "1"), False),
        (Action.CHGBODY, lambda e: e.get_payload(0).__setitem__("X", "1"), True),
        (Action.CHGHDRS | Action.ADDHDRS, lambda e: e.get_payload(0).__setitem__("X", "1"), False),
        (Action.CHGBODY, lambda e: e.get_payload(0).replace_header("Content-Type", "text/html"), True),
        (Action.CHGBODY, lambda e: e.get_payload().pop(), True),
        (Action.CHGHDRS, lambda e: e.get_payload().pop(), False),
    ],
)
def test_which_action_a_change_of_the_email_needs(actions: Action, change: Any, is_allowed: bool) -> None:
    made = message(data=MIXED, actions=actions)
    if is_allowed:
        change(made.email)
        assert made.edits != []
    else:
        with pytest.raises(DisabledAction):
            change(made.email)
        assert made.edits == []


def test_a_boundary_is_of_the_body_too() -> None:
    made = message(data=b"Content-Type: text/plain\r\n\r\nx\r\n", actions=Action.CHGHDRS)
    with pytest.raises(DisabledAction, match="CHGBODY"):
        made.email.set_boundary("x")


def test_a_type_of_one_part_is_a_field_like_others() -> None:
    made = message(data=b"Content-Type: text/plain\r\n\r\nx\r\n", actions=Action.CHGHDRS)
    made.email.replace_header("Content-Type", "text/html")
    assert made.edits == [ChangeHeader(1, "Content-Type", " text/html")]


def test_a_guard_asks_for_the_time_first() -> None:
    grant = make_grant(0, "the message is over")
    guard = Guard(grant)
    guard.is_replaced = True
    with pytest.raises(MilterError, match=r"^the message is over$"):
        guard.check(Action.CHGBODY)
    grant.reason = None
    with pytest.raises(MilterError, match=r"^message\.body was assigned"):
        guard.check(Action.CHGBODY)
    guard.is_replaced = False
    with pytest.raises(DisabledAction, match=r"^the MTA does not let this filter do that: CHGBODY was not agreed$"):
        guard.check(Action.CHGBODY)
    assert not grant.is_used
    grant.actions = Action.CHGBODY
    guard.check(Action.CHGBODY)
    assert grant.is_used
    grant.end()
    with pytest.raises(MilterError, match=r"^the message is over: it cannot be changed any more$"):
        grant.check_time()


def test_each_way_to_read_takes_the_changes_of_the_email() -> None:
    looks: list[tuple[Any, Any]] = [
        (lambda m: m.body, b"first\r\nmore\r\n"),
        (lambda m: bytes(m.body_view), b"first\r\nmore\r\n"),
        (lambda m: m.as_bytes(), b"Subject: t\r\nX: 1\r\n\r\nfirst\r\nmore\r\n"),
        (lambda m: [(f.name, f.value) for f in m.headers], [("Subject", "t"), ("X", "1")]),
        (
            lambda m: m.edits,
            [ChangeHeader(1, "Subject", " t"), AddHeader("X", " 1"), ReplaceBody(b"first\r\nmore\r\n")],
        ),
    ]
    for look, expected in looks:
        made = message(data=b"Subject: s\r\n\r\nfirst\r\n")
        made.email.append_text("more\n")
        made.email.replace_header("Subject", "t")
        made.email["X"] = "1"
        assert look(made) == expected
        assert look(made) == expected


def test_fields_that_are_alike_at_both_ends_stay() -> None:
    made = message(data=b"X: 1\r\nX: 2\r\nX: 3\r\n\r\n")
    del made.email["X"]
    for value in ("1", "9", "3"):
        made.email["X"] = value
    assert made.edits == [ChangeHeader(2, "X", " 9")]
    made = message(data=b"X: 1\r\nX: 2\r\nX: 3\r\n\r\n")
    del made.email["X"]
    for value in ("1", "3"):
        made.email["X"] = value
    assert made.edits == [ChangeHeader(2, "X", "")]
    made = message(data=b"X: 1\r\nX: 2\r\nY: 3\r\n\r\n")
    made.email["X"] = "9"
    assert made.edits == [AddHeader("X", " 9")]


def test_a_body_that_was_assigned_ends_the_email_before() -> None:
    made = message(data=b"Subject: s\r\n\r\nfirst\r\n")
    made.email.replace_header("Subject", "t")
    made.body = b"new"
    assert (made.headers["Subject"].value, made.body) == ("t", b"new\r\n")
    assert made.email.get_payload() == "new\n"
    made.email.append_text("more\n")
    assert made.body == b"new\r\nmore\r\n"
    made.body = b"first"
    assert made.edits == [ChangeHeader(1, "Subject", " t")]
