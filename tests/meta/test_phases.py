"""scripts/phases, by which `make test` runs its phases: each runs, and the summary tells how each went."""

from __future__ import annotations

import os
import re
import signal
import subprocess
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
PHASES = ROOT / "scripts/phases"


def phases(*arguments: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run([PHASES, *arguments], capture_output=True, text=True, timeout=60, check=False)


def summary_of(output: str) -> dict[str, str]:
    """The phases and their results; each line has a time between them."""
    text = output.partition("\n== summary: phase, minutes, result\n")[2]
    lines = [re.fullmatch(r"(\w+) +\d+:\d\d  (.+)", line) for line in text.splitlines()]
    assert all(lines), output
    return {line[1]: line[2] for line in lines if line}


def test_all_phases_pass() -> None:
    done = phases("lint", "echo said", "tests", "true")
    assert (done.returncode, done.stderr) == (0, "")
    assert "\n== lint: echo said\nsaid\n" in done.stdout
    assert summary_of(done.stdout) == {"lint": "passed", "tests": "passed"}


@pytest.mark.parametrize("failing", ["lint", "tests", "native"])
def test_a_phase_that_fails_hides_no_other(failing: str) -> None:
    names = ("lint", "tests", "native")
    done = phases(*(word for name in names for word in (name, "exit 3" if name == failing else "true")))
    assert done.returncode == 1
    assert summary_of(done.stdout) == {name: "FAILED, status 3" if name == failing else "passed" for name in names}


def test_an_interruption_is_told() -> None:
    """At Ctrl-C the terminal signals all of them."""
    command = [str(PHASES), "lint", "true", "tests", "echo begun; exec sleep 60", "native", "true"]
    with subprocess.Popen(command, stdout=subprocess.PIPE, text=True, process_group=0) as process:
        assert process.stdout
        said = ""
        while "\nbegun\n" not in said:
            said += process.stdout.readline()
        os.killpg(process.pid, signal.SIGINT)
        said += process.stdout.read()
    assert process.returncode == 130
    assert summary_of(said) == {"lint": "passed", "tests": "interrupted"}


def test_make_test_runs_them() -> None:
    # As from a shell: make tells its children of itself, so that they print more.
    environment = {name: value for name, value in os.environ.items() if not name.startswith(("MAKE", "MFLAGS"))}
    done = subprocess.run(
        ["make", "-n", "test"], cwd=ROOT, env=environment, capture_output=True, text=True, timeout=60, check=True
    )
    last = done.stdout.replace("\\\n", " ").splitlines()[-1]
    assert re.findall(r"(\w+) '", last) == ["lint", "docs", "tests", "native"]
