"""Decorators for how a handler is to be called; they only mark it, and the negotiation reads the marks."""

from collections.abc import Callable
from functools import partialmethod
from typing import Any, Final, Literal, TypeVar, get_args, overload

from pymilter._class.marks import mark
from pymilter._core import MACRO_STAGE, NOT_SENT, WITH_TEXT

# As a union, which is what mypy makes of one Literal with five values: stubtest compares.
TextMode = Literal["surrogateescape"] | Literal["strict"] | Literal["ignore"] | Literal["replace"] | Literal["bytes"]

F = TypeVar("F", bound=Callable[..., Any])
R = TypeVar("R")
C = TypeVar("C", bound=type)

NOREPLY_MARK: Final = "_milter_noreply"
NOCALLBACK_MARK: Final = "_milter_nocallback"
SYMLIST_MARK: Final = "_milter_symlist"
DECODE_MARK: Final = "_milter_decode"
GATHER_MARK: Final = "_milter_gather"
PROTOCOL_MARK: Final = "_milter_protocol"
GATHERED_MARK: Final = "_milter_gathered"  # steps that are gathered in C++, for a MessageFilter
WHOLE_MARK: Final = "_gathering"  # how the messages of a MessageFilter are gathered
HOOKS_MARK: Final = "_milter_hooks"  # methods of a MessageFilter that are called, with their arguments
MACROS_MARK: Final = "_milter_macros"  # macros of a whole class: pairs of a stage and names

OPTIONAL_METHODS: Final = tuple(NOT_SENT)
MACRO_METHODS: Final = tuple(MACRO_STAGE)
TEXT_METHODS: Final = WITH_TEXT
MOST_MACROS: Final = 50
RCPT_REJ: Final = 0x800
HDR_LEADSPC: Final = 0x100000


def check_name(decorator: str, func: Callable[..., Any], allowed: tuple[str, ...]) -> None:
    """Check that a function has one of the names for which a decorator is; a partialmethod has no name yet.

    Raises:
        ValueError: It has another name.
    """
    if isinstance(func, partialmethod):
        return
    name = getattr(func, "__name__", repr(func))
    if name not in allowed:
        raise ValueError(f"@{decorator} does not fit {name}: it is for {', '.join(allowed)}")


def _check_class(decorator: str, klass: object) -> None:
    if not isinstance(klass, type):
        name = getattr(klass, "__name__", repr(klass))
        raise TypeError(f"{decorator} does not fit {name}: it is for a class, derived from Base, and not for a method")


def noreply(func: F) -> F:
    """The handler never gives a verdict, so the MTA is told not to wait for it (SMFIP_NR_*).

    The same as the annotation ``-> None``, for code without annotations. Over some transports the MTA is answered all
    the same; the handler sees no difference.

    Args:
        func: the handler.

    Raises:
        ValueError: the MTA always waits for this handler.
    """
    check_name("noreply", func, OPTIONAL_METHODS)
    mark(func, NOREPLY_MARK, True)
    return func


def nocallback(func: F) -> F:
    """The handler is not to be called, and the MTA need not send its step (SMFIP_NO*).

    For a subclass that wants less than its base.

    Args:
        func: the handler.

    Raises:
        ValueError: the protocol has no such option for this handler.
    """
    check_name("nocallback", func, OPTIONAL_METHODS)
    mark(func, NOCALLBACK_MARK, True)
    return func


def symlist(*syms: str) -> Callable[[F], F]:
    """Ask the MTA for macros at the step of this handler (smfi_setsymlist).

    Args:
        syms: at most 50 names, such as "{auth_authen}".

    Raises:
        ValueError: there are more names, one has white space, or the step of this handler has no macros of its own.
    """
    if len(syms) > MOST_MACROS:
        raise ValueError(f"@symlist got {len(syms)} macros: at most {MOST_MACROS} are allowed for one step")
    for sym in syms:
        if not sym or sym.split() != [sym]:
            raise ValueError(f"@symlist got {sym!r}: a macro name has no white space, for example '{{auth_authen}}'")

    def decorate(func: F) -> F:
        check_name("symlist", func, MACRO_METHODS)
        mark(func, SYMLIST_MARK, syms)
        return func

    return decorate


@overload
def decode(strategy: Literal["bytes"]) -> Callable[[Callable[..., R]], Callable[..., R]]: ...
@overload
def decode(strategy: Literal["surrogateescape", "strict", "ignore", "replace"]) -> Callable[[F], F]: ...
def decode(strategy: TextMode) -> Callable[[F], F]:
    """Choose how the bytes of a step become `str`.

    Args:
        strategy: "strict", "ignore", "replace" or "surrogateescape", as in `bytes.decode`; the last is the default for
            handlers without this decorator. With "bytes" the handler gets the bytes as they came.

    Raises:
        ValueError: there is no such strategy, or the handler gets no text.
    """
    allowed = [name for mode in get_args(TextMode) for name in get_args(mode)]
    if strategy not in allowed:
        raise ValueError(f"@decode got {strategy!r}: allowed are {', '.join(allowed)}")

    def decorate(func: F) -> F:
        check_name("decode", func, TEXT_METHODS)
        mark(func, DECODE_MARK, strategy)
        return func

    return decorate


def enable_protocols(klass: C, mask: int) -> C:
    """Ask for more options of the protocol, in this class and in those derived from it.

    Args:
        klass: the class.
        mask: the options (SMFIP_*).

    Raises:
        TypeError: `klass` is no class.
    """
    _check_class("enable_protocols", klass)
    setattr(klass, PROTOCOL_MARK, getattr(klass, PROTOCOL_MARK, 0) | mask)
    return klass


def rejected_recipients(klass: C) -> C:
    """Call envrcpt also for recipients that the MTA itself has refused (SMFIP_RCPT_REJ).

    Macro {rcpt_mailer} is "error" for them. A `MessageFilter` sees them as recipients whose `is_accepted` is False.

    Args:
        klass: the class.

    Raises:
        TypeError: `klass` is no class.
    """
    _check_class("@rejected_recipients", klass)
    return enable_protocols(klass, RCPT_REJ)


def header_leading_space(klass: C) -> C:
    """Keep the space after the colon in header values, and give it in those that are added (SMFIP_HDR_LEADSPC).

    Args:
        klass: the class.

    Raises:
        TypeError: `klass` is no class.
    """
    _check_class("@header_leading_space", klass)
    return enable_protocols(klass, HDR_LEADSPC)
