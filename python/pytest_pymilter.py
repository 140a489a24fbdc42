"""The pytest plugin of pymilter: fixtures that run a filter in a test, and what differs in a failed comparison.

It is loaded by each pytest in an environment that has pymilter, so it imports pymilter only for a test that uses it.
"""

from __future__ import annotations

import sys
from collections.abc import Iterator
from typing import TYPE_CHECKING

import pytest

if TYPE_CHECKING:
    from pymilter.testing import MilterFixture, MilterProcessFixture


@pytest.fixture
def milter() -> Iterator[MilterFixture]:
    """Runs filter classes in this process: `milter(Gate).send(message)`. See `pymilter.testing.session`.

    The test fails if a filter logs an ERROR other than the exception that reaches the test, unless
    `milter.allow_errors()` was called.
    """
    from pymilter.testing import MilterFixture

    with MilterFixture() as started:
        yield started


@pytest.fixture
def milter_process() -> Iterator[MilterProcessFixture]:
    """Runs filter programs: `milter_process("gate.py").send(message)`. See `pymilter.testing.FilterProcess`.

    The test fails if a program does not end with status 0 when it is stopped, or writes a traceback to stderr, unless
    `milter_process.allow_errors()` was called.
    """
    from pymilter.testing import MilterProcessFixture

    with MilterProcessFixture() as started:
        yield started


def pytest_assertrepr_compare(op: str, left: object, right: object) -> list[str] | None:
    """Describe what differs if a result is not as expected."""
    expect = sys.modules.get("pymilter.testing")
    if expect is None or op != "==":
        return None
    for expected, found in ((left, right), (right, left)):
        if isinstance(expected, expect.Expected) and isinstance(found, expect.Result):
            return [f"the message was not {expected!r}", *expected.differences(found)]
    return None
