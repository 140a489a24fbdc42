"""Milter.dsn against SMTP servers of the test's own.

1.0.5 raises on Python 3 where it should tell of a refusal (TypeError), with no message (NameError) and for a Message
(TypeError): only a message in a str can be sent with it. What is expected here beyond that is what its Python 2 code
was seen to do with the missing names put in.
"""

from __future__ import annotations

import contextlib
import email
import ipaddress
import os
import socket
import subprocess
import sys
import threading
from collections.abc import Iterator, Mapping
from email.message import Message
from importlib import metadata
from importlib.metadata import PackageNotFoundError
from pathlib import Path

import pytest

from Milter import dsn
from Milter._outgoing import is_public
from Milter.dns import DNSError
from support.scripted import SmtpServer

MESSAGE = "To: s@a.test\nSubject: hi\n\nbody\n.dot\n"


class Names:
    """A session that has a.test's mail servers, and what `records` says."""

    def __init__(self, records: Mapping[str, list[tuple[int, str]] | Exception] | None = None) -> None:
        self.records = {"a.test": [(10, "127.0.0.2"), (5, "127.0.0.1")], **(records or {})}

    def dns(self, name: str, qtype: str, /) -> list[tuple[int, str]]:
        assert qtype == "MX"
        found = self.records.get(name, [])
        if isinstance(found, Exception):
            raise found
        return found


@contextlib.contextmanager
def serving(monkeypatch: pytest.MonkeyPatch, **script: str) -> Iterator[SmtpServer]:
    with SmtpServer(**script) as server:
        monkeypatch.setattr(dsn, "_PORT", server.port)
        yield server


def send(msg: Message | str | bytes | None = None, to: str = "u@a.test", **keywords: object) -> object:
    names = keywords.pop("names", Names())
    keywords = {"allow_private": True, **keywords}
    return dsn.send_dsn(to, "me.test", msg, session=names, **keywords)  # type: ignore[arg-type]


def test_asking_only(monkeypatch: pytest.MonkeyPatch) -> None:
    with serving(monkeypatch) as server:
        assert send() is None
    assert server.commands == ["EHLO me.test", "MAIL FROM:<>", "RCPT TO:<u@a.test>", "QUIT"]


@pytest.mark.parametrize(
    "msg", [MESSAGE, MESSAGE.encode(), email.message_from_string(MESSAGE)], ids=["str", "bytes", "Message"]
)
def test_sending(monkeypatch: pytest.MonkeyPatch, msg: Message | str | bytes) -> None:
    with serving(monkeypatch) as server:
        assert send(msg, ourfrom="me@x", to="<u@a.test>") is None
    assert server.commands == ["EHLO me.test", "MAIL FROM:<me@x>", "RCPT TO:<u@a.test>", "DATA", "QUIT"]
    assert server.data == b"To: s@a.test\r\nSubject: hi\r\n\r\nbody\r\n..dot\r\n"


def test_each_line_end_becomes_crlf(monkeypatch: pytest.MonkeyPatch) -> None:
    with serving(monkeypatch) as server:
        assert send("Subject: hi\n\na\rb\r\nc\n\rd\n") is None
    assert server.data == b"Subject: hi\r\n\r\na\r\nb\r\nc\r\n\r\nd\r\n"


def test_text_that_is_not_ascii(monkeypatch: pytest.MonkeyPatch) -> None:
    with serving(monkeypatch, EHLO="250-test\r\n250 8BITMIME") as server:
        assert send("Subject: x\n\nü\udcff\n") is None
    assert server.commands[1] == "MAIL FROM:<> body=8bitmime"
    assert server.data == b"Subject: x\r\n\r\n\xc3\xbc\xff\r\n"


