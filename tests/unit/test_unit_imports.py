"""What `import pymilter` loads: each worker pays for it at its start."""

from __future__ import annotations

import subprocess
import sys

# Needed by few programs, and slow or large to load.
SPARED = ("difflib", "hashlib", "hmac", "secrets", "base64", "email", "asyncio", "ssl")


def test_importing_the_package_loads_nothing_that_few_programs_use() -> None:
    program = f"import sys, pymilter\nprint(*sorted(set({SPARED!r}) & set(sys.modules)))"
    done = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, timeout=60, check=True)
    assert done.stdout.split() == []
