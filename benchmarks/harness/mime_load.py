"""The load `mime`: reading and changing messages, beside the standard library and 1.0.5; no filter is running."""

import json
import subprocess
from collections.abc import Callable, Iterator, Sequence
from statistics import median, quantiles

from harness import build
from harness.results import Figures, Results, Row, rate

TITLE = "messages read, looked into and cleaned by `mime`, in one thread"
STDLIB = "stdlib"
SIZES = {"small": 3_000, "140 KB": 140_000, "4 MB": 4_000_000}
WORKS = {
    "dump": "parse and dump",
    "attachments": "names and content of attachments",
    "html": "check_html, and dump",
    "defang": "defang, and dump",
}
_ONLY_OURS = ("html", "defang")  # the standard library has nothing of the kind
_SIDES = ("ours", "old", STDLIB)


def _place(work: str, size: str) -> str:
    """What stands where other loads have their transport."""
    return f"{work}, {size}"


def _places() -> Iterator[tuple[str, str, list[str]]]:
    for work in WORKS:
        for size in SIZES:
            yield work, size, [side for side in _SIDES if side != STDLIB or work not in _ONLY_OURS]


def measure_mime(sides: Sequence[str], rounds: int, seconds: float, say: Callable[[str], None]) -> list[Row]:
    """Measure each work on each size of message, the sides in turns; the standard library always takes part."""
    rows = []
    say(f"mime: {TITLE}")
    for work, size, able in _places():
        taking_part = [Row("mime", _place(work, size), side) for side in able if side == STDLIB or side in sides]
        for round_ in range(rounds):
            shift = round_ % len(taking_part)
            for row in taking_part[shift:] + taking_part[:shift]:
                if not row.failure:
                    _take_turn(row, work, SIZES[size], seconds)
        for row in taking_part:
            middle = row.spread(rate).middle if row.turns else 0.0
            say(f"  {row.transport:20} {row.side:8} {middle:10.1f} messages/s {row.failure}")
        rows += taking_part
    return rows


def _take_turn(row: Row, work: str, size: int, seconds: float) -> None:
    try:
        python = build.peer_python("pymilter105") if row.side == "old" else build.our_python()
        command = [str(python), "-m", "filters.mime_work", row.side, work, str(size), str(seconds)]
        done = subprocess.run(
            command, cwd=build.BENCHMARKS, capture_output=True, text=True, timeout=60 + 10 * seconds, check=False
        )
    except (build.MissingError, subprocess.TimeoutExpired) as error:
        row.failure = str(error)
        return
    if done.returncode:
        row.failure = (done.stderr.strip() or "no reason given").splitlines()[-1]
        return
    row.turns.append(_figures(json.loads(done.stdout.splitlines()[-1])))  # 1.0.5 prints while it works


def _figures(read: dict[str, float | list[float]]) -> Figures:
    took, size, processor, peak = read["took"], read["bytes"], read["processor"], read["peak"]
    assert isinstance(took, list)
    assert not isinstance(size, list) and not isinstance(processor, list) and not isinstance(peak, list)  # noqa: PT018
    a_second = len(took) / sum(took)
    return Figures(
        messages=len(took),
        messages_per_second=a_second,
        mb_per_second=a_second * size / 1e6,
        p50_ms=median(took) * 1000,
        p99_ms=quantiles(took, n=100, method="inclusive")[-1] * 1000,
        max_ms=max(took) * 1000,
        cpu_us=processor / len(took) * 1e6,
        start_mb=0.0,
        peak_mb=peak / 1e6,
        client_cpu_us=0.0,
    )


def mime_lines(results: Results) -> list[list[str]]:
    """A line for each work and size: MB/s of each side, and how many times as fast ours is."""
    lines = []
    for work, size, able in _places():
        place = _place(work, size)
        rows = {side: results.row("mime", place, side) for side in _SIDES}
        if not any(rows.values()):
            continue
        cells = [f"{WORKS[work]}, {size}"]
        for side in _SIDES:
            row = rows[side]
            figure = row.spread(lambda turn: turn.mb_per_second).middle if row else 0.0
            cells.append(f"{figure:,.1f}" if row else "–" if side not in able else "not measured")
        for side in ("old", STDLIB):
            ratio = results.ratio("mime", place, "ours", side, rate)
            cells.append(f"{ratio.middle:.2f} ({ratio.low:.2f}–{ratio.high:.2f})" if ratio else "–")
        lines.append(cells)
    return lines


MIME_HEAD = (
    "work, message",
    "pymilter, MB/s",
    "1.0.5, MB/s",
    "standard library, MB/s",
    "÷ 1.0.5",
    "÷ standard library",
)
