"""The soak: python -m soak [--minutes 5] [--workers N] [--kind unix]; its status tells whether all held. See run.py."""

from __future__ import annotations

import argparse
import sys
import time

from soak.run import Round


def main() -> int:
    """By default half of the time for two workers over TCP, half for one process on a unix socket."""
    parser = argparse.ArgumentParser(prog="soak", description=__doc__)
    parser.add_argument("--minutes", type=float, default=5.0, help="how long in all (default: 5)")
    parser.add_argument("--workers", type=int, help="processes of the filter, 0 for one without a supervisor")
    parser.add_argument("--kind", choices=("unix", "inet"), help="of socket")
    parser.add_argument("--seed", type=int, default=int(time.time()), help="of what is random")
    options = parser.parse_args()
    plan = [(2, "inet"), (0, "unix")]
    if options.workers is not None or options.kind is not None:
        plan = [(options.workers or 0, options.kind or "unix")]
    print(f"soak: {options.minutes:g} minutes, seed {options.seed}", flush=True)
    faults: list[str] = []
    for workers, kind in plan:
        part = Round(workers, kind, options.minutes * 60 / len(plan), options.seed)
        part.run()
        faults += part.faults
        sys.stdout.flush()
    for fault in faults:
        print(f"FAULT: {fault}")
    print("soak: " + ("all held" if not faults else f"{len(faults)} faults"))
    return 1 if faults else 0


if __name__ == "__main__":
    sys.exit(main())
