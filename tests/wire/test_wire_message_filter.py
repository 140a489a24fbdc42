"""MessageFilter on the wire: a whole message in one call, its limits, and what is never sent."""

from __future__ import annotations

import textwrap
from collections.abc import Callable

import pytest

from pymilter.testing import (
    Action,
    AddHeader,
    AddRecipient,
    ChangeFrom,
    ChangeHeader,
    Client,
    DeleteRecipient,
    InsertHeader,
    Protocol,
    Quarantine,
    ReplaceBody,
    Response,
    Verdict,
    send_message,
)
from support.wire import Start

KINDS = pytest.mark.parametrize("kind", ["unix", "inet"])
BOTH = b"From: a@example.org\r\nSubject: one\r\n\r\nbody\r\n"


def program(message: str, keywords: str = "", more: str = "") -> str:
    """A filter with this body of `message`, class keywords, and methods beside it."""
    lines = textwrap.indent(textwrap.dedent(message), "        ")
    return f"class Filter(MessageFilter{keywords}):\n    def message(self, message):\n{lines}\n{more}"


def methods(source: str) -> str:
    return textwrap.indent(textwrap.dedent(source), "    ")


def send(client: Client, data: bytes = BOTH, recipients: tuple[str, ...] = ("<b@example.org>",)) -> Response:
    """One message, until the first refusal of it; else the answer to eom."""
    header, _, body = data.partition(b"\r\n\r\n")
    client.mail("<a@example.org>")
    for recipient in recipients:
        client.rcpt(recipient)
    client.data()
    for field in header.split(b"\r\n"):
        name, _, value = field.partition(b":")
        answer = client.header(name, value)
        if not answer.verdict.passes:
            return answer
    client.eoh()
    answer = client.body(body)
    return client.eom() if answer.verdict.passes else answer


SHOWS = """
    note("message", message.as_bytes(), message.sender.address, [str(one) for one in message.recipients],
         str(message.connection.peer), message.connection.helo, message.queue_id, message.connection.mta)
    return CONTINUE
"""


@KINDS
def test_a_whole_message_comes_in_one_call(start: Start, kind: str) -> None:
    filter_ = start(program(SHOWS), kind=kind)
    for _ in range(2):
        result = send_message(filter_.address, BOTH, "<a@example.org>", ["<b@example.org>", "<@route:c@Example.org>"])
        assert result.delivered
        assert result.edits == ()
    wanted = ("message", BOTH, "a@example.org", ["b@example.org", "c@Example.org"])
    for seen in filter_.seen("message"):
        assert seen[:4] == wanted
        assert seen[4:] == ("client.example.com[192.0.2.1]", "client.example.com", seen[6], "postfix")
    assert len(filter_.seen("message")) == 2


@KINDS
@pytest.mark.parametrize(
    "data",
    [
        b"\r\nno header\r\n",
        b"\r\n",
        b"X: 1\r\n\r\n",
        b"X:\r\nY:  two\r\n\tfold\r\nZ:\tx \r\n\r\n.\r\n\0\r\n",
        b"X: \xff\xfe\r\nx: again\r\n\r\n\xff\r\n",
    ],
)
def test_each_byte_of_it_is_kept(start: Start, kind: str, data: bytes) -> None:
    filter_ = start(program(SHOWS), kind=kind)
    assert send_message(filter_.address, data).delivered
    assert filter_.seen("message")[0][1] == data


@KINDS
def test_nothing_of_a_message_is_left_in_the_next(start: Start, kind: str) -> None:
    filter_ = start(
        program("""
            note("message", len(message.headers), message.body, [str(one) for one in message.recipients], message.edits)
            message.headers.append("X-New", "1")
            message.quarantine("held")
            message.recipients.add("new@example.org")
            message.body = b"new"
            return CONTINUE
        """),
        kind=kind,
    )
    with Client(filter_.address) as client:
        client.connect()
        client.helo()
        for _ in range(2):
            assert send(client).edits == (
                AddRecipient("<new@example.org>"),
                AddHeader("X-New", " 1"),
                ReplaceBody(b"new\r\n"),
                Quarantine("held"),
            )
        client.mail("<a@example.org>")
        client.rcpt("<gone@example.org>")
        client.abort()
        send(client)
    assert filter_.seen("message") == [("message", 2, b"body\r\n", ["b@example.org"], [])] * 3


