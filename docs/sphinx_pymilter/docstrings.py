"""Docstrings as Sphinx wants them: they have fenced code, and attributes that begin with words before a colon."""

from __future__ import annotations

import inspect
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from sphinx.application import Sphinx


def process(app: Sphinx, kind: str, full_name: str, value: Any, options: Any, lines: list[str]) -> None:
    """Called by autodoc for each docstring, before napoleon."""
    if kind in ("attribute", "data", "property"):
        if not inspect.isclass(value) and lines and (inspect.getdoc(type(value)) or "").startswith(lines[0]):
            lines.clear()  # that is the docstring of its type
        # napoleon takes words before a colon in the first line for a type: let an empty comment be that line.
        lines[:0] = ["..", ""]
    lines[:] = without_fences(lines)


def without_fences(lines: list[str]) -> list[str]:
    """The lines with each fenced block as a directive."""
    found: list[str] = []
    in_code = False
    for line in lines:
        if line.strip().startswith("```"):
            in_code = not in_code
            found += [line.replace("```", ".. code-block:: ", 1), ""] if in_code else [""]
        else:
            found.append(f"   {line}" if in_code else line)
    return found


def setup(app: Sphinx) -> None:
    """Called by the extension."""
    app.connect("autodoc-process-docstring", process, priority=100)
