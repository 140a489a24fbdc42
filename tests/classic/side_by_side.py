"""Runs a classic program on pymilter 1.0.5 or on ours, plays one script to it, and writes down all that came of it."""

from __future__ import annotations

import os
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

from pymilter.testing import Client, ClientError, FilterProcess, temporary_socket

PROGRAMS = Path(__file__).with_name("programs")

Script = Callable[[Client], Iterator[object]]


@dataclass(frozen=True)
class Transcript:
    """`wire` is what the MTA saw, `output` what the program wrote to stdout, `status` how it ended."""

    wire: list[str]
    output: list[str]
    status: int


def play(
    python: str | Path, program: str, scripts: Sequence[Script], *args: str, client_timeout: float = 10.0
) -> Transcript:
    """Run `program`, play each script on a connection of its own, and stop it by SIGTERM.

    A connection that fails is written down as the name of its error.
    """
    wire: list[str] = []
    # 1.0.5 must not find our modules, and the program of either is alone with what it prints.
    env = {"PYTHONPATH": "", "PYTHONUNBUFFERED": "1", "PATH": os.environ.get("PATH", os.defpath)}
    with (
        temporary_socket() as address,
        FilterProcess([python, "-W", "ignore", PROGRAMS / program, address, *args], address, env=env) as process,
    ):
        for script in scripts:
            try:
                with Client(address, timeout=client_timeout) as client:
                    agreed = client.negotiation
                    wire.append(f"{agreed.actions!r} {agreed.protocol!r} {agreed.macro_lists!r}")
                    for response in script(client):
                        wire.append(repr(response))
            except ClientError as error:
                wire.append(type(error).__name__)
        status = process.stop()
        return Transcript(wire, process.stdout.splitlines(), status)