@KINDS
def test_all_edits_are_sent_in_one_order(start: Start, kind: str) -> None:
    filter_ = start(
        program("""
            message.body += b"more"
            message.headers.prepend("X-Top", "1")
            message.headers["Subject"].text = "h\\u00e9"
            message.headers["From"].delete()
            message.recipients.remove("b@example.org")
            message.recipients.add("c@example.org", ["NOTIFY=NEVER"])
            message.sender = ""
        """),
        kind=kind,
    )
    assert send_message(filter_.address, BOTH, "<a@example.org>", ["<b@example.org>"]).edits == (
        ChangeFrom("<>"),
        DeleteRecipient("<b@example.org>"),
        AddRecipient("<c@example.org>", "NOTIFY=NEVER"),
        ChangeHeader(1, "Subject", " =?utf-8?q?h=C3=A9?="),
        ChangeHeader(1, "From", ""),
        InsertHeader(0, "X-Top", " 1"),
        ReplaceBody(b"body\r\nmore\r\n"),
    )


@KINDS
@pytest.mark.parametrize(
    ("outcome", "verdict"),
    [
        ("REJECT", Verdict.REJECT),
        ("TEMPFAIL", Verdict.TEMPFAIL),
        ("DISCARD", Verdict.DISCARD),
        ('Reject(550, "5.7.1", "no")', Verdict.REJECT),
        ("1 / 0", Verdict.TEMPFAIL),
        ("False", Verdict.TEMPFAIL),
        ("True", Verdict.TEMPFAIL),
        ("message.recipients.clear()", Verdict.TEMPFAIL),
    ],
)
def test_a_message_that_is_not_accepted_is_not_changed(start: Start, kind: str, outcome: str, verdict: Verdict) -> None:
    filter_ = start(program(f'message.headers.append("X", "1")\nreturn {outcome}'), kind=kind)
    with Client(filter_.address) as client:
        client.connect()
        client.helo()
        answer = send(client)
    assert (answer.verdict, answer.edits) == (verdict, ())


@KINDS
def test_a_refused_recipient_is_not_in_the_message(start: Start, kind: str) -> None:
    more = methods("""
        def mail(self, envelope):
            note("mail", str(envelope.sender), envelope.sender.params)
            return CONTINUE

        def recipient(self, recipient, envelope):
            note("recipient", str(recipient), recipient.params, [str(one) for one in envelope.recipients])
            if recipient.local == "broken":
                raise RuntimeError
            try:
                envelope.sender = "x@example.org"
            except pymilter.MilterError as error:
                note("refused", "message()" in str(error))
            return Reject(550, "5.1.1", "nobody") if recipient.local == "nobody" else CONTINUE
    """)
    filter_ = start(program(SHOWS, more=more), kind=kind)
    with Client(filter_.address) as client:
        client.connect()
        client.helo()
        client.mail("<a@example.org>", "SIZE=9")
        assert client.rcpt("<nobody@example.org>").code == 550
        assert client.rcpt("<b@example.org>", "NOTIFY=NEVER").verdict is Verdict.CONTINUE
        assert client.rcpt("<broken@example.org>").verdict is Verdict.TEMPFAIL
        client.data()
        client.header("X", " 1")
        client.eoh()
        assert client.eom().verdict is Verdict.CONTINUE
    assert len(filter_.seen("recipient")) == 3
    assert filter_.seen("mail") == [("mail", "a@example.org", ("SIZE=9",))]
    assert filter_.seen("recipient")[1] == ("recipient", "b@example.org", ("NOTIFY=NEVER",), ["b@example.org"])
    assert {values[1] for values in filter_.seen("refused")} == {True}
    assert filter_.seen("message")[0][3] == ["b@example.org"]


@KINDS
def test_only_what_is_overridden_is_waited_for(start: Start, kind: str) -> None:
    filter_ = start(program("return CONTINUE"), kind=kind)
    with Client(filter_.address) as client:
        answers = [client.connect(), client.helo(), client.mail("<a@example.org>"), client.rcpt("<b@example.org>")]
        answers += [client.data(), client.header("X", " 1"), client.eoh(), client.body(b"x\r\n")]
        assert {answer.verdict for answer in answers} <= {Verdict.NO_REPLY, Verdict.NOT_SENT}
        assert client.eom().verdict is Verdict.CONTINUE


