"""Where processor time goes: the kernel, libmilter, the C library, CPython, the binding; and what a callback costs."""

import os
import tempfile
from collections.abc import Callable, Sequence
from pathlib import Path

from harness.callgrind import instructions_per_message
from harness.loads import LOADS, Load
from harness.measure import in_turn
from harness.report import number, table
from harness.sides import SIDES

_PARTS = ("libmilter", "C library", "CPython", "the binding, or the C filter")
# Load, messages that callgrind counts, sides: those whose ratios are goals.
_PROFILES = (
    ("steps", 100, ("c", "old", "ours")),
    ("steps", 100, ("c-noreply", "old-noreply", "ours-none")),
    ("body5", 10, ("c-noreply", "old-noreply", "ours-none")),
    ("gather5", 10, ("c-noreply", "old-noreply", "ours-none")),
)
_CALLBACK_SIDES = ("c", "c-noreply", "old", "old-noreply", "ours", "ours-none")


def _part(name: str) -> str:
    if name.startswith("libmilter"):
        return _PARTS[0]
    if name.startswith(("libc.", "libc-", "ld-linux", "ld-", "libpthread", "libm.", "libm-")):
        return _PARTS[1]
    if name.startswith(("libpython", "python3")):
        return _PARTS[2]
    return _PARTS[3]


def _times(side: str, load: Load, transport: str, seconds: float) -> tuple[float, float]:
    """Microseconds of a message in user space and in the kernel."""
    with (
        tempfile.TemporaryDirectory(prefix="bench-") as temporary,
        in_turn(load, SIDES[side], transport, Path(temporary), placement="same") as turn,
    ):
        turn.warm_up()
        user, system = turn.filter.ticks()
        messages = turn.measure(seconds).messages
        after_user, after_system = turn.filter.ticks()
    # The warm-up of measure() is in the ticks as well.
    scale = 1e6 / os.sysconf("SC_CLK_TCK") / (messages + load.warm_up)
    return (after_user - user) * scale, (after_system - system) * scale


def _message_table(name: str, messages: int, sides: Sequence[str], seconds: float, say: Callable[[str], None]) -> str:
    load = LOADS[name]
    head = [
        "thousand instructions a message",
        *_PARTS,
        "all",
        "µs in user space, unix",
        "in the kernel, unix",
        "in user space, TCP",
        "in the kernel, TCP",
    ]
    lines = []
    for side in sides:
        say(f"  {name} {side}")
        parts = dict.fromkeys(_PARTS, 0.0)
        for file, count in instructions_per_message(side, load, messages).items():
            parts[_part(file)] += count / 1e3
        # Over TCP a filter that libmilter does not acknowledge for stalls; processor time would be that of waking up.
        over_tcp = f"{side}-cures" if side == "c-noreply" else side
        times = [*_times(side, load, "unix", seconds), *_times(over_tcp, load, "tcp", seconds)]
        figures = [*parts.values(), sum(parts.values()), *times]
        lines.append([SIDES[side].title, *map(number, figures)])
    return f"### {load.title}\n{table(head, lines)}"


def _callback_table(say: Callable[[str], None]) -> str:
    counts: dict[str, float] = {}
    for side in _CALLBACK_SIDES:
        load = LOADS["boundary"]
        counts[side] = sum(instructions_per_message(side, load, 40).values()) / load.callbacks
        say(f"  {side}: {counts[side]:.0f} instructions per callback")
    lines = []
    for side, count in counts.items():
        floor = counts["c-noreply" if SIDES[side].noreply else "c"]
        lines.append([SIDES[side].title, number(count), number(count - floor)])
    return f"### One header callback\n{table(['side', 'instructions', 'above C'], lines)}"


def profile(seconds: float, say: Callable[[str], None]) -> str:
    """Markdown tables: instructions in user space by callgrind, processor time by the kernel's account."""
    tables = [_message_table(name, messages, sides, seconds, say) for name, messages, sides in _PROFILES]
    return "\n".join([*tables, _callback_table(say)])
