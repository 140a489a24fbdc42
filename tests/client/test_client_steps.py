"""Every command and every answer between the client and a bare C filter on the real libmilter."""

from __future__ import annotations

import socket
from collections.abc import Callable

import pytest

from pymilter.testing import (
    AddHeader,
    AddRecipient,
    ChangeFrom,
    ChangeHeader,
    Client,
    Command,
    DeleteRecipient,
    Family,
    FilterProcess,
    FilterTimeout,
    InsertHeader,
    Protocol,
    Quarantine,
    ReplaceBody,
    SmtpReply,
    Stage,
    Verdict,
)
from support.cfilter.probe import body_line, log

Probe = Callable[..., FilterProcess]


def test_every_command_arrives_as_sent_over_every_socket(probe: Probe, transport: str) -> None:
    process = probe(address=transport)
    with Client(transport) as client:
        answers = [
            client.connect("mail.example.org", "198.51.100.7", 2525),
            client.helo("mail.example.org"),
            client.mail("<a@example.org>", "SIZE=100", "BODY=8BITMIME"),
            client.unknown("FOO bar"),
            client.rcpt("<b@example.net>", "NOTIFY=NEVER"),
            client.rcpt("<c@example.net>"),
            client.data(),
            client.header("Subject", "one\n two"),
            client.header("X-Empty", ""),
            client.eoh(),
            client.body(b"a\0b\r\n"),
            client.eom(),
        ]
    assert {answer.verdict for answer in answers} == {Verdict.CONTINUE}
    assert [answer.step.name for answer in answers[:4]] == ["CONNECT", "HELO", "MAIL", "UNKNOWN"]
    assert log(process) == [
        "connect [mail.example.org] inet 198.51.100.7 2525",
        "helo [mail.example.org]",
        "mail [<a@example.org>] [SIZE=100] [BODY=8BITMIME]",
        "unknown [FOO bar]",
        "rcpt [<b@example.net>] [NOTIFY=NEVER]",
        "rcpt [<c@example.net>]",
        "data",
        r"header [Subject] [one\x0a two]",
        "header [X-Empty] []",
        "eoh",
        log(process)[10],
        "eom",
        "close",
    ]
    assert log(process)[10].startswith("body 5 ")
    assert log(process)[10].endswith(r"[a\x00b\x0d\x0a]")


@pytest.mark.parametrize(
    ("arguments", "family", "seen"),
    [
        (("h", "192.0.2.9", 25), None, "connect [h] inet 192.0.2.9 25"),
        (("h", "2001:db8::9", 65535), None, "connect [h] inet6 2001:db8::9 65535"),
        (("h", "IPv6:2001:db8::9", 1), None, "connect [h] inet6 2001:db8::9 1"),
        (("localhost", "/var/run/x.sock"), None, "connect [localhost] unix /var/run/x.sock"),
        (("localhost", "x.sock"), Family.UNIX, "connect [localhost] unix x.sock"),
        (("h", None), None, "connect [h] NULL"),
        (("h", "192.0.2.9"), Family.UNKNOWN, "connect [h] NULL"),
        ((b"caf\xe9", b"192.0.2.9", 1), None, r"connect [caf\xe9] inet 192.0.2.9 1"),
    ],
)
def test_connect_of_each_family(
    probe: Probe, arguments: tuple[str, str | None, int], family: Family | None, seen: str
) -> None:
    process = probe()
    with Client(process.address) as client:
        client.connect(*arguments, family=family)
    assert log(process) == [seen, "close"]


def test_text_may_be_bytes_or_surrogates(probe: Probe) -> None:
    process = probe()
    with Client(process.address) as client:
        client.connect()
        client.helo(b"\xe9.example")
        client.mail("<\udce9@example.org>", b"X=\xa6")
        client.rcpt("<\u00fc@example.org>")
        client.header(b"Subject", b"\xa6")
    assert log(process)[1:5] == [
        r"helo [\xe9.example]",
        r"mail [<\xe9@example.org>] [X=\xa6]",
        r"rcpt [<\xc3\xbc@example.org>]",
        r"header [Subject] [\xa6]",
    ]


