"""The requests of a filter to its context in a test: checked as with an MTA, and kept for the test to inspect."""

import itertools
import time
from collections.abc import Iterable
from io import BytesIO
from typing import Any

import Milter
from pymilter import Action, DisabledAction, MilterError, Reject, Stage, TempFail
from pymilter._checks import check_address, check_header, check_line, check_parameters

from ._testmacros import is_sent
from ._testmessage import TestMessage, change_header

_CONNECTION_STEPS = (None, "negotiate", "connect", "hello", "close")
_numbers = itertools.count(1)


def encoded(text: str | bytes) -> bytes:
    """Return the bytes that would go over the wire."""
    return text if isinstance(text, bytes) else text.encode("utf-8", "surrogateescape")


def decoded(text: str | bytes) -> str:
    """Reverse `encoded`."""
    return text.decode("utf-8", "surrogateescape") if isinstance(text, bytes) else text


def _joined(params: str | Iterable[str] | None) -> str | None:
    joined = (params if params is None or isinstance(params, str) else " ".join(params)) or None
    check_parameters(encoded(joined or ""))
    return joined


def _checked_value(field: str, value: str | bytes) -> str:
    return decoded(check_header(encoded(field), encoded(value)))


class TestRequests:
    """The part of TestCtx that the filter sees, and its results."""

    __test__ = False

    def __init__(self) -> None:
        self._priv: Any = None
        self._macros: dict[str, str] = {}
        self._symlist: list[str | None] = [None] * len(Stage)
        self._actions = 0
        self._stage: str | None = None
        self._activity = time.time()
        self._reply: tuple[str | None, ...] | None = None
        self._sender: str | None = None
        self._id = next(_numbers)
        self._protocol = 0
        self._peer: str | None = None
        self._begin_message()

    def _begin_message(self) -> None:
        self._has_begun = False
        self._addrcpt: list[tuple[str, str | None]] = []
        self._delrcpt: list[str] = []
        self._body: BytesIO | None = None
        self._bodyreplaced = False
        self._msg: Any = None
        self._headerschanged = False
        self._envfromchanged = False
        self._quarantine: str | None = None
        self._head = b""
        self._chunks: list[bytes] = []

    @property
    def id(self) -> int:
        """The number of this context, counted from 1 in this process."""
        return self._id

    @property
    def actions(self) -> int:
        """The actions agreed in negotiation (SMFIF_*), as an int."""
        return self._actions

    @property
    def protocol(self) -> int:
        """The protocol options agreed in negotiation (SMFIP_*), as an int."""
        return self._protocol

    @property
    def peer(self) -> str | None:
        """The SMTP client given to `_connect`: "name[ip]", "ip", "unix:path" or only its name; None before that."""
        return self._peer

    @property
    def queue_id(self) -> str | None:
        """The macro `i` in handlers that are called for a message; None elsewhere, or if the test has not set it."""
        if self._stage in _CONNECTION_STEPS or (self._stage == "unknown" and not self._has_begun):
            return None
        return self.getsymval("i")

    def getpriv(self) -> Any:
        """The object under test."""
        return self._priv

    def setpriv(self, priv: object) -> Any:
        """Store the object under test, and return the previous one."""
        earlier, self._priv = self._priv, priv
        return earlier

    def getsymval(self, name: str) -> str | None:
        """Return a macro that was set with `_setsymval`; None if it was not, or if @symlist leaves it out.

        Braces around the name are optional.
        """
        if not is_sent(name, self._stage, self._symlist):
            return None
        return self._macros.get(name, self._macros.get(f"{{{name}}}", self._macros.get(name.strip("{}"))))

    def _setsymval(self, name: str, val: str) -> None:
        self._macros[name] = val

    def setsymlist(self, stage: Stage | int | str, *macros: str) -> None:
        """Record the macros that the filter asks for.

        Args:
            stage: A `Stage`, its number, or the name of a method.
            macros: The names of the macros.

        Raises:
            MilterError: Called outside `negotiate`, or twice for one stage.
        """
        if self._stage != "negotiate":
            raise MilterError("setsymlist is possible only in negotiate")
        number = Milter.MACRO_CALLBACKS[stage] if isinstance(stage, str) else Stage(stage)
        if self._symlist[number] is not None:
            raise MilterError(f"setsymlist was called before for the stage {number.name}")
        self._symlist[number] = " ".join(macros)

    def setreply(self, rcode: str, xcode: str | None = None, *msg: str | None) -> None:
        """Record the reply. Raises ValueError if libmilter would refuse it."""
        lines = [line for line in msg if line is not None]
        kind = Reject if str(rcode).startswith("5") else TempFail
        kind(int(rcode) if rcode.isdigit() else 0, xcode, *lines)
        self._reply = (rcode, xcode, *lines)

    def _check_edit(self, action: Action, what: str) -> None:
        if self._stage != "eom":
            raise MilterError(f"{what} is possible only at eom")
        if not self._actions & action:
            raise DisabledAction(f"{what} needs the action {action.name}, which was not granted")

    def _message(self) -> Any:
        if self._msg is None:
            self._msg = TestMessage.read(self._head).parsed
        return self._msg

    def addheader(self, field: str, value: str | bytes, idx: int = -1) -> None:
        """Add a header to `_msg`; `idx` is ignored."""
        content = _checked_value(field, value)
        self._check_edit(Action.ADDHDRS, "addheader")
        self._message()[field] = content
        self._headerschanged = True

    def chgheader(self, field: str, idx: int, value: str | bytes | None) -> None:
        """Change a header of `_msg`."""
        content = _checked_value(field, value or "")
        self._check_edit(Action.CHGHDRS, "chgheader")
        change_header(self._message(), field, idx, content)
        self._headerschanged = True

    def addrcpt(self, rcpt: str, params: str | Iterable[str] | None = None) -> None:
        """Add a recipient to `_addrcpt`."""
        check_address("recipient", encoded(rcpt))
        joined = _joined(params)
        self._check_edit(Action.ADDRCPT_PAR if joined else Action.ADDRCPT, "addrcpt")
        self._addrcpt.append((rcpt, joined))

    def delrcpt(self, rcpt: str) -> None:
        """Add a recipient to `_delrcpt`."""
        check_address("recipient", encoded(rcpt))
        self._check_edit(Action.DELRCPT, "delrcpt")
        self._delrcpt.append(rcpt)

    def chgfrom(self, sender: str, params: str | Iterable[str] | None = None) -> None:
        """Change `_sender`."""
        check_address("sender", encoded(sender))
        _joined(params)
        self._check_edit(Action.CHGFROM, "chgfrom")
        self._sender = sender
        self._envfromchanged = True

    def replacebody(self, chunk: str | bytes | bytearray | memoryview) -> None:
        """Replace the body of `_body`; further calls append."""
        self._check_edit(Action.CHGBODY, "replacebody")
        if not self._bodyreplaced:
            self._chunks.clear()
            self._bodyreplaced = True
        self._chunks.append(encoded(chunk) if isinstance(chunk, str) else bytes(chunk))
        self._write_body()

    def _write_body(self) -> None:
        self._body = BytesIO()
        self._body.write(self._head)
        self._body.writelines(self._chunks)

    def quarantine(self, reason: str) -> None:
        """Store the reason in `_quarantine`."""
        reason = reason.rstrip("\r\n")
        check_line("quarantine reason", encoded(reason))
        self._check_edit(Action.QUARANTINE, "quarantine")
        self._quarantine = reason

    def progress(self) -> None:
        """Store the time in `_activity`."""
        if self._stage != "eom":
            raise MilterError("progress is possible only at eom")
        self._activity = time.time()
