"""The next hop of a mail server under test: an SMTP server that keeps the envelope and the bytes of each message."""

from __future__ import annotations

import re
import socketserver
import threading
from collections.abc import Callable
from dataclasses import dataclass

from support.in_thread import InThread

# Not aiosmtpd: it answers 555 to every RCPT parameter and to MAIL's RET and ENVID, which the tests look at.
_EXTENSIONS = ("PIPELINING", "SIZE 104857600", "8BITMIME", "SMTPUTF8", "DSN", "ENHANCEDSTATUSCODES")
_ADDRESS = re.compile(rb"(?:FROM|TO):\s*(<[^>]*>)\s*(.*)", re.IGNORECASE)


@dataclass(frozen=True)
class Mailbox:
    """An address of the envelope with its angle brackets, and its ESMTP parameters as sent (``NOTIFY=NEVER``)."""

    address: str
    params: tuple[str, ...] = ()


@dataclass(frozen=True)
class Delivery:
    """One mail transaction that the sink accepted; ``data`` has CRLF line ends and no dot stuffing."""

    sender: Mailbox
    recipients: tuple[Mailbox, ...]
    data: bytes

    @property
    def addresses(self) -> list[str]:
        """The recipients' addresses in the order of their RCPT commands."""
        return [mailbox.address for mailbox in self.recipients]

    @property
    def head(self) -> bytes:
        """The header section, its last line end included, without the empty line."""
        head, separator, _ = self.data.partition(b"\r\n\r\n")
        return head + b"\r\n" if separator else self.data

    @property
    def body(self) -> bytes:
        """Everything after the empty line that ends the header section."""
        return self.data.partition(b"\r\n\r\n")[2]

    def header(self, name: str) -> list[str]:
        """Return the values of the fields named ``name``, top to bottom, folds kept, without the white space around."""
        found: list[str] = []
        for field in re.split(rb"\r\n(?![ \t])", self.head):
            key, _, value = field.partition(b":")
            if key.strip().lower() == name.lower().encode():
                found.append(value.decode("utf-8", "surrogateescape").strip())
        return found

    @property
    def names(self) -> list[str]:
        """The names of the header fields, top to bottom."""
        fields = re.split(rb"\r\n(?![ \t])", self.head.removesuffix(b"\r\n"))
        return [field.partition(b":")[0].decode("ascii") for field in fields]


class _Session(socketserver.StreamRequestHandler):
    """One SMTP session; the server has a thread for each."""

    server: _Server

    def handle(self) -> None:
        self._sender: Mailbox | None = None
        self._recipients: list[Mailbox] = []
        try:
            self._reply("220 sink.example ESMTP")
            while line := self.rfile.readline(65536):
                verb, _, rest = line.strip().partition(b" ")
                if verb.upper() == b"QUIT":
                    self._reply("221 2.0.0 bye")
                    return
                self._command(verb.upper(), rest)
        except ConnectionError:
            return

    def _reply(self, *lines: str) -> None:
        for line in lines:
            self.wfile.write(line.encode("ascii") + b"\r\n")

    def _command(self, verb: bytes, rest: bytes) -> None:
        if verb == b"EHLO":
            self._reset()
            words = ("sink.example", *_EXTENSIONS)
            self._reply(*(f"250-{word}" for word in words[:-1]), f"250 {words[-1]}")
        elif verb == b"HELO":
            self._reset()
            self._reply("250 sink.example")
        elif verb in (b"MAIL", b"RCPT"):
            self._envelope(verb, rest)
        elif verb == b"DATA":
            self._data()
        elif verb == b"RSET":
            self._reset()
            self._reply("250 2.0.0 reset")
        elif verb == b"NOOP":
            self._reply("250 2.0.0 nothing done")
        else:
            self._reply("502 5.5.1 no such command here")

    def _envelope(self, verb: bytes, rest: bytes) -> None:
        match = _ADDRESS.fullmatch(rest)
        if match is None:
            self._reply("501 5.5.4 no address")
            return
        address, params = (part.decode("utf-8", "surrogateescape") for part in match.groups())
        mailbox = Mailbox(address, tuple(params.split()))
        if verb == b"MAIL":
            self._reset()
            self._sender = mailbox
        else:
            self._recipients.append(mailbox)
        self._reply("250 2.1.0 noted")

    def _data(self) -> None:
        if self._sender is None or not self._recipients:
            self._reply("503 5.5.1 MAIL and RCPT first")
            return
        self._reply("354 go on")
        lines: list[bytes] = []
        while (line := self.rfile.readline()) != b".\r\n":
            if not line:
                return  # the connection broke off: no message
            lines.append(line.removeprefix(b"."))
        self.server.keep(Delivery(self._sender, tuple(self._recipients), b"".join(lines)))
        self._reset()
        self._reply("250 2.0.0 kept")

    def _reset(self) -> None:
        self._sender = None
        self._recipients = []


class _Server(socketserver.ThreadingTCPServer):
    daemon_threads = True
    block_on_close = False  # a mail server may keep its idle connection open
    allow_reuse_address = True
    request_queue_size = 128

    def __init__(self, keep: Callable[[Delivery], None]) -> None:
        super().__init__(("127.0.0.1", 0), _Session)
        self.keep = keep


class Sink(InThread):
    """An SMTP server on a free port of 127.0.0.1 that accepts every message: ``with Sink() as sink: ... sink.port``."""

    def __init__(self) -> None:
        self._deliveries: list[Delivery] = []
        self._changed = threading.Condition()
        super().__init__(_Server(self._keep))

    def deliveries(self, token: str = "") -> list[Delivery]:
        """Return the messages so far with ``token`` in their bytes, oldest first."""
        with self._changed:
            return [delivery for delivery in self._deliveries if token.encode() in delivery.data]

    def wait(self, token: str, timeout: float = 20.0) -> Delivery:
        """Return the first message with ``token`` in its bytes, as soon as there is one.

        Raises ``TimeoutError`` if none has come after ``timeout`` seconds.
        """
        with self._changed:
            if not self._changed.wait_for(lambda: self.deliveries(token), timeout):
                raise TimeoutError(f"no message with {token!r} reached the sink within {timeout} s")
            return self.deliveries(token)[0]

    def _keep(self, delivery: Delivery) -> None:
        with self._changed:
            self._deliveries.append(delivery)
            self._changed.notify_all()
