"""Filters as people write them: mypy --strict and pyright's strict mode must find nothing here. Never imported."""

from __future__ import annotations

import io
import socket
from collections.abc import Callable, Iterator
from typing import assert_type

import pymilter
from pymilter import (
    ACCEPT,
    ADDHDRS,
    CONTINUE,
    M_CONNECT,
    P_SKIP,
    REJECT,
    SKIP,
    TEMPFAIL,
    Action,
    Base,
    Context,
    Hostaddr,
    Outcome,
    Protocol,
    Reject,
    Reply,
    Server,
    Stage,
    Status,
    TempFail,
    decode,
    enable_protocols,
    mime,
    nocallback,
    noreply,
    rejected_recipients,
    symlist,
)
from pymilter.testing import (
    AddHeader,
    ChangeFrom,
    Client,
    Delivered,
    Edit,
    Envelope,
    Mta,
    Result,
    apply_edits,
    send_message,
)


class SameNames(Base):
    """Each event with the names and types of Base."""

    def connect(self, hostname: str, family: int, hostaddr: Hostaddr) -> Outcome:
        return CONTINUE

    def hello(self, hostname: str) -> Outcome:
        return TempFail(451, "4.7.1", "later, please")

    def envfrom(self, mailfrom: str, *params: str) -> Outcome:
        return super().envfrom(mailfrom, *params)

    def envrcpt(self, to: str, *params: str) -> Outcome:
        return super().envrcpt(to, *params)

    def data(self) -> Outcome:
        return None

    def header(self, name: str, value: str) -> Outcome:
        return super().header(name, value)

    def eoh(self) -> Outcome:
        return Status.CONTINUE

    def body(self, chunk: bytes) -> Outcome:
        return SKIP

    def unknown(self, command: str) -> Outcome:
        return Reject(500, "5.5.1", "no such command", "really")

    def eom(self) -> Outcome:
        return ACCEPT

    def abort(self) -> Outcome:
        return CONTINUE

    def close(self) -> Outcome:
        return CONTINUE


class OtherNames(Base):
    """Names of one's own: Python calls by place."""

    def connect(self, name: str, fam: int, addr: Hostaddr) -> Status:
        return REJECT if name == "spam.example.com" else CONTINUE

    def hello(self, helo: str) -> None:
        self.helo = helo

    def envfrom(self, f: str, *args: str) -> Outcome:
        return Reject(550, None, "no") if "SIZE=0" in args else super().envfrom(f, *args)

    def envrcpt(self, rcpt: str, *esmtp: str) -> Reply | None:
        return TempFail(450) if esmtp else None

    def header(self, field: str, content: str) -> None:
        self.seen = field, content

    def body(self, data: bytes) -> Outcome:
        return CONTINUE

    def unknown(self, line: str) -> None:
        self.line = line


class FewerParameters(Base):
    """The ESMTP parameters are left out, or named one by one with defaults."""

    def envfrom(self, mailfrom: str) -> Outcome:
        return super().envfrom(mailfrom)

    def envrcpt(self, to: str, first: str = "", *others: str) -> Outcome:
        return CONTINUE


class WiderArguments(Base):
    """An override may take more than it must."""

    def connect(self, hostname: object, family: int | None, hostaddr: object) -> Outcome:
        return CONTINUE

    def body(self, chunk: bytes | bytearray) -> Outcome:
        return CONTINUE

    def header(self, name: str, value: str, origin: str = "the MTA") -> Outcome:
        return CONTINUE


class NoVerdicts(Base):
    """Annotated -> None: the MTA need not wait."""

    def connect(self, hostname: str, family: int, hostaddr: Hostaddr) -> None:
        assert_type(hostaddr, tuple[str, int] | tuple[str, int, int, int] | str | None)
        if hostaddr is None:
            self.client = "unknown"
        elif isinstance(hostaddr, str):
            assert_type(hostaddr, str)
            self.client = hostaddr
        elif len(hostaddr) == 2:
            assert_type(hostaddr, tuple[str, int])
            self.client, self.port = hostaddr
        else:
            assert_type(hostaddr, tuple[str, int, int, int])
            self.client, self.port, self.flow, self.scope = hostaddr
        self.is_local = family == socket.AF_UNIX

    def data(self) -> None:
        self.has_data = True

    def eoh(self) -> None:
        self.has_eoh = True

    def eom(self) -> None:
        self.addheader("X-Peer", self.client)

    def abort(self) -> None:
        self.has_data = False

    def close(self) -> None:
        self.client = ""


class Decorated(Base):
    """The decorators keep the types; with "bytes" the text becomes bytes."""

    @symlist("{auth_authen}", "i")
    @noreply
    def envfrom(self, mailfrom: str, *params: str) -> Outcome:
        return CONTINUE

    @decode("bytes")
    def header(self, name: str, value: bytes) -> Outcome:
        return CONTINUE

    @decode("bytes")
    def envrcpt(self, to: bytes, *params: bytes) -> Outcome:
        return CONTINUE

    @decode("strict")
    def hello(self, hostname: str) -> Outcome:
        return CONTINUE

    @nocallback
    def body(self, chunk: bytes) -> Outcome:
        return CONTINUE


assert_type(Decorated().hello("client.example.com"), Outcome)


@rejected_recipients
class ClassDecorated(Base):
    """A decorated class is still that class."""

    limit: int = 3


assert_type(ClassDecorated.limit, int)
assert_type(enable_protocols(ClassDecorated, Protocol.HDR_LEADSPC | P_SKIP), type[ClassDecorated])


