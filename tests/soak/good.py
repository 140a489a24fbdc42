"""Clients that keep to the protocol and check every answer: python -m soak.good ADDRESS SEED CLIENTS, until stdin ends.

Prints a line of JSON now and then, and a last one.
"""

from __future__ import annotations

import json
import random
import sys
import threading
import time
from collections import Counter
from collections.abc import Callable, Iterator

from pymilter.testing import (
    AddHeader,
    AddRecipient,
    ChangeFrom,
    ChangeHeader,
    Client,
    DeleteRecipient,
    Edit,
    FilterGone,
    FilterUnreachable,
    InsertHeader,
    Protocol,
    Quarantine,
    ReplaceBody,
    Response,
    Verdict,
)
from soak.wish import STEPS, Digest, Wish

TIMEOUT = 60.0
TELL_EVERY = 0.25
FAILED = "Mail filter failed, please try again later"
MUTE = {
    "envfrom": Protocol.NR_MAIL,
    "envrcpt": Protocol.NR_RCPT,
    "data": Protocol.NR_DATA,
    "header": Protocol.NR_HDR,
    "eoh": Protocol.NR_EOH,
    "body": Protocol.NR_BODY,
}
# What the class Gathering does not have. Over TCP such a step may be sent all the same, and is not answered then.
LEFT_OUT = frozenset({"envrcpt", "data", "eoh"})
FINAL = {
    "reject": Verdict.REJECT,
    "tempfail": Verdict.TEMPFAIL,
    "raise": Verdict.TEMPFAIL,
    "discard": Verdict.DISCARD,
    "accept": Verdict.ACCEPT,
}


class WrongError(Exception):
    """The filter has answered other than it should."""


class Talker:
    """One client: connection after connection, each with some messages."""

    def __init__(self, address: str, seed: str) -> None:
        self._address = address
        self._source = random.Random(seed)
        self._name = seed
        self._number = 0
        self.counts: Counter[str] = Counter()
        self.wrong: list[str] = []
        self.cut = ""

    def talk(self, is_over: Callable[[], bool]) -> None:
        """Until it is over. A connection that breaks off is counted: its worker was killed."""
        while not is_over():
            self._wish: Wish | None = None
            try:
                self._connection()
            except FilterUnreachable:
                self.counts["not reached"] += 1  # a burst has filled the queue of the socket
            except FilterGone as error:
                self.counts["cut"] += 1
                self.cut = f"{self._wish}: {error}"
            except Exception as error:
                self.counts["wrong"] += 1
                self.wrong.append(f"{self._wish}: {type(error).__name__}: {error}")

    def _connection(self) -> None:
        with Client(self._address, timeout=TIMEOUT) as client:
            self.counts["connections"] += 1
            client.connect(f"host-{self._name}")
            refused = self._source.random() < 0.05
            helo = f"{'reject' if refused else 'client'}-{self._name}-{self.counts['connections']}"
            answer = client.helo(helo)
            if refused:
                expect(answer, Verdict.REJECT, helo)
                return
            expect(answer, Verdict.CONTINUE)
            for _ in range(self._source.choice((1, 1, 2, 5, 20))):
                self._message(client, helo)
            if self._source.random() < 0.2:
                client.close()  # without a word

    def _message(self, client: Client, helo: str) -> None:
        self._number += 1
        key = f"{self._name}-{self._number}"
        agreed = client.negotiation.protocol
        answered = frozenset(step for step in STEPS if not agreed & MUTE.get(step, Protocol.NONE))
        wish = Wish.at_random(self._source, key, answered)
        left_out = LEFT_OUT if Protocol.NORCPT in agreed else frozenset()
        if wish.step in left_out:
            wish = Wish(key, "eom", "accept", wish.edits)
        self._wish = wish
        given_up_at = self._source.choice(STEPS) if self._source.random() < 0.03 else None
        digest = Digest(helo)
        has_come = False
        for step, send in self._steps(client, wish, digest, left_out):
            if step == given_up_at:
                client.abort()
                self.counts["given up"] += 1
                return
            answer = send()
            has_come = has_come or step == wish.step
            if answer.verdict in (Verdict.NO_REPLY, Verdict.NOT_SENT):
                continue
            if has_come:
                self._check_end(wish, answer, digest)
                if step != "eom":
                    client.abort()
                self.counts[wish.verdict] += 1
                self.counts["right"] += 1
                return
            expect(answer, Verdict.CONTINUE)
        raise WrongError(f"the end of {wish} was not reached")

    def _steps(
        self, client: Client, wish: Wish, digest: Digest, left_out: frozenset[str]
    ) -> Iterator[tuple[str, Callable[[], Response]]]:
        key, source = wish.key, self._source

        def told(step: str, *texts: str) -> None:
            if step not in left_out:
                digest.add(*texts)

        sender = f"<{key}@example.org>"
        told("envfrom", sender, "BODY=8BITMIME", str(wish))
        yield "envfrom", lambda: client.mail(sender, "BODY=8BITMIME", str(wish))
        recipient = f"<{key}@example.net>"
        told("envrcpt", recipient)
        yield "envrcpt", lambda: client.rcpt(recipient)
        yield "data", client.data
        fields = [("Subject", "a test"), ("X-Odd", "caf\udce9"), ("X-Long", "x\n\t" + "y" * source.randrange(900))]
        for name, value in fields * source.choice((1, 1, 5)):
            told("header", name, value)
            yield "header", lambda name=name, value=value: client.header(name, value)  # type: ignore[misc]
        yield "eoh", client.eoh
        body = (key.encode() + b"\r\n") * source.choice((1, 100, 100, 10_000))
        digest.add_body(body)
        yield "body", lambda: client.body(body)
        yield "eom", client.eom

    def _check_end(self, wish: Wish, answer: Response, digest: Digest) -> None:
        key = wish.key
        text = {"reject": key, "tempfail": key, "raise": FAILED}.get(wish.verdict)
        expect(answer, FINAL[wish.verdict], text)
        if wish.step != "eom" or wish.verdict != "accept":
            if answer.edits:
                raise WrongError(f"{answer} has edits")
            return
        body = b"".join(edit.data for edit in answer.edits if isinstance(edit, ReplaceBody))
        others = [edit for edit in answer.edits if not isinstance(edit, ReplaceBody)]
        wanted = [AddHeader("X-Digest", str(digest)), *(edit for name in wish.edits for edit in edits_for(name, key))]
        if sorted(map(repr, others)) != sorted(map(repr, wanted)):
            raise WrongError(f"{others} instead of {wanted}")
        if body != (wish.body if "replace" in wish.edits else b""):
            raise WrongError(f"another body: {body[:100]!r}, {len(body)} bytes")


