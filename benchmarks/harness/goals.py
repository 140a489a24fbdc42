"""The goals that the project has set itself, computed from one run: each a ratio or a figure with its limit."""

from collections.abc import Callable
from dataclasses import dataclass

from harness.loads import LOADS
from harness.results import Figures, Results, Row, Spread, rate, spread


@dataclass(frozen=True)
class Verdict:
    """One goal, what was measured, and whether it is reached; `measured` is None where a side is missing.

    `ceiling` is what the best C filter of the run reaches in our place: beyond it no binding on libmilter can come.
    """

    load: str
    what: str
    limit: str
    measured: Spread | None
    reached: bool
    ceiling: Spread | None = None


C_FILTERS = ("c", "c-cures", "c-noreply", "c-noreply-cures")


def bodies_in_memory(load: str) -> Callable[[Figures], float]:
    """How many bodies of this load the filter's memory has grown by at its peak."""
    size = LOADS[load].body / 1e6
    return lambda turn: (turn.peak_mb - turn.start_mb) / size


@dataclass
class _Goals:
    results: Results
    verdicts: list[Verdict]

    def _add(self, load: str, what: str, limit: str, measured: Spread | None, holds: Callable[[float], bool]) -> None:
        self.verdicts.append(Verdict(load, what, limit, measured, measured is not None and holds(measured.middle)))

    def at_least(self, load: str, transport: str, above: str, below: str, limit: float) -> None:
        measured = self.results.ratio(load, transport, above, below, rate)
        best = None if below in C_FILTERS else self._best_c(load, transport)
        ceiling = self.results.ratio(load, transport, best.side, below, rate) if best else None
        reached = measured is not None and measured.middle >= limit
        what = f"{above} / {below}, {transport}: messages/s"
        self.verdicts.append(Verdict(load, what, f"≥ {limit:g}", measured, reached, ceiling))

    def _best_c(self, load: str, transport: str) -> Row | None:
        rows: list[Row] = [row for name in C_FILTERS if (row := self.results.row(load, transport, name))]
        return max(rows, key=lambda row: row.spread(rate).middle, default=None)

    def figure(
        self, load: str, transport: str, side: str, what: str, limit: float, figure: Callable[[Figures], float]
    ) -> None:
        row = self.results.row(load, transport, side)
        measured = row.spread(figure) if row else None
        self._add(load, f"{side}, {transport}: {what}", f"≤ {limit:g}", measured, lambda value: value <= limit)

    def above_floor(self, load: str, transport: str, ours: str, old: str, floor: str, limit: float) -> None:
        """Our processor time above the C floor as a part of what `old` adds; the medians, as differences are noisy."""
        rows = [self.results.row(load, transport, side) for side in (ours, old, floor)]
        measured = None
        if rows[0] and rows[1] and rows[2]:
            parts = [
                (mine.cpu_us - c.cpu_us) / (theirs.cpu_us - c.cpu_us)
                for mine, theirs, c in zip(rows[0].turns, rows[1].turns, rows[2].turns, strict=False)
                if theirs.cpu_us > c.cpu_us
            ]
            medians = [row.spread(lambda turn: turn.cpu_us).middle for row in rows if row]
            if parts and medians[1] > medians[2]:
                middle = (medians[0] - medians[2]) / (medians[1] - medians[2])
                measured = Spread(middle, min(parts), max(parts))
        what = f"CPU above {floor}: {ours} / {old}, {transport}"
        self._add(load, what, f"≤ {limit:g}", measured, lambda value: value <= limit)

    def of_best_c(self, load: str, transport: str, side: str, limit: float) -> None:
        best = self._best_c(load, transport)
        measured = self.results.ratio(load, transport, side, best.side, rate) if best else None
        name = best.side if best else "C"
        what = f"{side} / best C filter ({name}), {transport}: messages/s"
        self._add(load, what, f"≥ {limit:g}", measured, lambda value: value >= limit)

    def idle_memory(self) -> None:
        load = "idle2000"
        for transport in ("unix", "tcp"):
            rows = self.results.row(load, transport, "ours"), self.results.row(load, transport, "old")
            measured = None
            if rows[0] and rows[1]:
                pairs = zip(rows[0].turns, rows[1].turns, strict=False)
                measured = spread((ours.idle_kb or 0.0) / (old.idle_kb or 1.0) for ours, old in pairs)
            what = f"ours / old, {transport}: memory per idle connection"
            self._add(load, what, "≤ 1", measured, lambda value: value <= 1.0)


