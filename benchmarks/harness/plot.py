"""Draws messages per second by side; run by the interpreter that has matplotlib: `plot.py RESULTS.json PICTURE.svg`."""

import importlib
import json
import sys
from pathlib import Path
from statistics import median
from typing import Any

# load, transport, title, sides
_PANELS = [
    ("steps", "unix", "every step handled, unix"),
    ("steps", "tcp", "every step handled, TCP"),
    ("body5", "unix", "5 MB body by chunk, unix"),
    ("body5", "tcp", "5 MB body by chunk, TCP"),
    ("gather5", "unix", "whole 5 MB body, unix"),
    ("gather5", "tcp", "whole 5 MB body, TCP"),
    ("edits", "unix", "2 headers added, 1 MB replaced, unix"),
    ("edits", "tcp", "2 headers added, 1 MB replaced, TCP"),
    ("mail", "unix", "through Postfix, unix"),
    ("mail", "tcp", "through Postfix, TCP"),
]
_COLOURS = {"ours": "#1b7837", "old": "#762a83", "c": "#555555", "pylib": "#b2abd2", "pure": "#e08214"}


def _bars(results: dict[str, Any], load: str, transport: str) -> list[tuple[str, float, float, float]]:
    bars = []
    for row in results["rows"]:
        if (
            row["load"] == load
            and row["transport"] == transport
            and row["turns"]
            and not row["side"].startswith("sink")
        ):
            rates = [turn["messages_per_second"] for turn in row["turns"]]
            bars.append((row["side"], median(rates), min(rates), max(rates)))
    return bars


def draw(source: Path, picture: Path) -> None:
    results = json.loads(source.read_text())
    panels = [(title, bars) for load, transport, title in _PANELS if (bars := _bars(results, load, transport))]
    if not panels:
        panels = [("nothing of the plotted loads was measured", [])]
    matplotlib = importlib.import_module("matplotlib")  # lives in an environment of its own, which mypy does not see
    matplotlib.use("svg")
    pyplot = importlib.import_module("matplotlib.pyplot")
    lines = (len(panels) + 1) // 2
    figure, grid = pyplot.subplots(lines, 2, figsize=(12, 2.6 * lines), squeeze=False)
    for axes in grid.flat[len(panels) :]:
        axes.set_visible(False)
    for axes, (title, bars) in zip(grid.flat, panels, strict=False):
        names = [bar[0] for bar in bars]
        middles = [bar[1] for bar in bars]
        errors = [[bar[1] - bar[2] for bar in bars], [bar[3] - bar[1] for bar in bars]]
        colours = [_COLOURS.get(name.partition("-")[0], "#999999") for name in names]
        drawn = axes.barh(names, middles, xerr=errors, color=colours, ecolor="#00000066")
        axes.bar_label(drawn, [f" {middle:,.0f}" for middle in middles], fontsize=8)
        axes.invert_yaxis()
        axes.set_title(title, fontsize=10)
        axes.tick_params(labelsize=8)
        axes.margins(x=0.18)
        axes.spines[["top", "right"]].set_visible(False)
    machine = results["machine"]
    figure.suptitle(
        f"messages per second (median, lowest to highest) · {machine['processor']} · {machine['date']}", fontsize=9
    )
    figure.tight_layout()
    figure.savefig(picture, metadata={"Date": None})


if __name__ == "__main__":
    draw(Path(sys.argv[1]), Path(sys.argv[2]))
