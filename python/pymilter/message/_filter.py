"""MessageFilter: one call a message, with the whole message in one object."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from sys import getrefcount
from types import MethodType
from typing import TYPE_CHECKING, Any, ClassVar, Final, NamedTuple, TypedDict, Unpack, cast, final

from pymilter._class.base import Base
from pymilter._class.decorators import GATHERED_MARK, HDR_LEADSPC, MACROS_MARK
from pymilter._class.gather import DEFAULT_IN_MEMORY, DEFAULT_LIMIT, MIB, TOO_LARGE
from pymilter._constants import ACCEPT, CONTINUE, Stage, Status
from pymilter.message._address import Recipient, received
from pymilter.message._connection import Connection
from pymilter.message._envelope import Envelope, make_recipients
from pymilter.message._grant import OVER, make_grant
from pymilter.message._message import Message
from pymilter.message._source import Source
from pymilter.message._writer import send
from pymilter.replies import Outcome, Reject, TempFail

HEADER_LIMIT: Final = MIB
MOST_BYTES: Final = 2**63 - 1
"""What a size may be, since the C++ half counts with 64 bits."""
HEADER_TOO_LARGE: Final = Reject(552, "5.3.4", "Message header too large for the mail filter")

ONLY_HERE: Final = 2
"""What sys.getrefcount() returns for an object that only one variable refers to; later CPythons return less."""

NOT_YET: Final = "the envelope can be changed in message() only, once the whole message is there"

NEVER_CALLED: Final = (
    "would never be called: a MessageFilter gets the whole message in message(), the sender in mail() and each "
    "recipient in recipient()"
)

FINAL: Final = ("envfrom", "envrcpt", "header", "eoh", "body", "eom", "envfrom_bytes", "envrcpt_bytes", "header_bytes")
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


class Reserved:
    """A method of `Base` that a MessageFilter has for itself: no function can be set in its place on an object.

    A `__setattr__` would see that as well, but would make each attribute that is set cost a call.
    """

    def __init__(self, name: str, function: Callable[..., Any]) -> None:
        self._name = name
        self._function = function

    def __get__(self, one: object | None, klass: type[object]) -> Any:
        """Return what a plain method would be."""
        if one is None:
            return self._function
        return vars(one)[self._name] if self._name in vars(one) else MethodType(self._function, one)

    def __set__(self, one: object, value: Any) -> None:
        """Set the attribute, which may hide the method.

        Raises:
            TypeError: It could be called instead of the method.
        """
        if callable(value):
            raise TypeError(f"self.{self._name} was set to {type(value).__name__}, which {NEVER_CALLED}")
        vars(one)[self._name] = value

    def __delete__(self, one: object) -> None:
        """Delete what was set.

        Raises:
            AttributeError: Nothing was set.
        """
        if self._name not in vars(one):
            raise AttributeError(self._name)
        del vars(one)[self._name]


class Keywords(TypedDict, total=False):
    """The class keywords of a MessageFilter; sizes in bytes."""

    limit: int
    exceeded: Reject | TempFail
    header_limit: int
    header_exceeded: Reject | TempFail
    in_memory: int
    headers: bool
    body: bool
    macros: Iterable[str]


class Gathering(NamedTuple):
    """The class keywords of one class, or their defaults."""

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

    The class keywords are those of `Keywords`:

    ```python
    class Gate(pymilter.MessageFilter, limit=50_000_000, body=False): ...
    ```

    `limit` bounds the body (256 MiB) and `header_limit` the header (1 MiB), both in bytes. Larger ones are never
    accepted unseen: they are answered with `exceeded` (452 4.3.4) and `header_exceeded` (552 5.3.4). A body of more
    than `in_memory` bytes (8 MiB) waits in a file. With `headers=False` or `body=False` the MTA does not send that
    part. `macros` are asked for at the end of the message, besides those that `Connection` and `Message` read.

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

    def __init_subclass__(cls, **keywords: Unpack[Keywords]) -> None:
        super().__init_subclass__()
        cls._gathering = _checked(cls._gathering, keywords, cls.__qualname__)
        for mark, value in _marks_of(cls._gathering).items():
            setattr(cls, mark, value)
        for name in FINAL:
            if name in vars(cls):
                raise TypeError(f"{cls.__qualname__}.{name} {NEVER_CALLED}")
        for name, event, handler in (
            ("mail", "envfrom", MessageFilter._envfrom),
            ("recipient", "envrcpt", MessageFilter._envrcpt),
        ):
            if getattr(cls, name) is not getattr(MessageFilter, name):
                setattr(cls, event, Reserved(event, handler))

    # ------------------------------------------------------------------------------------ to override

    def mail(self, envelope: Envelope) -> Outcome:
        """The sender of a message (xxfi_envfrom), before any recipient; `envelope` cannot be changed yet."""
        return CONTINUE

    def recipient(self, recipient: Recipient, envelope: Envelope) -> Outcome:
        """A recipient (xxfi_envrcpt): REJECT and TEMPFAIL refuse this one alone, ACCEPT takes the whole message unseen.

        `recipient` has its address and parameters; `envelope` has the sender and the recipients so far, this one too.
        Neither can be changed yet.
        """
        return CONTINUE

    def message(self, message: Message) -> Outcome:
        """Handle a whole message (xxfi_eom).

        Its changes are sent if this returns CONTINUE, ACCEPT or None. If it raises, the exception is logged, the
        exception policy answers, and nothing is changed.

        Args:
            message: the message, which can be read and changed.
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
        @final
        def eom(self, *came: Any) -> Outcome: ...

    # ------------------------------------------------------------------------------------ called by dispatch

    def _envfrom(self, mailfrom: str, /, *params: str) -> Outcome:
        return call(self, "mail", _envelope_so_far(self._ctx._received(), 0))

    def _envrcpt(self, to: str, /, *params: str) -> Outcome:
        so_far = self._ctx._received()
        is_accepted, _ = so_far.last_recipient()
        recipient = received(Recipient, to, params, is_accepted=is_accepted)
        return call(self, "recipient", recipient, _envelope_so_far(so_far, so_far.recipient_count()))

    def _whole(self, *came: Any) -> Outcome:
        """The end of the message: `message` is called with all of it.

        Args:
            came: what was gathered: a `Source` and the number of recipients, the header and the number of fields, and
                the body.

        Raises:
            TypeError: An attribute that cannot be called hides `message`.
        """
        source, recipient_count, header, field_count, body = came
        gathering = self._gathering
        if not gathering.body:
            body = None
        message = Message.__new__(Message)
        message._begin(source, recipient_count, header, field_count, body)
        message._grant = grant = make_grant(self._actions)
        message._filter = self
        message._context = self._ctx
        message._has_headers = gathering.headers
        message._leading_space = bool(self._protocol & HDR_LEADSPC)
        try:
            outcome = self.message(message)
            if (grant.is_used or message._mail is not None) and passes(outcome):
                send(message.edits, self._ctx)
        except TypeError:
            raise_if_hidden(self, "message")
            raise
        finally:
            if getrefcount(message) > ONLY_HERE:
                message._keep(name for _, names in getattr(self, MACROS_MARK, ()) for name in names.split())
            grant.reason = OVER
        return outcome


