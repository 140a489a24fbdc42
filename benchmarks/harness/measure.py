"""Measures sides in turns: A B C A B C …, each turn with a filter process of its own, each answer checked."""

import json
import os
import subprocess
import tempfile
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from harness.build import BUILD, MissingError
from harness.loads import Load
from harness.process import FilterError, FilterProcess, fresh_address, on_cores
from harness.results import Figures, Row
from harness.sides import SIDES, Side

CLIENT = str(BUILD / "load")


class WrongError(Exception):
    """A side gave a wrong answer, or none."""


class _Turn:
    """One filter process, and clients that are run against it."""

    def __init__(
        self, load: Load, side: Side, filter_process: FilterProcess, client: list[str], cores: set[int] | None
    ) -> None:
        self.load = load
        self.side = side
        self.filter = filter_process
        self._client = client
        self._cores = cores

    def _start(self, *options: str) -> subprocess.Popen[str]:
        pipe = subprocess.PIPE
        return subprocess.Popen(
            [*self._client, *options], stdin=pipe, stdout=pipe, stderr=pipe, text=True, preexec_fn=on_cores(self._cores)
        )

    def _finish(self, client: subprocess.Popen[str]) -> dict[str, Any]:
        try:
            output, errors = client.communicate("\n", timeout=300)
        except BaseException:
            client.kill()
            client.wait()
            raise
        if client.returncode != 0:
            raise WrongError(f"{errors.strip()}\n{self.filter.output()}".strip())
        figures: dict[str, Any] = json.loads(output.splitlines()[-1])
        return figures

    def warm_up(self) -> None:
        self._finish(self._start("--messages", str(self.load.warm_up)))

    def measure(self, seconds: float) -> Figures:
        start_mb, _ = self.filter.memory()
        self.warm_up()
        options = ["--seconds", str(seconds)]
        if self.load.idle:
            options += ["--idle", str(self.load.idle), "--pause"]
        before_idle, _ = self.filter.memory()
        client = self._start(*options)
        idle_kb = None
        if self.load.idle:
            assert client.stdout is not None
            if not client.stdout.readline():
                self._finish(client)
            after_idle, _ = self.filter.memory()
            idle_kb = (after_idle - before_idle) / self.load.idle * 1e3
        cpu = self.filter.cpu_seconds()
        got = self._finish(client)
        cpu = self.filter.cpu_seconds() - cpu
        if not self.filter.alive():
            raise WrongError(f"the filter died\n{self.filter.output()}")
        return Figures(
            messages=got["messages"],
            messages_per_second=got["messages_per_second"],
            mb_per_second=got["mb_per_second"],
            p50_ms=got["p50_ms"],
            p99_ms=got["p99_ms"],
            max_ms=got["max_ms"],
            cpu_us=cpu / got["messages"] * 1e6,
            start_mb=start_mb,
            peak_mb=self.filter.memory()[1],
            client_cpu_us=got["client_cpu_seconds"] / got["messages"] * 1e6,
            idle_kb=idle_kb,
        )


def _cores(load: Load, placement: str) -> tuple[set[int] | None, set[int] | None]:
    """The cores of the filter and of the client. Loads of several connections are never pinned: they need both."""
    mine = sorted(os.sched_getaffinity(0))
    placement = load.placement or placement
    if placement == "free" or load.connections > 1 or len(mine) < 2:
        return None, None
    return {mine[0]}, {mine[0] if placement == "same" else mine[1]}


@contextmanager
def in_turn(
    load: Load, side: Side, transport: str, folder: Path, placement: str = "free", verify: bool = False
) -> Iterator[_Turn]:
    address = fresh_address(transport, folder)
    command = side.command(load.mode, address, load.filter_options(side, verify))
    filter_cores, client_cores = _cores(load, placement)
    with FilterProcess(command, address, folder, filter_cores, side.ready) as process:
        yield _Turn(load, side, process, [CLIENT, *address.for_client, *load.client_options(side)], client_cores)


def _check(load: Load, side: Side, transport: str, folder: Path, libmilters: set[str]) -> None:
    """A first pass, not measured: the filter compares bodies in whole, and the sides share one libmilter."""
    with in_turn(load, side, transport, folder, verify=load.mode == "gather") as turn:
        turn.warm_up()
        found = turn.filter.libmilter()
        if side.on_libmilter and found is not None:
            libmilters.add(found)
        if side.on_libmilter and (found is None or len(libmilters) > 1):
            raise WrongError(f"not the same libmilter: {found} beside {sorted(libmilters)}")


def measure_load(
    load: Load,
    transport: str,
    names: Sequence[str],
    rounds: int,
    seconds: float,
    placement: str,
    say: Callable[[str], None],
) -> list[Row]:
    """Measure the sides of a load in turns and return their rows; one that fails is left out from then on."""
    rows = {name: Row(load.name, transport, name) for name in names}
    libmilters: set[str] = set()
    with tempfile.TemporaryDirectory(prefix="bench-") as temporary:
        folder = Path(temporary)
        for round_ in range(rounds + 1):
            # another side is first in each round, so that none always comes after the same one
            order = [*names[round_ % len(names) :], *names[: round_ % len(names)]]
            for name in order:
                row = rows[name]
                if row.failure:
                    continue
                try:
                    if round_ == 0:
                        _check(load, SIDES[name], transport, folder, libmilters)
                        continue
                    with in_turn(load, SIDES[name], transport, folder, placement) as turn:
                        row.turns.append(turn.measure(seconds * load.seconds))
                    rate = row.turns[-1].messages_per_second
                    say(f"  {round_}/{rounds} {transport:4} {name:16} {rate:10.1f} messages/s")
                except (FilterError, WrongError, MissingError, subprocess.TimeoutExpired) as error:
                    row.failure = str(error)
                    say(f"  {transport} {name}: {error}")
                time.sleep(0.05)  # connections of the turn before are still being closed
    return list(rows.values())
