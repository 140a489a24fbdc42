"""Fixtures of the plugin's tests: tests as users write them, run by a pytest of their own."""

from __future__ import annotations

import textwrap
from collections.abc import Callable

import pytest

Inner = Callable[..., pytest.RunResult]

GATE = """
import logging
import threading
import pymilter
from pymilter import ACCEPT, CONTINUE, Base, Outcome, Reject

class Gate(Base):
    def __init__(self) -> None:
        self.count = 0
    def envrcpt(self, to: str) -> Outcome:
        return Reject(550, "5.1.1", "nobody here") if to.startswith("<nobody") else CONTINUE
    def header(self, name: str, value: str) -> None:
        self.count += 1
        if value == "boom in header":
            raise ValueError("header is bad")
    def eom(self) -> Outcome:
        self.addheader("X-Gate", word())
        self.addheader("X-Thread", str(threading.current_thread() is threading.main_thread()))
        return ACCEPT

class Broken(Base):
    def envfrom(self, sender: str) -> Outcome:
        raise ValueError(f"no {sender}")

def word() -> str:
    return "open"
"""

HEAD = """
import pytest
from gate import Broken, Gate
from pymilter.testing import Verdict, accepted, discarded, rejected, session, tempfailed

MESSAGE = b"Subject: hello\\r\\n\\r\\ntext\\r\\n"
"""


@pytest.fixture
def inner(pytester: pytest.Pytester) -> Inner:
    """Runs tests, given as source, in a process of their own, beside a module gate.py with filters."""
    pytester.makepyfile(gate=GATE)

    def run(source: str, *options: str, head: str = HEAD) -> pytest.RunResult:
        pytester.makepyfile(test_it=head + textwrap.dedent(source))
        return pytester.runpytest_subprocess("-p", "no:cacheprovider", "-q", *options, timeout=60)

    return run