def edits_for(name: str, key: str) -> list[Edit]:
    """What the filter must ask for; a body comes apart."""
    edits: dict[str, list[Edit]] = {
        "insert": [InsertHeader(1, "X-Key", key)],
        "change": [ChangeHeader(1, "Subject", key)],
        "delete": [ChangeHeader(1, "X-Odd", "")],
        "chgfrom": [ChangeFrom(f"<{key}@changed.example>")],
        "addrcpt": [AddRecipient(f"<{key}@added.example>")],
        "delrcpt": [DeleteRecipient(f"<{key}@example.net>")],
        "quarantine": [Quarantine(key)],
    }
    return edits.get(name, [])


def expect(answer: Response, verdict: Verdict, text: str | None = None) -> None:
    """Raise unless `answer` is as it should be."""
    if answer.verdict is not verdict or answer.text != text:
        raise WrongError(f"{answer} instead of {verdict} {text}")


def main(address: str, seed: str, clients: int) -> None:
    """Until stdin ends."""
    over = threading.Event()
    talkers = [Talker(address, f"{seed}{number}") for number in range(clients)]
    threads = [threading.Thread(target=talker.talk, args=(over.is_set,)) for talker in talkers]
    for thread in threads:
        thread.start()

    def wait() -> None:
        sys.stdin.read()
        over.set()

    threading.Thread(target=wait, daemon=True).start()
    while any(thread.is_alive() for thread in threads):
        tell(talkers)
        time.sleep(TELL_EVERY)
    tell(talkers)


def tell(talkers: list[Talker]) -> None:
    """The sums so far."""
    counts = sum((talker.counts for talker in talkers), Counter[str]())
    wrong = [text for talker in talkers for text in talker.wrong]
    cut = [talker.cut for talker in talkers if talker.cut]
    print(json.dumps({"counts": counts, "wrong": wrong[:5], "cut": cut[:5]}), flush=True)


if __name__ == "__main__":
    main(sys.argv[1], sys.argv[2], int(sys.argv[3]))
