"""Which options of the protocol and which macros belong to which method, and names for the bits of a mask."""

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
"""The bits "gives no answer" and "is not sent" of each method that the MTA may leave out."""

MACRO_CALLBACKS: Final = {name: Stage(stage) for name, stage in MACRO_STAGE.items()}
"""The stage at which the macros of a method are sent."""

R: Final = re.compile("%+")
"""A run of percent signs, which libmilter wants doubled in a reply. `setreply` does it by itself."""


def decode_mask(bits: int, names: Iterable[str]) -> list[str]:
    """Those of the constants `names` of `milter` whose bits are in `bits`; what remains follows in hexadecimal.

    Raises AttributeError for a name that `milter` does not have.
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
