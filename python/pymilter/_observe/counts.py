"""The counters of this process, as a worker needs them: the C++ half keeps them without the GIL."""

from pymilter._core import counters


def own_text() -> str:
    """The counters of this process as one line, for `stats_of_text()` in another process."""
    import json  # a process without a supervisor never asks

    return json.dumps(counters())


def own_messages() -> int:
    """How many messages have reached eom in this process."""
    return int(counters()["callbacks"]["eom"])