@pytest.mark.parametrize(
    ("step", "reply", "answer"),
    [
        ("MAIL", "550 bad null", (550, "bad null")),
        ("RCPT", "550 no user", (550, "no user")),
        ("RCPT", "450 later", (450, "later")),
        ("RCPT", "251 forwarded", None),
        ("DATA", "554 no data", (554, "no data")),
        (".", "554 spam", (554, "spam")),
        (".", "451 caf\xe9", (451, "café")),
        ("QUIT", "500 what?", None),
    ],
)
def test_the_servers_word_is_final(
    monkeypatch: pytest.MonkeyPatch, step: str, reply: str, answer: tuple[int, str] | None
) -> None:
    with serving(monkeypatch, **{step: reply}) as server:
        assert send(MESSAGE) == answer
    assert len([command for command in server.commands if command.startswith("MAIL")]) == 1


@pytest.mark.parametrize(
    "script",
    [
        {"banner": "554 go away"},
        {"EHLO": "550 no", "HELO": "550 no"},
        {"EHLO": "DROP"},
        {"RCPT": "DROP"},
    ],
)
def test_a_server_that_refuses_us_has_no_word(monkeypatch: pytest.MonkeyPatch, script: Mapping[str, str]) -> None:
    with serving(monkeypatch, **script):
        assert send() == (450, "No MX servers available")


def test_the_next_server_is_asked(monkeypatch: pytest.MonkeyPatch) -> None:
    with serving(monkeypatch, RCPT="550 no user") as server:
        names = Names({"a.test": [(1, "127.0.0.3"), (2, "127.0.0.1"), (3, "127.0.0.1")]})  # nobody is at 127.0.0.3
        assert send(names=names) == (550, "no user")
    assert len(server.commands) == 4


def test_helo_where_ehlo_is_unknown(monkeypatch: pytest.MonkeyPatch) -> None:
    with serving(monkeypatch, EHLO="502 what?") as server:
        assert send() is None
    assert server.commands[:2] == ["EHLO me.test", "HELO me.test"]


def test_the_time_is_for_all(monkeypatch: pytest.MonkeyPatch) -> None:
    with serving(monkeypatch, RCPT="HANG"):
        assert send(timeout=0.3) == (450, "No MX response within 0.005 minutes")


def test_the_time_is_for_all_steps_together(monkeypatch: pytest.MonkeyPatch) -> None:
    with serving(monkeypatch, EHLO="SLOW 250 ok", MAIL="SLOW 250 ok", RCPT="SLOW 250 ok"):
        assert send(timeout=0.5) == (450, "No MX response within 0.00833333 minutes")


@pytest.mark.parametrize(
    ("server", "timeout", "answer"),
    [
        ("no banner", 0.5, "(450, 'No MX response within 0.00833333 minutes')"),
        ("trickling banner", 0.5, "(450, 'No MX response within 0.00833333 minutes')"),
        ("trickling EHLO", 0.5, "(450, 'No MX response within 0.00833333 minutes')"),
        ("reads no data", 0.5, "(450, 'No MX response within 0.00833333 minutes')"),
        ("endless banner", 600, "(450, 'No MX servers available')"),
        ("endless EHLO", 600, "(450, 'No MX servers available')"),
        ("endless line", 600, "(450, 'No MX servers available')"),
        ("endless RCPT", 600, "(450, 'No MX servers available')"),
        ("trickling QUIT", 600, "None"),
    ],
)
def test_no_server_holds_us(server: str, timeout: float, answer: str) -> None:
    """One deadline for all three servers, whatever they send; and what has no end is given up before that."""
    program = Path(__file__).with_name("programs") / "hostile_smtp.py"
    environment = {**os.environ, "PYTHONPATH": os.pathsep.join(sys.path)}
    done = subprocess.run(
        [sys.executable, program, server, str(timeout)],
        env=environment, capture_output=True, text=True, timeout=60, check=False,
    )  # fmt: skip
    assert done.stdout.strip() == answer, done.stderr


