"""Serves metrics for Prometheus.

pip install prometheus_client
python metrics.py unix:/run/gate/gate.sock 127.0.0.1:9464
"""

import sys

import pymilter
from pymilter import CONTINUE, Envelope, Message, MessageFilter, Outcome, Recipient, Reject


class Gate(MessageFilter):
    def recipient(self, recipient: Recipient, envelope: Envelope) -> Outcome:
        return Reject(550, "5.1.1", "nobody here") if recipient.local == "nobody" else CONTINUE

    def message(self, message: Message) -> Outcome:
        message.headers.append("X-Gate", "open")
        return CONTINUE


if __name__ == "__main__":
    pymilter.run(Gate, sys.argv[1], workers=2, metrics=sys.argv[2])
