"""User-space instructions per callback, counted by callgrind: the boundary's cost without the machine's noise."""

import re
import shutil
import subprocess
import tempfile
import time
from collections.abc import Callable, Sequence
from pathlib import Path

from harness.build import BUILD, MissingError
from harness.loads import LOADS
from harness.process import fresh_address
from harness.report import number, table
from harness.sides import SIDES

_SIDES = ("c", "c-noreply", "old", "old-noreply", "ours", "ours-none")
_FEW, _MANY = 2, 42  # messages; what both runs do alike, such as the start of the interpreter, cancels out


def _count(side: str, messages: int, folder: Path) -> int:
    """All instructions of a filter that saw `messages` messages of 1,000 headers, then ended on SIGTERM."""
    load = LOADS["boundary"]
    address = fresh_address("unix", folder)
    profile = folder / f"{side}-{messages}"
    command = SIDES[side].command(load.mode, address, load.filter_options(SIDES[side], verify=False))
    valgrind = ["valgrind", "--tool=callgrind", f"--callgrind-out-file={profile}", "--trace-children=no"]
    filter_process = subprocess.Popen(
        [*valgrind, *command],
        cwd=BUILD.parent,
        env={"PATH": "/usr/bin:/bin", "PYTHONHASHSEED": "0"},
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
    )
    try:
        deadline = time.monotonic() + 60
        while not Path(address.where).exists() or not address.answers():
            if filter_process.poll() is not None or time.monotonic() > deadline:
                raise MissingError(f"{side} did not start under callgrind")
            time.sleep(0.05)
        client = [
            str(BUILD / "load"),
            *address.for_client,
            *load.client_options(SIDES[side]),
            "--messages",
            str(messages),
        ]
        subprocess.run(client, check=True, stdout=subprocess.DEVNULL)
        filter_process.terminate()
        filter_process.wait(60)
    finally:
        filter_process.kill()
        filter_process.wait()
    found = re.search(r"^(?:totals|summary): (\d+)", profile.read_text(), re.MULTILINE)
    if found is None:
        raise MissingError(f"callgrind wrote no count for {side}")
    return int(found.group(1))


def count_instructions(sides: Sequence[str], say: Callable[[str], None]) -> str:
    """A Markdown table of instructions per header callback, and of those above the C filter used in the same way."""
    if shutil.which("valgrind") is None:
        raise MissingError("callgrind is not installed: apt-get install valgrind")
    counts: dict[str, float] = {}
    for side in _SIDES:
        if side in sides:
            with tempfile.TemporaryDirectory(prefix="bench-") as temporary:
                folder = Path(temporary)
                difference = _count(side, _MANY, folder) - _count(side, _FEW, folder)
            counts[side] = difference / (_MANY - _FEW) / LOADS["boundary"].callbacks
            say(f"  {side}: {counts[side]:.0f} instructions per callback")
    lines = []
    for side, count in counts.items():
        floor = counts.get("c-noreply" if SIDES[side].noreply else "c", 0.0)
        lines.append([SIDES[side].title, number(count), number(count - floor)])
    return table(["side", "instructions per header callback", "above C"], lines)
