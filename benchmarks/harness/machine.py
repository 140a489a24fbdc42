"""What a table is worth only with: the machine, the versions and the time."""

import os
import platform
import re
import subprocess
from datetime import UTC, datetime
from pathlib import Path

from harness.build import BUILD, ROOT


def describe() -> dict[str, str]:
    """The machine and the software that a run was made with, in the order to be shown."""
    facts = {
        "date": datetime.now(UTC).strftime("%Y-%m-%d %H:%M UTC"),
        "processor": _processor(),
        "cores": str(len(os.sched_getaffinity(0))),
        "memory": _memory(),
        "kernel": f"{platform.system()} {platform.release()}",
        "system": platform.freedesktop_os_release().get("PRETTY_NAME", "unknown"),
        "python": platform.python_version(),
        "libmilter": _libmilter(),
        "load average before": " ".join(f"{load:.2f}" for load in os.getloadavg()),
    }
    commit = _output("git", "-C", str(ROOT), "rev-parse", "--short", "HEAD")
    if commit:
        dirty = _output("git", "-C", str(ROOT), "status", "--porcelain", "--", "cpp", "python")
        facts["commit"] = commit + (" with changes" if dirty else "")
    return facts


def _output(*command: str) -> str:
    try:
        done = subprocess.run(command, capture_output=True, text=True)
    except FileNotFoundError:
        return ""
    return done.stdout.strip() if done.returncode == 0 else ""


def _processor() -> str:
    found = re.search(r"^model name\s*:\s*(.*)$", Path("/proc/cpuinfo").read_text(), re.MULTILINE)
    return found.group(1) if found else platform.machine()


def _memory() -> str:
    found = re.search(r"^MemTotal:\s+(\d+) kB", Path("/proc/meminfo").read_text(), re.MULTILINE)
    return f"{int(found.group(1)) / 2**20:.1f} GiB" if found else "unknown"


def _libmilter() -> str:
    """What smfi_version() says, and the package's version where Debian's tools can tell."""
    program = str(BUILD / "c_filter")
    version = f"smfi_version {_output(program, '--version')}"
    found = re.search(r"libmilter\S* => (\S+)", _output("ldd", program))
    if found is None:
        return version
    # Debian knows the file by its path from before /usr was merged, too.
    for path in (found.group(1), str(Path(found.group(1)).resolve())):
        package = _output("dpkg", "-S", path).partition(":")[0]
        if package:
            return f"{version}, {package} {_output('dpkg-query', '-W', '-f=${Version}', package)}"
    return f"{version}, {found.group(1)}"
