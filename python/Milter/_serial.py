"""Gives each caller of uniqueID a new number, for log lines."""

import Milter


def uniqueID() -> int:  # noqa: N802 - the classic name
    """Return the next number, counted from 1 in this process. Any thread may call it."""
    with Milter._seq_lock:
        Milter._seq += 1
        return Milter._seq
