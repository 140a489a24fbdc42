"""LogFilter: adds to each record of Python's logging which connection, message and client it is about."""

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

    Add it to a logging handler. A record that is logged within a callback, through any logger, gets the number of its
    connection (`Context.id`, an int), the queue id of its message (macro i), and the SMTP client, such as
    "mail.example.org[192.0.2.1]" (`Context.peer`). Unknown values are "-", as are all three in records that are logged
    elsewhere, so the format never fails. An attribute that a record already has, from `extra` or another LogFilter, is
    kept. `worker` is the number of one of run()'s workers with its process number, "2[4711]"; "-" in other processes.

    `name` is the argument of `logging.Filter`: if given, only records of that logger and its children pass.
    """

    def filter(self, record: logging.LogRecord) -> bool:
        """Put the attributes on `record`. Returns False if the record does not pass."""
        add_attributes(record)
        return bool(super().filter(record))


def add_attributes(record: logging.LogRecord) -> None:
    """Put the attributes that `LogFilter` describes on `record`, unless it has them."""
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


def whereabouts() -> str:
    """Describe, as part of a sentence, the connection whose callback runs in the calling thread."""
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