@KINDS
def test_a_header_above_its_limit_is_refused_and_never_accepted(start: Start, kind: str) -> None:
    filter_ = start(program("note('message')\nreturn CONTINUE", ", header_limit=1000"), kind=kind)
    with Client(filter_.address) as client:
        client.connect()
        client.helo()
        fits = b"X: " + b"x" * 990 + b"\r\n\r\nbody\r\n"
        assert send(client, fits).verdict is Verdict.CONTINUE
        large = b"X: " + b"x" * 900 + b"\r\nY: " + b"y" * 200 + b"\r\nZ: 1\r\n\r\nbody\r\n"
        answer = send(client, large)
        assert (answer.code, answer.enhanced) == (552, "5.3.4")
        assert send(client, fits).verdict is Verdict.CONTINUE
    assert len(filter_.seen("message")) == 2
    assert "the header has more than 1000 bytes, the answer is 552 5.3.4" in filter_.stderr


@KINDS
@pytest.mark.parametrize("fields", [1, 3])
def test_a_header_of_the_size_of_its_limit_passes(start: Start, kind: str, fields: int) -> None:
    """Name and value count, and a byte at the end of each."""
    filter_ = start(program("note('message')\nreturn CONTINUE", ", header_limit=1200"), kind=kind)
    size = 1200 // fields - len("X") - 2
    exact = [b"X:" + b"x" * size] * fields
    with Client(filter_.address) as client:
        client.connect()
        client.helo()
        assert send(client, b"\r\n".join(exact) + b"\r\n\r\nbody\r\n").verdict is Verdict.CONTINUE
        exact[-1] += b"x"
        assert send(client, b"\r\n".join(exact) + b"\r\n\r\nbody\r\n").code == 552
    assert len(filter_.seen("message")) == 1


@KINDS
def test_a_body_above_its_limit_is_refused(start: Start, kind: str) -> None:
    keywords = ', limit=1000, exceeded=Reject(552, "5.2.3", "no")'
    filter_ = start(program("note('message')\nreturn CONTINUE", keywords), kind=kind)
    with Client(filter_.address) as client:
        client.connect()
        client.helo()
        assert send(client, b"X: 1\r\n\r\n" + b"x" * 1001).code == 552
        assert send(client, b"X: 1\r\n\r\n" + b"x" * 1000).verdict is Verdict.CONTINUE
    assert len(filter_.seen("message")) == 1


@KINDS
def test_a_large_body_is_a_view_of_a_file(start: Start, kind: str) -> None:
    source = """
        from hashlib import sha256
        view = message.body_view
        is_same = sha256(view).hexdigest() == sha256(message.body).hexdigest()
        note("body", len(view), view.obj.__class__.__name__, is_same)
        message.body += b"end"
        return CONTINUE
    """
    filter_ = start(program(source, ", in_memory=100_000"), kind=kind)
    body = bytes(range(32, 127)) * 3000
    result = send_message(filter_.address, b"X: 1\r\n\r\n" + body + b"\r\n")
    edited = b"".join(edit.data for edit in result.edits if isinstance(edit, ReplaceBody))
    assert edited == body + b"\r\nend\r\n"
    assert filter_.seen("body") == [("body", len(body) + 2, "BodyView", True)]


@KINDS
def test_parts_that_are_left_out_are_not_sent(start: Start, kind: str) -> None:
    source = """
        for read in (lambda: list(message.headers), lambda: message.body, lambda: message.as_bytes(),
                     lambda: message.email, lambda: "X" in message.headers):
            try:
                read()
            except pymilter.MilterError as error:
                note("cannot", str(error)[:30])
        message.headers.append("X", "1")
        message.headers.prepend("Y", "1")
        message.body = b"new"
        return CONTINUE
    """
    filter_ = start(program(source, ", headers=False, body=False"), kind=kind)
    with Client(filter_.address) as client:
        client.connect()
        client.helo()
        answer = send(client)
    assert answer.edits == (AddHeader("Y", " 1"), AddHeader("X", " 1"), ReplaceBody(b"new\r\n"))
    assert len(filter_.seen("cannot")) == 5