def judge(results: Results) -> list[Verdict]:
    """Every goal of the project's throughput issue, in its order."""
    goals = _Goals(results, [])
    # on one core too: else waking an idle core costs more time than all that is compared here
    for load in ("steps", "onecore"):
        for transport in ("unix", "tcp"):
            goals.at_least(load, transport, "ours", "c", 0.97)
    for transport in ("unix", "tcp"):
        goals.above_floor("onecore", transport, "ours", "old", "c", 0.5)
    for load in ("steps", "each"):
        goals.at_least(load, "unix", "ours-none", "old", 2.7)
        goals.at_least(load, "unix", "ours-none", "old-noreply", 1.15)
        goals.at_least(load, "unix", "ours-none", "c-noreply", 0.9)
        goals.at_least(load, "tcp", "ours-none", "old", 3.0)
        goals.at_least(load, "tcp", "ours-none", "old-noreply", 50.0)
        goals.figure(load, "tcp", "ours-none", "p99, ms (no 40 ms stall)", 20.0, lambda turn: turn.p99_ms)
    for load in ("body5", "body5each"):
        goals.at_least(load, "unix", "ours-none", "old", 2.5)
        goals.at_least(load, "tcp", "ours-none", "old", 1.5)
        goals.at_least(load, "unix", "ours-none", "c-noreply", 0.95)
        goals.at_least(load, "tcp", "ours-none", "c-noreply", 0.95)
    for load in ("gather5", "gather5each"):
        goals.at_least(load, "unix", "ours-none", "old", 3.0)
        goals.at_least(load, "tcp", "ours-none", "old", 2.0)
    for load in ("gather5", "gather50"):
        for transport in ("unix", "tcp"):
            goals.figure(
                load, transport, "ours-none", "peak memory above the start / body", 2.2, bodies_in_memory(load)
            )
    for transport, best_c in (("unix", "c-noreply"), ("tcp", "c-noreply-cures")):
        for load in ("message", "message5"):
            goals.at_least(load, transport, "ours-message", best_c, 0.95)
            goals.at_least(load, transport, "ours-message", "ours-none", 1.0)
        goals.above_floor("message", transport, "ours-message", "ours-none", best_c, 0.5)
        goals.figure(
            "message50",
            transport,
            "ours-message",
            "peak memory above the start / body",
            1.3,
            bodies_in_memory("message50"),
        )
    for load in ("trace1", "trace2", "trace8"):
        for name in ("c", "c-noreply", "ours"):
            goals.at_least(load, "unix", f"{name}-traced", name, 0.5)
    goals.figure("edits", "tcp", "ours", "p99, ms", 3.0, lambda turn: turn.p99_ms)
    goals.at_least("edits", "tcp", "ours", "old", 10.0)
    goals.at_least("edits", "tcp", "ours", "c", 10.0)
    for transport in ("unix", "tcp"):
        goals.at_least("compute8", transport, "ours", "old", 1.0)
    for transport in ("unix", "tcp"):
        goals.at_least("workers", transport, "ours-2", "ours-1", 1.8)
    goals.idle_memory()
    for transport in ("unix", "tcp"):
        goals.of_best_c("mail", transport, "ours-none", 0.95)
        goals.at_least("mail", transport, "ours-none", "old", 1.0)
        goals.at_least("mail", transport, "ours-none", "old-noreply", 1.0)
    return goals.verdicts
