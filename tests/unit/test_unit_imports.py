"""What `import pymilter` loads: each worker pays for it at its start."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

from support.alone import package_alone

# Needed by few programs, and slow or large to load.
SPARED = (
    *("difflib", "hashlib", "hmac", "secrets", "base64", "email", "asyncio", "ssl", "json", "random", "tempfile"),
    *("inspect", "ast", "dis", "dataclasses", "subprocess", "pathlib", "urllib.parse", "mmap"),
    *("pymilter.message", "pymilter.mime", "pymilter._workers.supervisor", "pymilter._workers.worker"),
    *("pymilter._observe.stats", "pymilter._observe.scrapes", "pymilter._serve.pid_file"),
)
# Needed where a filter runs: a program that defines or tests one need not.
OF_RUN = ("logging", "socket", "signal", "contextvars", "pymilter._run", "pymilter._serve", "pymilter._observe.logging")


def loaded(folder: Path, program: str, modules: tuple[str, ...]) -> set[str]:
    """Those of `modules` that `program` loads, with the package in `folder`."""
    source = f"import sys; sys.path.insert(0, {str(folder)!r})\n{program}\nprint(*set({modules!r}) & set(sys.modules))"
    done = subprocess.run([sys.executable, "-S", "-c", source], capture_output=True, text=True, timeout=60, check=True)
    return set(done.stdout.split())


def test_importing_the_package_loads_nothing_that_few_programs_use(tmp_path: Path) -> None:
    folder = package_alone(tmp_path)
    assert loaded(folder, "import pymilter", (*SPARED, *OF_RUN)) == set()
    assert loaded(folder, "import pymilter; pymilter.run", (*SPARED, *OF_RUN)) == set(OF_RUN)


def test_each_public_name_is_found_and_kept(tmp_path: Path) -> None:
    """Also those that are loaded when they are first looked at."""
    program = "import pymilter\nfor name in pymilter.__all__: assert getattr(pymilter, name) is vars(pymilter)[name]"
    folder = package_alone(tmp_path)
    assert loaded(folder, program, (*SPARED, *OF_RUN)) >= {*OF_RUN, "pymilter.message", "pymilter._observe.stats"}


def test_records_of_the_mime_module_have_their_attributes_in_any_program(tmp_path: Path) -> None:
    """Also in one that runs no filter: its format may ask for them."""
    program = "import pymilter.mime, logging\n"
    program += "assert logging.getLogger('pymilter.mime').filters, 'no filter gives them'"
    assert loaded(package_alone(tmp_path), program, ("pymilter._run",)) == set()


def test_the_log_is_written_out_before_logging_is_closed(tmp_path: Path) -> None:
    """What is registered for the exit first is called last: `logging` comes before the thread of the log."""
    program = "from pymilter._observe import report, writer; from pymilter._process.process import PROCESS\n"
    program += "assert writer.Writer in PROCESS._only, 'it is made by the first record'"
    assert loaded(package_alone(tmp_path), program, ("pymilter._run",)) == set()