@KINDS
def test_an_edit_that_was_not_granted_is_refused_where_it_is_made(start: Start, kind: str) -> None:
    source = """
        for edit in (lambda: message.headers.append("X", "1"), lambda: message.headers["From"].delete(),
                     lambda: message.recipients.add("c@example.org"), lambda: message.quarantine("why"),
                     lambda: setattr(message, "sender", "x@example.org"), lambda: setattr(message, "body", b"")):
            try:
                edit()
            except pymilter.DisabledAction as error:
                note("refused")
        return CONTINUE
    """
    filter_ = start(program(source), kind=kind)
    with Client(filter_.address, actions=Action.SETSYMLIST) as client:
        client.connect()
        client.helo()
        assert send(client).verdict is Verdict.CONTINUE
    assert len(filter_.seen("refused")) == 6


@pytest.mark.parametrize("params", [(), ("NOTIFY=NEVER",)])
def test_a_recipient_that_is_sent_anew_with_parameters_needs_their_action(
    start: Start, params: tuple[str, ...]
) -> None:
    """One of two with the same address comes back with its parameters, for which there is an action of its own."""
    source = f"""
        message.recipients.remove("b@example.org")
        try:
            message.recipients.add("b@example.org", {params})
        except pymilter.DisabledAction as error:
            note(str(error))
            message.recipients.add("c@example.org")
        return CONTINUE
    """
    filter_ = start(program(source))
    with Client(filter_.address, actions=~Action.ADDRCPT_PAR) as client:
        client.connect()
        client.helo()
        client.mail("<a@example.org>")
        client.rcpt("<b@example.org>", "NOTIFY=NEVER")
        client.rcpt("<b@example.org>", "NOTIFY=FAILURE")
        client.data()
        client.eoh()
        answer = client.eom()
    assert answer.edits == (DeleteRecipient("<b@example.org>"), AddRecipient("<c@example.org>"))
    (told,) = filter_.seen()
    assert "ADDRCPT_PAR was not agreed" in told[0]


@KINDS
def test_a_message_that_is_kept_cannot_be_changed_later(start: Start, kind: str) -> None:
    source = """
        if hasattr(self, "kept"):
            for edit in (lambda: self.kept.headers.append("X", "1"), lambda: setattr(self.kept, "body", b""),
                         lambda: self.kept.progress(), lambda: self.kept.recipients.add("x@example.org")):
                try:
                    edit()
                except pymilter.MilterError as error:
                    note("over", "is over" in str(error))
            note("read", self.kept.as_bytes())
        self.kept = message
        return CONTINUE
    """
    filter_ = start(program(source), kind=kind)
    with Client(filter_.address) as client:
        client.connect()
        client.helo()
        send(client)
        assert send(client, b"Y: 2\r\n\r\n").edits == ()
    assert filter_.seen("over") == [("over", True)] * 4
    assert filter_.seen("read") == [("read", BOTH)]


@KINDS
@pytest.mark.parametrize("end", ["return CONTINUE", "return REJECT", "1 / 0"])
def test_a_message_that_is_kept_can_be_read_later(start: Start, kind: str, end: str) -> None:
    source = f"""
        if hasattr(self, "kept"):
            kept = self.kept
            note("known", kept.queue_id, kept.macro("mine"), kept.connection.helo, kept.connection.mta,
                 kept.connection.values, kept.headers["X-Email"].value, len(kept.edits))
            return CONTINUE
        self.kept = message
        note("now", message.queue_id)
        message.connection.values["x"] = 1
        message.email["X-Email"] = "1"
        message.email.append_text("more")
        {end}
    """
    filter_ = start(program(source, ", macros=['{mine}']"), kind=kind)
    with Client(filter_.address, macros={"mine": "yes"}) as client:
        client.connect()
        client.helo("helo.example")
        send(client)
        send(client)
    queue_id = filter_.seen("now")[0][1]
    assert queue_id
    assert filter_.seen("known") == [("known", queue_id, "yes", "helo.example", "postfix", {"x": 1}, "1", 2)]


CHAIN = """
class A(MessageFilter, limit=100):
    def message(self, message):
        note("A", [field.name for field in message.headers])
        message.headers.append("X-A", "1")
        return {a}

class B(MessageFilter, header_limit=500):
    def recipient(self, recipient, envelope):
        return Reject(550) if recipient.local == "nobody" else CONTINUE

    def message(self, message):
        note("B", [field.name for field in message.headers])
        message.headers.append("X-B", "1")
        return {b}

Filter = chain(A, B)
"""


