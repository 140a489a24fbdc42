"""Whole messages played to a bare C filter: where the MTA stops, what the SMTP client sees, what is delivered."""

from __future__ import annotations

import email.message
import socket
from collections.abc import Callable

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from pymilter.testing import (
    AddHeader,
    Client,
    Command,
    Envelope,
    FilterGone,
    FilterProcess,
    Mta,
    Protocol,
    ProtocolError,
    Quarantine,
    Refusal,
    Result,
    SmtpReply,
    Verdict,
    apply_edits,
    send_message,
)
from support.cfilter.probe import body_line, log
from support.cfilter.rogue import read_command, rogue
from support.packets import packet

Probe = Callable[..., FilterProcess]

MESSAGE = b"Received: from a\r\n\tby b\r\nSubject: hello\r\nTo: <b@example.net>\r\n\r\nline one\r\nline two\r\n"


def play(probe: Probe, *options: str, message: bytes = MESSAGE) -> tuple[Result, list[str]]:
    process = probe(*options)
    recipients = ["a@example.net", "<b@example.net>", "c@example.net"]
    with Client(process.address) as client:
        result = client.play(message, "sender@example.org", recipients)
    return result, [line.split()[0] for line in log(process)]


def test_a_message_goes_all_the_way(probe: Probe) -> None:
    process = probe()
    result = send_message(process.address, MESSAGE, "s@example.org", ["r@example.net"])
    assert log(process) == [
        "connect [client.example.com] inet 192.0.2.1 49152",
        "helo [client.example.com]",
        "mail [<s@example.org>]",
        "rcpt [<r@example.net>]",
        "data",
        r"header [Received] [from a\x0a\x09by b]",
        "header [Subject] [hello]",
        "header [To] [<b@example.net>]",
        "eoh",
        body_line(b"line one\r\nline two\r\n") + r" [line one\x0d\x0aline two\x0d\x0a]",
        "eom",
        "close",
    ]
    assert result.verdict is Verdict.ACCEPT
    assert result.decided_at is Command.EOM
    assert result.delivered
    assert not result.changed
    assert result.message == result.original == MESSAGE
    assert str(result.reply) == "250 2.0.0 Ok: queued as 0000000001"
    assert (result.sender, result.recipients, result.accepted) == ("<s@example.org>",) + (("<r@example.net>",),) * 2
    assert result.refused == ()
    assert [step.command.name for step in result.transcript][:4] == ["CONNECT", "HELO", "MAIL", "RCPT"]


def test_the_file_form_with_lf_reaches_the_filter_as_crlf(probe: Probe) -> None:
    process = probe("-e", "addheader|X|one\n\ttwo", "-e", "replacebody|a\r\nb\r\n")
    result = send_message(process.address, MESSAGE.replace(b"\r\n", b"\n"))
    assert body_line(b"line one\r\nline two\r\n") in "\n".join(log(process))
    assert result.message == b"Received: from a\n\tby b\nSubject: hello\nTo: <b@example.net>\nX: one\n\ttwo\n\na\nb\n"


def test_an_email_message_may_be_played(probe: Probe) -> None:
    message = email.message.EmailMessage()
    message["Subject"] = "hello"
    message.set_content("text\n")
    result = send_message(probe("-e", "addheader|X-A|b").address, message)
    assert result.original == message.as_bytes()
    assert ("X-A", "b") in result.headers
    assert result.body == b"text\n"


