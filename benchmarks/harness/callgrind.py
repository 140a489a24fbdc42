"""User-space instructions of a filter, counted by callgrind: its cost without the machine's noise."""

import re
import shutil
import subprocess
import tempfile
import time
from collections import Counter
from pathlib import Path

from harness.build import BUILD, MissingError
from harness.loads import Load
from harness.process import fresh_address
from harness.sides import SIDES

_PATIENCE = 300  # seconds to start and to end, also beside other work
# Otherwise glibc copies long memory by one `rep movsb`, which callgrind counts as an instruction a byte.
_COPY_BY_VECTORS = "glibc.cpu.x86_rep_movsb_threshold=1073741824"


def _by_object(profile: Path) -> Counter[str]:
    """Instructions by the file, a program or a library, that they are in; the format is callgrind's own."""
    files: dict[str, str] = {}
    counts: Counter[str] = Counter()
    current = ""
    is_call = False  # the next line is what a call cost in all
    for line in profile.read_text().splitlines():
        if found := re.match(r"c?ob=(\(\d+\))(?: (.*))?$", line):
            number, name = found.groups()
            if name:
                files[number] = Path(name).name
            if line.startswith("ob="):
                current = number
        elif line.startswith("calls="):
            is_call = True
        elif found := re.match(r"[+*-]?\d* (\d+)$", line):
            if not is_call:
                counts[files[current]] += int(found.group(1))
            is_call = False
    return counts


def _count(side: str, load: Load, messages: int, folder: Path) -> Counter[str]:
    """All instructions of a filter that saw `messages` messages of `load`, then ended on SIGTERM."""
    address = fresh_address("unix", folder)
    profile = folder / f"{side}-{messages}"
    command = SIDES[side].command(load.mode, address, load.filter_options(SIDES[side], verify=False))
    valgrind = ["valgrind", "--tool=callgrind", f"--callgrind-out-file={profile}", "--trace-children=no"]
    filter_process = subprocess.Popen(
        [*valgrind, *command],
        cwd=BUILD.parent,
        env={
            "PATH": "/usr/bin:/bin",
            "PYTHONHASHSEED": "0",
            "PYTHONDONTWRITEBYTECODE": "1",  # otherwise only the first start after a change would compile
            "GLIBC_TUNABLES": _COPY_BY_VECTORS,
        },
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
    )
    try:
        deadline = time.monotonic() + _PATIENCE
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
    counts = _by_object(profile)
    if not counts:
        raise MissingError(f"callgrind wrote no count for {side}")
    return counts


def instructions_per_message(side: str, load: Load, messages: int) -> dict[str, float]:
    """By the file that they are in. What few and many messages have in common, as the start has, cancels out."""
    if shutil.which("valgrind") is None:
        raise MissingError("callgrind is not installed: apt-get install valgrind")
    few = 2
    with tempfile.TemporaryDirectory(prefix="bench-") as temporary:
        many_counts = _count(side, load, few + messages, Path(temporary))
        few_counts = _count(side, load, few, Path(temporary))
    return {name: (count - few_counts[name]) / messages for name, count in many_counts.items()}
