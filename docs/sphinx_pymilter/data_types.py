"""The types of constants and other data of modules.

autodoc shows the annotations of the module that a name is documented for. Constants are mostly offered again by another
module than the one that annotates them, or have no annotation because a type checker finds their type out.
"""

from __future__ import annotations

import ast
import functools
import importlib
import inspect
import re
import sys
from collections.abc import Mapping
from types import GenericAlias, ModuleType, UnionType
from typing import TYPE_CHECKING, Any, Final, TypeVar, get_origin

from sphinx_pymilter.names import MODULES, is_alias, public_names

if TYPE_CHECKING:
    from sphinx.application import Sphinx

PACKAGES: Final = ("pymilter", "milter", "Milter")


def type_of(name: str, value: object) -> str:
    """The type of a public name: as one of our modules annotates it, otherwise that of its value."""
    for module in list(sys.modules.values()):
        if (
            module.__name__.partition(".")[0] in PACKAGES
            and vars(module).get(name) is value
            and name in written(module)
        ):
            return written(module)[name]
    return described(value)


@functools.cache
def written(module: ModuleType) -> dict[str, str]:
    """The annotations of a module, as they are written; Final alone is none."""
    path = inspect.getsourcefile(module)
    if path is None or not path.endswith(".py"):
        return {}
    found: dict[str, str] = {}
    for node in ast.parse(inspect.getsource(module)).body:
        if isinstance(node, ast.AnnAssign) and isinstance(node.target, ast.Name):
            annotation = node.annotation
            if isinstance(annotation, ast.Subscript) and ast.unparse(annotation.value) == "Final":
                annotation = annotation.slice
            if ast.unparse(annotation) != "Final":
                found[node.target.id] = ast.unparse(annotation)
    return found


def described(value: object) -> str:
    """The type of a value, with the types of its elements."""
    if isinstance(value, TypeVar):
        return "TypeVar"
    if isinstance(value, GenericAlias | UnionType) or get_origin(value) is not None:
        return "TypeAlias"
    name = type(value).__name__
    elements: list[list[Any]] = []
    if isinstance(value, Mapping):
        elements = [list(value), list(value.values())]
    elif isinstance(value, tuple):
        return f"{name}[{', '.join(map(described, value))}]"
    elif isinstance(value, list):
        elements = [value]
    elif isinstance(value, re.Pattern):
        return f"{name}[{described(value.pattern)}]"
    types = [" | ".join(sorted({described(element) for element in column})) for column in elements]
    return f"{name}[{', '.join(types)}]" if types else name


def annotate() -> None:
    """Give each module the types of all data that is documented for it."""
    for module_name in MODULES:
        module = importlib.import_module(module_name)
        for name in public_names(module_name):
            value = getattr(module, name)
            is_data = not (inspect.isclass(value) or inspect.isroutine(value) or inspect.ismodule(value))
            if is_data and not is_alias(module_name, name):
                module.__annotations__[name] = type_of(name, value)


def setup(app: Sphinx) -> None:
    """Called by the extension."""
    annotate()
