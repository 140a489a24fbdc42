"""When a worker has done its part: after so many messages, or when it has grown too large."""

import logging
import os
from collections.abc import Callable
from pathlib import Path
from typing import Final

from pymilter._observe.counts import own_messages

logger = logging.getLogger("pymilter")

_STATM: Final = Path("/proc/self/statm")
# The workers of a service began together: they must not all be replaced at the same moment.
JITTER: Final = 10  # a tenth


def spent_when(max_messages: int | None, max_rss: int | None) -> Callable[[], bool] | None:
    """Whether this process should be replaced, as a function to ask; None if it never should."""
    if max_rss is not None and (size := resident_bytes()) >= max_rss:
        logger.warning("max_rss is %d, and this worker has %d bytes before its first message: ignored", max_rss, size)
        max_rss = None
    if max_messages is None and max_rss is None:
        return None
    import random  # few workers are limited

    most = None if max_messages is None else max_messages - random.randrange(max_messages // JITTER + 1)

    def is_spent() -> bool:
        if most is not None and own_messages() >= most:
            return True
        return max_rss is not None and resident_bytes() >= max_rss

    return is_spent


def resident_bytes() -> int:
    """Memory of this process that is in RAM, as /proc counts it. Raises OSError where there is none."""
    try:
        pages = int(_STATM.read_text().split()[1])
    except OSError as error:
        raise OSError(error.errno, f"max_rss needs {_STATM}: {error.strerror}") from error
    return pages * os.sysconf("SC_PAGE_SIZE")
