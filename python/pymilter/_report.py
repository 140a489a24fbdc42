"""Logs what goes wrong in a handler, with what an operator needs to find the message."""

import logging
from typing import Protocol

logger = logging.getLogger("pymilter")


class SymbolSource(Protocol):
    """The part of a context that is needed here."""

    @property
    def id(self) -> int: ...
    def getsymval(self, name: str) -> str | None: ...


def _queue_id(context: SymbolSource) -> str:
    try:
        return context.getsymval("i") or "no queue id"
    except Exception:  # the connection may be gone, and the failure matters more than its queue id
        return "no queue id"


def report_failure(step: str, context: SymbolSource | None, exception: BaseException) -> None:
    """Log `exception`, which the handler for `step` raised, with its traceback."""
    where = "before the connection was set up" if context is None else f"connection {context.id}, {_queue_id(context)}"
    logger.error("%s() failed (%s)", step, where, exc_info=exception)
