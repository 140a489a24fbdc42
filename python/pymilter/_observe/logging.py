"""LogFilter: which connection, message and client a record is about, put on each record of Python's logging."""

import logging
from typing import Final

from pymilter._core import Context, current_context
from pymilter._observe.traceback import plain
from pymilter._process.process import PROCESS

NOBODY: Final = "-"
LOGGERS: Final = ("pymilter", "pymilter.mime")


def _queue_id(context: Context) -> str:
    return plain(context.queue_id or NOBODY)


def _peer(context: Context) -> str:
    return plain(context.peer or NOBODY)


class LogFilter(logging.Filter):
    """Puts `connection`, `queue_id`, `peer` and `worker` on each record, for a format to use: %(queue_id)s.

    Add it to a logging handler. What is logged within a callback, through any logger, gets the number of its connection
    (`Context.id`, an int), the message's queue id (macro i), and the SMTP client, such as "mail.example.org[192.0.2.1]"
    (`Context.peer`). What is logged elsewhere gets "-", and so does what is not known: the format never fails. An
    attribute that a record has already, from `extra` or from another LogFilter, stays. `worker` is the number of one of
    run()'s workers, and that of its process: "2[4711]"; it is "-" in a process that is none.

    `name` is that of `logging.Filter`: with one, only records of that logger and those below it pass.
    """

    def filter(self, record: logging.LogRecord) -> bool:
        """Put the attributes on `record`. False where it does not pass."""
        context = current_context()
        found = record.__dict__
        found.setdefault("worker", PROCESS.worker_name)
        if context is None:
            found.setdefault("connection", NOBODY)
            found.setdefault("queue_id", NOBODY)
            found.setdefault("peer", NOBODY)
        elif not ("connection" in found and "queue_id" in found and "peer" in found):
            found.setdefault("connection", context.id)
            found.setdefault("queue_id", _queue_id(context))
            found.setdefault("peer", _peer(context))
        return bool(super().filter(record))


def whereabouts() -> str:
    """What is known of the connection whose callback the calling thread is in, as a part of a sentence."""
    context = current_context()
    if context is None:
        return "before the connection was set up"
    known = [f"connection {context.id}"]
    if (queue_id := _queue_id(context)) != NOBODY:
        known.append(f"queue id {queue_id}")
    if (peer := _peer(context)) != NOBODY:
        known.append(peer)
    return ", ".join(known)


for _name in LOGGERS:
    logging.getLogger(_name).addFilter(LogFilter())
