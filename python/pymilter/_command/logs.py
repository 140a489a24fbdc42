"""The log of `pymilter run`: lines for people or JSON, each with connection, queue id, peer and worker."""

from __future__ import annotations

import json
import logging
import sys
from datetime import UTC, datetime
from typing import Any, Final

from pymilter._observe.logging import NOBODY, LogFilter

FORMAT: Final = "%(asctime)s %(levelname)s %(name)s [%(worker)s %(connection)s %(queue_id)s %(peer)s] %(message)s"
_PLACES: Final = ("worker", "connection", "queue_id", "peer")


class JsonFormatter(logging.Formatter):
    """Makes a JSON object of a record: time, level, logger, message, and of what is known of its connection."""

    def format(self, record: logging.LogRecord) -> str:
        """Return the object as one line."""
        line: dict[str, Any] = {
            "time": datetime.fromtimestamp(record.created, UTC).isoformat(timespec="milliseconds"),
            "level": record.levelname,
            "logger": record.name,
            "message": record.getMessage(),
        }
        for name in _PLACES:
            value = getattr(record, name, NOBODY)
            if value != NOBODY:
                line[name] = value
        if record.exc_info:
            line["exception"] = self.formatException(record.exc_info)
        if record.stack_info:
            line["stack"] = record.stack_info
        return json.dumps(line, default=str)


def log_to_stderr(level: str, as_json: bool) -> None:
    """Log everything from `level` on to stderr."""
    handler = logging.StreamHandler(sys.stderr)
    handler.addFilter(LogFilter())
    handler.setFormatter(JsonFormatter() if as_json else logging.Formatter(FORMAT))
    logging.basicConfig(level=level.upper(), handlers=[handler])
