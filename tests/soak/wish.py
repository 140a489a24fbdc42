"""What a message of the soak asks the filter for, so that the right answer is known; known to both sides."""

from __future__ import annotations

import hashlib
import random
from dataclasses import dataclass

STEPS = ("envfrom", "envrcpt", "data", "header", "eoh", "body", "eom")
VERDICTS = ("reject", "tempfail", "accept", "discard", "raise")
EDITS = ("insert", "change", "delete", "chgfrom", "addrcpt", "delrcpt", "replace", "quarantine")
PARAMETER = "WISH="


@dataclass(frozen=True)
class Wish:
    """At `step` the message gets `verdict`; what passes until its end gets `edits`. `key` is in each answer."""

    key: str
    step: str
    verdict: str
    edits: tuple[str, ...] = ()

    @classmethod
    def at_random(cls, source: random.Random, key: str, answered: frozenset[str]) -> Wish:
        """Most pass. Where a step is not answered it can only fail."""
        if source.random() < 0.6:
            edits = tuple(edit for edit in EDITS if source.random() < 0.3)
            return cls(key, "eom", "accept", edits)
        step = source.choice(STEPS)
        return cls(key, step, source.choice(VERDICTS) if step in answered else "raise")

    @classmethod
    def parse(cls, parameter: str) -> Wish:
        """From the parameter of MAIL that `str` gave."""
        key, step, verdict, edits = parameter.removeprefix(PARAMETER).split(":")
        return cls(key, step, verdict, tuple(filter(None, edits.split("+"))))

    def __str__(self) -> str:
        return f"{PARAMETER}{self.key}:{self.step}:{self.verdict}:{'+'.join(self.edits)}"

    @property
    def body(self) -> bytes:
        """The one that replaces the message's own: now and then longer than a packet."""
        line = f"{self.key}\r\n".encode()
        return line * (20_000 if self.key.endswith("7") else 3)


class Digest:
    """Of all that a message's steps brought, so that one that is lost, changed or another's is seen."""

    def __init__(self, helo: str) -> None:
        self._hash = hashlib.sha256()
        self.add(helo)

    def add(self, *texts: str) -> None:
        """Texts of one step."""
        for text in texts:
            self._hash.update(text.encode("utf-8", "surrogateescape") + b"\0")

    def add_body(self, data: bytes) -> None:
        """A piece of the body: where it was cut does not count."""
        self._hash.update(data)

    def __str__(self) -> str:
        return self._hash.hexdigest()
