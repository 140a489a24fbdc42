"""The table at the head of the results: messages per second beside 1.0.5 and beside C, by load."""

from harness.results import Results, Spread, rate

_LOADS = (
    ("steps", "every step handled"),
    ("body5", "5 MB body by chunk"),
    ("gather5", "whole 5 MB body"),
    ("edits", "2 headers added, 1 MB body replaced"),
    ("mail", "through Postfix, 4 sessions"),
)
_SIDES = ("c", "c-noreply", "old", "old-noreply", "ours", "ours-none")
HEAD = (
    "messages/s",
    "C filter, answers",
    "C filter, no reply",
    "1.0.5, answers",
    "1.0.5, `@noreply`",
    "pymilter, answers",
    "pymilter, `-> None`",
    "÷ 1.0.5, answers",
    "÷ 1.0.5, `@noreply`",
)


def _cell(value: float) -> str:
    return f"{value:,.0f}" if value >= 100 else f"{value:.3g}"


def _ratio(spread: Spread | None) -> str:
    return f"{_cell(spread.middle)} ×" if spread else ""


def summary_lines(results: Results) -> list[list[str]]:
    """A line for each load and transport; where a load has no handlers without answers, the answering ones are ours."""
    lines = []
    for load, title in _LOADS:
        for transport in ("unix", "tcp"):
            rows = [results.row(load, transport, side) for side in _SIDES]
            if not any(rows):
                continue
            cells = [_cell(row.spread(rate).middle) if row else "" for row in rows]
            ours = "ours-none" if rows[-1] else "ours"
            ratios = [_ratio(results.ratio(load, transport, ours, side, rate)) for side in ("old", "old-noreply")]
            lines.append([f"{title}, {'unix' if transport == 'unix' else 'TCP'}", *cells, *ratios])
    return lines
