"""The site's own Sphinx extension: reference from the public names, pictures, measured numbers, output of commands."""

from __future__ import annotations

import zlib
from pathlib import Path
from typing import TYPE_CHECKING

from sphinx_pymilter import api, data_types, docstrings, measured, pictures, references, signatures, terminal

if TYPE_CHECKING:
    from sphinx.application import Sphinx
    from sphinx.util.typing import ExtensionMetadata


def setup(app: Sphinx) -> ExtensionMetadata:
    """Called by Sphinx."""
    for part in (api, data_types, docstrings, measured, pictures, references, signatures, terminal):
        part.setup(app)
    # Pages that were made by other code than that of now are made again.
    code = b"".join(path.read_bytes() for path in sorted(Path(__file__).parent.rglob("*.py")))
    return {"env_version": zlib.crc32(code), "parallel_read_safe": True, "parallel_write_safe": True}
