"""Starts `pymilter trace` before a filter, and reads what it has recorded."""

from __future__ import annotations

import contextlib
import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from pymilter.testing import FilterProcess, temporary_socket
from support.commands import argv, environment


@contextlib.contextmanager
def tracing(target: str, *options: str | Path, listen: str | None = None) -> Iterator[FilterProcess]:
    """A trace before `target`, on a unix socket of its own if no address is given; SIGTERM ends it."""
    with contextlib.ExitStack() as stack:
        address = stack.enter_context(temporary_socket("trace.sock")) if listen is None else listen
        yield stack.enter_context(FilterProcess(argv("trace", address, target, *options), address, env=environment()))


def recorded(file: Path) -> list[dict[str, Any]]:
    """The lines of a recording after the first."""
    return [json.loads(line) for line in file.read_text().splitlines()][1:]


def said(file: Path, side: str, connection: int = 1) -> bytes:
    """All that one side has said on a connection, as it was on the wire."""
    stream = b""
    for line in recorded(file):
        if line["c"] == connection and line.get("from") == side:
            if "packet" in line:
                packet = line["packet"].encode("latin-1")
                stream += len(packet).to_bytes(4, "big") + packet
            else:
                stream += line["bytes"].encode("latin-1")
    return stream
