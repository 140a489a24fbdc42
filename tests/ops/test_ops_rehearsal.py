"""The session that a filter plays with libmilter before it serves: where it cannot be played, the filter serves."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

from support import require

PROGRAM = """
import logging
import sys
import pymilter

logging.basicConfig(level=logging.INFO, format="%(levelname)s %(message)s")
server = pymilter.Server(pymilter.Base, sys.argv[1])
server.start()
print(pymilter.stats().connections_opened)
server.finish()
"""


def run(program: Path, address: str, *prefix: str | Path) -> list[str]:
    """What it logs; the rehearsal is no connection that counts."""
    done = subprocess.run(
        [*prefix, sys.executable, program, address], capture_output=True, text=True, timeout=60, check=False
    )
    assert (done.returncode, done.stdout) == (0, "0\n"), done.stderr
    return done.stderr.splitlines()


def test_a_filter_serves_where_the_loopback_interface_is_down(tmp_path: Path) -> None:
    require.root("a network namespace")
    program = tmp_path / "program.py"
    program.write_text(PROGRAM)
    unshare = require.command("unshare", "util-linux")
    warning, *rest = run(program, "inet:8899@127.0.0.1", unshare, "--net")
    assert warning.startswith("WARNING commands that come out of order may get no answer")
    assert "libmilter could not be reached" in warning
    assert rest == ["INFO listening on inet:8899@127.0.0.1", "INFO stopped listening on inet:8899@127.0.0.1"]

    address = f"unix:{tmp_path}/socket"
    assert run(program, address) == [f"INFO listening on {address}", f"INFO stopped listening on {address}"]
