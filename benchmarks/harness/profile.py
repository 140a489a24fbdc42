"""Where processor time goes: the kernel, libmilter, the C library, CPython, the binding; what a callback costs."""

import os
import tempfile
import time
from collections.abc import Callable, Sequence
from pathlib import Path

from harness.callgrind import instructions_per_message
from harness.loads import LOADS, Load
from harness.mail import through_postfix
from harness.measure import in_turn
from harness.perf import sampled
from harness.report import number, table
from harness.sides import SIDES

_PARTS = ("libmilter", "C library", "CPython", "the binding, or the C filter")
# Load, messages that callgrind counts, sides: those whose ratios are goals.
_PROFILES = (
    ("steps", 500, ("c", "old", "ours")),
    ("steps", 500, ("c-noreply", "old-noreply", "ours-none")),
    ("body5", 50, ("c-noreply", "old-noreply", "ours-none")),
    ("body5each", 50, ("c-noreply", "old-noreply", "ours-none")),
    ("gather5", 50, ("c-noreply", "old-noreply", "ours-none")),
    ("message", 500, ("c-noreply", "old-noreply", "ours-none", "ours-message")),
)
_MAIL_SIDES = ("c-noreply", "old-noreply", "ours-none")
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


def _times_over_tcp(side: str, load: Load, seconds: float) -> list[str]:
    if side == "old-noreply":  # it stalls in each message, and too few are left to tell their time
        return ["–", "–"]
    return list(map(number, _times("c-noreply-cures" if side == "c-noreply" else side, load, "tcp", seconds)))


def _instruction_table(name: str, messages: int, sides: Sequence[str], say: Callable[[str], None]) -> str:
    load = LOADS[name]
    lines = []
    for side in sides:
        say(f"  instructions: {name} {side}")
        parts = dict.fromkeys(_PARTS, 0.0)
        for file, count in instructions_per_message(side, load, messages).items():
            parts[_part(file)] += count / 1e3
        lines.append([SIDES[side].title, *map(number, [*parts.values(), sum(parts.values())])])
    return f"### {load.title}\n{table(['thousand instructions a message', *_PARTS, 'all'], lines)}"


def _time_table(name: str, sides: Sequence[str], seconds: float, say: Callable[[str], None]) -> str:
    load = LOADS[name]
    lines = []
    for side in sides:
        say(f"  times: {name} {side}")
        over_unix = map(number, _times(side, load, "unix", seconds))
        lines.append([SIDES[side].title, *over_unix, *_times_over_tcp(side, load, seconds)])
    head = ["µs a message", "user space, unix", "kernel, unix", "user space, TCP", "kernel, TCP"]
    return f"### {load.title}\n{table(head, lines)}"


def _callback_table(say: Callable[[str], None]) -> str:
    counts: dict[str, float] = {}
    load = LOADS["boundary"]
    for side in _CALLBACK_SIDES:
        counts[side] = sum(instructions_per_message(side, load, 40).values()) / load.callbacks
        say(f"  {side}: {counts[side]:.0f} instructions per callback")
    lines = []
    for side, count in counts.items():
        floor = counts["c-noreply" if SIDES[side].noreply else "c"]
        lines.append([SIDES[side].title, number(count), number(count - floor)])
    return f"### One header callback\n{table(['side', 'instructions', 'above C'], lines)}"


def _all_seconds() -> float:
    """Processor time of the whole machine, but for idling."""
    user, nice, system, _, _, irq, softirq, *_ = map(int, Path("/proc/stat").read_text().splitlines()[0].split()[1:])
    return (user + nice + system + irq + softirq) / os.sysconf("SC_CLK_TCK")


def _mail_table(seconds: float, say: Callable[[str], None]) -> str:
    lines = []
    for side in _MAIL_SIDES:
        say(f"  mail {side}")
        with through_postfix(side, "unix") as (process, send):
            all_before, own_before, begun = _all_seconds(), process.cpu_seconds(), time.monotonic()
            messages = send(seconds)
            all_seconds, own = _all_seconds() - all_before, process.cpu_seconds() - own_before
            rate = messages / (time.monotonic() - begun)
            # Sampling slows the kernel's switches down, so that it tells the parts in user space alone.
            own_before = process.cpu_seconds()
            with sampled(process.pid) as shares:
                sampled_messages = send(seconds)
                sampled_own = process.cpu_seconds() - own_before
        parts = dict.fromkeys(_PARTS, 0.0)
        for file, share in shares.items():
            if not file.startswith("["):  # as the kernel and its page of functions are
                parts[_part(file)] += share * sampled_own / sampled_messages * 1e6
        own_us = own / messages * 1e6
        figures = [*parts.values(), own_us - sum(parts.values()), own_us, all_seconds / messages * 1e6, rate]
        lines.append([SIDES[side].title, *map(number, figures)])
    head = ["µs a message", *_PARTS, "the kernel for it", "the filter in all", "the whole machine", "messages/s"]
    return f"### Through Postfix, unix socket\n{table(head, lines)}"


def instructions(say: Callable[[str], None]) -> str:
    """Markdown tables: instructions in user space, by callgrind. Other work on the machine hardly changes them."""
    tables = [_instruction_table(name, messages, sides, say) for name, messages, sides in _PROFILES]
    return "\n".join([*tables, _callback_table(say)])


def times(seconds: float, say: Callable[[str], None]) -> str:
    """Markdown tables: processor time, by the kernel's account. To be trusted only if the machine was idle."""
    tables = [_time_table(name, sides, seconds, say) for name, _, sides in _PROFILES]
    return "\n".join([*tables, _mail_table(seconds, say)])