@KINDS
@pytest.mark.parametrize(
    ("a", "b", "verdict", "edits", "called"),
    [
        ("CONTINUE", "CONTINUE", Verdict.CONTINUE, 2, "AB"),
        ("ACCEPT", "CONTINUE", Verdict.CONTINUE, 2, "AB"),
        ("ACCEPT", "ACCEPT", Verdict.ACCEPT, 2, "AB"),
        ("REJECT", "CONTINUE", Verdict.REJECT, 0, "A"),
        ("None", "REJECT", Verdict.REJECT, 0, "AB"),
        ("1 / 0", "CONTINUE", Verdict.TEMPFAIL, 0, "A"),
        ("False", "CONTINUE", Verdict.TEMPFAIL, 0, "A"),
    ],
)
def test_a_chain_asks_one_after_another(
    start: Start, kind: str, a: str, b: str, verdict: Verdict, edits: int, called: str
) -> None:
    filter_ = start(CHAIN.format(a=a, b=b), kind=kind)
    with Client(filter_.address) as client:
        client.connect()
        client.helo()
        for _ in range(2):
            answer = send(client)
            assert (answer.verdict, len(answer.edits)) == (verdict, edits)
        client.mail("<a@example.org>")
        assert client.rcpt("<nobody@example.org>").code == 550
    assert "".join(name for name, _ in filter_.seen("A", "B")) == called * 2
    assert [names for name, names in filter_.seen("B")] == [["From", "Subject", "X-A"]] * (2 * ("B" in called))


@KINDS
def test_a_function_is_a_filter(start: Start, kind: str) -> None:
    source = """
        @message_filter(body=False)
        def Filter(message):
            message.headers.append("X", "1")
            return ACCEPT
    """
    filter_ = start(source, kind=kind)
    result = send_message(filter_.address, BOTH)
    assert result.edits == (AddHeader("X", " 1"),)


def test_many_messages_leave_no_connection_behind(start: Start) -> None:
    filter_ = start(program(SHOWS))
    for _ in range(20):
        send_message(filter_.address, BOTH)
    filter_.stop()
    assert filter_.connections() == (20, 20)


@KINDS
def test_recipients_that_the_mta_has_refused_are_marked(start: Start, kind: str) -> None:
    source = """
        @rejected_recipients
        class Filter(MessageFilter):
            def message(self, message):
                note("message", [(str(one), one.is_accepted) for one in message.recipients])
                return CONTINUE
    """
    filter_ = start(source, kind=kind)
    with Client(filter_.address) as client:
        client.connect()
        client.mail("<a@example.org>")
        client.rcpt("<b@example.org>")
        client.rcpt("<gone@example.org>", rejected="550 5.1.1 no such user")
        client.rcpt("<c@example.org>")
        assert client.eom().verdict is Verdict.CONTINUE
    wanted = [("b@example.org", True), ("gone@example.org", False), ("c@example.org", True)]
    assert filter_.seen("message") == [("message", wanted)]


@KINDS
def test_an_mta_that_strips_the_leading_space_gets_values_without_it(start: Start, kind: str) -> None:
    source = """
        message.headers["Subject"].value = "two"
        message.headers["X-Empty"].value = ""
        message.headers["X-Gone"].value = ""  # which must not delete it
        message.headers.append("X", "1")
        note("message", message.as_bytes())
        return CONTINUE
    """
    filter_ = start(program(source), kind=kind)
    with Client(filter_.address, protocol=Protocol.ALL & ~Protocol.HDR_LEADSPC) as client:
        client.connect()
        client.helo()
        answer = send(client, b"Subject:one\r\nX-Empty:\r\nX-Gone:1\r\n\r\n")
    assert answer.edits == (ChangeHeader(1, "X-Gone", " "), ChangeHeader(1, "Subject", "two"), AddHeader("X", "1"))
    whole = b"Subject: two\r\nX-Empty: \r\nX-Gone: \r\nX: 1\r\n\r\n"
    assert filter_.seen("message") == [("message", whole)]


