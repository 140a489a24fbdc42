"""Writes a run as Markdown: the machine, the goals, a table for each load; and has the plot drawn."""

import subprocess
from collections.abc import Iterable, Sequence
from pathlib import Path

from harness import build
from harness.goals import judge
from harness.loads import LOADS
from harness.mime_load import MIME_HEAD, mime_lines
from harness.mime_load import TITLE as MIME_TITLE
from harness.results import Results, Row, Spread
from harness.sides import SIDES
from harness.summary import HEAD, summary_lines

MAIL_TITLE = "Postfix: smtp-source, 4 sessions, one message a session (20 headers, 10 KB)"


def table(head: Sequence[str], rows: Iterable[Sequence[str]]) -> str:
    """A Markdown table; the first column is left-aligned, the others right."""
    lines = [head, ["---", *["---:"] * (len(head) - 1)], *rows]
    return "".join(f"| {' | '.join(line)} |\n" for line in lines)


def number(value: float) -> str:
    """Three figures are all that a benchmark on a shared machine can mean."""
    if value >= 100:
        return f"{value:,.0f}"
    return f"{value:.1f}" if value >= 10 else f"{value:.2f}"


def _with_spread(spread: Spread) -> str:
    return f"{number(spread.middle)} ({number(spread.low)}–{number(spread.high)})"


def _load_table(rows: list[Row]) -> str:
    idle = any(turn.idle_kb is not None for row in rows for turn in row.turns)
    mail = rows[0].load == "mail"
    head = ["side", "messages/s (lowest–highest)", "MB/s", "p50 ms", "p99 ms", "CPU µs/message", "peak MB"]
    lines = []
    for row in rows:
        title = SIDES[row.side].title if row.side in SIDES else row.side
        if row.failure or not row.turns:
            lines.append(
                [title, f"failed: {row.failure.splitlines()[0] if row.failure else 'nothing measured'}", *[""] * 5]
            )
            continue
        cells = [title, _with_spread(row.spread(lambda turn: turn.messages_per_second))]
        cells.append(number(row.spread(lambda turn: turn.mb_per_second).middle))
        for value in (row.spread(lambda turn: turn.p50_ms), row.spread(lambda turn: turn.p99_ms)):
            cells.append("–" if mail else number(value.middle))
        cells.append(number(row.spread(lambda turn: turn.cpu_us).middle))
        cells.append(number(max(turn.peak_mb for turn in row.turns)))
        if idle:
            cells.append(number(row.spread(lambda turn: turn.idle_kb or 0.0).middle))
        lines.append(cells)
    return table([*head, "KB per idle connection"] if idle else head, lines)


def _boundary(results: Results) -> str:
    """Nanoseconds per callback above the C filter that is used in the same way."""
    load = LOADS["boundary"]
    lines = []
    for side, floor in (("old", "c"), ("ours", "c"), ("old-noreply", "c-noreply"), ("ours-none", "c-noreply")):
        rows = results.row(load.name, "unix", side), results.row(load.name, "unix", floor)
        if rows[0] and rows[1]:
            c, mine = (
                row.spread(lambda turn: turn.cpu_us * 1000 / load.callbacks).middle for row in (rows[1], rows[0])
            )
            lines.append([SIDES[side].title, number(c), number(mine), number(mine - c)])
    if not lines:
        return ""
    head = ["side", "C floor, ns per callback", "this side, ns", "above C, ns"]
    return "\nCPU of the filter's process per header callback, medians:\n\n" + table(head, lines)


def _goals(results: Results) -> str:
    lines = []
    for goal in judge(results):
        measured = _with_spread(goal.measured) if goal.measured else "not measured"
        word = "–" if goal.measured is None else "reached" if goal.reached else "**not reached**"
        ceiling = number(goal.ceiling.middle) if goal.ceiling else ""
        lines.append([goal.load, goal.what, goal.limit, measured, ceiling, word])
    return table(["load", "what", "goal", "measured (lowest–highest)", "best C filter in our place", ""], lines)


def _client_limit(results: Results) -> str:
    """How far the client is from being the limit: its rate against a peer that only answers."""
    lines = []
    for load in ("onecore", "steps", "body5", "kind"):
        for transport in ("unix", "tcp"):
            for sink, sides in (
                ("sink", ("c", "ours")),
                ("sink-noreply", ("c-noreply", "c-noreply-cures", "ours-none")),
            ):
                for side in sides:
                    ratio = results.ratio(load, transport, sink, side, lambda turn: turn.messages_per_second)
                    row = results.row(load, transport, side)
                    if ratio and row:
                        busy = row.spread(lambda turn: turn.client_cpu_us * turn.messages_per_second / 1e4).middle
                        lines.append([load, transport, SIDES[side].title, number(ratio.middle), f"{busy:.0f} %"])
    if not lines:
        return ""
    head = ["load", "transport", "side", "sink's messages/s ÷ this side's", "client's use of one core with this side"]
    return "## Is the client the limit?\n\n" + table(head, lines)


def render(results: Results, plot: str | None) -> str:
    """The whole report as Markdown; `plot` is the picture's file name."""
    parts = ["# Benchmark\n"]
    facts = [[name, value] for name, value in results.machine.items()]
    parts.append(table(["machine", ""], facts).replace("---:", "---"))
    turns = f"{results.settings['rounds']} turns of {results.settings['seconds']} s for each side"
    parts.append(f"Medians of {turns}, taken in turns; ratios are taken turn by turn. MB are 10^6 bytes.\n")
    if plot:
        parts.append(f"![messages per second by side]({plot})\n")
    parts.append("## Summary\n\n" + table(HEAD, summary_lines(results)))
    parts.append("## Goals\n\n" + _goals(results))
    for name in dict.fromkeys(row.load for row in results.rows):
        if name == "mime":
            parts.append(f"## mime: {MIME_TITLE}\n\n{table(MIME_HEAD, mime_lines(results))}")
            continue
        parts.append(f"## {name}: {LOADS[name].title if name in LOADS else MAIL_TITLE}")
        for transport in ("unix", "tcp"):
            rows = [row for row in results.rows if (row.load, row.transport) == (name, transport)]
            if rows:
                parts.append(f"{'unix socket' if transport == 'unix' else 'TCP'}:\n\n{_load_table(rows)}")
        if name == "boundary":
            parts.append(_boundary(results))
    parts.append(_client_limit(results))
    return "\n".join(part for part in parts if part)


def write_report(results: Results, base: Path, plot: bool) -> None:
    """Write `base`.md, and `base`.svg where a plot is wanted, from `base`.json."""
    picture = base.with_suffix(".svg")
    if plot:
        source = build.BENCHMARKS / "harness" / "plot.py"
        subprocess.run([build.plot_python(), source, base.with_suffix(".json"), picture], check=True)
    base.with_suffix(".md").write_text(render(results, picture.name if plot else None))