def test_dns_cannot_hold_us(monkeypatch: pytest.MonkeyPatch) -> None:
    over = threading.Event()

    def getaddrinfo(*args: object, **keywords: object) -> list[object]:
        over.wait(30)
        return []

    monkeypatch.setattr(socket, "getaddrinfo", getaddrinfo)
    try:
        assert send(timeout=0.3) == (450, "No MX response within 0.005 minutes")
        assert not over.is_set()
    finally:
        over.set()


@pytest.mark.parametrize(
    ("to", "host", "address"),
    [
        ("u@a.test", "127.0.0.1", "127.0.0.1"),
        ("u@[127.0.0.1]", "127.0.0.1", "127.0.0.1"),
        ("u@[IPv6:::ffff:127.0.0.1]", "::ffff:127.0.0.1", "::ffff:127.0.0.1"),
        ("u@[10.0.0.1]", "10.0.0.1", "10.0.0.1"),
        ("u@[127.1]", "127.1", "127.0.0.1"),
        ("u@[0x7f000001]", "0x7f000001", "127.0.0.1"),
    ],
)
def test_only_public_addresses_are_asked(monkeypatch: pytest.MonkeyPatch, to: str, host: str, address: str) -> None:
    with serving(monkeypatch) as server:
        names = Names({"a.test": [(1, "127.0.0.1")]})
        reason = f"No MX servers available: {host} is at {address}, which is not a public address"
        assert send(to=to, names=names, allow_private=False) == (450, reason)
    assert server.commands == []


PRIVATE = (
    "0.0.0.0 10.0.0.1 100.64.0.1 127.0.0.1 127.255.0.1 169.254.169.254 172.16.0.1 192.0.2.1 192.168.1.1 198.18.0.1 "
    "224.0.0.1 240.0.0.1 255.255.255.255 :: ::1 ::7f00:1 ::ffff:127.0.0.1 2002:7f00:1:: 64:ff9b::7f00:1 "
    "2001:db8::1 fc00::1 fe80::1 fe80::1%eth0 fec0::1 ff02::1 ff0e::1 ::ffff:224.0.0.1 "
    "2001:0:101:101::80ff:fffe 2001:0:101:101::fefe:fefe 64:ff9b::a00:1 64:ff9b::e000:1"
)


@pytest.mark.parametrize("address", PRIVATE.split())
def test_what_is_not_public(address: str) -> None:
    assert not is_public(ipaddress.ip_address(address))


@pytest.mark.parametrize(
    "address", ["1.1.1.1", "2001:4860:4860::8888", "::ffff:1.1.1.1", "64:ff9b::101:101", "2002:101:101::"]
)
def test_what_is_public(address: str) -> None:
    assert is_public(ipaddress.ip_address(address))


def test_a_host_is_looked_up_once(monkeypatch: pytest.MonkeyPatch) -> None:
    """Asked again, DNS might give another address than the one that was checked."""
    asked: list[object] = []

    def getaddrinfo(host: str, port: int, **keywords: object) -> list[object]:
        asked.append(host)
        return [(socket.AF_INET, socket.SOCK_STREAM, 6, "", ("127.0.0.1", port))]

    with serving(monkeypatch) as server:
        monkeypatch.setattr(socket, "getaddrinfo", getaddrinfo)
        assert send(names=Names({"a.test": [(1, "mx.test")]})) is None
    assert asked == ["mx.test"]
    assert server.commands[-1] == "QUIT"


def test_the_address_is_sent_as_it_is(monkeypatch: pytest.MonkeyPatch) -> None:
    deep = "(" * 5000 + ")" * 5000
    with serving(monkeypatch) as server:
        assert send(to=f"<{deep}u@a.test>") is None
    assert f"RCPT TO:<{deep}u@a.test>" in server.commands


@pytest.mark.parametrize("address", ["u\r\nRSET\r\n@a.test", "u@a.test\n", "u\0@a.test"])
def test_an_address_has_no_line_end(address: str) -> None:
    with pytest.raises(ValueError, match="has a line end or a NUL in it"):
        send(to=address)


