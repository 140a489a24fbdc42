"""MessageFilters as people write them, through real mail servers: DKIM over the exact bytes, the gateway example."""

from __future__ import annotations

import sys
from collections.abc import Callable, Iterator, Sequence
from contextlib import ExitStack
from pathlib import Path

import dkim  # type: ignore[import-untyped]
import pytest

from pymilter.testing import FilterProcess
from support import require
from support.dkim_key import make_dkim_key
from support.mta import Mta, free_port
from support.postfix import Postfix
from support.sendmail import Sendmail
from support.sink import Delivery, Sink

FILTERS = Path(__file__).with_name("filters")
GATEWAY = Path(__file__).parents[2] / "examples" / "gateway.py"
TOP = b"Date: Mon, 2 Mar 2026 10:00:00 +0000\r\nMessage-ID: <m@host>\r\nFrom: some@example.org\r\nTo: a@example.net\r\n"
MESSAGES = {
    "plain": TOP + b"Subject: one\r\n\r\nbody\r\n",
    "odd spaces": TOP
    + b"Subject:  two  spaces \r\nX-Tab:\tx\r\nX-None:\r\nX-Fold: a\r\n  b\r\n\tc\r\n\r\nx\r\n\r\n\r\n",
    "eight bits": TOP + b"Subject: Gr\xfc\xdfe\r\nX-Raw: \xff\xfe\r\n\r\n\xe9\xff\r\n.dot\r\n",
    "no body": TOP + b"Subject: empty\r\n\r\n",
}

Serve = Callable[..., tuple[Mta, Sink]]


@pytest.fixture(params=["postfix", "sendmail"])
def serve(request: pytest.FixtureRequest) -> Iterator[Serve]:
    """Starts a filter, a mail server that asks it, and a sink behind that."""
    require.root("a mail server of our own")
    with ExitStack() as stack:

        def start(program: Sequence[str | Path], after: str = "") -> tuple[Mta, Sink]:
            address = f"inet:{free_port()}@127.0.0.1"
            sink = stack.enter_context(Sink())
            command = [sys.executable, *program, address, *([after] if after else [])]
            stack.enter_context(FilterProcess(command, address))
            server = Postfix if request.param == "postfix" else Sendmail
            return stack.enter_context(server([address], sink.port)), sink

        yield start


def deliver(mta: Mta, sink: Sink, message: bytes) -> Delivery:
    before = len(sink.deliveries())
    with mta.client() as client:
        assert client.sendmail("some@example.org", ["a@example.net"], message) == {}
    mta.settle(60)
    return sink.deliveries()[before]


@pytest.fixture(scope="module")
def key(tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, str]:
    """A private key in a file, and the DNS record of its public half."""
    return make_dkim_key(tmp_path_factory.mktemp("dkim"))


def test_signatures_verify_in_the_filter_and_after_it(serve: Serve, key: tuple[Path, str]) -> None:
    path, record = key
    mta, sink = serve([FILTERS / "signing_filter.py", path], record)
    for name, message in MESSAGES.items():
        signature = dkim.sign(
            message, b"sender", b"example.org", path.read_bytes(), canonicalize=(b"simple", b"simple")
        )
        delivery = deliver(mta, sink, signature + message)
        assert delivery.header("X-Verified") == ["True"], name
        signed_by = [value.partition("s=")[2].partition(";")[0] for value in delivery.header("DKIM-Signature")]
        assert signed_by == ["filter", "sender"], name
        assert dkim.verify(delivery.data, dnsfunc=lambda name, timeout=5: record.encode()), name
        assert not dkim.verify(delivery.data + b"more\r\n", dnsfunc=lambda name, timeout=5: record.encode()), name


FORGED = b"""\
Date: Mon, 2 Mar 2026 10:00:00 +0000
Message-ID: <m@host>
From: some@example.org
To: a@example.net
Authentication-Results: mx.example.net; spf=pass
authentication-results: MX.example.net ; dkim=pass
Authentication-Results: other.example; spf=pass
Authentication-Results: mx.example.net; dmarc=pass
Subject: =?utf-8?q?h=C3=A9?=
MIME-Version: 1.0
Content-Type: multipart/mixed; boundary=b

--b
Content-Type: multipart/alternative; boundary=a

--a
Content-Type: text/plain

a text

--a
Content-Type: text/html

<html><body><p>a text</p></body></html>

--a--
--b
Content-Type: application/octet-stream; name="run.exe"

MZ
--b--
""".replace(b"\n", b"\r\n")


def test_the_gateway_does_what_it_says(serve: Serve) -> None:
    mta, sink = serve([GATEWAY])
    delivery = deliver(mta, sink, FORGED)
    assert delivery.header("Authentication-Results") == ["mx.example.net; none", "other.example; spf=pass"]
    assert delivery.header("Subject") == ["=?utf-8?q?=5BEXTERNAL=5D_h=C3=A9?="]
    assert delivery.header("X-Files-Dropped") == ["yes"]
    text, html = delivery.data.index(b"\r\n-- \r\nThis"), delivery.data.index(b"<p>This message")
    assert text < html < delivery.data.index(b"</body>") < delivery.data.index(b"A file was here")
    assert b"MZ" not in delivery.data
    assert delivery.data.count(b"came from outside") == 2
    assert sorted(one for each in sink.deliveries() for one in each.addresses) == [
        "<a@example.net>",
        "<archive@example.net>",
    ]


def test_the_gateway_holds_what_is_suspicious(serve: Serve) -> None:
    mta, sink = serve([GATEWAY])
    with mta.client() as client:
        assert (
            client.sendmail("s@example.org", ["a@example.net", "b@example.net"], b"X-Suspicious: 1\r\n\r\nx\r\n") == {}
        )
        refused = client.sendmail("s@example.org", ["a@example.net", "nobody@example.net"], TOP + b"\r\nx\r\n")
    assert refused["nobody@example.net"][0] == 550
    mta.settle(60)
    (held,) = mta.held()
    assert sorted(held.recipients) == ["<a@example.net>", "<archive@example.net>", "<b@example.net>"]
    assert len(sink.deliveries("Message-ID: <m@host>")) >= 1
