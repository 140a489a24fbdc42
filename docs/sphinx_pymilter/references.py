"""Finds what a type in a signature means: a public name of pymilter, or one of Python's.

The source of a signature has short names (`Outcome`, `Callable`), and autodoc has those of private modules.
"""

from __future__ import annotations

import functools
import importlib
from typing import TYPE_CHECKING

from docutils import nodes
from sphinx.addnodes import pending_xref
from sphinx.ext.intersphinx import InventoryAdapter

from sphinx_pymilter.names import MODULES, home_of, public_names

if TYPE_CHECKING:
    from docutils.nodes import Element
    from sphinx.application import Sphinx
    from sphinx.environment import BuildEnvironment


@functools.cache
def homes() -> dict[str, str]:
    """Where a name is described: by its last part, and by the module that defines it."""
    found: dict[str, str] = {}
    for module in MODULES:
        for name in public_names(module):
            home, value = home_of(module, name), getattr(importlib.import_module(module), name)
            found.setdefault(name, home)
            found.setdefault(f"{module}.{name}", home)
            if hasattr(value, "__qualname__"):
                found.setdefault(f"{value.__module__}.{value.__qualname__}", home)
    return found


def resolve_public(app: Sphinx, doctree: nodes.document) -> None:
    """Let each reference to a public name lead to the one place where that is described."""
    for node in doctree.findall(pending_xref):
        if node.get("refdomain") != "py":
            continue
        target = str(node["reftarget"])
        for name in (f"{node.get('py:module') or 'pymilter'}.{target}", target):
            if name in homes():
                node["reftarget"] = homes()[name]
                node.attributes.pop("refspecific", None)
                break


def resolve(app: Sphinx, env: BuildEnvironment, node: pending_xref, content: Element) -> Element | None:
    """Called by Sphinx for a reference that it cannot resolve."""
    return of_python(env, str(node["reftarget"]), content) if node.get("refdomain") == "py" else None


def of_python(env: BuildEnvironment, target: str, content: Element) -> Element | None:
    """A reference to a name of the standard library, which may lack its module."""
    for entries in InventoryAdapter(env).main_inventory.values():
        for name, item in entries.items():
            if name == target or name.rpartition(".")[2] == target:
                return nodes.reference("", "", content, internal=False, refuri=item.uri, reftitle=f"(in Python) {name}")
    return None


def unlink_examples(app: Sphinx, doctree: nodes.document) -> None:
    """Take away the links that docutils makes of addresses in docstrings, such as `file:NAME` or `a@example.org`."""
    for node in list(doctree.findall(nodes.reference)):
        if str(node.get("refuri", "")).startswith(("file:", "mailto:")):
            node.replace_self(node.children)


def setup(app: Sphinx) -> None:
    """Called by the extension."""
    app.connect("doctree-read", unlink_examples)
    app.connect("doctree-read", resolve_public)
    app.connect("missing-reference", resolve)
