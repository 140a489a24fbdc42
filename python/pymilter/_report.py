"""Logs what happens to a connection, with what an operator needs to find the message."""

import logging

from pymilter._logging import whereabouts

logger = logging.getLogger("pymilter")


def report(level: int, step: str, what: BaseException | str) -> None:
    """Log, within a callback, an exception that the handler for `step` raised, with its traceback; or a text."""
    if not logger.isEnabledFor(level):
        return
    if isinstance(what, str):
        logger.log(level, "%s: %s (%s)", step, what, whereabouts())
    else:
        logger.log(level, "%s() failed (%s)", step, whereabouts(), exc_info=what)
