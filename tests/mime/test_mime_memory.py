"""Memory stays flat over messages that name charsets nobody knows, and whose headers are long."""

from __future__ import annotations

import os
import subprocess
import sys

import pytest

from support import memory_of_texts
from support.sanitized import measures_memory

MOST_BLOCKS = 300  # an interpreter makes some; one name kept of each message makes one for each
MOST_BYTES = 1_000_000  # tables of the interpreter's own that grow once


def growth(count: int, timeout: int) -> tuple[int, int]:
    environment = {**os.environ, "PYTHONPATH": os.pathsep.join(sys.path)}
    done = subprocess.run(
        [sys.executable, memory_of_texts.__file__, str(count)],
        env=environment, capture_output=True, text=True, timeout=timeout, check=False,
    )  # fmt: skip
    assert done.returncode == 0, done.stderr
    blocks, size = done.stdout.split()
    return int(blocks), int(size)


@measures_memory
def test_nothing_of_a_message_is_kept() -> None:
    blocks, size = growth(400, 100)
    assert (blocks < MOST_BLOCKS, size < MOST_BYTES) == (True, True), (blocks, size)


@measures_memory
@pytest.mark.long
@pytest.mark.timeout(900)
def test_nothing_of_10_000_messages_is_kept() -> None:
    blocks, size = growth(10_000, 800)
    assert (blocks < MOST_BLOCKS, size < MOST_BYTES) == (True, True), (blocks, size)
