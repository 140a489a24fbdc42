"""Decides when a worker is spent: after a number of messages, or when it uses too much memory."""

import logging
import os
from collections.abc import Callable
from typing import Final

from pymilter._observe.counts import own_messages

logger = logging.getLogger("pymilter")

_STATM: Final = "/proc/self/statm"
# The workers of a service start together, and must not all be replaced at the same moment.
JITTER: Final = 10  # a tenth


def spent_when(max_messages: int | None, max_rss: int | None) -> Callable[[], bool] | None:
    """Return a function that reports whether this process should be replaced; None if it never should."""
    if max_rss is not None and (size := resident_bytes()) >= max_rss:
        logger.warning("max_rss is %d, and this worker has %d bytes before its first message: ignored", max_rss, size)
        max_rss = None
    if max_messages is None and max_rss is None:
        return None
    import random  # few workers are limited

    most = None if max_messages is None else max_messages - random.randrange(max_messages // JITTER + 1)

    def is_spent() -> bool:
        if most is not None and (had := own_messages()) >= most:
            logger.info("worker %d has had %d messages (max_messages)", os.getpid(), had)
            return True
        if max_rss is not None and (size := resident_bytes()) >= max_rss:
            logger.info("worker %d uses %d bytes of memory (max_rss)", os.getpid(), size)
            return True
        return False

    return is_spent


def resident_bytes() -> int:
    """Return how many bytes of this process are in RAM. Raises OSError if there is no /proc."""
    try:
        with open(_STATM) as statm:  # noqa: PTH123 - without pathlib, which is large
            pages = int(statm.read().split()[1])
    except OSError as error:
        raise OSError(error.errno, f"max_rss needs {_STATM}: {error.strerror}") from error
    return pages * os.sysconf("SC_PAGE_SIZE")
