"""The Python code in README.md and docs/: each block passes mypy --strict by itself."""

from __future__ import annotations

import os
import re
import subprocess
import sys
from pathlib import Path

ROOT = Path(__file__).parents[2]
BLOCK = re.compile(r"^```python\n(.*?)^```$", re.DOTALL | re.MULTILINE)
# Pages whose blocks are whole programs; those of the README after the first begin in the middle of one.
PAGES = ("README.md", "docs/reference/messages.md")
FRAGMENT = "import pymilter\nfrom pymilter import CONTINUE, Base, Outcome, Reject\n\n"


def test_code_in_the_docs_passes_mypy(tmp_path: Path) -> None:
    files = []
    for page in PAGES:
        for number, block in enumerate(BLOCK.findall((ROOT / page).read_text("utf-8"))):
            path = tmp_path / f"{Path(page).stem.lower()}_{number}.py"
            path.write_text(block if "import" in block else FRAGMENT + block, "utf-8")
            files.append(path)
    assert len(files) > 3
    done = subprocess.run(
        [sys.executable, "-m", "mypy", "--strict", "--config-file=", "--no-error-summary", *files],
        cwd=tmp_path,
        env={**os.environ, "MYPYPATH": os.fspath(ROOT / "python")},
        capture_output=True,
        text=True,
        timeout=100,
    )
    assert done.stdout + done.stderr == ""
