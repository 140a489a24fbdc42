"""The package in a folder of its own, for interpreters that start without site."""

from __future__ import annotations

from pathlib import Path

import pymilter
from pymilter import _core


def package_alone(folder: Path) -> Path:
    """Link the package into `folder`, which `python -S` can have in its path. Returns the folder.

    The hook of an editable install, which joins the two places where its files lie, loads modules by itself: whoever
    wants to know what the package loads has to do without.
    """
    package = folder / "pymilter"
    package.mkdir()
    for path in (*Path(pymilter.__file__).parent.iterdir(), Path(_core.__file__)):
        if path.name != "__pycache__" and not (package / path.name).exists():
            (package / path.name).symlink_to(path)
    return folder
