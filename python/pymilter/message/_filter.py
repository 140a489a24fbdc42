"""MessageFilter: one call a message, with the whole message in one object."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from sys import getrefcount
from typing import TYPE_CHECKING, Any, ClassVar, Final, NamedTuple, final

from pymilter._class.base import Base
from pymilter._class.decorators import GATHERED_MARK, HDR_LEADSPC, MACROS_MARK, WHOLE_MARK
from pymilter._class.gather import DEFAULT_IN_MEMORY, DEFAULT_LIMIT, MIB, TOO_LARGE
from pymilter._constants import ACCEPT, CONTINUE, Protocol, Stage, Status
from pymilter.message._address import Recipient, received
from pymilter.message._connection import Connection
from pymilter.message._envelope import Envelope
from pymilter.message._grant import Grant
from pymilter.message._message import Message
from pymilter.message._writer import send
from pymilter.replies import Outcome, Reject, TempFail

HEADER_LIMIT: Final = MIB
HEADER_TOO_LARGE: Final = Reject(552, "5.3.4", "Message header too large for the mail filter")

ONLY_HERE: Final = 2
"""What sys.getrefcount() says of an object that one variable alone refers to; later versions of CPython say less."""

NOT_YET: Final = "the envelope can be changed in message() only, once the whole message is there"

FINAL: Final = ("envfrom", "envrcpt", "header", "eoh", "body", "eom")
"""Methods of `Base` that a MessageFilter has for itself."""
MACROS: Final[dict[int, tuple[str, ...]]] = {
    Stage.CONNECT: ("j", "v", "_", "{daemon_name}", "{daemon_addr}"),
    Stage.HELO: ("{tls_version}", "{cipher}", "{cipher_bits}", "{cert_subject}", "{cert_issuer}"),
    Stage.ENVFROM: (
        "i",
        "{auth_type}",
        "{auth_authen}",
        "{auth_author}",
        "{mail_addr}",
        "{mail_host}",
        "{mail_mailer}",
    ),
    Stage.ENVRCPT: ("i", "{rcpt_addr}", "{rcpt_host}", "{rcpt_mailer}"),
    Stage.EOM: ("i",),
}
"""The macros that are asked for at each stage (SMFIM_*)."""


class Gathering(NamedTuple):
    """What a class says of the messages that it wants; sizes in bytes."""

    limit: int = DEFAULT_LIMIT
    exceeded: Reject | TempFail = TOO_LARGE
    header_limit: int = HEADER_LIMIT
    header_exceeded: Reject | TempFail = HEADER_TOO_LARGE
    in_memory: int = DEFAULT_IN_MEMORY
    headers: bool = True
    body: bool = True
    macros: tuple[str, ...] = ()


class MessageFilter(Base):
    """A filter that gets each message as a whole: override `message`, and what is changed there is sent to the MTA.

    Envelope, header and body are gathered without Python, and the MTA does not wait for an answer before the end of the
    message; only what `connect`, `hello`, `mail` and `recipient` answer is waited for, where a class overrides them.

    The class keywords are those of `Gathering`:

    ```python
    class Gate(pymilter.MessageFilter, limit=50_000_000, body=False): ...
    ```

    `limit` bounds the body (256 MiB) and `header_limit` the header (1 MiB), both in bytes. Larger ones are never
    accepted unseen: they are answered with `exceeded` (452 4.3.4) and `header_exceeded` (552 5.3.4). A body of more
    than `in_memory` bytes (8 MiB) waits in a file. With `headers=False` or `body=False` the MTA does not send that
    part.
    `macros` are asked for at the end of the message, besides those that `Connection` and `Message` have names for.

    One object serves one connection, as with `Base`, so what is kept on it lasts from one message to the next.
    """

    _gathering: ClassVar[Gathering] = Gathering()
    _connection: Connection | None = None
    _milter_protocol: ClassVar[int] = HDR_LEADSPC
    _milter_hooks: ClassVar[Mapping[str, tuple[str, ...]]] = {
        "mail": ("envelope",),
        "recipient": ("recipient", "envelope"),
        "message": ("message",),
    }

    def __init_subclass__(
        cls,
        *,
        limit: int | None = None,
        exceeded: Reject | TempFail | None = None,
        header_limit: int | None = None,
        header_exceeded: Reject | TempFail | None = None,
        in_memory: int | None = None,
        headers: bool | None = None,
        body: bool | None = None,
        macros: Iterable[str] | None = None,
    ) -> None:
        super().__init_subclass__()
        given: dict[str, Any] = {
            "limit": limit,
            "exceeded": exceeded,
            "header_limit": header_limit,
            "header_exceeded": header_exceeded,
            "in_memory": in_memory,
            "headers": headers,
            "body": body,
            "macros": None if macros is None else tuple(macros),
        }
        said = {name: value for name, value in given.items() if value is not None}
        cls._gathering = _checked(cls._gathering._replace(**said), cls.__qualname__)
        for mark, value in _marks_of(cls._gathering).items():
            setattr(cls, mark, value)
        for name in FINAL:
            if name in vars(cls) and vars(cls)[name] not in (MessageFilter._envfrom, MessageFilter._envrcpt):
                raise TypeError(
                    f"{cls.__qualname__}.{name} would never be called: a MessageFilter gets the whole message in "
                    "message(), the sender in mail() and each recipient in recipient()"
                )
        for name, event, handler in (
            ("mail", "envfrom", MessageFilter._envfrom),
            ("recipient", "envrcpt", MessageFilter._envrcpt),
        ):
            if getattr(cls, name) is not getattr(MessageFilter, name):
                setattr(cls, event, handler)

    # ------------------------------------------------------------------------------------ to override

    def mail(self, envelope: Envelope) -> Outcome:
        """The sender of a message (xxfi_envfrom), before any recipient; `envelope` cannot be changed yet."""
        return CONTINUE

    def recipient(self, recipient: Recipient, envelope: Envelope) -> Outcome:
        """A recipient (xxfi_envrcpt): REJECT and TEMPFAIL refuse this one alone, ACCEPT takes the whole message unseen.

        `envelope` has the sender and the recipients so far, this one too; it cannot be changed yet.
        """
        return CONTINUE

    def message(self, message: Message) -> Outcome:
        """A whole message (xxfi_eom).

        Its changes are sent if this returns CONTINUE, ACCEPT or None. What it raises is logged and answered by the
        exception policy, and then nothing is changed.
        """
        raise NotImplementedError(f"{type(self).__qualname__} has no method message(self, message)")

    @property
    def connection(self) -> Connection:
        """The SMTP connection, as far as it is known by now. Raises MilterError for an object that has none."""
        if self._connection is None:
            self._connection = Connection._of(self._ctx)
        return self._connection

    if TYPE_CHECKING:
        # Gathered in C++: Python does not see these events, and a class that overrides them is refused.

        @final
        def envfrom(self, mailfrom: str, /) -> Outcome: ...
        @final
        def envrcpt(self, to: str, /) -> Outcome: ...
        @final
        def header(self, name: str, value: str, /) -> Outcome: ...
        @final
        def eoh(self) -> Outcome: ...
        @final
        def body(self, chunk: bytes, /) -> Outcome: ...

    # ------------------------------------------------------------------------------------ called by dispatch

    def _envfrom(self, mailfrom: str, /, *params: str) -> Outcome:
        return self.mail(self._envelope_so_far())

    def _envrcpt(self, to: str, /, *params: str) -> Outcome:
        recipient = received(Recipient, to, params, is_accepted=self._is_accepted())
        return self.recipient(recipient, self._envelope_so_far())

    def _is_accepted(self) -> bool:
        return not self._protocol & Protocol.RCPT_REJ or self._ctx.getsymval("{rcpt_mailer}") != "error"

    def _envelope_so_far(self) -> Envelope:
        return Envelope(self._ctx._received(), Grant(0, NOT_YET))

    @final
    def eom(self) -> Outcome:
        """The end of the message: `message` is called with all of it."""
        context = self._ctx
        gathering = self._gathering
        message = Message(context._received(), self.connection, self._actions)
        message._ask_for_time = context.progress  # not self.progress: self may keep the message
        if not self._protocol & HDR_LEADSPC:
            message._leading_space = False
        if not (gathering.headers and gathering.body):
            message._has_headers, message._has_body = gathering.headers, gathering.body
        try:
            outcome = self.message(message)
            passes = outcome is None or is_status(outcome, CONTINUE) or is_status(outcome, ACCEPT)
            if passes and message._is_touched():
                send(message.edits, context)
        finally:
            if getrefcount(message) > ONLY_HERE:
                message._keep(name for _, names in getattr(self, MACROS_MARK, ()) for name in names.split())
            message._grant.end()
        return outcome


def is_status(outcome: Outcome, status: Status) -> bool:
    """True for this status; False for what is only equal to it, such as False, which is no status."""
    return type(outcome) in (int, Status) and outcome == status


def _checked(gathering: Gathering, name: str) -> Gathering:
    """The same. Raises TypeError and ValueError for what cannot be."""
    for size in ("limit", "header_limit", "in_memory"):
        value = getattr(gathering, size)
        if not isinstance(value, int) or value < (0 if size == "in_memory" else 1):
            raise ValueError(f"{name}: {size} is {value!r}: it must be a number of bytes above 0")
    for reply in ("exceeded", "header_exceeded"):
        value = getattr(gathering, reply)
        if not isinstance(value, Reject | TempFail):
            raise TypeError(f"{name}: {reply} is {value!r}: allowed are Reject(...) and TempFail(...)")
    for macro in gathering.macros:
        if not isinstance(macro, str) or macro.split() != [macro]:
            raise ValueError(f"{name}: {macro!r} is no name of a macro, such as '{{auth_authen}}'")
    return gathering


def _marks_of(gathering: Gathering) -> dict[str, Any]:
    """What the negotiation and the plan read of the class."""
    steps = ["connect", "hello", "envfrom", "envrcpt"]
    steps += ["header"] if gathering.headers else []
    steps += ["body"] if gathering.body else []
    macros = {**MACROS, Stage.EOM: (*MACROS[Stage.EOM], *gathering.macros)}
    return {
        GATHERED_MARK: tuple(steps),
        WHOLE_MARK: gathering,
        MACROS_MARK: tuple((stage, " ".join(names)) for stage, names in macros.items()),
    }
