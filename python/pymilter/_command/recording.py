"""The file that `trace` writes and `replay` reads: JSON lines, one for each packet, each byte of it in its place.

The first line is {"recording": "pymilter trace", "format": 1, "began": the time in UTC, "target": the filter's socket}.
The others have "t" (seconds since then), "c" (the number of the connection) and one of
- "event": "open", "close" or "failed", and "by": "mta" or "filter";
- "from": "mta" or "filter", "name" (the kind of packet, for people) and "packet": command byte and payload;
- "from" and "bytes": what is no packet, or only the beginning of one.
In "packet" and "bytes" each character is a byte, U+0000 to U+00FF.
"""

from __future__ import annotations

import json
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field
from datetime import UTC, datetime
from pathlib import Path
from typing import Any, Final, NamedTuple

from .output import Failure
from .relay import Event, Side, What

KIND: Final = "pymilter trace"
FORMAT: Final = 1
_encode: Final = json.JSONEncoder(ensure_ascii=True, separators=(", ", ": ")).encode


def first_line(target: str) -> str:
    """The line that a recording begins with."""
    began = datetime.now(UTC).isoformat(timespec="milliseconds").replace("+00:00", "Z")
    return _encode({"recording": KIND, "format": FORMAT, "began": began, "target": target})


def event_line(seconds: float, event: Event) -> str:
    """The line for an event other than data."""
    reason = {"reason": event.data.decode()} if event.data else {}
    return _encode(
        {"t": round(seconds, 6), "c": event.connection, "event": event.what.value, "by": event.side.value, **reason}
    )


def packet_line(seconds: float, connection: int, side: Side, name: str, packet: bytes) -> str:
    """The line for a packet."""
    said = {"from": side.value, "name": name, "packet": packet.decode("latin-1")}
    return _encode({"t": round(seconds, 6), "c": connection, **said})


def bytes_line(seconds: float, connection: int, side: Side, data: bytes) -> str:
    """The line for bytes that are no packet."""
    return _encode({"t": round(seconds, 6), "c": connection, "from": side.value, "bytes": data.decode("latin-1")})


class Packet(NamedTuple):
    """One packet of a recording."""

    side: Side
    code: bytes
    payload: bytes


@dataclass
class RecordedConnection:
    """One connection of a recording."""

    number: int
    packets: list[Packet] = field(default_factory=list)
    ended_by: Side | None = None
    """Who closed it first, or None if it was open when the recording ended."""
    fault: str = ""
    """Why it cannot be played, or ""."""


def read_recording(file: Path) -> list[RecordedConnection]:
    """The connections of a recording, in the order in which they were opened.

    Raises:
        Failure: the file cannot be read, or is no recording.
    """
    try:
        with file.open(encoding="ascii") as lines:
            return _read(file, lines)
    except OSError as error:
        raise Failure(f"cannot read {file}: {error.strerror}", 2) from None
    except UnicodeDecodeError:
        raise Failure(f"{file} is no recording of `pymilter trace --save`: it is not ASCII", 2) from None


def _read(file: Path, lines: Iterable[str]) -> list[RecordedConnection]:
    connections: dict[int, RecordedConnection] = {}
    for number, line in _entries(file, lines):
        try:
            _add(line, connections)
        except (KeyError, TypeError, ValueError) as error:
            raise Failure(f"{file}, line {number}: {_reason(error)}", 2) from None
    return list(connections.values())


def _entries(file: Path, lines: Iterable[str]) -> Iterator[tuple[int, dict[str, Any]]]:
    """Number and object of each line after the first, which is checked."""
    head: dict[str, Any] | None = None
    for number, text in enumerate(lines, 1):
        try:
            line = json.loads(text)
        except ValueError:
            line = None
        if head is None and (not isinstance(line, dict) or line.get("recording") != KIND):
            raise Failure(f"{file} is no recording of `pymilter trace --save`: see its first line", 2)
        if not isinstance(line, dict):
            cut = "" if text.endswith("\n") else "; the end of the file is missing"
            raise Failure(f"{file}, line {number}: it is not a JSON object{cut}", 2)
        if head is not None:
            yield number, line
        elif line.get("format") != FORMAT:
            raise Failure(f"{file} has format {line.get('format')}: this pymilter reads format {FORMAT}", 2)
        head = head or line
    if head is None:
        raise Failure(f"{file} is empty, and no recording of `pymilter trace --save`", 2)


def _add(line: dict[str, Any], connections: dict[int, RecordedConnection]) -> None:
    number = int(line["c"])
    connection = connections.setdefault(number, RecordedConnection(number))
    if "event" in line:
        what, side = What(line["event"]), Side(line["by"])
        if what is What.CLOSE and connection.ended_by is None:
            connection.ended_by = side
        if what is What.FAILED:
            connection.fault = "the filter could not be reached when it was recorded"
        return
    side = Side(line["from"])
    if "bytes" in line:
        if connection.ended_by is None:
            connection.fault = f"the {side.value} said what is no packet"
        return
    packet = line["packet"].encode("latin-1")
    if not packet:
        raise ValueError("a packet without a command byte")
    connection.packets.append(Packet(side, packet[:1], packet[1:]))


def _reason(error: Exception) -> str:
    return f"{error} is missing" if isinstance(error, KeyError) else str(error)
