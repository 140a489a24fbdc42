"""Base: one object per connection from the MTA, a method per event of SMTP."""

from collections.abc import Callable, Iterable
from typing import TYPE_CHECKING, Any, Generic, Self, TypeVar, overload

from pymilter._class.arity import most_arguments
from pymilter._class.handlers import Handlers
from pymilter._class.negotiate import MACRO_STAGE, text_mode, wishes_of
from pymilter._constants import CONTINUE, Action, Protocol, Stage, Status
from pymilter._core import Context, message_context
from pymilter.errors import MilterError
from pymilter.replies import Outcome

if TYPE_CHECKING:
    from typing import type_check_only

T = TypeVar("T")
F = TypeVar("F", bound=Callable[..., object])

ALL_ACTIONS = sum(Action)
ALL_OPTIONS = sum(Protocol)

Hostaddr = tuple[str, int] | tuple[str, int, int, int] | str | None
"""A peer: (ip, port) for AF_INET, (ip, port, flowinfo, scope_id) for AF_INET6, a path for AF_UNIX, None if unknown."""

Parameters = str | Iterable[str] | None
"""ESMTP parameters: one string, or any iterable of them."""


class Hidable(Generic[T]):
    """An attribute that is read through a function, and that an object's own attribute of the same name hides.

    A property would refuse it: programs set names such as `queue_id` on their objects.
    """

    def __init__(self, read: Callable[[Any], T]) -> None:
        self._read = read
        self.__doc__ = read.__doc__

    @overload
    def __get__(self, instance: None, owner: type[Any]) -> Self: ...
    @overload
    def __get__(self, instance: object, owner: type[Any] | None = None) -> T: ...
    def __get__(self, instance: object | None, owner: type[Any] | None = None) -> Self | T:
        return self if instance is None else self._read(instance)

    if TYPE_CHECKING:
        # Without it, type checkers refuse to set the attribute. At run time it must not exist: with a __set__, an
        # object's own attribute would not hide this one.
        @type_check_only
        def __set__(self, instance: object, value: T) -> None: ...


class _AddressOnly:
    """Shows inspect.signature() what every override must take: the ESMTP parameters are for those that want them."""

    def __init__(self, address: str) -> None:
        self._address = address

    @property
    def __signature__(self) -> object:
        from inspect import Parameter, Signature  # large, and only documentation and stubtest ask

        kinds = {"self": Parameter.POSITIONAL_ONLY, self._address: Parameter.POSITIONAL_ONLY}
        return Signature([Parameter(name, kind) for name, kind in kinds.items()])


def _shown_with_address_only(address: str) -> Callable[[F], F]:
    def mark(method: F) -> F:
        vars(method)["__wrapped__"] = _AddressOnly(address)
        return method

    return mark


