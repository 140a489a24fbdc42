"""What a class of handlers wants of the MTA, read off the methods that it overrides. Pure: no state."""

from collections.abc import Callable, Iterable, Mapping
from typing import Any, Final, NamedTuple

from pymilter._class import decorators as marks
from pymilter._class.annotations import returns_none
from pymilter._class.marks import mark_of
from pymilter._core import MACRO_STAGE as MACRO_STAGE
from pymilter._core import NO_REPLY as NO_REPLY
from pymilter._core import NOT_SENT as NOT_SENT
from pymilter._core import Protocol

CAN_SKIP: Final = int(Protocol.SKIP)
BYTES_HOOKS: Final = ("envfrom", "envrcpt", "header")
ALWAYS_SENT: Final = ("eom", "abort", "close")


class Wishes(NamedTuple):
    """What a class wants. `steps` are the methods to call; those in `no_reply` never give a verdict."""

    steps: tuple[str, ...]
    no_reply: tuple[str, ...]
    protocol: int
    text: Mapping[str, str]
    macros: tuple[tuple[int, str], ...]
    negotiates: bool
    begins: bool


def is_no_reply(handler: Callable[..., object]) -> bool:
    """Return whether a handler is marked with @noreply or annotated ``-> None``."""
    if mark_of(handler, marks.NOREPLY_MARK):
        return True
    return returns_none(handler)


def gathers_whole(body: Callable[..., object]) -> bool:
    """Return whether `body` is marked with @gather, without `piece`."""
    mark = mark_of(body, marks.GATHER_MARK)
    return mark is not None and mark.piece == 0


def text_mode(handler: Callable[..., object]) -> str:
    """Return the mode that @decode chose, by default surrogateescape, which loses nothing."""
    return str(mark_of(handler, marks.DECODE_MARK, "surrogateescape"))


def _macros_of(klass: Any) -> tuple[tuple[int, str], ...]:
    """Return the names of the macros for each stage, which can be asked for only once."""
    of_class = getattr(klass, marks.MACROS_MARK, ())
    of_methods = (
        (stage, " ".join(syms))
        for name, stage in MACRO_STAGE.items()
        if (syms := mark_of(getattr(klass, name), marks.SYMLIST_MARK)) is not None
    )
    return joined_macros((*of_class, *of_methods))


def joined_macros(wanted: Iterable[tuple[int, str]]) -> tuple[tuple[int, str], ...]:
    """Join the names of each stage, without repeating any."""
    names: dict[int, dict[str, None]] = {}
    for stage, text in wanted:
        names.setdefault(stage, {}).update(dict.fromkeys(text.split()))
    return tuple((stage, " ".join(of_stage)) for stage, of_stage in names.items())


def wishes_of(klass: Any, base: type[Any]) -> Wishes:
    """Return the wishes of `klass`, a class or its `Handlers`: they follow from the methods that differ from `base`."""

    def is_own(name: str) -> bool:
        return getattr(klass, name) is not getattr(base, name)

    def is_wanted(name: str) -> bool:
        own = is_own(name) or (name in BYTES_HOOKS and is_own(f"{name}_bytes"))
        return own and not mark_of(getattr(klass, name), marks.NOCALLBACK_MARK)

    gathered = getattr(klass, marks.GATHERED_MARK, ())
    handled = tuple(name for name in NOT_SENT if is_wanted(name))
    wanted = tuple(name for name in NOT_SENT if name in handled or name in gathered)
    no_reply = tuple(name for name in wanted if name not in handled or is_no_reply(getattr(klass, name)))
    protocol = CAN_SKIP | getattr(klass, marks.PROTOCOL_MARK, 0)
    for name, bit in NOT_SENT.items():
        if name not in wanted:
            protocol |= bit
    for name in no_reply:
        protocol |= NO_REPLY[name]
    if "body" in wanted and gathers_whole(klass.body):
        protocol |= NO_REPLY["body"]  # its verdict is the answer to eom
    return Wishes(
        steps=handled + tuple(name for name in ALWAYS_SENT if is_own(name)),
        no_reply=no_reply,
        protocol=protocol,
        text={name: text_mode(getattr(klass, name)) for name in marks.TEXT_METHODS},
        macros=_macros_of(klass),
        negotiates=is_own("negotiate"),
        begins=is_own("begin_message"),
    )