def test_nul_in_a_string_is_refused_before_it_is_sent(probe: Probe) -> None:
    with Client(probe().address) as client:
        with pytest.raises(ValueError, match="NUL"):
            client.helo("a\0b")
        assert client.connect().verdict is Verdict.CONTINUE


STEPS: dict[str, Callable[[Client], object]] = {
    "connect": lambda client: client.connect(),
    "helo": lambda client: client.helo(),
    "mail": lambda client: client.mail("<a@example.org>"),
    "rcpt": lambda client: client.rcpt("<b@example.org>"),
    "data": lambda client: client.data(),
    "header": lambda client: client.header("A", "b"),
    "eoh": lambda client: client.eoh(),
    "body": lambda client: client.body(b"x"),
    "eom": lambda client: client.eom(),
}


@pytest.mark.parametrize("step", STEPS)
@pytest.mark.parametrize(
    ("answer", "verdict", "reply"),
    [
        ("reject", Verdict.REJECT, None),
        ("tempfail", Verdict.TEMPFAIL, None),
        ("accept", Verdict.ACCEPT, None),
        ("discard", Verdict.DISCARD, None),
        ("550 5.7.1 go away", Verdict.REJECT, SmtpReply(550, "5.7.1", ("go away",))),
        ("451 4.3.0 later", Verdict.TEMPFAIL, SmtpReply(451, "4.3.0", ("later",))),
        ("554 no status", Verdict.REJECT, SmtpReply(554, "", ("no status",))),
        ("550 5.7.1 50%% off|two|three", Verdict.REJECT, SmtpReply(550, "5.7.1", ("50% off", "two", "three"))),
    ],
)
def test_each_verdict_at_each_step(
    probe: Probe, step: str, answer: str, verdict: Verdict, reply: SmtpReply | None
) -> None:
    process = probe("-r", f"{step}={answer}")
    with Client(process.address) as client:
        for name, action in STEPS.items():
            response = action(client)
            if name == step:
                break
    assert response.verdict is verdict  # type: ignore[attr-defined]
    assert response.reply == reply  # type: ignore[attr-defined]
    assert not verdict.passes


def test_a_reply_reads_as_the_smtp_client_sees_it(probe: Probe) -> None:
    with Client(probe("-r", "helo=550 5.7.1 one|two").address) as client:
        client.connect()
        response = client.helo()
    assert (response.code, response.enhanced, response.text) == (550, "5.7.1", "one\ntwo")
    assert str(response.reply) == "550-5.7.1 one\n550 5.7.1 two"


def test_every_edit_comes_back_typed_and_in_order(probe: Probe) -> None:
    edits = {
        "addheader|X-Added|one": AddHeader("X-Added", "one"),
        "insheader|3|X-Put|two": InsertHeader(3, "X-Put", "two"),
        "chgheader|2|Subject|three": ChangeHeader(2, "Subject", "three"),
        "chgheader|1|To": ChangeHeader(1, "To", ""),
        "chgfrom|<s@example.org>": ChangeFrom("<s@example.org>", None),
        "chgfrom|<s@example.org>|RET=FULL": ChangeFrom("<s@example.org>", "RET=FULL"),
        "addrcpt|<r@example.org>": AddRecipient("<r@example.org>", None),
        "addrcpt_par|<r@example.org>|NOTIFY=NEVER": AddRecipient("<r@example.org>", "NOTIFY=NEVER"),
        "addrcpt_par|<r@example.org>": AddRecipient("<r@example.org>", ""),
        "delrcpt|<d@example.org>": DeleteRecipient("<d@example.org>"),
        "quarantine|on hold": Quarantine("on hold"),
        "replacebody|new": ReplaceBody(b"new"),
    }
    options = [word for edit in edits for word in ("-e", edit)]
    process = probe(*options, "-e", "progress", "-e", "progress")
    with Client(process.address) as client:
        _until_eom(client)
        response = client.eom()
    assert response.edits == tuple(edits.values())
    assert response.verdict is Verdict.CONTINUE
    assert response.progress == 2
    assert "failed" not in process.stdout


def test_a_big_new_body_comes_in_pieces_of_65535(probe: Probe) -> None:
    with Client(probe("-e", "bigbody|150000").address) as client:
        _until_eom(client)
        edits = client.eom().edits
    assert edits == tuple(ReplaceBody(b"x" * size) for size in (65535, 65535, 18930))


