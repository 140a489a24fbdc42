"""What `import pymilter` loads: each worker pays for it at its start."""

from __future__ import annotations

import subprocess
import sys

# Needed by few programs, and slow or large to load.
SPARED = (
    *("difflib", "hashlib", "hmac", "secrets", "base64", "email", "asyncio", "ssl", "json", "random", "tempfile"),
    *("inspect", "ast", "dis", "dataclasses", "subprocess", "pathlib", "urllib.parse", "mmap"),
    *("pymilter.message", "pymilter.mime", "pymilter._workers.supervisor", "pymilter._workers.worker"),
    *("pymilter._observe.stats", "pymilter._observe.scrapes", "pymilter._serve.pid_file"),
)


def test_importing_the_package_loads_nothing_that_few_programs_use() -> None:
    # Without site, whose hook for an editable install loads some of them itself.
    program = f"import sys; sys.path[:0] = {sys.path!r}; before = set(sys.modules)\nimport pymilter\n"
    program += f"print(*sorted(set({SPARED!r}) & (set(sys.modules) - before)))"
    done = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, timeout=60, check=True)
    assert done.stdout.split() == []
