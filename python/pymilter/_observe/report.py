"""Logs what happens to a connection, with what an operator needs to find the message."""

import logging
from collections.abc import Callable

from pymilter._observe.logging import whereabouts
from pymilter._observe.traceback import plain, shortened, text_of

logger = logging.getLogger("pymilter")

failed: list[Callable[[BaseException], object]] = []
"""Called, within a callback, with each exception that a handler raised."""


def report(level: int, step: str, what: BaseException | str) -> None:
    """Log, within a callback, an exception that the handler for `step` raised, with its traceback; or a text."""
    if not isinstance(what, str):
        for tell in failed:
            tell(what)
    if not logger.isEnabledFor(level):
        return
    if isinstance(what, str):
        logger.log(level, "%s: %s (%s)", step, plain(what), whereabouts())
        return
    record = logger.makeRecord(
        logger.name,
        level,
        fn=__file__,
        lno=0,
        msg="%s() failed (%s)",
        args=(step, whereabouts()),
        exc_info=(type(what), what, shortened(what.__traceback__)),
        func="report",
    )
    # What a Formatter would write of exc_info is not bounded, and may have lines and bytes of the peer's in it.
    record.exc_text = _described(what)
    logger.handle(record)


def _described(error: BaseException) -> str:
    try:
        return text_of(error)
    except Exception as reason:
        return f"{plain(type(error).__qualname__)}: (its traceback cannot be shown: {type(reason).__name__})"
