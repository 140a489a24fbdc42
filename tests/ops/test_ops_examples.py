"""The examples with threads, processes and asyncio, through start, load and stop."""

from __future__ import annotations

import signal
import sys
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest

from pymilter.testing import AddHeader, Client, FilterProcess, Verdict
from support.wire import free_address

EXAMPLES = Path(__file__).parents[2] / "examples"
CLIENTS, MESSAGES = 4, 5


def refuses_spam(address: str) -> bool:
    with Client(address) as client:
        client.connect()
        verdicts = []
        for _ in range(MESSAGES):
            verdicts.append(client.mail("<spam@example.com>").verdict)
            verdicts.append(client.mail("<ham@example.com>").verdict)
            client.abort()
        return verdicts == [Verdict.REJECT, Verdict.CONTINUE] * MESSAGES


def scores(address: str) -> bool:
    with Client(address) as client:
        client.connect()
        for number in range(MESSAGES):
            client.mail("<a@example.com>")
            client.body(bytes([number]))
            if client.eom().edits != (AddHeader("X-Score", f"{number} elsewhere"),):
                return False
    return True


@pytest.mark.parametrize(
    ("program", "arguments", "is_right"),
    [
        ("threads.py", [], refuses_spam),
        ("asyncio_beside.py", [], refuses_spam),
        ("processes.py", ["fork"], scores),
        ("processes.py", ["spawn"], scores),
    ],
)
@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGHUP])
def test_example(program: str, arguments: list[str], is_right: object, number: signal.Signals) -> None:
    assert callable(is_right)
    with free_address("unix") as address:
        command = [sys.executable, str(EXAMPLES / program), address, *arguments]
        with FilterProcess(command, address, timeout=20) as process:
            with ThreadPoolExecutor(CLIENTS) as pool:
                assert all(pool.map(is_right, [address] * CLIENTS)), process.stderr
            process.send_signal(number)
            assert process.wait() == 0, process.stderr
        assert "Traceback" not in process.stderr
