"""The counters of this process in the forms that a worker needs. C++ counts, without the GIL."""

from pymilter._core import counters


def own_text() -> str:
    """Return the counters of this process as one line, which `stats_of_text()` reads in another process."""
    import json  # a process without a supervisor does not need it

    return json.dumps(counters())


def own_messages() -> int:
    """Return how many messages have reached eom in this process."""
    return int(counters()["callbacks"]["eom"])
