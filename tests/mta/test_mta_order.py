"""What a sender may say through a real mail server that goes on without a filter: nothing gets past ours."""

from __future__ import annotations

import contextlib
import itertools
import shutil
import smtplib
import sys
import uuid
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path

import pytest

from pymilter.testing import FilterProcess
from support import require
from support.mta import Mta, free_port, socket_folder
from support.postfix import Postfix
from support.sendmail import Sendmail
from support.sink import Delivery, Sink

FILTER = Path(__file__).with_name("filters") / "order_filter.py"


@dataclass(frozen=True)
class Site:
    """A mail server that goes on without a filter which does not answer, and what it delivers."""

    mta: Mta
    sink: Sink

    def delivered(self, say: Callable[[smtplib.SMTP, bytes], object]) -> list[Delivery]:
        """What comes of a session after RCPT; `say` gets the client, and a line that the message must have."""
        token = uuid.uuid4().hex
        with self.mta.client() as client:
            client.ehlo()
            client.docmd("MAIL FROM:<from@example.org>")
            client.docmd(f"RCPT TO:<{token}@example.net>")
            say(client, token.encode())
        self.mta.settle()
        return self.sink.deliveries(token)

    def marks(self, say: Callable[[smtplib.SMTP, bytes], object]) -> list[str]:
        """The marks of the one message that was delivered."""
        (delivery,) = self.delivered(say)
        return delivery.header("X-Mark")


@contextlib.contextmanager
def site(
    server: type[Postfix] | type[Sendmail], transport: str, *filters: str, settings: dict[str, str] | None = None
) -> Iterator[Site]:
    """A mail server with these filters of order_filter.py before it, in their order."""
    require.root("a mail server of our own")
    with contextlib.ExitStack() as stack:
        folder = socket_folder()
        stack.callback(shutil.rmtree, folder)
        addresses = []
        for kind in filters:
            address = f"unix:{folder}/{kind}" if transport == "unix" else f"inet:{free_port()}@127.0.0.1"
            stack.enter_context(FilterProcess([sys.executable, FILTER, kind, address], address))
            addresses.append(address)
        sink = stack.enter_context(Sink())
        yield Site(stack.enter_context(server(addresses, sink.port, settings, goes_on=True)), sink)


@pytest.fixture(params=[Postfix, Sendmail], ids=["postfix", "sendmail"])
def server(request: pytest.FixtureRequest) -> type[Postfix] | type[Sendmail]:
    chosen: type[Postfix] | type[Sendmail] = request.param
    return chosen


@pytest.fixture(params=["unix", "inet"])
def transport(request: pytest.FixtureRequest) -> str:
    return str(request.param)


def content(data: bytes) -> Callable[[smtplib.SMTP, bytes], None]:
    """Says DATA and this; the recipient names the message, which needs no header for that."""

    def say(client: smtplib.SMTP, token: bytes) -> None:
        assert client.docmd("DATA")[0] == 354
        client.send(data + b".\r\n")
        code, text = client.getreply()
        assert code == 250, text

    return say


ODD = {
    "no headers": b"\r\nonly a body\r\n",
    "no body": b"Subject: x\r\n",
    "nothing": b"",
    "an empty line": b"\r\n",
    "both": b"Subject: x\r\n\r\nbody\r\n",
}


@pytest.mark.parametrize("kind", ["Header", "HeaderData"])
def test_messages_without_headers_or_body(server: type[Postfix] | type[Sendmail], transport: str, kind: str) -> None:
    # As for each client from outside: Postfix adds no header that is missing.
    outside = {"local_header_rewrite_clients": ""} if server is Postfix else None
    with site(server, transport, kind, settings=outside) as there:
        for name, data in ODD.items():
            assert there.marks(content(data)) == [kind], name


def test_a_message_refused_at_data_stays_refused(server: type[Postfix] | type[Sendmail], transport: str) -> None:
    with site(server, transport, "RefusesData") as there:
        for again in (["DATA"], ["RCPT TO:<more@example.net>", "DATA"], ["MAIL FROM:<x@example.org>", "DATA"]):

            def say(client: smtplib.SMTP, token: bytes, again: list[str] = again) -> None:
                for line in ["DATA", *again]:
                    code, text = client.docmd(line)
                    # A server may begin a transaction anew; then DATA has no recipient.
                    assert code in ((554, 503) if line == "DATA" else (250, 503)), (line, code, text)

            assert there.delivered(say) == [], again


def test_another_filter_refuses_data_once(server: type[Postfix] | type[Sendmail], transport: str) -> None:
    def twice(client: smtplib.SMTP, token: bytes) -> None:
        assert client.docmd("DATA")[0] == 554
        content(b"Subject: x\r\n\r\nbody\r\n")(client, token)

    for kinds in (("Header", "RefusesFirst"), ("RefusesFirst", "HeaderData"), ("HeaderData", "RefusesFirst")):
        with site(server, transport, *kinds) as there:
            assert there.marks(twice) == [kind for kind in kinds if kind.startswith("Header")], kinds


def chunked(client: smtplib.SMTP, token: bytes) -> tuple[int, bytes]:
    """A message in two chunks, and a command that nobody knows between them."""
    data = b"Subject: x\r\n\r\nbody\r\n"
    client.send(b"BDAT %d\r\n%b" % (len(data), data))
    code, text = client.getreply()
    if code == 250:
        assert client.docmd("FOO")[0] >= 500
        client.send(b"BDAT 6 LAST\r\nmore\r\n")
        code, text = client.getreply()
    return code, text


@pytest.mark.parametrize("kind", ["HeaderUnknown", "Everything"])
def test_an_unknown_command_between_two_chunks(transport: str, kind: str) -> None:
    with site(Postfix, transport, kind) as there:
        assert there.marks(chunked) == [kind]


def test_a_failure_outlives_an_unknown_command_between_two_chunks(transport: str) -> None:
    answers = []
    with site(Postfix, transport, "FailsAtData") as there:
        assert there.delivered(lambda client, token: answers.append(chunked(client, token))) == []
    [(code, text)] = answers
    assert code == 451, text


def test_an_unknown_command_before_data_without_the_step_data(transport: str) -> None:
    def say(client: smtplib.SMTP, token: bytes) -> None:
        assert client.docmd("FOO")[0] >= 500
        content(b"Subject: x\r\n\r\nbody\r\n")(client, token)

    for number, kind in itertools.product("36", ("HeaderUnknown", "Everything")):
        with site(Postfix, transport, kind, settings={"milter_protocol": number}) as there:
            assert there.marks(say) == [kind], number
