"""The frame of the command: finding subcommands, `--help` and `--version`, and what `import pymilter` must not load."""

from __future__ import annotations

import os
import subprocess
import sys
from importlib import metadata
from pathlib import Path

import pytest

from pymilter._command.main import SUBCOMMANDS, main
from support.commands import argv, environment, in_pipe, in_terminal

HELP = Path(__file__).with_name("help")

pytestmark = pytest.mark.timeout(60)


def words(text: str) -> list[str]:
    """Without the line breaks, which differ between versions of argparse."""
    return text.split()


@pytest.mark.parametrize("name", ["", *SUBCOMMANDS])
def test_help_is_as_kept(name: str, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> None:
    """After a change: `COLUMNS=80 pymilter NAME --help >tests/command/help/NAME.txt`."""
    monkeypatch.setenv("COLUMNS", "80")
    assert main([*([name] if name else []), "--help"]) == 0
    shown = capsys.readouterr()
    kept = (HELP / f"{name or 'pymilter'}.txt").read_text()
    assert (words(shown.out), shown.err) == (words(kept), "")


@pytest.mark.parametrize("name", ["", *SUBCOMMANDS])
def test_help_fits_40_columns_and_ends_quietly_in_a_closed_pipe(name: str) -> None:
    command = [*([name] if name else []), "--help"]
    status, shown = in_terminal(*command, columns=40, NO_COLOR="1")
    assert (status, shown[:6]) == (0, "usage:")
    read, write = os.pipe()
    os.close(read)
    try:
        done = subprocess.run(
            argv(*command), stdout=write, stderr=subprocess.PIPE, text=True, check=False, timeout=60, env=environment()
        )
    finally:
        os.close(write)
    assert (done.returncode, done.stderr) == (0, "")


def test_without_a_subcommand_the_help_is_shown() -> None:
    done = in_pipe()
    assert (done.returncode, done.stderr) == (2, "")
    assert done.stdout == in_pipe("--help").stdout


def test_an_unknown_subcommand_is_told() -> None:
    done = in_pipe("sned")
    assert done.returncode == 2
    assert done.stderr.endswith(f"there is no subcommand 'sned': choose from {', '.join(SUBCOMMANDS)}\n")


def test_an_option_before_the_subcommand_is_told() -> None:
    done = in_pipe("--timeout=2", "send")
    assert done.returncode == 2
    assert "Traceback" not in done.stderr


def test_the_version_is_shown() -> None:
    shown = in_pipe("--version").stdout
    assert shown.startswith(f"pymilter {metadata.version('pymilter')}, CPython 3.")


def test_the_script_is_the_same_command() -> None:
    script = Path(sys.executable).with_name("pymilter")
    done = subprocess.run([script, "--help"], capture_output=True, text=True, check=False, timeout=60)
    assert words(done.stdout) == words(in_pipe("--help").stdout)


def test_import_pymilter_loads_nothing_of_it() -> None:
    source = "import sys, pymilter; print([name for name in sys.modules if '_command' in name or 'argparse' in name])"
    done = subprocess.run(
        [sys.executable, "-c", source], capture_output=True, text=True, check=True, timeout=60, env=environment()
    )
    assert done.stdout == "[]\n"


def test_a_subcommand_is_loaded_alone() -> None:
    source = (
        "import sys; from pymilter._command.main import main, SUBCOMMANDS\n"
        "try: main(['inspect', '--help'])\n"
        "finally: print([name for name in SUBCOMMANDS if f'pymilter._command.{name}' in sys.modules])"
    )
    done = subprocess.run(
        [sys.executable, "-c", source], capture_output=True, text=True, check=True, timeout=60, env=environment()
    )
    assert done.stdout.splitlines()[-1] == "['inspect']"