@KINDS
def test_an_mta_that_knows_no_unanswered_steps_is_answered(start: Start, kind: str) -> None:
    filter_ = start(program(SHOWS), kind=kind)
    with Client(filter_.address, protocol=Protocol(0x7F), actions=Action(0x3F)) as client:
        for answer in (client.connect(), client.helo(), client.mail("<a@example.org>"), client.rcpt("<b@example.org>")):
            assert answer.verdict is Verdict.CONTINUE
        for answer in (client.header("X", "1"), client.eoh(), client.body(b"x\r\n"), client.eom()):
            assert answer.verdict in (Verdict.CONTINUE, Verdict.NOT_SENT)
    assert filter_.seen("message")[0][1] == b"X: 1\r\n\r\nx\r\n"


@KINDS
def test_the_connection_after_quit_nc_is_another(start: Start, kind: str) -> None:
    more = methods("""
        def __init__(self):
            self.seen = 0
    """)
    source = """
        self.seen += 1
        kept = message.connection.values.setdefault("kept", 0)
        message.connection.values["kept"] += 1
        note("message", self.seen, kept, message.connection.helo, str(message.connection.peer))
        return CONTINUE
    """
    filter_ = start(program(source, more=more), kind=kind)
    with Client(filter_.address) as client:
        for name, ip in (("one.example", "192.0.2.1"), ("two.example", "192.0.2.2")):
            client.connect(name, ip)
            client.helo("first")
            client.helo("second")
            send(client)
            send(client)
            client.quit_nc()
    assert filter_.seen("message") == [
        ("message", 1, 0, "second", "one.example[192.0.2.1]"),
        ("message", 2, 1, "second", "one.example[192.0.2.1]"),
        ("message", 1, 0, "second", "two.example[192.0.2.2]"),
        ("message", 2, 1, "second", "two.example[192.0.2.2]"),
    ]


def test_records_tell_the_message(start: Start) -> None:
    source = """
        import logging

        logging.getLogger().handlers[0].addFilter(LogFilter())
        logging.getLogger().handlers[0].setFormatter(logging.Formatter("%(queue_id)s %(peer)s %(message)s"))

        class Filter(MessageFilter):
            def message(self, message):
                logging.warning("seen %s", message.sender)
                message.headers.append("X", "1")
                return CONTINUE
    """
    filter_ = start(source)
    result = send_message(filter_.address, BOTH, "<a@example.org>")
    assert result.edits == (AddHeader("X", " 1"),)
    assert "client.example.com[192.0.2.1] seen a@example.org" in filter_.stderr


@KINDS
@pytest.mark.parametrize("event", ["connect", "hello", "unknown", "mail"])
def test_who_accepts_in_a_chain_is_not_asked_again(start: Start, kind: str, event: str) -> None:
    source = f"""
        class A(MessageFilter):
            def {event}(self, *arguments):
                note("accepted")
                return ACCEPT

            def message(self, message):
                note("A")

        class B(MessageFilter):
            def message(self, message):
                note("B")

        Filter = chain(A, B)
    """
    filter_ = start(source, kind=kind)
    with Client(filter_.address) as client:
        client.connect()
        client.helo()
        client.unknown("FOO")
        for _ in range(2):
            assert send(client).verdict is Verdict.CONTINUE
    # At MAIL it has accepted one message, earlier the whole connection.
    assert len(filter_.seen("accepted")) == (2 if event == "mail" else 1)
    assert (len(filter_.seen("A")), len(filter_.seen("B"))) == (0, 2)


@pytest.mark.parametrize("name", ["connect", "hello", "mail", "recipient", "data", "unknown", "message"])
@pytest.mark.parametrize("chained", [False, True])
def test_what_hides_a_handler_is_named(start: Start, name: str, chained: bool) -> None:
    source = f"""
        class One(MessageFilter):
            def __init__(self): self.{name} = "x"
            def {name}(self, *arguments): note("called")
            def unused(self, message): pass
    """
    if name != "message":
        source = source.replace("unused", "message")
    filter_ = start(textwrap.dedent(source) + ("Filter = chain(One)" if chained else "Filter = One"))
    with Client(filter_.address) as client:
        client.connect()
        client.helo()
        client.unknown("FOO")
        send(client)
    assert f"TypeError: self.{name} was set to str: it hides the method" in filter_.stderr
    assert filter_.seen() == []


