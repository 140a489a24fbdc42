"""Peers that do not keep to the protocol: python -m soak.hostile ADDRESS SEED, until stdin ends."""

from __future__ import annotations

import contextlib
import json
import random
import socket
import sys
import threading
from collections import Counter
from collections.abc import Callable

from pymilter.testing import Client, ClientError
from pymilter.testing._address import Address
from support.hostile import BLOWS, NEGOTIATION

PEERS = 3
LONGEST = 2.0  # seconds that a peer stays
BURST = 60


class Peers:
    """What they do, one after another."""

    def __init__(self, address: str, seed: str, over: threading.Event) -> None:
        self._address = address
        self._source = random.Random(seed)
        self._over = over
        self.counts: Counter[str] = Counter()

    def act(self) -> None:
        """Until it is over."""
        while not self._over.is_set():
            deed = self._source.choice((self._blow, self._blow, self._break_off, self._burst))
            with contextlib.suppress(OSError, ClientError):
                deed()
            self.counts[deed.__name__.strip("_")] += 1

    def _connected(self) -> socket.socket:
        return Address.parse(self._address).connect(5)

    def _blow(self) -> None:
        name, blow = self._source.choice(list(BLOWS.items()))
        with self._connected() as peer:
            peer.sendall(blow)
            self._over.wait(self._source.random() * LONGEST)
            self.counts[name] += 1

    def _break_off(self) -> None:
        """In the middle of a step, or after one."""
        with contextlib.closing(Client(self._address, timeout=5)) as client:
            steps: list[Callable[[], object]] = [
                client.connect,
                client.helo,
                lambda: client.mail("<a@example.org>", "WISH=broken:eom:accept:replace"),
                lambda: client.rcpt("<b@example.net>"),
                client.data,
                lambda: client.header("Subject", "x"),
                client.eoh,
                lambda: client.body(b"x" * 70_000),
            ]
            for step in steps[: self._source.randrange(len(steps) + 1)]:
                step()
            if self._source.random() < 0.5:
                client.send(self._source.choice((b"M", b"R", b"L", b"B", b"E", b"D", b"A")), b"no end")

    def _burst(self) -> None:
        with contextlib.ExitStack() as stack:
            for _ in range(BURST):
                stack.enter_context(self._connected()).sendall(NEGOTIATION)


def main(address: str, seed: str) -> None:
    """Until stdin ends; then print what was done."""
    over = threading.Event()
    all_peers = [Peers(address, f"{seed}{number}", over) for number in range(PEERS)]
    threads = [threading.Thread(target=peers.act) for peers in all_peers]
    for thread in threads:
        thread.start()
    sys.stdin.read()
    over.set()
    for thread in threads:
        thread.join()
    print(json.dumps(sum((peers.counts for peers in all_peers), Counter[str]())), flush=True)


if __name__ == "__main__":
    main(*sys.argv[1:])
