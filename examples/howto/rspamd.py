"""Asks rspamd about each message over HTTP, and does what it advises.

python rspamd.py unix:/run/gate/gate.sock [PORT OF ITS WORKER]
"""

import http.client
import json
import sys
from typing import Any

import pymilter
from pymilter import CONTINUE, Message, Outcome, Reject, TempFail

PORT = int(sys.argv[2]) if len(sys.argv) > 2 else 11333


@pymilter.message_filter
def rspamd(message: Message) -> Outcome:
    advice = ask(message)
    action, score = advice["action"], advice["score"]
    if action == "reject":
        return Reject(550, "5.7.1", "This is spam")
    if action in ("soft reject", "greylist"):
        return TempFail(451, "4.7.1", "Try again later")
    del message.headers["X-Spam"]  # what the sender says about it
    message.headers.replace("X-Rspamd-Score", f"{score:.2f} / {advice['required_score']:.2f}")
    if action in ("add header", "rewrite subject"):
        message.headers.append("X-Spam", "Yes")
    if action == "rewrite subject":
        message.headers.replace("Subject", "").text = advice["subject"]
    return CONTINUE


def ask(message: Message) -> dict[str, Any]:
    """Return rspamd's advice. Raises OSError or HTTPException if there is none."""
    connection = message.connection
    known = {
        "IP": connection.peer.ip,
        "Hostname": connection.peer.name,
        "Helo": connection.helo,
        "User": connection.login,
        "From": message.sender.address,
        "Queue-Id": message.queue_id,
    }
    link = http.client.HTTPConnection("127.0.0.1", PORT, timeout=30)
    try:
        link.putrequest("POST", "/checkv2")
        for name, value in known.items():
            if value:
                link.putheader(name, value.encode())
        for recipient in message.recipients:
            link.putheader("Rcpt", recipient.address.encode())
        data = message.as_bytes()
        link.putheader("Content-Length", str(len(data)))
        link.endheaders(data)
        answer = link.getresponse()
        if answer.status != 200:
            raise OSError(f"rspamd answered {answer.status} {answer.reason}")
        advice: dict[str, Any] = json.load(answer)
        return advice
    finally:
        link.close()


if __name__ == "__main__":
    pymilter.run(rspamd, sys.argv[1])