class Edits(Base):
    """All that eom may do."""

    def eom(self) -> Outcome:
        self.addheader("X-One", "1")
        self.addheader("X-One", b"1", 0)
        self.chgheader("Subject", 1, "other")
        self.chgheader("Subject", 1, None)
        self.addrcpt("<a@example.com>")
        self.addrcpt("<a@example.com>", "NOTIFY=NEVER")
        self.addrcpt("<a@example.com>", ["NOTIFY=NEVER", "ORCPT=rfc822;a"])
        self.delrcpt("<b@example.com>")
        self.chgfrom("<>", params=("RET=HDRS",))
        self.replacebody(b"one\r\n")
        self.replacebody(bytearray(b"two\r\n"))
        self.replacebody(memoryview(b"three\r\n"))
        self.quarantine("held")
        self.progress()
        assert_type(self.getsymval("i"), str | None)
        self.setreply("550", "5.7.1", "no", "way")
        return REJECT

    def negotiate(self, opts: list[int]) -> Status | None:
        self.setsymlist(M_CONNECT, "j", "{if_addr}")
        self.setsymlist("eom", "i")
        return super().negotiate(opts)


class Told(Base):
    """What the connection tells, and the place where a message begins."""

    def begin_message(self) -> None:
        self.parts: list[str] = []

    def connect(self, hostname: str, family: int, hostaddr: Hostaddr) -> None:
        assert_type(self.peer, str | None)
        assert_type(self.queue_id, str | None)
        assert_type(self.context, Context)
        assert_type(self.context.id, int)
        assert_type(self.context.peer, str | None)
        assert_type(self.context.queue_id, str | None)

    def eom(self) -> Outcome:
        self.context.addheader("X-Queue", self.queue_id or "none")
        return CONTINUE


class Hides(Base):
    """A program's own attribute hides the one of Base."""

    def __init__(self) -> None:
        self.queue_id = "none yet"

    def envfrom(self, mailfrom: str, *params: str) -> None:
        self.queue_id = self.context.queue_id
        self.peer = None


def computed(code: int) -> Reply:
    """A code that is known only at run time is checked there."""
    return Reject(code, "5.7.1", "no") if code >= 500 else TempFail(code)


def told(reply: Reply) -> str:
    """What a reply is made of."""
    assert_type(reply.code, int)
    assert_type(reply.xcode, str | None)
    assert_type(reply.text, tuple[str, ...])
    assert_type(reply.status, Status)
    return " ".join(reply.text)


class Configured(Base):
    """A filter with arguments of its own, made by a factory."""

    def __init__(self, limit: int) -> None:
        self.limit = limit


def factory() -> Configured:
    """A factory may be a function."""
    return Configured(3)


def started() -> int:
    """The result of a hook is not looked at."""
    return 3


def reloaded() -> None:
    """Reads the settings again."""


def serve() -> Iterator[str]:
    """… a class, a lambda, or anything that makes a Base."""
    pymilter.run(SameNames, "inet:8890@127.0.0.1")
    pymilter.run(factory, "unix:/run/gate.sock", timeout=600, exception_policy=ACCEPT)
    pymilter.run(lambda: Configured(4), "local:/run/gate.sock", name="gate", backlog=20)
    pymilter.run(SameNames, "inet:8890@127.0.0.1", on_start=started, on_stop=lambda: None, on_reload=reloaded)
    pymilter.run(SameNames, "inet:8890@127.0.0.1", workers=2, max_messages=10_000, max_rss=200_000_000)
    made: Callable[[], Base] = OtherNames
    with Server(made, "inet:0@127.0.0.1") as server:
        yield server.address
        server.request_stop()
        pymilter.stop()


def judged(address: str, message: bytes) -> Delivered:
    """What becomes of a filter's edits: played by a client, or worked out."""
    assert_type(send_message(address, message, mta="sendmail"), Result)
    with Client(address) as client:
        assert_type(client.play(message, mta="postfix").headers, tuple[tuple[str, str], ...])
        assert_type(client.queue_id, str)
    envelope = Envelope("<a@example.org>", ("<b@example.net>",))
    edits: list[Edit] = [AddHeader("X-One", "1"), ChangeFrom("<>", None)]
    mta: Mta = "sendmail"
    delivered = apply_edits(message, envelope, edits, mta=mta, leading_space=True)
    assert_type(delivered.envelope, Envelope)
    assert_type(delivered.message, bytes)
    assert_type(delivered.body, bytes)
    return delivered


def cleaned(data: bytes) -> bytes:
    """A message that is changed part by part."""
    message = mime.message_from_file(io.BytesIO(data))
    assert_type(message, mime.MimeMessage)
    assert_type(message.append_text("a footer"), int)
    assert_type(message.append_text("a footer", html="<p>a footer</p>"), int)
    first: mime.MimeMessage = message.get_payload(0)
    assert_type(mime.check_html(first), int)
    assert_type(mime.check_html(first, "/saved", strict=True), int)
    message.drop(first)
    message.replace_with_text(message, "nothing is left")
    assert_type(message.modified, bool)
    return message.as_bytes()


# The classic constants are the members of the enums.
status: Status = pymilter.DISCARD
action: Action = ADDHDRS | pymilter.CHGBODY
protocol: Protocol = P_SKIP | pymilter.P_NR_HDR
stage: Stage = M_CONNECT
number: int = TEMPFAIL
assert_type(pymilter.version(), tuple[int, int, int])
