"""The figures of a run, and the file that keeps them."""

import json
from collections.abc import Callable, Iterable
from dataclasses import asdict, dataclass, field
from pathlib import Path
from statistics import median


@dataclass(frozen=True)
class Figures:
    """What one turn of one side gave. MB are 10^6 bytes; memory and processor time are the filter's."""

    messages: int
    messages_per_second: float
    mb_per_second: float
    p50_ms: float
    p99_ms: float
    max_ms: float
    cpu_us: float  # per message
    start_mb: float  # resident when it listens
    peak_mb: float  # highest resident at the end
    client_cpu_us: float  # per message
    idle_kb: float | None = None  # resident per idle connection


def rate(turn: Figures) -> float:
    """Messages per second, what most loads are judged by."""
    return turn.messages_per_second


@dataclass(frozen=True)
class Spread:
    """The median of the turns, and the lowest and the highest."""

    middle: float
    low: float
    high: float


def spread(values: Iterable[float]) -> Spread:
    known = list(values)
    return Spread(median(known), min(known), max(known))


@dataclass
class Row:
    """The turns of one side under one load on one transport."""

    load: str
    transport: str
    side: str
    turns: list[Figures] = field(default_factory=list)
    failure: str = ""

    def spread(self, figure: Callable[[Figures], float]) -> Spread:
        return spread(figure(turn) for turn in self.turns)


@dataclass
class Results:
    """A whole run."""

    machine: dict[str, str]
    settings: dict[str, str]
    rows: list[Row] = field(default_factory=list)

    def row(self, load: str, transport: str, side: str) -> Row | None:
        """The row, if it was measured and all its answers were right."""
        for row in self.rows:
            if (row.load, row.transport, row.side) == (load, transport, side) and row.turns and not row.failure:
                return row
        return None

    def ratio(
        self, load: str, transport: str, above: str, below: str, figure: Callable[[Figures], float]
    ) -> Spread | None:
        """The ratio of two sides, turn by turn, so that what slows the machine for a while slows both."""
        rows = self.row(load, transport, above), self.row(load, transport, below)
        if rows[0] is None or rows[1] is None:
            return None
        pairs = zip(rows[0].turns, rows[1].turns, strict=False)
        return spread(figure(left) / figure(right) for left, right in pairs if figure(right) > 0)

    def save(self, path: Path) -> None:
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(json.dumps(asdict(self), indent=1) + "\n")


def load_results(path: Path) -> Results:
    """Read what `Results.save` wrote."""
    read = json.loads(path.read_text())
    rows = [Row(**{**row, "turns": [Figures(**turn) for turn in row["turns"]]}) for row in read["rows"]]
    return Results(read["machine"], read["settings"], rows)
