"""Measures whether the time of a function grows with the length of a sender's text, and no faster.

`cost.py [--long] [NAME ...]` runs each function of cost_cases.py on texts of its worst alphabet: one unit repeated, two
units in turn, many of one and then many of another. It prints the functions that grow faster, and exits with 1 if there
are any.

The length of a text is doubled until it takes a measurable time. A function fails if its time more than triples twice
in a row, in the best of several runs, and this three times over, so that a busy machine does not fail it.
"""

from __future__ import annotations

import faulthandler
import itertools
import random
import sys
import time
from collections.abc import Callable, Iterator
from functools import partial

from support.cost_cases import CASES, Case

_SHORTEST = 1000
_LONGEST = 1_000_000
_MEASURABLE = 0.004  # seconds
_RUNS = 5
_SLOWEST_LINEAR = 2.0  # no text may take this many seconds, so that a run does not last for hours

Make = Callable[[int], str]


def texts(case: Case, is_long: bool) -> Iterator[tuple[str, Make]]:
    """Ways to make a text of any length, each with its description."""
    units = list(dict.fromkeys(case.units))
    pairs = list(itertools.permutations(units, 2))
    pairs = random.Random(7).sample(pairs, min(len(pairs), 100 if is_long else case.sample))
    for unit in units:
        yield f"{unit!r} * n", partial(_repeated, (unit,), "")
    for unit, end in itertools.product(units, case.ends):
        yield f"{unit!r} * n + {end!r}", partial(_repeated, (unit,), end)
    for one, two in pairs:
        yield f"{one + two!r} * n", partial(_repeated, (one + two,), "")
        yield f"{one!r} * n + {two!r} * n", partial(_repeated, (one, two), "")


def _repeated(units: tuple[str, ...], end: str, size: int) -> str:
    return "".join(unit * (size // len(units) // len(unit)) for unit in units) + end


def seconds(case: Case, text: str, runs: int = 1) -> float:
    best = float("inf")
    for _ in range(runs):
        argument = case.prepare(text)
        begin = time.process_time()
        case.use(argument)
        best = min(best, time.process_time() - begin)
    return best


def growth(case: Case, make: Make, enough: float) -> str:
    """Describe how the time grows, if it grows too fast; otherwise return ""."""
    before, size = 0.0, _SHORTEST
    while size <= _LONGEST:
        now = seconds(case, make(size))
        if now > _MEASURABLE and now > 2.5 * before and size > _SHORTEST and (times := _tripling(case, make, size)):
            shown = ", ".join(f"{one * 1000:.1f}" for one in times)
            return f"{shown} ms for {size // 2}, {size} and {size * 2} characters"
        if now > _SLOWEST_LINEAR:
            return f"{now:.1f} s for {size} characters"
        if now > enough:
            return ""
        before, size = now, size * 2
    return ""


def _tripling(case: Case, make: Make, size: int) -> list[float]:
    """The times for three lengths if each is more than three times the one before; otherwise []."""
    times = [float("inf")] * 3
    for _ in range(3):  # at different moments, of which one should be quiet
        for place, factor in enumerate((1, 2, 4)):
            times[place] = min(times[place], seconds(case, make(size * factor // 2), _RUNS))
        time.sleep(0.05)
    return times if times[1] > 3 * times[0] and times[2] > 3 * times[1] else []


def faults(case: Case, is_long: bool) -> list[str]:
    """Yield the texts on which a function is too slow."""
    enough = 0.02 if is_long else _MEASURABLE
    found = []
    wanted: list[tuple[str, Make, float]] = [
        (f"{one!r} * n + {two!r} * n", partial(_repeated, (one, two), ""), 0.1) for one, two in case.pairs
    ]
    wanted += [(described, make, enough) for described, make in texts(case, is_long)]
    for described, make, until in wanted:
        if growing := growth(case, make, until):
            found.append(f"{described}: {growing}")
            if len(found) == 3:
                break
    return found


def main(arguments: list[str]) -> int:
    is_long = "--long" in arguments
    names = [name for name in arguments if name != "--long"] or list(CASES)
    faulthandler.dump_traceback_later(1500 if is_long else 450, exit=True)  # shows which one it was
    slow = 0
    cases = {id(CASES[name]): name for name in names}  # one class may have several names
    for name in cases.values():
        found = faults(CASES[name], is_long)
        slow += bool(found)
        for fault in found:
            print(f"{name}: {fault}", flush=True)
    return 1 if slow else 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