@pytest.mark.parametrize(
    ("step", "seen"),
    [
        ("connect", ["connect", "close"]),
        ("helo", ["connect", "helo", "close"]),
        ("mail", ["connect", "helo", "mail", "close"]),
        ("data", ["connect", "helo", "mail", "rcpt", "rcpt", "rcpt", "data", "close"]),
        ("header", ["connect", "helo", "mail", "rcpt", "rcpt", "rcpt", "data", "header", "close"]),
        ("eom", None),
    ],
)
@pytest.mark.parametrize(
    ("answer", "verdict", "reply"),
    [
        ("reject", Verdict.REJECT, "550 5.7.1 Command rejected"),
        ("tempfail", Verdict.TEMPFAIL, "451 4.7.1 Service unavailable - try again later"),
        ("554 5.6.0 no|never", Verdict.REJECT, "554-5.6.0 no\n554 5.6.0 never"),
        ("accept", Verdict.ACCEPT, "250 2.0.0 Ok: queued as "),
    ],
)
def test_a_final_answer_ends_the_filtering(
    probe: Probe, step: str, seen: list[str] | None, answer: str, verdict: Verdict, reply: str
) -> None:
    result, words = play(probe, "-r", f"{step}={answer}", "-e", "addheader|A|b")
    assert result.verdict is verdict
    assert result.decided_at.name == step.upper()
    assert str(result.reply).startswith(reply)
    assert result.delivered == (verdict is Verdict.ACCEPT)
    assert words == (seen or words)
    everyone = ("<a@example.net>", "<b@example.net>", "<c@example.net>")
    late = step in ("data", "header", "eom")
    assert result.accepted == (everyone if verdict is Verdict.ACCEPT or late else ())
    assert result.recipients == (everyone if verdict is Verdict.ACCEPT else ())
    assert result.changed == (step == "eom" and verdict is Verdict.ACCEPT)
    assert result.edits == ((AddHeader("A", "b"),) if step == "eom" else ())


def test_recipients_are_refused_one_by_one(probe: Probe) -> None:
    result, words = play(probe, "-r", "rcpt@a@ex=550 5.1.1 no", "-r", "rcpt@c@ex=tempfail")
    assert result.verdict is Verdict.ACCEPT
    assert result.accepted == result.recipients == ("<b@example.net>",)
    assert result.refused == (
        Refusal("<a@example.net>", SmtpReply(550, "5.1.1", ("no",))),
        Refusal("<c@example.net>", SmtpReply(451, "4.7.1", ("Service unavailable - try again later",))),
    )
    assert words[-2:] == ["eom", "close"]


def test_no_recipient_left(probe: Probe) -> None:
    result, words = play(probe, "-r", "rcpt=550 5.1.1 no")
    assert result.verdict is Verdict.REJECT
    assert result.decided_at is Command.RCPT
    assert str(result.reply) == "554 5.5.1 Error: no valid recipients"
    assert len(result.refused) == 3
    assert words == ["connect", "helo", "mail", "rcpt", "rcpt", "rcpt", "abort", "close"]


def test_accept_at_one_recipient_accepts_the_whole_message(probe: Probe) -> None:
    result, words = play(probe, "-r", "rcpt@a@ex=reject", "-r", "rcpt@b@ex=accept")
    assert result.verdict is Verdict.ACCEPT
    assert result.decided_at is Command.RCPT
    assert result.recipients == ("<b@example.net>", "<c@example.net>")
    assert words == ["connect", "helo", "mail", "rcpt", "rcpt", "close"]


def test_discard_at_one_recipient_discards_the_message_and_abort_follows(probe: Probe) -> None:
    result, words = play(probe, "-r", "rcpt@b@ex=discard")
    assert result.verdict is Verdict.DISCARD
    assert result.reply.code == 250
    assert (result.accepted, result.recipients) == (("<a@example.net>", "<b@example.net>", "<c@example.net>"), ())
    assert words == ["connect", "helo", "mail", "rcpt", "rcpt", "abort", "close"]


@pytest.mark.parametrize("step", ["mail", "data", "header", "eoh", "body", "eom"])
def test_discard_looks_like_success_to_the_smtp_client(probe: Probe, step: str) -> None:
    result, _ = play(probe, "-r", f"{step}=discard", "-e", "addheader|A|b")
    assert result.verdict is Verdict.DISCARD
    assert result.reply.code == 250
    assert not result.delivered
    assert result.message == MESSAGE


