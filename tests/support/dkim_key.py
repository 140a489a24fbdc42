"""A key to sign mail with (DKIM, RFC 6376)."""

from __future__ import annotations

import base64
import subprocess
from pathlib import Path


def make_dkim_key(folder: Path) -> tuple[Path, str]:
    """A new private key in a file, and the DNS record of its public half."""
    path = folder / "key.pem"
    subprocess.run(["openssl", "genrsa", "-traditional", "-out", path, "2048"], check=True, capture_output=True)
    public: list[str | Path] = ["openssl", "rsa", "-in", path, "-pubout", "-outform", "DER"]
    der = subprocess.run(public, check=True, capture_output=True).stdout
    return path, f"v=DKIM1; k=rsa; p={base64.b64encode(der).decode()}"
