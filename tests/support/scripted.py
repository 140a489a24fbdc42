"""Servers that answer as a test says, on free ports of the loopback: DNS over UDP and TCP, and SMTP."""

from __future__ import annotations

import contextlib
import socketserver
import struct
import threading
from collections.abc import Mapping
from types import TracebackType
from typing import Self

import dns.flags
import dns.message
import dns.rcode
import dns.rdatatype
import dns.rrset

from support.in_thread import InThread

Zone = Mapping[tuple[str, str], list[str]]


class _TcpServer(socketserver.ThreadingTCPServer):
    allow_reuse_address = True


class DnsServer(InThread):
    """Answers from a zone {("name.", "TYPE"): [rdata, ...]}; names in `codes` with an rcode, those in `silent` never.

    With `follow`, the target of a CNAME is part of the answer too. Answers longer than 512 bytes are cut off over UDP.
    """

    def __init__(
        self, zone: Zone, *, codes: Mapping[str, str] | None = None, silent: frozenset[str] = frozenset(), follow: bool
    ) -> None:
        self.zone, self.codes, self.silent, self.follow = zone, codes or {}, silent, follow
        self.asked: list[tuple[str, str]] = []
        owner = self

        class Datagram(socketserver.BaseRequestHandler):
            def handle(self) -> None:
                data, sock = self.request
                answer = owner.answer(data)
                if answer is None:
                    return
                wire = answer.to_wire()
                if len(wire) > 512:
                    answer.answer.clear()
                    answer.flags |= dns.flags.TC
                    wire = answer.to_wire()
                sock.sendto(wire, self.client_address)

        class Stream(socketserver.StreamRequestHandler):
            def handle(self) -> None:
                (length,) = struct.unpack("!H", self.rfile.read(2))
                answer = owner.answer(self.rfile.read(length))
                if answer is not None:
                    wire = answer.to_wire()
                    self.wfile.write(struct.pack("!H", len(wire)) + wire)

        datagrams, streams = _on_one_port(Datagram, Stream)
        super().__init__(datagrams)
        self._streams = InThread(streams)

    def __enter__(self) -> Self:
        self._streams.__enter__()
        return super().__enter__()

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        super().__exit__(kind, error, trace)
        self._streams.__exit__(kind, error, trace)

    def answer(self, data: bytes) -> dns.message.Message | None:
        """Return the answer to a query, if any."""
        query = dns.message.from_wire(data)
        name, qtype = query.question[0].name.to_text(), dns.rdatatype.to_text(query.question[0].rdtype)
        self.asked.append((name, qtype))
        if name in self.silent:
            return None
        found = dns.message.make_response(query)
        if name in self.codes:
            found.set_rcode(dns.rcode.from_text(self.codes[name]))
            return found
        passed: set[str] = set()
        here = name
        while (here.lower(), qtype) not in self.zone and (here.lower(), "CNAME") in self.zone and here not in passed:
            passed.add(here)
            target = self.zone[here.lower(), "CNAME"][0]
            found.answer.append(dns.rrset.from_text(here, 60, "IN", "CNAME", target))
            here = target
            if not self.follow:
                return found
        values = self.zone.get((here.lower(), qtype))
        if values:
            found.answer.append(dns.rrset.from_text(here, 60, "IN", qtype, *values))
        elif not any(known == here.lower() for known, _ in self.zone):
            found.set_rcode(dns.rcode.NXDOMAIN)
        return found


def _on_one_port(
    datagram: type[socketserver.BaseRequestHandler], stream: type[socketserver.BaseRequestHandler]
) -> tuple[socketserver.UDPServer, socketserver.TCPServer]:
    """A UDP and a TCP server on the same port; the one that is free for UDP may be taken for TCP."""
    for _ in range(20):
        datagrams = socketserver.ThreadingUDPServer(("127.0.0.1", 0), datagram)
        try:
            return datagrams, _TcpServer(("127.0.0.1", datagrams.socket.getsockname()[1]), stream)
        except OSError:
            datagrams.server_close()
    raise OSError("found no port that is free for UDP and TCP")


class SmtpServer(InThread):
    """Answers each command with the line of `script` for it ("RCPT": "550 no"), otherwise with acceptance.

    Keys are the verbs, "banner" and "." (after the data). "DROP" ends the connection, "HANG" is silent until the end,
    and "SLOW 250 ok" is "250 ok" after 0.3 seconds.
    """

    def __init__(self, **script: str) -> None:
        self.commands: list[str] = []
        self.data: bytes | None = None
        self._over = threading.Event()
        owner = self

        class Handler(socketserver.StreamRequestHandler):
            def handle(self) -> None:
                with contextlib.suppress(ConnectionError, _OverError):
                    owner._talk(self, script)

        super().__init__(_TcpServer(("127.0.0.1", 0), Handler))

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._over.set()
        super().__exit__(kind, error, trace)

    def _talk(self, handler: socketserver.StreamRequestHandler, script: Mapping[str, str]) -> None:
        self._say(handler, script.get("banner", "220 test"))
        while line := handler.rfile.readline():
            command = line.decode("utf-8", "surrogateescape").rstrip("\r\n")
            verb = command.partition(" ")[0].upper()
            words = command[: command.find(":")] if verb in ("MAIL", "RCPT") else verb
            # The case of smtplib's words differs between versions of CPython.
            self.commands.append(words.upper() + command[len(words) :])
            accepting = {"DATA": "354 go on", "QUIT": "221 bye"}.get(verb, "250 ok")
            reply = script.get(verb, accepting)
            self._say(handler, reply)
            if verb == "QUIT":
                return
            if verb == "DATA" and reply.startswith("354"):
                self.data = b"".join(iter(handler.rfile.readline, b".\r\n"))
                self._say(handler, script.get(".", "250 taken"))

    def _say(self, handler: socketserver.StreamRequestHandler, reply: str) -> None:
        if reply == "HANG":
            self._over.wait(60)
        if reply in ("DROP", "HANG"):
            raise _OverError
        if reply.startswith("SLOW "):
            self._over.wait(0.3)
        handler.wfile.write(reply.removeprefix("SLOW ").encode() + b"\r\n")


class _OverError(Exception):
    """Ends the conversation."""
