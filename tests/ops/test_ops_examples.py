"""The examples with threads, processes and asyncio, through start, load and stop."""

from __future__ import annotations

import signal
import subprocess
import sys
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest

from pymilter.testing import AddHeader, Client, FilterProcess, Verdict, send_message
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


def test_the_first_program_of_the_readme(tmp_path: Path) -> None:
    readme = (EXAMPLES.parent / "README.md").read_text("utf-8")
    program = readme.partition("```python\n")[2].partition("```")[0]
    assert program == (EXAMPLES / "first.py").read_text("utf-8")  # as docs/index.md shows it
    with free_address("unix") as address:
        path = tmp_path / "program.py"
        path.write_text(program.replace('"inet:8890@127.0.0.1"', repr(address)), "utf-8")
        with FilterProcess([sys.executable, str(path)], address):
            message = b"Subject: one\r\n\r\nbody\r\n"
            result = send_message(address, message)
            refused = send_message(address, message, "<a@spam.example>")
    assert result.message == b"Subject: one\r\nX-Gate: open\r\n\r\nbody\r\n\r\n-- \r\nChecked by the gate.\r\n"
    assert refused.reply is not None
    assert refused.reply.code == 550


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


@pytest.mark.parametrize(
    "program", sorted(path.name for path in EXAMPLES.glob("*.py") if path.name not in ("demo.py", "first.py"))
)
def test_each_example_has_a_help(program: str) -> None:
    command = [sys.executable, str(EXAMPLES / program), "--help"]
    done = subprocess.run(command, capture_output=True, text=True, timeout=60, check=False)
    assert (done.returncode, done.stderr) == (0, "")
    assert done.stdout.startswith(f"usage: {program} [-h]")
    assert "where to listen" in done.stdout