@pytest.mark.parametrize("step", ["connect", "helo"])
def test_discard_of_a_connection_is_ignored_as_by_postfix(probe: Probe, step: str) -> None:
    result, words = play(probe, "-r", f"{step}=discard")
    assert result.verdict is Verdict.ACCEPT
    assert words[-2:] == ["eom", "close"]


def test_skip_spares_the_rest_of_the_body(probe: Probe) -> None:
    process = probe("-P", hex(Protocol.SKIP), "-r", "body=skip", "-e", "addheader|A|b")
    with Client(process.address) as client:
        result = client.play(MESSAGE, chunk_size=5)
    assert [step.response.verdict for step in result.transcript if step.command is Command.BODY] == [
        Verdict.SKIP,
        Verdict.NOT_SENT,
        Verdict.NOT_SENT,
        Verdict.NOT_SENT,
    ]
    assert result.changed
    assert sum(line.startswith("body") for line in log(process)) == 1


def test_quarantine_and_envelope_edits(probe: Probe) -> None:
    edits = ["quarantine|looks odd", "addrcpt|<x@example.net>", "delrcpt|<b@example.net>", "chgfrom|<n@x>|RET=HDRS"]
    result, _ = play(probe, *[word for edit in edits for word in ("-e", edit)])
    assert result.quarantine == "looks odd"
    assert Quarantine("looks odd") in result.edits
    assert result.recipients == ("<a@example.net>", "<c@example.net>", "<x@example.net>")
    assert result.accepted == ("<a@example.net>", "<b@example.net>", "<c@example.net>")
    assert (result.sender, result.envelope.sender_params) == ("<n@x>", "RET=HDRS")
    assert not result.changed
    assert result.delivered


def test_header_edits_together(probe: Probe) -> None:
    edits = ["insheader|0|X-First|1", "chgheader|1|subject|bye", "chgheader|1|Received|", "addheader|X-Last|9"]
    result, _ = play(probe, *[word for edit in edits for word in ("-e", edit)])
    assert result.message == (
        b"X-First: 1\r\nsubject: bye\r\nTo: <b@example.net>\r\nX-Last: 9\r\n\r\nline one\r\nline two\r\n"
    )


def test_body_pieces_with_edits_between_are_refused_as_by_postfix(probe: Probe) -> None:
    process = probe("-e", "replacebody|a", "-e", "addheader|A|b", "-e", "replacebody|c")
    with pytest.raises(ProtocolError, match="Postfix refuses"):
        send_message(process.address, MESSAGE)


def test_the_leading_space_stays_where_that_was_negotiated(probe: Probe) -> None:
    process = probe("-P", hex(Protocol.HDR_LEADSPC), "-e", "addheader|A| b")
    result = send_message(process.address, b"One: 1\r\nTwo:2\r\n\r\n")
    assert [line for line in log(process) if line.startswith("header")] == ["header [One] [ 1]", "header [Two] [2]"]
    assert result.message == b"One: 1\r\nTwo:2\r\nA: b\r\n\r\n"


def test_several_messages_on_one_connection(probe: Probe) -> None:
    process = probe("-r", "mail@bad=reject", "-r", "rcpt@none=reject", "-e", "addheader|A|b", "-m", "eom=i")
    with Client(process.address) as client:
        results = [
            client.play(MESSAGE, sender, [recipient])
            for sender, recipient in (("a@x", "b@x"), ("bad@x", "b@x"), ("a@x", "none@x"), ("a@x", "b@x"))
        ]
    verdicts = [result.verdict for result in results]
    assert verdicts == [Verdict.ACCEPT, Verdict.REJECT, Verdict.REJECT, Verdict.ACCEPT]
    words = [line.split()[0] for line in log(process)]
    assert words.count("connect") == words.count("helo") == words.count("close") == 1
    assert words.count("mail") == 4
    assert [line for line in log(process) if line.startswith("eom")] == ["eom i=0000000001", "eom i=0000000004"]
    assert results[3].queue_id == "0000000004"


