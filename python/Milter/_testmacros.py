"""Which macros a handler sees in a test: as with an MTA, those that its stage and earlier ones send."""

from collections.abc import Sequence
from typing import Final

from pymilter import Stage
from pymilter.testing import DEFAULT_MACRO_LISTS

# The steps in their order, each with the stage whose macros have come last.
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
_ORDER: Final = list(dict.fromkeys(_STAGES.values()))
_DEFAULTS: Final = {int(stage): macros for stage, macros in DEFAULT_MACRO_LISTS.items()}


def is_sent(name: str, step: str | None, lists: Sequence[str | None]) -> bool:
    """Whether the MTA has sent the macro `name` by `step`, where the filter has asked for `lists`, by stage.

    A stage that has no list sends whatever the test has set. Earlier stages without one send what Postfix does.
    """
    if step not in _STAGES or lists[_STAGES[step]] is None:
        return True
    stages = _ORDER[: _ORDER.index(_STAGES[step]) + 1]
    sent = [(lists[stage] or "").split() or _DEFAULTS[stage] for stage in stages]
    bare = name.strip("{}")
    spellings = {f"{{{bare}}}"} | ({bare} if len(bare) == 1 else set())
    return any(not spellings.isdisjoint(macros) for macros in sent)