@pytest.mark.parametrize("name", ["mail", "recipient"])
@pytest.mark.parametrize("chained", [False, True])
def test_a_handler_set_on_an_object_is_refused_if_its_class_has_none(start: Start, name: str, chained: bool) -> None:
    """The MTA was told that nothing waits for it, so that it would never be called."""
    source = f"""
        class One(MessageFilter):
            def __init__(self): self.{name} = lambda *arguments: note("called")
            def message(self, message): note("message")
    """
    filter_ = start(textwrap.dedent(source) + ("Filter = chain(One)" if chained else "Filter = One"))
    with Client(filter_.address) as client:
        assert client.connect().verdict is Verdict.TEMPFAIL
    assert f"TypeError: self.{name} was set, but One has no method of that name" in filter_.stderr
    assert filter_.seen() == []


@pytest.mark.parametrize("chained", ["One", "chain(One)", "chain(Two, One)", "chain(One, Two)"])
def test_handlers_set_on_an_object_are_called(start: Start, chained: str) -> None:
    """At its start, and those of the end later too."""
    filter_ = start(
        f"""
        def called(name):
            return lambda *arguments: note(name, len(arguments))

        class One(MessageFilter):
            def __init__(self):
                for name in ("connect", "hello", "data", "unknown", "message", "begin_message"):
                    setattr(self, name, called(name))
                hello = self.hello
                def set_more(*arguments):
                    self.abort, self.close = called("abort"), called("close")
                    return hello(*arguments)
                self.hello = set_more
            def message(self, message):
                note("hidden")

        class Two(MessageFilter):
            def hello(self, name):
                note("hello of two", name)
            def message(self, message):
                note("message of two")

        Filter = {chained}
    """,
        keeps_connections=True,
    )
    with Client(filter_.address) as client:
        client.connect()
        client.helo("there.example")
        client.unknown("FOO")
        send(client)
        client.mail("<a@example.org>")
        client.rcpt("<b@example.org>")
        client.abort()
    seen = filter_.wait_for(lambda seen: ("close", 0) in seen)
    assert [one for one in seen if not one[0].endswith("of two")] == [
        *(("connect", 3), ("hello", 1), ("unknown", 1), ("begin_message", 0), ("data", 0), ("message", 1)),
        *(("begin_message", 0), ("abort", 0), ("close", 0)),
    ]
    of_two = [("hello of two", "there.example"), ("message of two",)] if "Two" in chained else []
    assert [one for one in seen if one[0].endswith("of two")] == of_two


@pytest.mark.parametrize("chained", ["One", "chain(One, Two)", "chain(Two, One)"])
def test_a_filter_gets_in_a_chain_what_it_has_asked_for(start: Start, chained: str) -> None:
    source = f"""
        @rejected_recipients
        class One(MessageFilter):
            @symlist("{{mine}}")
            @decode("bytes")
            def hello(self, name):
                note("hello", name, self.getsymval("mine"), self.getsymval("tls_version"))

            @nocallback
            def connect(self, *arguments):
                note("connect")

            def message(self, message):
                note("message", [one.is_accepted for one in message.recipients])

        class Two(MessageFilter):
            def connect(self, *arguments):
                pass

            def message(self, message):
                pass

        Filter = {chained}
    """
    filter_ = start(source)
    with Client(filter_.address, macros={"mine": "1", "tls_version": "2"}) as client:
        client.connect()
        client.helo("there.example")
        client.mail("<a@example.org>")
        client.rcpt("<gone@example.org>", rejected="550 5.1.1 no such user")
        client.rcpt("<b@example.org>")
        client.eom()
    assert filter_.seen() == [("hello", b"there.example", "1", "2"), ("message", [False, True])]


def test_macros_of_one_stage_are_asked_for_at_once(start: Start) -> None:
    """By a method and by the class, in a negotiate of its own too."""
    source = """
        class Filter(MessageFilter):
            @symlist("{mine}")
            def hello(self, name):
                note("hello", self.getsymval("mine"), self.getsymval("tls_version"))

            def negotiate(self, opts):
                return super().negotiate(opts)

            def message(self, message):
                pass
    """
    filter_ = start(source)
    with Client(filter_.address, macros={"mine": "1", "tls_version": "2"}) as client:
        assert client.connect().verdict.passes
        client.helo()
    assert filter_.seen() == [("hello", "1", "2")]


