"""The pages about who sent a message: DKIM, SPF, DMARC and their results, against a real name server."""

from __future__ import annotations

from pathlib import Path

import dkim  # type: ignore[import-untyped]
import pytest

from support.dkim_key import make_dkim_key
from support.name_server import NameServer
from support.room import Room, refused

TOP = b"Date: Mon, 2 Mar 2026 10:00:00 +0000\r\nFrom: some@example.org\r\nTo: a@example.net\r\n"
PLAIN = TOP + b"Subject: one\r\n\r\nbody\r\n"
OUTSIDE = {"addr": "192.0.2.7", "name": "mail.example.org", "helo": "mail.example.org"}
RESULTS = "Authentication-Results"


@pytest.fixture(scope="module")
def key(tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, str]:
    """A private key in a file, and the DNS record of its public half."""
    return make_dkim_key(tmp_path_factory.mktemp("dkim"))


def signed(message: bytes, domain: bytes, key: Path) -> bytes:
    signature: bytes = dkim.sign(message, b"s", domain, key.read_bytes(), canonicalize=(b"relaxed", b"relaxed"))
    return signature + message


def test_authentication_results(room: Room) -> None:
    forged = (
        b"Authentication-Results: mx.example.net; spf=pass\r\n"
        b"authentication-results: (a (nested) comment) MX.example.net; dkim=pass\r\n"
        b'Authentication-Results: "mx.example\\.net" 1; dmarc=pass\r\n'
        b"Authentication-Results: other.example; spf=pass\r\n"
    )
    with room.running("authentication_results.py"):
        outside = room.deliver(forged + PLAIN, **OUTSIDE)
        inside = room.deliver(PLAIN, **OUTSIDE | {"name": "[UNAVAILABLE]"}, login='anna"; spf=pass')
    passed = "mx.example.net; iprev=pass policy.iprev=192.0.2.7"
    assert outside.header(RESULTS) == [passed, "other.example; spf=pass"]
    login = 'auth=pass smtp.auth="anna\\"; spf=pass"'
    assert inside.header(RESULTS) == [f"mx.example.net; iprev=fail policy.iprev=192.0.2.7; {login}"]
    assert outside.names[0] == RESULTS


def test_dkim_sign(room: Room, key: tuple[Path, str]) -> None:
    path, record = key
    message = TOP + b"Subject:  two  spaces \r\nReply-To: x@example.net\r\n\r\ntext \r\n\r\n\r\n"
    with room.running("dkim_sign.py", path):
        delivery = room.deliver(message)
        assert dkim.verify(delivery.data, dnsfunc=lambda name, timeout=5: record.encode())
        second = b"From: other@example.org\r\n" + delivery.data
        assert not dkim.verify(second, dnsfunc=lambda name, timeout=5: record.encode())
        assert room.deliver(message, **OUTSIDE).header("DKIM-Signature") == []
        assert len(room.deliver(message, **OUTSIDE, login="anna").header("DKIM-Signature")) == 1
    signature = delivery.header("DKIM-Signature")[0]
    assert "d=example.net;" in signature
    assert signature.count("from") == 2


def test_dkim_verify(room: Room, key: tuple[Path, str], names: NameServer) -> None:
    path, record = key
    names.texts["s._domainkey.example.org"] = record
    names.broken.add("s._domainkey.down.example")
    good = signed(PLAIN, b"example.org", path)
    with room.running("dkim_verify.py", names=names):
        twice = signed(good, b"gone.example", path)
        results = [
            room.deliver(message).header(RESULTS)
            for message in (
                PLAIN,
                good,
                good + b"more\r\n",
                twice,
                signed(PLAIN, b"down.example", path),
                b"DKIM-Signature: v=1; d=x\r\n" + PLAIN,
            )
        ]
    assert results == [
        ["mx.example.net; dkim=none"],
        ["mx.example.net; dkim=pass header.d=example.org"],
        ["mx.example.net; dkim=fail header.d=example.org"],
        ["mx.example.net; dkim=fail header.d=gone.example; dkim=pass header.d=example.org"],
        ["mx.example.net; dkim=temperror header.d=down.example"],
        ["mx.example.net; dkim=neutral header.d=unknown"],
    ]