def test_edits_before_a_refusal_are_told_too(probe: Probe) -> None:
    with Client(probe("-e", "addheader|A|b", "-r", "eom=550 5.7.1 no").address) as client:
        _until_eom(client)
        response = client.eom()
    assert response.edits == (AddHeader("A", "b"),)
    assert response.code == 550


def test_body_is_split(probe: Probe) -> None:
    process = probe()
    body = bytes(range(256)) * 600
    with Client(process.address) as client:
        _until_eom(client)
        client.body(body)
        client.body(body[:10], chunk_size=4)
        client.eom(body[:100])
    seen = [line.partition(" [")[0] for line in log(process) if line.startswith("body")]
    pieces = [body[:65535], body[65535:131070], body[131070:], body[:4], body[4:8], body[8:10], body[:100]]
    assert seen == [body_line(piece) for piece in pieces]


def test_an_empty_body_sends_nothing(probe: Probe) -> None:
    process = probe()
    with Client(process.address) as client:
        _until_eom(client)
        assert client.body(b"").verdict is Verdict.NOT_SENT
        assert client.eom().verdict is Verdict.CONTINUE
    assert log(process)[-2:] == ["eom", "close"]


@pytest.mark.parametrize("size", [0, -1])
def test_a_chunk_has_at_least_one_byte(probe: Probe, size: int) -> None:
    with Client(probe().address) as client, pytest.raises(ValueError, match="chunk_size"):
        client.body(b"x", chunk_size=size)


def test_skip_ends_the_body_and_only_the_body(probe: Probe) -> None:
    process = probe("-P", hex(Protocol.SKIP), "-r", "body=skip")
    with Client(process.address) as client:
        for _ in range(2):
            _until_eom(client)
            assert client.body(b"abcdef", chunk_size=2).verdict is Verdict.SKIP
            assert client.body(b"more").verdict is Verdict.NOT_SENT
            assert client.eom().verdict is Verdict.CONTINUE
    assert [line[:6] for line in log(process) if line.startswith("body")] == ["body 2", "body 2"]


def test_skip_ends_with_its_message(probe: Probe) -> None:
    process = probe("-P", hex(Protocol.SKIP), "-r", "body=skip")
    with Client(process.address, timeout=2) as client:
        _until_eom(client)
        assert client.body(b"ab").verdict is Verdict.SKIP
        client.abort()
        with pytest.raises(FilterTimeout):  # it is sent, and libmilter drops it here
            client.body(b"cd")


def test_two_messages_and_an_rset_on_one_connection(probe: Probe) -> None:
    process = probe()
    with Client(process.address) as client:
        _until_eom(client)
        client.eom()
        client.mail("<second@example.org>")
        client.rcpt("<r@example.org>")
        client.abort()
        client.mail("<third@example.org>")
        client.rcpt("<r@example.org>")
        client.header("A", "b")
        client.abort()
        client.mail("<fourth@example.org>")
        client.rcpt("<r@example.org>")
        assert client.eom().verdict is Verdict.CONTINUE
    seen = [line for line in log(process) if line.split()[0] in ("mail", "eom", "abort", "close")]
    assert seen == [
        "mail [<a@example.org>]",
        "eom",
        "mail [<second@example.org>]",
        "abort",
        "mail [<third@example.org>]",
        "abort",
        "mail [<fourth@example.org>]",
        "eom",
        "close",
    ]


def test_quit_nc_brings_a_new_connection_on_the_same_socket(probe: Probe) -> None:
    process = probe()
    with Client(process.address) as client:
        _until_eom(client)
        client.eom()
        client.quit_nc()
        assert client.connection_verdict is None
        client.connect("second", None)
    seen = [line for line in log(process) if line.split()[0] in ("connect", "close")]
    assert seen == ["connect [client.example.com] inet 192.0.2.1 49152", "close", "connect [second] NULL", "close"]


def test_quit_returns_after_the_close_callback(probe: Probe) -> None:
    process = probe()
    for number in range(1, 21):
        Client(process.address).quit()
        assert process.stdout.count("close") == number


