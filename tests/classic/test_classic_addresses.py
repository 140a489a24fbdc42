"""Socket addresses that programs in use start with: as on 1.0.5, with a warning that says what to write."""

from __future__ import annotations

import signal
import sys
from pathlib import Path

import pytest

from pymilter.testing import Client, FilterProcess, free_port

PROGRAM = "import sys, Milter\nMilter.runmilter('addressed', sys.argv[1])\n"


@pytest.mark.parametrize("form", ["inet:{}:127.0.0.1", "inet:{} @127.0.0.1", "inet:{}/tcp@127.0.0.1"])
@pytest.mark.parametrize("which", ["1.0.5", "ours"])
def test_digits_in_front_are_the_port(old_python: Path, which: str, form: str) -> None:
    port = free_port()
    address, written = f"inet:{port}@127.0.0.1", form.format(port)
    python = old_python if which == "1.0.5" else sys.executable
    with FilterProcess([python, "-W", "ignore", "-c", PROGRAM, written], address) as process:
        with Client(address) as client:
            assert client.connect().verdict.passes
        process.send_signal(signal.SIGKILL)  # 1.0.5 would take five seconds to stop
        process.wait()
        assert which == "1.0.5" or f"socket is {written!r}: it is taken for {address}" in process.stderr
