"""Decides which macros a handler sees in a test: those sent at its stage and earlier, as with an MTA."""

from collections.abc import Sequence
from typing import Final

from pymilter import Stage
from pymilter.testing import DEFAULT_MACRO_LISTS

# The steps in order, each with the latest stage whose macros have arrived.
_STAGES: Final = {
    "connect": Stage.CONNECT,
    "hello": Stage.HELO,
    "envfrom": Stage.ENVFROM,
    "envrcpt": Stage.ENVRCPT,
    "data": Stage.DATA,
    "header": Stage.DATA,
    "eoh": Stage.EOH,
    "body": Stage.EOH,
    "eom": Stage.EOM,
}
_ORDER: Final = tuple(dict.fromkeys(_STAGES.values()))
_DEFAULTS: Final = {int(stage): macros for stage, macros in DEFAULT_MACRO_LISTS.items()}


def is_sent(name: str, step: str | None, lists: Sequence[str | None]) -> bool:
    """Return whether the MTA has sent a macro by a step.

    If the stage of the step has no list, it sends whatever the test has set. Earlier stages without a list send what
    Postfix sends.

    Args:
        name: The macro, with or without braces.
        step: The current step.
        lists: The macros that the filter has asked for, by stage.
    """
    if step not in _STAGES or lists[_STAGES[step]] is None:
        return True
    stages = _ORDER[: _ORDER.index(_STAGES[step]) + 1]
    sent = [(lists[stage] or "").split() or _DEFAULTS[stage] for stage in stages]
    bare = name.strip("{}")
    spellings = {f"{{{bare}}}"} | ({bare} if len(bare) == 1 else set())
    return any(not spellings.isdisjoint(macros) for macros in sent)
