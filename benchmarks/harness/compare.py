"""Two runs side by side, for the same rows."""

from harness.report import number, table
from harness.results import Results


def compare(before: Results, after: Results) -> str:
    """A Markdown table of messages/s and CPU per message before and after; it marks what lies outside both spreads.

    Two runs are two moments of a machine: their ratio says less than one within a run, so a third column gives the
    change relative to the C filter of the same run and load.
    """
    lines = []
    for row in after.rows:
        old, new = (run.row(row.load, row.transport, row.side) for run in (before, after))
        if old is None or new is None:
            continue
        rates = [found.spread(lambda turn: turn.messages_per_second) for found in (old, new)]
        costs = [found.spread(lambda turn: turn.cpu_us).middle for found in (old, new)]
        relative = [
            run.ratio(row.load, row.transport, row.side, "c", lambda turn: turn.messages_per_second)
            for run in (before, after)
        ]
        apart = rates[0].high < rates[1].low or rates[1].high < rates[0].low
        against_c = f"{relative[1].middle / relative[0].middle:.2f}" if relative[0] and relative[1] else "–"
        lines.append(
            [
                f"{row.load} {row.transport} {row.side}",
                number(rates[0].middle),
                number(rates[1].middle),
                f"{rates[1].middle / rates[0].middle:.2f}{' *' if apart else ''}",
                against_c,
                f"{costs[1] / costs[0]:.2f}" if costs[0] > 0 else "–",
            ]
        )
    head = ["row", "before, messages/s", "after", "after / before", "the same, against C", "CPU, after / before"]
    return table(head, lines) + "\n`*`: outside the spread of both runs.\n"