def test_spf(room: Room, names: NameServer) -> None:
    names.texts["example.org"] = "v=spf1 ip4:192.0.2.0/28 -all"
    names.texts["mail.example.org"] = "v=spf1 ip4:192.0.2.7 -all"
    names.broken.add("down.example")
    with room.running("spf_check.py", names=names):
        elsewhere = room.client(**OUTSIDE | {"addr": "192.0.2.77"})
        why = "5.7.23 The domain of the sender does not allow your server to send its mail (SPF)"
        assert refused(elsewhere, PLAIN) == (550, why)
        assert refused(room.client(**OUTSIDE), PLAIN, "x@down.example")[0] == 451
        results = [
            room.deliver(PLAIN, sender, **OUTSIDE).header(RESULTS) for sender in ("x@example.org", "", "x@y.example")
        ]
        room.deliver(PLAIN, **OUTSIDE | {"addr": "192.0.2.77"}, login="anna")
    assert results == [
        ["mx.example.net; spf=pass smtp.mailfrom=x@example.org"],
        ["mx.example.net; spf=pass smtp.mailfrom=postmaster"],
        ["mx.example.net; spf=none smtp.mailfrom=x@y.example"],
    ]


def test_dmarc(room: Room, key: tuple[Path, str], names: NameServer) -> None:
    path, record = key
    names.texts |= {
        "_dmarc.example.org": "v=DMARC1; p=reject; sp=quarantine; adkim=s",
        "_dmarc.lax.example": "v=DMARC1; p=none",
        "s._domainkey.example.org": record,
        "s._domainkey.news.example.org": record,
        "s._domainkey.other.example": record,
        "bounce.example.org": "v=spf1 ip4:192.0.2.7 -all",
    }
    names.broken.add("s._domainkey.down.example")

    def by(author: bytes) -> bytes:
        return PLAIN.replace(b"some@example.org", author)

    with room.running("dmarc_check.py", names=names):

        def verdict(message: bytes, sender: str = "x@elsewhere.example") -> str:
            (results,) = room.deliver(message, sender, **OUTSIDE).header(RESULTS)
            return results.rpartition("; ")[2]

        refusal = 550, "5.7.1 The DMARC policy of example.org is to reject this message"
        assert refused(room.client(**OUTSIDE), PLAIN) == refusal
        assert verdict(signed(PLAIN, b"example.org", path)) == "dmarc=pass header.from=example.org"
        # Aligned, but not as strictly as the record demands it of DKIM; of SPF it does not.
        assert refused(room.client(**OUTSIDE), signed(PLAIN, b"news.example.org", path)) == refusal
        assert verdict(PLAIN, "x@bounce.example.org") == "dmarc=pass header.from=example.org"
        assert refused(room.client(**OUTSIDE), signed(PLAIN, b"other.example", path)) == refusal
        assert refused(room.client(**OUTSIDE), signed(PLAIN, b"down.example", path))[0] == 451
        below = room.deliver(by(b"a@b.example.org"), **OUTSIDE)
        assert below.header("X-Spam-Flag") == ["YES"]
        assert below.header(RESULTS)[0].endswith("dmarc=fail header.from=b.example.org")
        assert verdict(b"X-Spam-Flag: YES\r\n" + by(b"a@lax.example")) == "dmarc=fail header.from=lax.example"
        assert verdict(by(b"a@nobody.example")) == "dmarc=none header.from=nobody.example"
        for two in (by(b"a@lax.example, b@example.org"), b"From: a@lax.example\r\n" + PLAIN):
            assert refused(room.client(**OUTSIDE), two) == (
                550,
                "5.7.1 A message needs one field From with one address",
            )
        room.deliver(PLAIN, **OUTSIDE, login="anna")
