"""The pages about scanners, directories and databases: their programs between a real Postfix and the real daemon."""

from __future__ import annotations

import sqlite3
import sys
from pathlib import Path

import pytest

from pymilter.testing import Client, FilterProcess, Response, Verdict
from support import peers
from support.room import PROGRAMS, Room, refused

TOP = b"Date: Mon, 2 Mar 2026 10:00:00 +0000\r\nFrom: some@example.org\r\nTo: a@example.net\r\n"
PLAIN = TOP + b"Subject: one\r\n\r\nbody\r\n"
OUTSIDE = {"addr": "192.0.2.7", "name": "mail.example.org", "helo": "mail.example.org"}
OUT_OF_ORDER = 451, "4.3.0 Mail filter failed, please try again later"


@pytest.mark.long
def test_clamav(room: Room, folder: Path) -> None:
    with peers.clamd(folder) as socket, room.running("clamav.py", socket):
        assert room.deliver(b"X-Virus-Scanned: yes\r\n" + PLAIN).header("X-Virus-Scanned") == ["ClamAV"]
        infected = PLAIN + peers.VIRUS + b"\r\n"
        assert refused(room.client(), infected) == (550, "5.7.1 A virus was found: Own.Test.UNOFFICIAL")
        # More than clamd takes: it does not scan it, so it is not let through.
        assert refused(room.client(), PLAIN + b"line\r\n" * 400_000) == OUT_OF_ORDER
    with room.running("clamav.py", socket):
        assert refused(room.client(), PLAIN) == OUT_OF_ORDER


@pytest.mark.long
def test_spamassassin(room: Room, folder: Path) -> None:
    spam = PLAIN + peers.SPAM + b"\r\n"
    with peers.spamd(folder) as port, room.running("spamassassin.py", str(port)):
        ham = room.deliver(b"X-Spam-Status: No, surely\r\n" + PLAIN, **OUTSIDE)
        assert ham.header("X-Spam-Status") == ["No, score=0.5 required=5.0\r\n tests=OWN_CLIENT"]
        marked = room.deliver(spam)
        assert marked.header("X-Spam-Status") == ["Yes, score=10.0 required=5.0\r\n tests=OWN_SPAM"]
        assert marked.header("X-Spam-Flag") == ["YES"]
        worse = spam.replace(b"Subject: one", b"Subject: worse")
        assert refused(room.client(), worse) == (550, "5.7.1 This is spam (score 20.0)")
        assert room.deliver(worse, login="anna").header("X-Spam-Status") == []
    with room.running("spamassassin.py", str(port)):
        assert refused(room.client(), PLAIN) == OUT_OF_ORDER


def test_rspamd(room: Room, folder: Path) -> None:
    def about(subject: bytes, end: bytes = b"") -> bytes:
        return PLAIN.replace(b"Subject: one", b"Subject: " + subject) + end

    spam = peers.SPAM + b"\r\n"
    with peers.rspamd(folder) as port, room.running("rspamd.py", str(port)):
        ham = room.deliver(b"X-Spam: No\r\n" + PLAIN, **OUTSIDE)
        assert (ham.header("X-Rspamd-Score"), ham.header("X-Spam")) == (["0.50 / 15.00"], [])
        assert room.deliver(about(b"one", spam)).header("X-Spam") == ["Yes"]
        rewritten = room.deliver(about(b"bad", spam))
        assert (rewritten.header("X-Spam"), rewritten.header("Subject")) == (["Yes"], ["[SPAM] bad"])
        assert refused(room.client(), about(b"worse", spam)) == (550, "5.7.1 This is spam")
        assert refused(room.client(), about(b"odd")) == (451, "4.7.1 Try again later")
    with room.running("rspamd.py", str(port)):
        assert refused(room.client(), PLAIN) == OUT_OF_ORDER


def test_sql_policy(room: Room, folder: Path) -> None:
    path = folder / "policy.db"
    made = sqlite3.connect(path)
    with made:
        made.executescript(
            "CREATE TABLE recipients (address PRIMARY KEY, members_only);"
            "CREATE TABLE members (list, address, PRIMARY KEY (list, address));"
            "INSERT INTO recipients VALUES ('a@example.net', 0), ('list@example.net', 1);"
            "INSERT INTO members VALUES ('list@example.net', 'anna@example.org');"
        )
    with room.running("sql_policy.py", path):
        for sender, recipient, answer in (
            ("x@example.org", "A@example.net", (250, b"2.1.5 Ok")),
            ("x@example.org", "x'--@example.net", (550, b"5.1.1 There is no such recipient")),
            ("x@example.org", "list@example.net", (550, b"5.7.2 Only members may write to this list")),
            ("Anna@example.org", "list@example.net", (250, b"2.1.5 Ok")),
        ):
            with room.client() as client:
                client.mail(sender)
                assert client.rcpt(recipient) == answer, (sender, recipient)
        with made:
            made.execute("DROP TABLE recipients")
        with room.client() as client:
            client.mail("x@example.org")
            assert client.rcpt("a@example.net")[0] == 451
    made.close()


