"""Filters as people write them: mypy --strict and pyright's strict mode must find nothing here. Never imported."""

from __future__ import annotations

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
    nocallback,
    noreply,
    rejected_recipients,
    symlist,
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
    """A factory may be a function…"""
    return Configured(3)


def serve() -> Iterator[str]:
    """… a class, a lambda, or anything that makes a Base."""
    pymilter.run(SameNames, "inet:8890@127.0.0.1")
    pymilter.run(factory, "unix:/run/gate.sock", timeout=600, exception_policy=ACCEPT)
    pymilter.run(lambda: Configured(4), "local:/run/gate.sock", name="gate", backlog=20)
    made: Callable[[], Base] = OtherNames
    with Server(made, "inet:0@127.0.0.1") as server:
        yield server.address
        server.request_stop()
        pymilter.stop()


# The classic constants are the members of the enums.
status: Status = pymilter.DISCARD
action: Action = ADDHDRS | pymilter.CHGBODY
protocol: Protocol = P_SKIP | pymilter.P_NR_HDR
stage: Stage = M_CONNECT
number: int = TEMPFAIL
assert_type(pymilter.version(), tuple[int, int, int])
