"""Logs one JSON object a line, each with the connection, the queue id and the client.

python json_log.py unix:/run/gate/gate.sock
"""

import json
import logging
import sys

import pymilter
from pymilter import CONTINUE, Message, Outcome

PLACE = ("worker", "connection", "queue_id", "peer")  # what LogFilter puts on each record
log = logging.getLogger("gate")


class JsonFormatter(logging.Formatter):
    """Makes an object of each record."""

    def format(self, record: logging.LogRecord) -> str:
        """Return it as one line: json writes the line breaks in values with a backslash."""
        line = {"time": self.formatTime(record), "level": record.levelname, "message": record.getMessage()}
        line |= {name: getattr(record, name) for name in PLACE if getattr(record, name) != "-"}
        line |= getattr(record, "fields", {})
        if record.exc_info:
            line["exception"] = self.formatException(record.exc_info)
        return json.dumps(line, default=str)


@pymilter.message_filter
def gate(message: Message) -> Outcome:
    fields = {"sender": message.sender, "recipients": [*map(str, message.recipients)], "bytes": len(message.body)}
    log.info("message", extra={"fields": fields})
    return CONTINUE


if __name__ == "__main__":
    handler = logging.StreamHandler()
    handler.addFilter(pymilter.LogFilter())
    handler.setFormatter(JsonFormatter())
    logging.basicConfig(level=logging.INFO, handlers=[handler])
    pymilter.run(gate, sys.argv[1])