def test_a_final_answer_to_connect_holds_for_later_messages(probe: Probe) -> None:
    process = probe("-r", "connect=550 5.7.1 never")
    with Client(process.address) as client:
        first, second = (client.play(MESSAGE) for _ in range(2))
    assert str(first.reply) == str(second.reply) == "550 5.7.1 never"
    assert second.transcript == ()
    assert [line.split()[0] for line in log(process)] == ["connect", "close"]


def test_a_field_of_more_than_a_packet_is_cut_as_by_postfix(probe: Probe) -> None:
    message = b"A: b\r\nLong: " + b"x" * 70_000 + b"\r\nC: d\r\n\r\nbody\r\n"
    result = send_message(probe("-e", "addheader|New|e").address, message)
    assert result.verdict is Verdict.ACCEPT
    assert result.changed
    assert result.original == message
    assert result.message == b"A: b\r\nLong: " + b"x" * 59_994 + b"\r\nC: d\r\nNew: e\r\n\r\nbody\r\n"


def test_an_added_field_is_cut_as_well() -> None:
    sizes: dict[Mta, int] = {"postfix": 59_994, "sendmail": 65_000}
    for mta, size in sizes.items():
        after = apply_edits(b"A: b\r\n\r\n", Envelope("<>", ()), [AddHeader("Long", "x" * 65_000)], mta=mta)
        assert [len(value) for _, value in after.headers] == [1, size]


def test_messages_that_no_filter_sees_have_queue_ids_of_their_own(probe: Probe) -> None:
    with Client(probe("-r", "helo=accept").address) as client:
        results = [client.play(MESSAGE) for _ in range(2)]
    assert [str(result.reply) for result in results] == [f"250 2.0.0 Ok: queued as 000000000{n}" for n in (1, 2)]


def test_after_421_the_connection_is_over(probe: Probe) -> None:
    process = probe("-r", "rcpt@b@ex=421 4.7.0 too many")
    with Client(process.address) as client:
        result = client.play(MESSAGE, "s@x", ["a@example.net", "b@example.net", "c@example.net"])
        assert client.closed
        with pytest.raises(FilterGone, match="connection is closed"):
            client.play(MESSAGE)
    assert (result.verdict, result.decided_at) == (Verdict.TEMPFAIL, Command.RCPT)
    assert str(result.reply) == "421 4.7.0 too many"
    assert not result.delivered
    assert [line.split()[0] for line in log(process)][-3:] == ["rcpt", "abort", "close"]


def test_play_goes_on_after_steps_by_hand(probe: Probe) -> None:
    process = probe()
    with Client(process.address) as client:
        client.connect("by.hand", None)
        client.play(MESSAGE)
        client.mail("<a@x>")
        client.rcpt("<b@x>")
        client.data()
        client.eoh()
        client.eom()
        client.quit_nc()
        client.play(MESSAGE, hostname="third", address=None, helo="other")
    words = [line for line in log(process) if line.startswith(("connect", "helo"))]
    assert words == ["connect [by.hand] NULL", "helo [client.example.com]", "connect [third] NULL", "helo [other]"]


@pytest.mark.parametrize("asked", [Protocol.NONE, Protocol.RCPT_REJ])
def test_recipients_that_the_mta_refused_itself(probe: Probe, asked: Protocol) -> None:
    process = probe("-P", hex(asked))
    with Client(process.address) as client:
        result = client.play(MESSAGE, recipients=["a@x", "no@x"], rejected={"no@x": "550 5.1.1 unknown"})
    assert result.recipients == ("<a@x>",)
    assert result.refused == (Refusal("<no@x>", SmtpReply(550, "5.1.1", ("unknown",))),)
    seen = [line for line in log(process) if line.startswith("rcpt")]
    assert seen == (["rcpt [<a@x>]", "rcpt [<no@x>]"] if asked else ["rcpt [<a@x>]"])