class Base:
    """Derive from it and override the methods you want; the MTA is told not to send the others.

    A method answers with a status (CONTINUE, ACCEPT, REJECT, TEMPFAIL, DISCARD; SKIP in `body`), with a reply
    (`Reject`, `TempFail`) or with None, which is CONTINUE. A method annotated ``-> None`` (or decorated with @noreply)
    gives no verdict, so the MTA need not wait for it. What it raises is logged and answered by the exception policy.

    `__init__` need not call this class's. One object serves one connection: several messages one after another, on
    several threads, never two at once.
    """

    _actions: int = ALL_ACTIONS
    _protocol: int = 0
    _wanted_actions: int = ALL_ACTIONS
    _had_connection: bool = False

    @Hidable
    def _ctx(self) -> Context:
        raise MilterError(
            f"this {type(self).__name__} has no connection: libmilter gives it one after __init__. To test it without "
            "an MTA, use pymilter.testing, or Milter.testctx, which needs no process"
        )

    def _setctx(self, ctx: Context | None) -> None:
        self._actions, self._protocol = ALL_ACTIONS, 0
        if ctx is None:  # only in tests of classic programs
            vars(self).pop("_ctx", None)
        else:
            self._ctx = ctx  # hides the one above
            self._had_connection = True
            if not isinstance(ctx, Context):  # the C++ half notes the object itself
                ctx.setpriv(self)

    # ------------------------------------------------------------------------------------ the connection

    @Hidable
    def context(self) -> Context:
        """The handle on the connection; within a message, on this message.

        Once that has ended, edits and other requests through it raise MilterError. So give it to threads that work
        for a handler: what they do too late does not change another message. The methods of this object serve the
        handler, and the threads which that starts itself (`threading.Thread`, `Timer`). In any other thread, such as
        one of a pool, they raise MilterError, because nothing shows which message it works for; in a program that
        `Milter.runmilter` runs they change whichever message is at its end, as with pymilter 1.0.

        `context`, `queue_id` and `peer` raise MilterError for an object that has no connection. An attribute of the
        same name that a program sets hides them.
        """
        return message_context(self._ctx) if isinstance(self._ctx, Context) else self._ctx

    @Hidable
    def queue_id(self) -> str | None:
        """The message's queue id (macro i); None where there is none. See `Context.queue_id`."""
        return self._ctx.queue_id

    @Hidable
    def peer(self) -> str | None:
        """The SMTP client, such as "mail.example.org[192.0.2.1]"; None if unknown. See `Context.peer`."""
        return self._ctx.peer

    # ------------------------------------------------------------------------------------ events

    def begin_message(self) -> None:
        """A message begins: called before its first event that this class has a method for, whichever that is.

        The one place to reset what belongs to a message. It gives no verdict; what it raises is answered by the
        exception policy, as for the event.
        """

    def connect(self, hostname: str, family: int, hostaddr: Hostaddr, /) -> Outcome:
        """A client connected (xxfi_connect). `hostname` is "[ip]" where it has no verified name.

        `family` is one of socket's AF_* numbers; 0 with a `hostaddr` of None if the MTA did not send it. REJECT and
        ACCEPT end the filtering of the whole connection.
        """
        return CONTINUE

    def hello(self, hostname: str, /) -> Outcome:
        """HELO or EHLO (xxfi_helo); may come more than once, or not at all."""
        return CONTINUE

    if TYPE_CHECKING:
        # The ESMTP parameters are optional: a method that takes none of them gets none. Were they declared here, type
        # checkers would refuse such an override.

        def envfrom(self, mailfrom: str, /) -> Outcome:
            """MAIL FROM (xxfi_envfrom): `mailfrom` is the address as it came, mostly with angle brackets.

            A method with ``*params: str`` gets the ESMTP parameters too.
            """

        def envrcpt(self, to: str, /) -> Outcome:
            """RCPT TO (xxfi_envrcpt): `to` is the address as it came, mostly with angle brackets.

            REJECT and TEMPFAIL refuse this recipient; ACCEPT takes the whole message. A method with ``*params: str``
            gets the ESMTP parameters too.
            """

    else:

        @_shown_with_address_only("mailfrom")
        def envfrom(self, mailfrom, /, *params):
            """MAIL FROM (xxfi_envfrom): `mailfrom` is the address as it came, mostly with angle brackets.

            A method with `*params` gets the ESMTP parameters too, such as "SIZE=1000".
            """
            return CONTINUE

        @_shown_with_address_only("to")
        def envrcpt(self, to, /, *params):
            """RCPT TO (xxfi_envrcpt): `to` is the address as it came, mostly with angle brackets.

            REJECT and TEMPFAIL refuse this recipient; ACCEPT takes the whole message. A method with `*params` gets the
            ESMTP parameters too, such as "NOTIFY=NEVER".
            """
            return CONTINUE

    def data(self) -> Outcome:
        """DATA (xxfi_data)."""
        return CONTINUE

    def header(self, name: str, value: str, /) -> Outcome:
        """One header (xxfi_header): its `name` as it came, and its `value`. A fold in it is LF and a space or tab."""
        return CONTINUE

    def eoh(self) -> Outcome:
        """The end of the headers (xxfi_eoh)."""
        return CONTINUE

    def body(self, chunk: bytes, /) -> Outcome:
        """A piece of the body (xxfi_body): mostly at most 65535 bytes, cut anywhere. SKIP wants no more of them."""
        return CONTINUE

    def unknown(self, command: str, /) -> Outcome:
        """A command that the MTA does not know (xxfi_unknown). The MTA refuses it, whatever the answer is."""
        return CONTINUE

    def eom(self) -> Outcome:
        """The end of the message (xxfi_eom): the one place where it can be changed."""
        return CONTINUE

    def abort(self) -> Outcome:
        """The message was given up (xxfi_abort); eom does not follow. The connection lives on.

        Not called for a message that was refused before any handler was: when the filter stops, or has failed before.
        """
        return CONTINUE

    def close(self) -> Outcome:
        """The connection ends (xxfi_close); the last event of this object."""
        return CONTINUE

    # ------------------------------------------------------------------------------------ classic hooks

    def log(self, *msg: object) -> None:
        """What classic programs override to write their log; this one writes nothing."""

    def envfrom_bytes(self, *b: bytes) -> Outcome:
        """MAIL FROM as bytes; decodes them and calls `envfrom`."""
        return self.envfrom(*self._decoded("envfrom", b)[: most_arguments(self.envfrom)])

    def envrcpt_bytes(self, *b: bytes) -> Outcome:
        """RCPT TO as bytes; decodes them and calls `envrcpt`."""
        return self.envrcpt(*self._decoded("envrcpt", b)[: most_arguments(self.envrcpt)])

    def header_bytes(self, fld: str, val: bytes) -> Outcome:
        """A header, `fld`, with its value `val` as bytes; decodes it and calls `header`."""
        return self.header(fld, *self._decoded("header", (val,)))

    def _decoded(self, method: str, values: Iterable[bytes]) -> list[Any]:
        mode = text_mode(getattr(self, method))
        return [value if mode == "bytes" else value.decode("utf-8", mode) for value in values]

    # ------------------------------------------------------------------------------------ negotiation

    @classmethod
    def protocol_mask(cls) -> int:
        """The options of the protocol (SMFIP_*) that are not wanted of the MTA, from what this very class overrides.

        A mask to take away: what is agreed is ``offered & ~protocol_mask()``.
        """
        return ALL_OPTIONS & ~wishes_of(cls, Base).protocol

    def negotiate(self, opts: list[int]) -> Status | None:
        """Agree with the MTA (xxfi_negotiate). `opts` holds what it offers, and on return what is wanted of it.

        opts[0] are the actions (SMFIF_*), opts[1] the options of the protocol (SMFIP_*). Overriding is seldom needed.
        """
        handlers = Handlers.of(self)
        opts[0] &= self._wanted_actions
        opts[1] &= options_of(handlers)
        opts[2] = opts[3] = 0
        self._actions, self._protocol = opts[0], opts[1]
        if opts[0] & Action.SETSYMLIST:
            for stage, names in wishes_of(handlers, Base).macros:
                self._ctx.setsymlist(stage, names)
        return CONTINUE

    def setsymlist(self, stage: Stage | int | str, *macros: str) -> None:
        """Ask for the macros of a stage; in `negotiate` only, once a stage (smfi_setsymlist).

        Args:
            stage: A `Stage`, or the name of a method such as "envrcpt".
            macros: The names of the macros.

        Raises:
            ValueError: There is no such stage.
            MilterError: This is not `negotiate`, or the stage has its macros already.
        """
        if isinstance(stage, str):
            if stage not in MACRO_STAGE:
                raise ValueError(f"stage is {stage!r}: allowed are {', '.join(MACRO_STAGE)}")
            stage = MACRO_STAGE[stage]
        self._ctx.setsymlist(stage, *macros)

    # ------------------------------------------------------------------------------------ requests

    def getsymval(self, sym: str) -> str | None:
        """The value of a macro of the MTA, or None (smfi_getsymval). Braces around a long name may be left out."""
        return self._ctx.getsymval(sym)

    def setreply(self, rcode: str, xcode: str | None = None, msg: str | None = None, *ml: str) -> None:
        """Set the text for a REJECT or TEMPFAIL returned later (smfi_setreply); of new code, return a `Reject` instead.

        libmilter drops the text in silence if the class of `rcode` does not fit the status.

        Args:
            rcode: The reply code (RFC 5321), such as "550".
            xcode: The enhanced status code (RFC 3463), such as "5.7.1".
            msg: The first line of text.
            ml: Further lines (smfi_setmlreply).

        Raises:
            ValueError: One of the codes or lines is wrong; `Reject` describes what is allowed.
            MilterError: There is no message or connection to answer any more.
        """
        self._ctx.setreply(rcode, xcode, msg, *ml)

    # ------------------------------------------------------------------------------------ edits, in eom only

    def addheader(self, field: str, value: str | bytes, idx: int = -1) -> None:
        """Append the header `field` with `value`, or insert it at `idx`, from 0 (smfi_addheader, smfi_insheader).

        All edits raise MilterError outside `eom`, DisabledAction where the MTA does not grant the action (here
        ADDHDRS), and ValueError for what must not reach the MTA: here NUL, a lone CR, a line break that no space or tab
        follows, or a fold with only blanks after it. Folds may be written with CRLF; line ends at the end are dropped.
        """
        self._ctx.addheader(field, value, idx)

    def chgheader(self, field: str, idx: int, value: str | bytes | None) -> None:
        """Change the `idx`-th header `field`, counted from 1; a `value` of None or "" deletes it (smfi_chgheader).

        Beyond the last one it adds. Needs CHGHDRS; errors as in `addheader`.
        """
        self._ctx.chgheader(field, idx, value)

    def addrcpt(self, rcpt: str, params: Parameters = None) -> None:
        """Add the recipient `rcpt` (smfi_addrcpt, smfi_addrcpt_par). Needs ADDRCPT, with `params` ADDRCPT_PAR."""
        self._ctx.addrcpt(rcpt, params)

    def delrcpt(self, rcpt: str) -> None:
        """Remove a recipient, written as `envrcpt` got it (smfi_delrcpt). Needs DELRCPT.

        One with a source route is removed without it too, because Postfix knows it only without.
        """
        self._ctx.delrcpt(rcpt)

    def chgfrom(self, sender: str, params: Parameters = None) -> None:
        """Change the envelope sender to `sender`; "<>" is the null sender (smfi_chgfrom). Needs CHGFROM.

        `params` are its ESMTP parameters.
        """
        self._ctx.chgfrom(sender, params)

    def replacebody(self, body: bytes | bytearray | memoryview) -> None:
        """Replace the body; further calls append (smfi_replacebody). Lines end in CRLF. Needs CHGBODY.

        A body is bytes; a str, which classic programs give, is taken at run time and goes out as UTF-8.
        """
        self._ctx.replacebody(body)

    def quarantine(self, reason: str) -> None:
        """Hold the message in the MTA's queue; then return ACCEPT or CONTINUE (smfi_quarantine). Needs QUARANTINE."""
        self._ctx.quarantine(reason)

    def progress(self) -> None:
        """Tell the MTA that `eom` takes longer, which restarts its timers (smfi_progress)."""
        self._ctx.progress()


def options_of(handlers: Handlers) -> int:
    """The options of the protocol (SMFIP_*) wanted for these handlers: their class's, and those of the object's own."""
    klass: type[Base] = handlers.klass
    wanted = ALL_OPTIONS & ~klass.protocol_mask()
    if own_bits := handlers.own_bits():
        wanted = wanted & ~own_bits | wishes_of(handlers, Base).protocol & own_bits
    return wanted
