"""Maps methods to their protocol options and macro stages, and bits of a mask to names."""

import re
from collections.abc import Iterable
from typing import Final

import milter
from pymilter import Protocol, Stage
from pymilter._class.negotiate import MACRO_STAGE, NO_REPLY, NOT_SENT

OPTIONAL_CALLBACKS: Final = {
    name: (Protocol(NO_REPLY[name]), Protocol(NOT_SENT[name]))
    for name in ("connect", "hello", "envfrom", "envrcpt", "data", "unknown", "eoh", "body", "header")
}
"""The bits "no reply" and "not sent" of each method that the MTA can skip."""

MACRO_CALLBACKS: Final = {name: Stage(stage) for name, stage in MACRO_STAGE.items()}
"""The stage at which the macros of a method are sent."""

R: Final = re.compile("%+")
"""A run of percent signs. libmilter needs them doubled in a reply, which `setreply` does by itself."""


def decode_mask(bits: int, names: Iterable[str]) -> list[str]:
    """Name the bits of a mask.

    Args:
        bits: The mask.
        names: Constants of `milter` to look for.

    Returns:
        The names whose bits are set, then the remaining bits, if any, as one hexadecimal number.

    Raises:
        AttributeError: `milter` has no constant of that name.
    """
    found = []
    rest = bits
    for name in names:
        mask = int(getattr(milter, name))
        if mask & bits:
            found.append(name)
            rest &= ~mask
    if rest:
        found.append(hex(rest))
    return found
