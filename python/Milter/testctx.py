"""TestCtx: a context that plays the MTA in a program's unit tests, with no socket and no running libmilter."""

import re
from collections.abc import Callable
from io import BytesIO
from pathlib import Path
from socket import AF_INET, AF_INET6, AF_UNIX
from typing import IO, Any, ClassVar, Final, cast

import Milter
from pymilter import (
    CONTINUE,
    NOREPLY,
    SKIP,
    Action,
    Base,
    MilterError,
    Protocol,
    Reply,
    Stage,
    Status,
)
from pymilter._class.faults import begins_messages
from pymilter._class.handlers import Handlers
from pymilter._class.negotiate import NO_REPLY, NOT_SENT

from ._testmessage import TestMessage
from ._testrequests import TestRequests, decoded, encoded

MESSAGE_STEPS: Final = ("envfrom", "envrcpt", "data", "header", "eoh", "body", "eom")
CHUNK: Final = 65535
CLIENT_PORT: Final = 1234

# In a test, a handler without a reply returns CONTINUE. The tests of classic programs compare it with either.
vars(Milter)["NOREPLY"] = CONTINUE


class TestCtx(TestRequests):
    """Make a context, call `_connect()`, feed it messages, and look at what the filter did to them.

    The object under test is made by `Milter.factory`, negotiates as with an MTA, and is called for the steps that it
    negotiated. An exception from a handler propagates from the method that called it. Results are kept for the last
    message:

    `_body`: the message with its body as replaced, a BytesIO; `_bodyreplaced`: whether it was;
    `_msg`: the message with its headers as changed, a MimeMessage; `_headerschanged`: whether they were;
    `_addrcpt`: pairs of recipient and ESMTP parameters or None; `_delrcpt`: recipients;
    `_sender`: the envelope sender, in angle brackets; `_envfromchanged`: whether the filter changed it;
    `_reply`: code, enhanced code and lines that setreply() or a `Reply` gave, or None; `_quarantine`: the reason.

    `logfile` is accepted for old programs; nothing is written there.
    """

    __test__ = False

    default_opts: ClassVar[list[int]] = [sum(Action), sum(Protocol), 0, 0]

    def __init__(self, logfile: str = "test/milter.log") -> None:
        super().__init__()
        self._is_open = False
        self._opts = list(self.default_opts)
        self._verdict: int = CONTINUE

    def _call(self, step: str, method: str, *args: Any) -> int:
        """Call a handler if its step was negotiated, and return the filter's status.

        Raises:
            MilterError: there is no connection.
            TypeError: the result is neither a Status nor a Reply nor None.
            ValueError: the handler is declared to give no verdict, and gives one.
        """
        self._check_open(step)
        if self._protocol & NOT_SENT.get(step, 0):
            return CONTINUE
        if step in MESSAGE_STEPS and not self._has_begun:
            self._has_begun = True
            if begins_messages(Handlers.of(self._priv)):
                self._enter("begin_message", self._handler("begin_message"))
        result = self._enter(step, self._handler(method), *args)
        if isinstance(result, Reply):
            self._reply = (str(result.code), result.xcode, *result.text)
            result = result.status
        elif result is not None and type(result) is not int and not isinstance(result, Status):
            # True is 1, which would be REJECT: the filter answers such a result by its exception policy.
            raise TypeError(f"{step}() returned {result!r}: allowed are a Status, a Reply (Reject, TempFail) and None")
        status = CONTINUE if result is None or result == NOREPLY else int(result)
        is_no_reply = self._protocol & NO_REPLY.get(step, 0)
        if status != CONTINUE and is_no_reply:
            raise ValueError(f"{step}() returned {status}: it is declared to give no verdict (-> None or @noreply)")
        return status

    def _check_open(self, step: str) -> None:
        """Check that there is a connection.

        Raises:
            MilterError: there is none.
        """
        if not self._is_open:
            raise MilterError(f"{step} is not possible: there is no connection, _connect() makes one")

    def _enter(self, step: str, handler: Callable[..., Any], *args: Any) -> Any:
        self._stage = step
        try:
            return handler(*args)
        finally:
            self._stage = None

    def _handler(self, method: str) -> Callable[..., Any]:
        return cast("Callable[..., Any]", getattr(self._priv, method))

    def _text(self, method: str, text: str | bytes) -> Any:
        self._check_open(method)
        (value,) = cast(Base, self._priv)._decoded(method, (encoded(text),))
        return value

    def _negotiate(self) -> int:
        """Make the object under test and let it negotiate what this context offers (`default_opts`)."""
        offered = self.default_opts
        opts = list(offered)
        self._symlist = [None] * len(Stage)
        self._verdict, self._is_open, self._peer = CONTINUE, True, None
        status = self._enter("negotiate", self._negotiate_with, opts)
        if status == Milter.ALL_OPTS:
            opts[:] = [offered[0], Protocol.SKIP, 0, 0]
            status = CONTINUE
        self._actions, self._protocol = offered[0] & opts[0], offered[1] & opts[1]
        self._opts = [self._actions, self._protocol, 0, 0]
        self._priv._actions, self._priv._protocol = self._actions, self._protocol
        return CONTINUE if status is None else int(status)

    def _negotiate_with(self, opts: list[int]) -> int | None:
        return Milter.negotiate_callback(self, opts)

    def _connect(self, host: str = "localhost", helo: str = "spamrelay", ip: str | None = "1.2.3.4") -> int:
        """Begin a connection: negotiate, connect and HELO. `ip` is an address, a path with a slash first, or None.

        Returns the first status that is not CONTINUE; after it the connection is closed, as by an MTA.
        Raises ValueError for an invalid `ip`.
        """
        family, hostaddr = _client(ip)
        status = self._negotiate()
        self._peer = _peer_text(decoded(host), hostaddr)
        if status == CONTINUE:
            status = self._call("connect", "connect", self._text("connect", host), family, hostaddr)
        if status == CONTINUE:
            status = self._helo(helo)
        if status != CONTINUE:
            self._close()
            self._verdict = status
        return status

    def _helo(self, helo: str) -> int:
        return self._call("hello", "hello", self._text("hello", helo))

    def _envfrom(self, *s: str) -> int:
        """Send MAIL FROM with the address exactly as given, and ESMTP parameters. This forgets the previous message."""
        self._begin_message()
        self._reply = None
        self._sender = s[0]
        return self._call("envfrom", "envfrom_bytes", *map(encoded, s))

    def _envrcpt(self, *s: str) -> int:
        return self._call("envrcpt", "envrcpt_bytes", *map(encoded, s))

    def _data(self) -> int:
        return self._call("data", "data")

    def _header(self, fld: str, val: str | bytes) -> int:
        self._head += b"%b: %b\n" % (encoded(fld), encoded(val))
        return self._call("header", "header_bytes", fld, encoded(val))

    def _eoh(self) -> int:
        self._head += b"\n"
        return self._call("eoh", "eoh")

    def _unknown(self, cmd: str) -> int:
        return self._call("unknown", "unknown", self._text("unknown", cmd))

    def _feed_body(self, bfp: IO[bytes]) -> int:
        """Send what `bfp` holds, in chunks as an MTA does. After SKIP no more of them go to the handler."""
        status: int = CONTINUE
        while chunk := bfp.read(CHUNK):
            self._chunks.append(chunk)
            if status == CONTINUE:
                status = self._call("body", "body", chunk)
        return CONTINUE if status == SKIP else status

    def _eom(self) -> int:
        """End the message; from now on there is a `_body`."""
        self._write_body()
        status = self._call("eom", "eom")
        self._has_begun = False
        return status

    def _abort(self) -> None:
        """Abort the message, and end the connection."""
        self._call("abort", "abort")
        self._close()

    def _close(self) -> None:
        """End the connection, if there is one."""
        if self._is_open:
            self._is_open = False
            self._enter("close", Milter.close_callback, self)

    # ------------------------------------------------------------------------------ whole messages

    def _feedFile(  # noqa: N802 - the classic name
        self, fp: IO[bytes], sender: str = "spam@adv.com", rcpt: str = "victim@lamb.com", *rcpts: str
    ) -> int:
        """Send the message that `fp` holds, from `sender` to `rcpt` and `rcpts`, all without angle brackets.

        Returns the first status that is not CONTINUE: the rest is not sent.
        """
        if self._verdict != CONTINUE:
            return self._verdict
        message = TestMessage.read(fp.read())
        status = self._envfrom(f"<{sender}>")
        if status != CONTINUE:
            return status
        self._msg = message.parsed
        steps: list[Callable[[], int]] = [lambda rcpt=rcpt: self._envrcpt(f"<{rcpt}>") for rcpt in (rcpt, *rcpts)]  # type: ignore[misc]
        steps.append(self._data)
        steps += [lambda field=field: self._header(*field) for field in message.fields()]  # type: ignore[misc]
        steps += [self._eoh, lambda: self._feed_body(BytesIO(message.body))]
        for step in steps:
            status = step()
            if status != CONTINUE:
                return status
        self._msg = message.parsed
        self._head = message.head
        return self._eom()

    def _feedMsg(self, fname: str, sender: str = "spam@adv.com", *rcpts: str) -> int:  # noqa: N802
        """Do what _feedFile does, with the file `fname` in the folder "test"."""
        with Path("test", fname).open("rb") as fp:
            return self._feedFile(fp, sender, *rcpts)


def _client(ip: str | None) -> tuple[int, Any]:
    if ip is None:
        return 0, None
    if ip.startswith("/"):
        return AF_UNIX, ip
    if re.fullmatch(r"[0-9.]+", ip):
        return AF_INET, (ip, CLIENT_PORT)
    if ":" in ip:
        return AF_INET6, (ip, CLIENT_PORT, 0, 0)
    raise ValueError(f"ip is {ip!r}: allowed are an IPv4 or IPv6 address, a path that begins with a slash, and None")


def _peer_text(host: str, hostaddr: Any) -> str | None:
    """Return the client in the form of `Context.peer`. A host that is "unknown" or in brackets has no name."""
    if isinstance(hostaddr, str):
        return f"unix:{hostaddr}"
    name = "" if host == "unknown" or host.startswith("[") else host
    ip = hostaddr[0] if hostaddr else ""
    return (f"{name}[{ip}]" if name and ip else name or ip) or None
