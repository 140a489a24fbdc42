"""uniqueID: numbers for log lines."""

import Milter


def uniqueID() -> int:  # noqa: N802 - the classic name
    """A number that this process has not given before, counted from 1; for any thread."""
    with Milter._seq_lock:
        Milter._seq += 1
        return Milter._seq
