"""Many SMTP clients at once, for test_wire_many: wire_load.py ADDRESS FIRST COUNT MESSAGES; prints what was wrong."""

from __future__ import annotations

import contextlib
import sys
import threading

from pymilter.testing import AddHeader, Client, ReplaceBody, Verdict


def check(
    address: str, number: int, messages: int, ready: threading.Barrier, go: threading.Event, wrong: list[str]
) -> None:
    """One connection with its messages; every answer must be about this connection and this message."""
    try:
        with Client(address, timeout=60) as client:
            client.connect(f"h{number}")
            client.helo(f"h{number}")
            ready.wait(60)
            go.wait(60)
            for message in range(messages):
                key = f"{number}.{message}"
                refused = message % 5 == 4
                client.mail(f"<{key}@x>")
                client.rcpt("<bad@x>" if refused else "<good@x>")
                client.data()
                client.header("X-Key", key)
                client.eoh()
                client.body(key.encode() * 100)
                answer = client.eom()
                if refused:
                    right = answer.code == 550 and answer.text == key
                else:
                    right = answer.verdict is Verdict.ACCEPT and answer.edits == (
                        AddHeader("X-Seen", f"h{number} h{number} {key} {key} {len(key) * 100}"),
                        ReplaceBody(key.encode()),
                    )
                if not right:
                    wrong.append(f"{key}: {answer}")
    except BaseException as error:
        wrong.append(f"connection {number}: {error!r}")
        ready.abort()


def main(address: str, first: int, count: int, messages: int) -> None:
    """All connections are open at once: none begins its messages before a line comes in, after our own "ready"."""
    wrong: list[str] = []
    ready, go = threading.Barrier(count + 1), threading.Event()
    threads = [
        threading.Thread(target=check, args=(address, number, messages, ready, go, wrong))
        for number in range(first, first + count)
    ]
    for thread in threads:
        thread.start()
    with contextlib.suppress(threading.BrokenBarrierError):
        ready.wait(60)
    print("ready", flush=True)
    sys.stdin.readline()
    go.set()
    for thread in threads:
        thread.join()
    print("\n".join(wrong), end="")


if __name__ == "__main__":
    main(sys.argv[1], *map(int, sys.argv[2:]))