def test_a_final_answer_leaves_the_mtas_own_refusals(probe: Probe) -> None:
    with Client(probe("-r", "mail=accept").address) as client:
        result = client.play(MESSAGE, recipients=["a@x", "no@x"], rejected={"no@x": "550 5.1.1 unknown"})
    assert result.recipients == ("<a@x>",)
    assert [refusal.recipient for refusal in result.refused] == ["<no@x>"]


def test_steps_left_out_and_unanswered(probe: Probe) -> None:
    process = probe("-P", hex(Protocol.NR_ALL | Protocol.NOHDRS | Protocol.NOHELO), "-e", "addheader|A|b")
    result = send_message(process.address, MESSAGE)
    verdicts = {step.command.name: step.response.verdict for step in result.transcript}
    assert verdicts["HEADER"] is verdicts["HELO"] is Verdict.NOT_SENT
    assert verdicts["MAIL"] is verdicts["BODY"] is Verdict.NO_REPLY
    assert result.verdict is Verdict.ACCEPT
    assert result.headers[-1] == ("A", "b")


def test_bad_arguments(probe: Probe) -> None:
    with Client(probe().address) as client:
        with pytest.raises(TypeError, match="must be a sequence"):
            client.play(MESSAGE, "a@x", "b@x")
        with pytest.raises(ValueError, match="chunk_size"):
            client.play(MESSAGE, chunk_size=0)


@pytest.mark.parametrize(
    ("answers", "verdict", "reply", "sent"),
    [
        (b"ccc4", Verdict.SHUTDOWN, "421 4.7.0 Server closing connection", b"CHMRAAQ"),
        (b"cccf", Verdict.CONN_FAIL, "554 5.5.1 Error: no valid recipients", b"CHMRRAAQ"),
        (b"4", Verdict.SHUTDOWN, "421 mail.example.com Service unavailable - try again later", b"C"),
        (b"ccf", Verdict.CONN_FAIL, "451 4.7.1 Service unavailable - try again later", b"CHMAAQ"),
        (b"cccrr", Verdict.REJECT, "554 5.5.1 Error: no valid recipients", b"CHMRRAAQ"),
        (b"cccdc", Verdict.DISCARD, "250 2.0.0 Ok: queued as ", b"CHMRAAQ"),
        (b"ccccct", Verdict.TEMPFAIL, "451 4.7.1 Service unavailable - try again later", b"CHMRRTAAQ"),
        (b"cccccccct", Verdict.TEMPFAIL, "451 4.7.1 Service unavailable - try again later", b"CHMRRTLNEAAQ"),
    ],
)
def test_answers_that_libmilter_cannot_give_and_the_abort_after_an_early_end(
    answers: bytes, verdict: Verdict, reply: str, sent: bytes
) -> None:
    """libmilter itself aborts a message that is left open, so only another peer shows that the MTA said it."""
    seen = bytearray()

    def script(conn: socket.socket) -> None:
        left = [bytes([answer]) for answer in answers]
        while command := read_command(conn):
            seen.append(command[0])
            if command[:1] not in b"AQ":
                conn.sendall(packet(left.pop(0) if left else b"r"))
            if command == b"Q":
                return

    with rogue(script) as address:
        result = send_message(address, b"A: b\r\n\r\n", "a@x", ["b@x", "c@x"])
    assert bytes(seen) == sent
    assert str(result.reply).startswith(reply)
    assert result.verdict is (Verdict.REJECT if "no valid" in reply else verdict)


@settings(max_examples=40, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(st.lists(st.sampled_from([b"A: b", b" c", b"\xa6", b"\r\n", b"\n", b"\0", b":", b"x" * 70]), max_size=30))
def test_any_message_passes_unchanged_through_a_filter_that_changes_nothing(
    passing: FilterProcess, parts: list[bytes]
) -> None:
    message = b"".join(parts)
    result = send_message(passing.address, message)
    assert result.message == message
    assert result.verdict is Verdict.ACCEPT


@pytest.fixture
def passing(probe: Probe) -> FilterProcess:
    return probe()
