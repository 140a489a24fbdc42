"""What a class of handlers wants of the MTA, read off the methods that it overrides. Pure: no libmilter, no state."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any, Final

from pymilter import _decorators as marks
from pymilter._annotations import returns_none

# Bits of the protocol (SMFIP_*) by method: not to be sent, not to be answered.
SKIP_BITS: Final[Mapping[str, int]] = {
    "connect": 0x1,
    "hello": 0x2,
    "envfrom": 0x4,
    "envrcpt": 0x8,
    "body": 0x10,
    "header": 0x20,
    "eoh": 0x40,
    "unknown": 0x100,
    "data": 0x200,
}
MUTE_BITS: Final[Mapping[str, int]] = {
    "header": 0x80,
    "connect": 0x1000,
    "hello": 0x2000,
    "envfrom": 0x4000,
    "envrcpt": 0x8000,
    "data": 0x10000,
    "unknown": 0x20000,
    "eoh": 0x40000,
    "body": 0x80000,
}
MACRO_STAGES: Final[Mapping[str, int]] = {
    "connect": 0,
    "hello": 1,
    "envfrom": 2,
    "envrcpt": 3,
    "data": 4,
    "eom": 5,
    "eoh": 6,
}
SKIP_BODY: Final = 0x400
BYTES_HOOKS: Final = ("envfrom", "envrcpt", "header")
ALWAYS_SENT: Final = ("eom", "abort", "close")


@dataclass(frozen=True, slots=True)
class Wishes:
    """What one class wants; `steps` are the methods to call, `mute` those of them that never give a verdict."""

    steps: tuple[str, ...]
    mute: tuple[str, ...]
    protocol: int
    text: Mapping[str, str]
    macros: tuple[tuple[int, str], ...]
    negotiates: bool
    begins: bool


def gives_no_verdict(handler: Callable[..., object]) -> bool:
    """Marked with @noreply, or annotated ``-> None``."""
    if getattr(handler, marks.NOREPLY_MARK, False):
        return True
    return returns_none(handler)


def gathers_whole(body: Callable[..., object]) -> bool:
    """Marked with @gather, without `piece`."""
    mark = getattr(body, marks.GATHER_MARK, None)
    return mark is not None and mark.piece == 0


def text_mode(handler: Callable[..., object]) -> str:
    """As @decode says, else surrogateescape, which loses nothing."""
    return str(getattr(handler, marks.DECODE_MARK, "surrogateescape"))


def wishes_of(klass: Any, base: type[Any]) -> Wishes:
    """Read the wishes of `klass`, a class or its `Handlers`, off the methods in which it differs from `base`."""

    def is_own(name: str) -> bool:
        return getattr(klass, name) is not getattr(base, name)

    def is_wanted(name: str) -> bool:
        own = is_own(name) or (name in BYTES_HOOKS and is_own(f"{name}_bytes"))
        return own and not getattr(getattr(klass, name), marks.NOCALLBACK_MARK, False)

    gathered = getattr(klass, marks.GATHERED_MARK, ())
    handled = tuple(name for name in SKIP_BITS if is_wanted(name))
    wanted = tuple(name for name in SKIP_BITS if name in handled or name in gathered)
    mute = tuple(name for name in wanted if name not in handled or gives_no_verdict(getattr(klass, name)))
    protocol = SKIP_BODY | getattr(klass, marks.PROTOCOL_MARK, 0)
    for name, bit in SKIP_BITS.items():
        if name not in wanted:
            protocol |= bit
    for name in mute:
        protocol |= MUTE_BITS[name]
    if "body" in wanted and gathers_whole(klass.body):
        protocol |= MUTE_BITS["body"]  # its verdict is the answer to eom
    return Wishes(
        steps=handled + tuple(name for name in ALWAYS_SENT if is_own(name)),
        mute=mute,
        protocol=protocol,
        text={name: text_mode(getattr(klass, name)) for name in marks.TEXT_METHODS},
        macros=getattr(klass, marks.MACROS_MARK, ())
        + tuple(
            (stage, " ".join(syms))
            for name, stage in MACRO_STAGES.items()
            if (syms := getattr(getattr(klass, name), marks.SYMLIST_MARK, None)) is not None
        ),
        negotiates=is_own("negotiate"),
        begins=is_own("begin_message"),
    )
