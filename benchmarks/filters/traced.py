"""Another filter with `pymilter trace --save` before it: traced.py COMMAND... ADDRESS, a unix socket."""

import os
import subprocess
import sys
import time

from harness.process import Address


def main() -> None:
    """Start the filter beside the address, and become the trace. The harness ends both: they are one process group."""
    *command, address = sys.argv[1:]
    behind = f"{address}-behind"
    running = subprocess.Popen([*command, behind])
    while not Address("unix", behind.removeprefix("unix:")).answers():
        if running.poll() is not None:
            sys.exit(running.returncode)
        time.sleep(0.01)
    trace = ["trace", address, behind, "--quiet", "--save", f"{address.removeprefix('unix:')}.jsonl"]
    os.execv(sys.executable, [sys.executable, "-m", "pymilter", *trace])


if __name__ == "__main__":
    main()