def test_without_mx_the_domain_is_asked(monkeypatch: pytest.MonkeyPatch) -> None:
    with serving(monkeypatch) as server:
        assert send(to="u@localhost") is None
        assert send(to="u@[127.0.0.1]") is None  # 1.0.5 looked the literal up as a name
    assert "RCPT TO:<u@[127.0.0.1]>" in server.commands


def test_servers_are_tried_best_first() -> None:
    """None of them is at a public address, and the reason is the last one's."""
    names = Names({"many.test": [(20, "127.0.0.2"), (30, "127.0.0.3"), (10, "127.0.0.1")]})
    answer = str(send(to="u@many.test", names=names, allow_private=False))
    assert "No MX servers available: 127.0.0.3 is at" in answer


def test_a_null_mx_takes_nothing() -> None:
    for records in ([(0, "")], [(0, ".")]):
        # RFC 7505; 1.0.5: (450, 'No MX servers available')
        assert send(to="u@null.test", names=Names({"null.test": records})) == (550, "null.test accepts no mail")


def test_no_answer_from_dns() -> None:
    names = Names({"err.test": DNSError("Timeout")})
    assert send(to="u@err.test", names=names) == (450, "DNS Timeout: err.test MX")


@pytest.mark.parametrize("address", ["u", "", "<>", "postmaster", "u@"])
def test_an_address_needs_a_domain(address: str) -> None:
    with pytest.raises(ValueError, match="has no domain to ask"):
        send(to=address)


# -- create_msg

TEMPLATE = """To: %(sender)s
From: postmaster@%(receiver)s
Subject: about %(subject)s
Auto-Submitted: auto-replied

To %(rcpt)s: 100%% sure, %(spf_result)s
"""
ORIGINAL = email.message_from_string(
    "Received-SPF: fail (denied) client-ip=1.2.3.4;\nReceived-SPF: Pass (second)\nSubject: orig\n\nbody"
)


def values(**more: object) -> dsn.Vars:
    found = dsn.Vars()
    vars(found).update(sender="s@x", receiver="mx.r", **more)
    return found


def test_a_message_from_a_template() -> None:
    v = values()
    msg = dsn.create_msg(v, ["r@x", "R2@y"], ORIGINAL, TEMPLATE)
    assert msg is not None
    assert msg["To"] == "s@x"
    assert msg["From"] == "postmaster@mx.r"
    assert msg["Subject"] == "about orig"
    assert msg["Auto-Submitted"] == "auto-replied"
    assert msg["MIME-Version"] == "1.0"
    assert msg["Content-Type"] == "text/plain"
    assert msg["X-Mailer"].startswith("PyMilter-")
    assert msg.get_payload() == "To r@x\n\tR2@y: 100% sure, fail (denied) client-ip=1.2.3.4;\n"
    assert vars(v)["rcpt"] == "r@x\n\tR2@y"
    assert (vars(v)["subject"], vars(v)["spf_result"]) == ("orig", "fail (denied) client-ip=1.2.3.4;")


def test_what_a_template_lacks_is_added() -> None:
    msg = dsn.create_msg(values(), template="Subject: x\n\nb")
    assert msg is not None
    assert (msg["To"], msg["From"], msg["Auto-Submitted"]) == ("s@x", "postmaster@mx.r", "auto-generated")
    bare = dsn.create_msg(dsn.Vars(), template="To: a\nFrom: b\n\nb")
    assert bare is not None
    with pytest.raises(AttributeError, match="sender"):
        dsn.create_msg(dsn.Vars(), template="Subject: x\n\nb")


@pytest.mark.parametrize("template", [None, ""])
def test_no_template_no_message(template: str | None) -> None:
    assert dsn.create_msg(values(), ["r@x"], ORIGINAL, template) is None