def test_default_macros_go_with_their_steps(probe: Probe) -> None:
    wanted = {
        "connect": ["j", "v", "_"],
        "helo": ["{daemon_addr}", "{client_addr}"],
        "mail": ["i", "{mail_addr}", "{mail_host}"],
        "rcpt": ["i", "{rcpt_addr}", "{rcpt_host}", "{rcpt_mailer}"],
        "data": ["i"],
        "eoh": ["i"],
        "eom": ["i"],
    }
    options = [word for step, names in wanted.items() for name in names for word in ("-m", f"{step}={name}")]
    process = probe(*options)
    with Client(process.address) as client:
        client.connect("host.example", "192.0.2.5", 1)
        client.helo()
        client.mail("<a@example.org>")
        client.rcpt("<b@example.net>")
        client.rcpt("<c@example.net>")
        client.data()
        client.eoh()
        client.eom()
    number = "0000000001"
    assert log(process) == [
        "connect [host.example] inet 192.0.2.5 1 j=mail.example.com v=Postfix 3.7.11 _=host.example [192.0.2.5]",
        "helo [client.example.com] {daemon_addr}=127.0.0.1 {client_addr}=(none)",
        "mail [<a@example.org>] i=(none) {mail_addr}=a@example.org {mail_host}=example.org",
        "rcpt [<b@example.net>] i=(none) {rcpt_addr}=b@example.net {rcpt_host}=example.net {rcpt_mailer}=smtp",
        f"rcpt [<c@example.net>] i={number} {{rcpt_addr}}=c@example.net {{rcpt_host}}=example.net {{rcpt_mailer}}=smtp",
        f"data i={number}",
        f"eoh i={number}",
        f"eom i={number}",
        "close",
    ]


def test_the_queue_id_comes_with_the_first_recipient_that_is_accepted(probe: Probe) -> None:
    process = probe("-r", "rcpt=reject", "-m", "rcpt=i", "-m", "data=i")
    with Client(process.address) as client:
        client.connect()
        client.mail("<a@example.org>")
        for name in "bc":
            assert client.rcpt(f"<{name}@example.net>").verdict is Verdict.REJECT
        client.data()
    assert log(process)[2:5] == ["rcpt [<b@example.net>] i=(none)", "rcpt [<c@example.net>] i=(none)", "data i=(none)"]


def test_macros_of_the_test_override_the_defaults(probe: Probe) -> None:
    process = probe(
        "-m", "connect=j", "-m", "connect={x}", "-m", "helo={tls_version}", "-m", "mail={x}", "-m", "mail=i"
    )
    own: dict[str, str | bytes] = {"{j}": "mine", "tls_version": "TLSv1.3", "i": "FIXED", "x": b"\xe9"}
    with Client(process.address, macros=own, macro_lists={Stage.CONNECT: ["j", "{x}"]}) as client:
        client.connect()
        client.helo()
        client.mail("<a@example.org>", macros={"x": "for this call", "i": "too"})
        client.abort()
        client.mail("<a@example.org>")
    assert log(process) == [
        r"connect [client.example.com] inet 192.0.2.1 49152 j=mine {x}=\xe9",
        "helo [client.example.com] {tls_version}=TLSv1.3",
        "mail [<a@example.org>] {x}=for this call i=too",
        "abort",
        r"mail [<a@example.org>] {x}=\xe9 i=FIXED",
        "abort",
        "close",
    ]


def test_a_raw_packet_goes_as_it_is(probe: Probe) -> None:
    process = probe()
    with Client(process.address) as client:
        client.send(Command.CONNECT, b"raw\0U")
        assert client.receive() == (b"c", b"")
        client.send(b"H", b"name\0")
        assert client.receive() == (b"c", b"")
    assert log(process) == ["connect [raw] NULL", "helo [name]", "close"]


def test_nagle_stays_on(probe: Probe) -> None:
    from pymilter.testing import free_port

    address = f"inet:{free_port()}@127.0.0.1"
    probe(address=address)
    with Client(address) as client:
        sock = client._channel._socket
        assert sock.getsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY) == 0


def _until_eom(client: Client) -> None:
    if client.connection_verdict is None:
        client.connect()
        client.helo()
    client.mail("<a@example.org>")
    client.rcpt("<b@example.org>")
    client.data()
    client.header("Subject", "s")
    client.eoh()
