"""The one command of the benchmark: `python benchmarks/run.py`; see README.md beside it."""

import argparse
import os
import resource
import signal
import sys
import threading
from pathlib import Path
from types import FrameType

from harness import build, machine
from harness.compare import compare
from harness.loads import LOADS
from harness.measure import measure_load
from harness.mime_load import measure_mime
from harness.profile import instructions, times
from harness.report import write_report
from harness.results import Results, load_results
from harness.sides import SIDES

RESULTS = build.BENCHMARKS / "results"
_ENDINGS = (signal.SIGTERM, signal.SIGHUP)


def say(text: str) -> None:
    print(text, flush=True)


def _names(text: str, known: list[str], what: str) -> list[str]:
    names = text.split(",")
    for name in names:
        if name not in known:
            raise SystemExit(f"no {what} {name!r}: {', '.join(known)}")
    return names


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(description="Measure pymilter beside a bare C filter and its peers.")
    commands = parser.add_subparsers(dest="command")
    run = commands.add_parser("run", help="measure (the default)")
    for target in (parser, run):
        target.add_argument("--loads", help=f"by comma; all of {', '.join(LOADS)}, mail, mime")
        target.add_argument("--sides", help="by comma; see `list`")
        target.add_argument("--transports", default="unix,tcp", help="unix,tcp")
        target.add_argument("--rounds", type=int, default=5, help="turns of each side (5)")
        target.add_argument("--seconds", type=float, default=1.5, help="length of a turn (1.5)")
        target.add_argument(
            "--placement", choices=["free", "same", "apart"], default="free", help="cores of filter and client (free)"
        )
        target.add_argument("--quick", action="store_true", help="3 rounds of 0.5 s: for a first look only")
        target.add_argument("--python", type=Path, help="the interpreter that has our pymilter")
        target.add_argument("--output", type=Path, default=RESULTS / "latest", help="where to write, without suffix")
        target.add_argument("--no-plot", action="store_true")
    report = commands.add_parser("report", help="write table and plot again from a JSON file")
    report.add_argument("results", type=Path)
    two = commands.add_parser("compare", help="two runs side by side")
    two.add_argument("before", type=Path)
    two.add_argument("after", type=Path)
    where = commands.add_parser("profile", help="where processor time goes, by callgrind and the kernel's account")
    where.add_argument("--seconds", type=float, default=3.0, help="length of a turn (%(default)s)")
    where.add_argument("--output", type=Path, help="where to write, with suffix")
    part = where.add_mutually_exclusive_group()
    part.add_argument("--instructions", action="store_true", help="instructions alone, also beside other work")
    part.add_argument("--times", action="store_true", help="processor time alone, on an idle machine")
    commands.add_parser("list", help="loads and sides")
    return parser


def _run(options: argparse.Namespace) -> int:
    if options.python:
        os.environ["BENCH_PYTHON"] = str(options.python.absolute())
    rounds, seconds = (3, 0.5) if options.quick else (options.rounds, options.seconds)
    all_loads = [*LOADS, "mail", "mime"]
    loads = _names(options.loads, all_loads, "load") if options.loads else all_loads
    sides = _names(options.sides, list(SIDES), "side") if options.sides else list(SIDES)
    transports = _names(options.transports, ["unix", "tcp"], "transport")
    _, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    resource.setrlimit(resource.RLIMIT_NOFILE, (hard, hard))
    build.compile_programs()
    results = Results(
        machine.describe(), {"rounds": str(rounds), "seconds": str(seconds), "placement": options.placement}
    )
    for name in loads:
        if name == "mime":
            results.rows += measure_mime(sides, rounds, seconds, say)
            continue
        for transport in transports:
            if name == "mail":
                from harness.mail import measure_mail  # needs Postfix and the tests' support

                results.rows += measure_mail(transport, sides, rounds, 2 * seconds, say)
                continue
            load = LOADS[name]
            taking_part = [side for side in load.sides if side in sides and transport in SIDES[side].transports]
            if transport in load.transports and taking_part:
                say(f"{load.name} over {transport}: {load.title}")
                results.rows += measure_load(load, transport, taking_part, rounds, seconds, options.placement, say)
            results.save(options.output.with_suffix(".json"))
    results.save(options.output.with_suffix(".json"))
    write_report(results, options.output, plot=not options.no_plot)
    say(f"written: {options.output.with_suffix('.md')}")
    failed = [row for row in results.rows if row.failure]
    for row in failed:
        say(f"FAILED {row.load} {row.transport} {row.side}: {row.failure.splitlines()[0]}")
    return 1 if failed else 0


def _profile(options: argparse.Namespace) -> int:
    build.compile_programs()
    tables = [] if options.times else [instructions(say)]
    tables += [] if options.instructions else [times(options.seconds, say)]
    text = "\n".join(tables)
    if options.output:
        options.output.write_text(text)
    print(text)
    return 0


def _end(number: int, frame: FrameType | None) -> None:
    """End as after Ctrl-C: each `with` on the way stops its filter, its client and its mail server."""
    if _is_in_destructor(frame):  # what is raised in one goes no further
        threading.Timer(0.01, os.kill, (os.getpid(), number)).start()
        return
    for other in _ENDINGS:
        signal.signal(other, signal.SIG_IGN)  # a second one would cut the clean-up short
    raise SystemExit(128 + number)


def _is_in_destructor(frame: FrameType | None) -> bool:
    while frame is not None:
        if frame.f_code.co_name == "__del__":
            return True
        frame = frame.f_back
    return False


def main() -> int:
    options = _parser().parse_args()
    for number in _ENDINGS:
        signal.signal(number, _end)
    if options.command == "list":
        for load in LOADS.values():
            print(f"{load.name:10} {load.title}\n{'':10} {', '.join(load.sides)}")
        for side in SIDES.values():
            print(f"{side.name:16} {side.title}")
        return 0
    if options.command == "report":
        write_report(load_results(options.results), options.results.with_suffix(""), plot=True)
        return 0
    if options.command == "compare":
        print(compare(load_results(options.before), load_results(options.after)))
        return 0
    if options.command == "profile":
        return _profile(options)
    return _run(options)


if __name__ == "__main__":
    sys.exit(main())