STEPS = ("connect", "hello", "mail", "recipient", "message")


@pytest.mark.parametrize("step", STEPS)
@pytest.mark.parametrize(
    ("answer", "verdict"),
    [
        ("REJECT", Verdict.REJECT),
        ("TEMPFAIL", Verdict.TEMPFAIL),
        ("DISCARD", Verdict.DISCARD),
        ('Reject(550, "5.7.1", "no")', Verdict.REJECT),
        ("ACCEPT", Verdict.ACCEPT),
    ],
)
def test_a_final_answer_in_a_chain_is_the_answer(start: Start, step: str, answer: str, verdict: Verdict) -> None:
    refusing = "chain(CONTINUES, A, CONTINUES)" if verdict is not Verdict.ACCEPT else "chain(A, A)"
    source = f"""
        class CONTINUES(MessageFilter):
            def message(self, message): pass

        class A(MessageFilter):
            def message(self, message): pass
            def {step}(self, *arguments): return {answer}

        Filter = {refusing}
    """
    filter_ = start(source)
    with Client(filter_.address) as client:
        plays: dict[str, Callable[[], Response]] = {
            "connect": client.connect,
            "hello": client.helo,
            "mail": lambda: client.mail("<a@example.org>"),
            "recipient": lambda: client.rcpt("<b@example.org>"),
            "message": client.eom,
        }
        answers = {name: plays[name]() for name in STEPS[: STEPS.index(step) + 1]}
    assert answers[step].verdict is verdict


@pytest.mark.parametrize(
    ("method", "result", "told"),
    [
        ("message", "False", "TypeError: message() returned False: allowed are a Status"),
        ("message", "77", "ValueError: message() returned 77: this is no status"),
        (
            "message",
            "Action.QUARANTINE",
            "quarantine is an edit and not a status: call message.quarantine(reason), then return",
        ),
        ("mail", "'x'", "TypeError: mail() returned 'x'"),
        ("recipient", "SKIP", "ValueError: recipient() returned <Status.SKIP: 8>: this is no status"),
        ("mail", "self.addheader('X', '1')", "MilterError: addheader is possible only at message, not at mail"),
        ("recipient", "self.quarantine('x')", "MilterError: quarantine is possible only at message, not at recipient"),
    ],
)
def test_errors_have_the_names_of_a_message_filter(start: Start, method: str, result: str, told: str) -> None:
    source = f"""
        class Filter(MessageFilter):
            def message(self, message): pass
            def {method}(self, *arguments): return {result}
    """
    filter_ = start(source)
    with Client(filter_.address) as client:
        client.connect()
        client.helo()
        answers = {
            "mail": client.mail("<a@example.org>"),
            "recipient": client.rcpt("<b@example.org>"),
            "message": client.eom(),
        }
    assert answers[method].verdict is Verdict.TEMPFAIL
    assert told in filter_.stderr
    assert all(f"{name}()" not in filter_.stderr for name in ("eom", "envfrom", "envrcpt"))


@KINDS
def test_recipient_shows_whether_the_mta_has_accepted(start: Start, kind: str) -> None:
    source = """
        @rejected_recipients
        class Filter(MessageFilter):
            def recipient(self, recipient, envelope):
                note("recipient", str(recipient), recipient.is_accepted, len(envelope.recipients))
                return REJECT if recipient.local == "c" else CONTINUE

            def message(self, message):
                note("message", [(str(one), one.is_accepted) for one in message.recipients])
    """
    filter_ = start(source, kind=kind)
    with Client(filter_.address) as client:
        client.connect()
        client.mail("<a@example.org>")
        client.rcpt("<b@example.org>")
        client.rcpt("<gone@example.org>", rejected="550 5.1.1 no such user")
        client.rcpt("<c@example.org>")
        client.rcpt("<d@example.org>")
        client.eom()
    assert filter_.seen("recipient") == [
        ("recipient", "b@example.org", True, 1),
        ("recipient", "gone@example.org", False, 2),
        ("recipient", "c@example.org", True, 3),
        ("recipient", "d@example.org", True, 3),
    ]
    wanted = [("b@example.org", True), ("gone@example.org", False), ("d@example.org", True)]
    assert filter_.seen("message") == [("message", wanted)]