def test_a_name_without_value() -> None:
    with pytest.raises(KeyError, match="nope"):
        dsn.create_msg(values(), template="Subject: %(nope)s\n\nb")


def test_a_header_line_needs_a_colon() -> None:
    with pytest.raises(ValueError, match="template header line 'no header' is not 'name: value'"):
        dsn.create_msg(values(), template="no header\n\nb")


def test_what_a_template_may_be_written_like() -> None:
    msg = dsn.create_msg(values(x=7), template="X: a\r\n\tfolded %(x)03d\r\nContent-Type: text/html\r\n\r\nb\r\n")
    assert msg is not None  # 1.0.5: ValueError for a folded line, and for CRLF
    assert msg["X"] == "a\n\tfolded 007"
    assert msg.get_all("Content-Type") == ["text/html"]  # 1.0.5: and a second one before it
    assert msg.get_payload() == "b\n"


def test_a_lone_percent_sign_is_one() -> None:
    msg = dsn.create_msg(values(), template="Subject: 100% sure\n\n50 % of %(sender)s")
    assert msg is not None
    assert (msg["Subject"], msg.get_payload()) == ("100% sure", "50 % of s@x")  # 1.0.5 put all of vars(v) there


def test_a_value_begins_no_header() -> None:
    msg = dsn.create_msg(values(x="a\r\nBcc: all@x\n\nbody"), template="Subject: %(x)s\n\nb")
    assert msg is not None
    again = email.message_from_bytes(msg.as_bytes())  # 1.0.5: HeaderParseError, when it is sent
    assert again["Bcc"] is None
    assert again.get_payload() == "b"


def test_a_text_that_is_not_ascii_says_its_charset(monkeypatch: pytest.MonkeyPatch) -> None:
    msg = dsn.create_msg(values(), template="Subject: gr\xfc\xdfe\n\nüber\n")
    assert msg is not None
    with serving(monkeypatch) as server:
        assert send(msg) is None  # 1.0.5 has no charset
    assert server.data is not None
    again = email.message_from_bytes(server.data)
    assert again.get_content_charset() == "utf-8"
    assert again.get_payload(decode=True) == "über\r\n".encode()
    assert again["Subject"].isascii()


@pytest.mark.parametrize("is_installed", [True, False])
def test_fields_that_are_added_to_a_message(monkeypatch: pytest.MonkeyPatch, is_installed: bool) -> None:
    if not is_installed:

        def version(name: str) -> str:
            raise PackageNotFoundError(name)

        monkeypatch.setattr(dsn, "version", version)
    release = metadata.version("pymilter") if is_installed else "source"
    plain = dsn.create_msg(values(), template="Subject: x\n\nb")
    assert plain is not None
    assert plain.items() == [
        ("Subject", "x"),
        ("To", "s@x"),
        ("From", "postmaster@mx.r"),
        ("X-Mailer", f"PyMilter-{release}"),
        ("Auto-Submitted", "auto-generated"),
        ("MIME-Version", "1.0"),
        ("Content-Type", "text/plain"),
    ]
    other = dsn.create_msg(values(), template="Subject: x\n\n\xfc")
    assert other is not None
    assert other.items()[6:] == [
        ("Content-Type", 'text/plain; charset="utf-8"'),
        ("Content-Transfer-Encoding", "8bit"),
    ]


def test_an_original_without_fields_and_no_recipients() -> None:
    v = values()
    assert dsn.create_msg(v, [], email.message_from_string("A: b\n\n"), "To: x\n\n%(subject)s") is not None
    assert (vars(v)["subject"], vars(v)["spf_result"], "rcpt" in vars(v)) == (None, None, False)


def test_seconds_and_ports_are_those_of_mail() -> None:
    assert (dsn._PORT, dsn._CONNECT_SECONDS, dsn._QUIT_SECONDS) == (25, 30, 5)
