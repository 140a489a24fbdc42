"""A first filter: marks each message."""

import sys

import pymilter
from pymilter import CONTINUE, Message, Outcome


@pymilter.message_filter
def gate(message: Message) -> Outcome:
    message.headers.append("X-Gate", "open")
    return CONTINUE


if __name__ == "__main__":
    pymilter.run(gate, sys.argv[1])
