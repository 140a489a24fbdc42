"""Processor time of a process that others interrupt, by the file that it is spent in: perf samples its clock."""

import contextlib
import shutil
import signal
import subprocess
import tempfile
from collections.abc import Iterator
from pathlib import Path

from harness.build import MissingError


@contextlib.contextmanager
def sampled(pid: int) -> Iterator[dict[str, float]]:
    """Filled in at the end: by the file, a program, a library or [kernel.kallsyms], its share of all samples."""
    if shutil.which("perf") is None:
        raise MissingError("perf is not installed: apt-get install linux-perf")
    shares: dict[str, float] = {}
    with tempfile.TemporaryDirectory(prefix="bench-") as temporary:
        data = Path(temporary) / "perf.data"
        recorder = subprocess.Popen(
            ["perf", "record", "--quiet", "-e", "cpu-clock", "-F", "4000", "-o", data, "-p", str(pid), "--", "cat"],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=subprocess.DEVNULL,
        )
        try:
            _wait_until_it_samples(recorder)
            yield shares
            recorder.send_signal(signal.SIGINT)
            recorder.communicate(timeout=60)
        finally:
            recorder.kill()
            recorder.wait()
        report = subprocess.run(
            ["perf", "report", "--stdio", "--quiet", "-i", data, "-F", "sample,dso", "-g", "none"],
            check=True,
            capture_output=True,
            text=True,
        ).stdout
    counts = {name: int(count) for count, name in (line.split() for line in report.splitlines() if line.strip())}
    total = sum(counts.values())
    shares.update({name: count / total for name, count in counts.items()})


def _wait_until_it_samples(recorder: "subprocess.Popen[bytes]") -> None:
    """Its child, cat, runs from the moment on that samples are taken."""
    assert recorder.stdin is not None
    assert recorder.stdout is not None
    recorder.stdin.write(b"\n")
    recorder.stdin.flush()
    if recorder.stdout.read(1) != b"\n":
        raise MissingError("perf does not sample: is kernel.perf_event_paranoid too high?")
