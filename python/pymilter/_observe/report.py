"""Logs what happens to a connection, with what an operator needs to find the message."""

import logging

from pymilter._observe.logging import add_attributes, whereabouts
from pymilter._observe.traceback import plain, shortened, text_of
from pymilter._observe.writer import Writer
from pymilter._process.process import PROCESS

logger = logging.getLogger("pymilter")

PROCESS.only(Writer)  # is made now, so that at exit it has written all before `logging` closes the handlers


def report(level: int, step: str, what: BaseException | str) -> None:
    """Log, within a callback, an exception that the handler for `step` raised, with its traceback; or a text.

    The MTA waits for the callback, so what can be slow is done by another thread: to ask the exception for its text,
    and to write to the log.
    """
    if not isinstance(what, str):
        for hook in PROCESS.failure_hooks:
            hook(what)
    if not logger.isEnabledFor(level):
        return
    if isinstance(what, str):
        record = _record(level, "%s: %s (%s)", step, plain(what), whereabouts())
        PROCESS.only(Writer).write(lambda: logger.handle(record))
        return
    error: BaseException = what
    record = _record(level, "%s() failed (%s)", step, whereabouts())
    record.exc_info = (type(error), error, shortened(error.__traceback__))

    def write() -> None:
        # What a Formatter would write of exc_info is not bounded, and may have lines and bytes of the peer's in it.
        record.exc_text = _described(error)
        logger.handle(record)

    PROCESS.only(Writer).write(write)


def _record(level: int, text: str, *values: str) -> logging.LogRecord:
    record = logger.makeRecord(logger.name, level, __file__, 0, text, values, None, "report")
    add_attributes(record)  # here, because they are those of the thread in the callback
    return record


def _described(error: BaseException) -> str:
    try:
        return text_of(error)
    except Exception as reason:
        return f"{plain(type(error).__qualname__)}: (its traceback cannot be shown: {type(reason).__name__})"