PEOPLE = """\
dn: uid=anna,ou=people,dc=example,dc=net
objectClass: inetOrgPerson
uid: anna
cn: Anna
sn: Anna
mail: anna@example.net
employeeType: staff

dn: uid=carol,ou=people,dc=example,dc=net
objectClass: inetOrgPerson
uid: carol
cn: Carol
sn: Carol
mail: carol@example.net
employeeType: former
"""


@pytest.mark.long
def test_ldap_policy(room: Room, folder: Path) -> None:
    with (
        peers.slapd(folder, PEOPLE) as address,
        room.running("ldap_policy.py", address, "ou=people,dc=example,dc=net"),
        room.client() as client,
    ):
        client.mail("x@example.org")
        assert client.rcpt("Anna@example.net")[0] == 250
        assert client.rcpt("carol@example.net") == (550, b"5.1.6 The recipient has left")
        for nobody in ("nobody@example.net", "*@example.net", "a*"):
            assert client.rcpt(nobody) == (550, b"5.1.1 There is no such recipient"), nobody


@pytest.mark.long
def test_greylist_of_several_machines(room: Room, folder: Path) -> None:
    """Postfix asks one filter, and a client that of another machine; both ask one Redis."""
    import redis

    other = f"unix:{folder}/other.sock"
    triplet = "gate:seen", "192.0.2.0/24", "some@example.org", "a@example.net"
    key = "\0".join(triplet).encode()

    def answer(**client: str) -> int:
        with room.client(**client) as smtp:
            smtp.mail("some@example.org")
            return smtp.rcpt("a@example.net")[0]

    def answer_of_the_other(sender: bytes = b"<some@example.org>") -> Response:
        with Client(other) as client:
            client.connect("mail.example.org", "192.0.2.99")
            client.helo("mail.example.org")
            client.mail(sender)
            return client.rcpt("<A@example.net>")

    with peers.redis(folder) as address, redis.Redis.from_url(address) as memory:
        program: list[str | Path] = [sys.executable, PROGRAMS / "greylist_redis.py", other, address]
        with room.running("greylist_redis.py", address), FilterProcess(program, other, timeout=30) as second:
            # Each on a connection of its own, so that both workers of each take part.
            assert [answer(**OUTSIDE) for _ in range(4)] == [451] * 4
            assert [answer_of_the_other().code for _ in range(4)] == [451] * 4
            first = int(memory.get(key))
            memory.set(key, first - 301)
            memory.expire(key, 100)
            assert [answer(**OUTSIDE) for _ in range(4)] == [250] * 4
            assert [answer_of_the_other().verdict for _ in range(4)] == [Verdict.CONTINUE] * 4
            assert int(memory.get(key)) == first - 301
            assert 35 * 86_400 - 60 < memory.ttl(key) <= 35 * 86_400
            assert answer(**OUTSIDE | {"addr": "192.0.3.7"}) == 451
            assert answer(**OUTSIDE | {"addr": "192.0.3.7"}, login="anna") == 250
            assert answer_of_the_other(b"<caf\xe9@example.org>").enhanced == "4.7.1"
            assert second.stop() == 0, second.stderr
        memory.delete(key)
        with room.running("greylist_redis.py", address):
            assert answer(**OUTSIDE) == 451
            assert memory.exists(key)
    with room.running("greylist_redis.py", address), room.client(**OUTSIDE) as client:
        client.mail("some@example.org")
        assert client.rcpt("a@example.net") == (451, OUT_OF_ORDER[1].encode())


@pytest.mark.long
def test_rate_limit(room: Room, folder: Path) -> None:
    import redis

    with peers.redis(folder) as address, redis.Redis.from_url(address) as memory:
        with room.running("rate_limit.py", address):
            room.deliver(PLAIN, login="anna")
            assert memory.get("gate:sent:anna") == b"1"
            assert 3590 < memory.ttl("gate:sent:anna") <= 3600
            memory.set("gate:sent:anna", 199, keepttl=True)
            with room.client(login="anna") as client:
                client.mail("x@example.org")
                assert client.rcpt("a@example.net")[0] == 250
                too_many = client.rcpt("b@example.net")
                assert too_many == (450, b"4.7.28 You may write to 200 recipients in an hour, try again later")
            room.deliver(PLAIN, login="ben")
            room.deliver(PLAIN)
        left = memory.ttl("gate:sent:anna")
        assert 3500 < left <= 3600
    with room.running("rate_limit.py", address), room.client(login="anna") as client:
        client.mail("x@example.org")
        assert client.rcpt("a@example.net")[0] == 451
