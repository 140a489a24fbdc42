"""The page about containers: each instruction of its Dockerfile works, and the filter serves and stops as it says."""

from __future__ import annotations

import shutil
import subprocess
import tempfile
from collections.abc import Iterator
from pathlib import Path

import pytest

from pymilter.testing import FilterProcess, free_port, send_message
from support import dockerfile

ROOT = Path(__file__).parents[2]
DOCKERFILE = ROOT / "examples" / "container" / "Dockerfile"


@pytest.fixture
def image(tmp_path: Path) -> Iterator[dockerfile.Image]:
    """The last stage, built from what is committed."""
    folder = Path(tempfile.mkdtemp(prefix="pymilter-container-", dir="/var/tmp"))
    folder.chmod(0o755)
    context = tmp_path / "context"
    try:
        subprocess.run(["git", "clone", "-q", "--depth=1", f"file://{ROOT}", context], check=True, timeout=60)
        yield dockerfile.build(DOCKERFILE, context, folder)
    finally:
        shutil.rmtree(folder)


@pytest.mark.long
@pytest.mark.timeout(1500)
def test_the_image(image: dockerfile.Image) -> None:
    port = str(free_port())
    address = f"inet:{port}@127.0.0.1"
    entry = [word.replace("8890", port) for word in image.entry]
    with FilterProcess(image.command(entry), address, timeout=60) as process:
        assert Path(f"/proc/{process.pid}/status").read_text().partition("\nUid:\t")[2].startswith("65534\t")
        result = send_message(address, b"Subject: one\r\n\r\nbody\r\n")
        assert b"X-Gate: open; " in (result.message or b"")
        healthy = [word.replace("8890", port) for word in image.healthy]
        subprocess.run(image.command(healthy), check=True, capture_output=True, timeout=60)
        assert process.stop() == 0, process.stderr
    assert '"message": "listening on' in process.stderr
    assert not (image.root / "usr/bin/c++").exists()
    with pytest.raises(subprocess.CalledProcessError):  # the filter is gone
        subprocess.run(image.command(healthy), check=True, capture_output=True, timeout=60)
