"""Runs the command `pymilter` as users do: in a pipe, or in a pseudo-terminal of any width."""

from __future__ import annotations

import fcntl
import os
import pty
import struct
import subprocess
import sys
import termios
from pathlib import Path

import pymilter

# What may be set where the tests run, and would change what the command shows.
_OF_TERMINALS = ("COLUMNS", "LINES", "NO_COLOR", "FORCE_COLOR", "TERM", "PYTHON_COLORS")


def argv(*arguments: str | Path, module: str = "pymilter") -> list[str]:
    """The command line of the command."""
    return [sys.executable, "-m", module, *map(str, arguments)]


def environment(**changes: str) -> dict[str, str]:
    """The environment without what is said of terminals, and with `changes`."""
    kept = {name: value for name, value in os.environ.items() if name not in _OF_TERMINALS}
    return {**kept, "PYTHONPATH": str(Path(pymilter.__file__).parents[1]), "TERM": "xterm", **changes}


def in_pipe(*arguments: str | Path, stdin: bytes = b"", **env: str) -> subprocess.CompletedProcess[str]:
    """Run the command with pipes for input and output."""
    done = subprocess.run(
        argv(*arguments), input=stdin, capture_output=True, check=False, timeout=60, env=environment(**env)
    )
    return subprocess.CompletedProcess(done.args, done.returncode, done.stdout.decode(), done.stderr.decode())


def in_terminal(*arguments: str | Path, columns: int = 80, **env: str) -> tuple[int, str]:
    """Run the command in a pseudo-terminal, and return the exit status and all that it showed there."""
    process, master = start_in_terminal(*arguments, columns=columns, **env)
    with process:
        shown = read_to_end(master)
    return process.returncode, shown


def start_in_terminal(*arguments: str | Path, columns: int = 80, **env: str) -> tuple[subprocess.Popen[bytes], int]:
    """Start the command in a pseudo-terminal that controls it; return it, and the descriptor of the other end."""
    return start_program_in_terminal(argv(*arguments), columns, **env)


def start_program_in_terminal(
    command: list[str], columns: int = 80, folder: str | None = None, **env: str
) -> tuple[subprocess.Popen[bytes], int]:
    """The same for any program, in `folder`."""
    master, slave = pty.openpty()
    fcntl.ioctl(slave, termios.TIOCSWINSZ, struct.pack("HHHH", 24, columns, 0, 0))
    process = subprocess.Popen(
        command,
        stdin=slave,
        stdout=slave,
        stderr=slave,
        cwd=folder,
        env=environment(**env),
        start_new_session=True,
        preexec_fn=lambda: fcntl.ioctl(0, termios.TIOCSCTTY, 0),
    )
    os.close(slave)
    return process, master


def read_to_end(master: int) -> str:
    """What is shown in a terminal until its last program has ended; closes the descriptor."""
    shown = b""
    try:
        while part := os.read(master, 65536):
            shown += part
    except OSError:  # Linux tells the end so
        pass
    finally:
        os.close(master)
    return shown.decode().replace("\r\n", "\n")