for _name in FINAL:
    _function = MessageFilter._whole if _name == "eom" else getattr(MessageFilter, _name)
    setattr(MessageFilter, _name, Reserved(_name, _function))


def _envelope_so_far(source: Source, recipient_count: int) -> Envelope:
    grant = make_grant(0, NOT_YET)
    return Envelope(source, grant, make_recipients(source, recipient_count, grant))


def call(handlers: Base, name: str, *arguments: object) -> Outcome:
    """Call a handler as the callbacks of libmilter do.

    Raises:
        TypeError: Something that cannot be called hides the method; the text names it.
    """
    try:
        return cast("Outcome", getattr(handlers, name)(*arguments))
    except TypeError:
        raise_if_hidden(handlers, name)
        raise


def raise_if_hidden(handlers: Base, name: str) -> None:
    """Check that a handler can be called.

    Raises:
        TypeError: An attribute that cannot be called hides the method.
    """
    if not callable(hiding := getattr(handlers, name)):
        raise TypeError(f"self.{name} was set to {type(hiding).__name__}: it hides the method") from None


def passes(outcome: Outcome) -> bool:
    """Return whether a message with this outcome is changed, and goes on."""
    return outcome is None or is_status(outcome, CONTINUE) or is_status(outcome, ACCEPT)


def is_status(outcome: Outcome, status: Status) -> bool:
    """True for this status; False for what is only equal to it, such as False, which is no status."""
    return type(outcome) in (int, Status) and outcome == status


def _checked(inherited: Gathering, keywords: Keywords, name: str) -> Gathering:
    """Return what is inherited, changed by the keywords of a class.

    Raises:
        TypeError: There is no such keyword, or its value is of another type.
        ValueError: A size is out of range.
    """
    if unknown := ", ".join(keywords.keys() - Gathering._fields):
        raise TypeError(f"{name}: there is no class keyword {unknown}; allowed are {', '.join(Gathering._fields)}")
    if isinstance(keywords.get("macros"), str):
        raise TypeError(f"{name}: macros is a str: give a list of names, such as ['{{auth_authen}}']")
    given: dict[str, Any] = {**keywords, "macros": tuple(keywords.get("macros", inherited.macros))}
    gathering = inherited._replace(**given)
    for size, least in (("limit", 1), ("header_limit", 1), ("in_memory", 0)):
        value = getattr(gathering, size)
        if not isinstance(value, int) or isinstance(value, bool):
            raise TypeError(f"{name}: {size} is {value!r}: it must be an int, a number of bytes")
        if not least <= value <= MOST_BYTES:
            raise ValueError(f"{name}: {size} is {value}: allowed are {least} to {MOST_BYTES} bytes")
    for part in ("headers", "body"):
        if not isinstance(value := getattr(gathering, part), bool):
            raise TypeError(f"{name}: {part} is {value!r}: allowed are True and False")
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
        MACROS_MARK: tuple((stage, " ".join(names)) for stage, names in macros.items()),
    }
