"""Signatures as they are written: of the C++ half in its stub, of everything else in its source.

autodoc asks the objects, which know neither the types of the C++ half nor the names of type aliases.
"""

from __future__ import annotations

import ast
import copy
import functools
import inspect
from pathlib import Path
from typing import TYPE_CHECKING, Any

from sphinx.pycode import ModuleAnalyzer

import pymilter

if TYPE_CHECKING:
    from sphinx.application import Sphinx

CORE = "pymilter._core"
STUB = Path(pymilter.__file__).with_name("_core.pyi")
Definition = ast.FunctionDef | ast.AsyncFunctionDef


@functools.cache
def definitions(path: Path) -> dict[str, Definition | ast.ClassDef]:
    """The classes, functions and methods of a file by their qualified names, without overloaded ones."""
    found: dict[str, Definition | ast.ClassDef] = {}

    def visit(body: list[ast.stmt], prefix: str) -> None:
        for node in body:
            if isinstance(node, ast.If):  # TYPE_CHECKING: the first branch has the types
                visit([*node.body, *node.orelse], prefix)
            elif isinstance(node, ast.ClassDef):
                found.setdefault(f"{prefix}{node.name}", node)
                visit(node.body, f"{prefix}{node.name}.")
            elif isinstance(node, Definition) and "overload" not in marks(node):
                found.setdefault(f"{prefix}{node.name}", node)

    visit(ast.parse(path.read_text("utf-8")).body, "")
    return found


def marks(node: Definition | ast.ClassDef) -> set[str]:
    """The names of the decorators."""
    return {ast.unparse(mark).partition("(")[0].rpartition(".")[2] for mark in node.decorator_list}


def source_of(value: Any) -> Path | None:
    """The file that has the signature of an object."""
    if getattr(value, "__module__", None) == CORE:
        return STUB
    try:
        return Path(inspect.getsourcefile(inspect.unwrap(value)) or "")
    except TypeError:
        return None


def as_written(kind: str, full_name: str, value: Any) -> tuple[str, str] | None:
    """Arguments and result of a function, a method or a class, as the source has them; None if it has none."""
    path = source_of(value)
    if path is None or not path.is_file():
        return None
    if kind in ("class", "exception"):
        return of_class(definitions(path), value.__qualname__)
    owner, _, name = full_name.rpartition(".")
    for candidate in (getattr(value, "__qualname__", name), f"{owner.rpartition('.')[2]}.{name}"):
        node = definitions(path).get(candidate)
        if isinstance(node, Definition):
            return arguments_of(node, is_method="." in candidate), "" if node.returns is None else plain(node.returns)
    return None


def of_class(found: dict[str, Definition | ast.ClassDef], name: str) -> tuple[str, str] | None:
    """What makes an object of a class: its constructor, or the fields of a dataclass."""
    for method in ("__init__", "__new__"):
        node = found.get(f"{name}.{method}")
        if isinstance(node, Definition):
            return arguments_of(node, is_method=True), ""
    node = found.get(name)
    if not isinstance(node, ast.ClassDef) or "dataclass" not in marks(node):
        return None
    fields = [field for field in node.body if isinstance(field, ast.AnnAssign)]
    shown = [ast.unparse(field) for field in fields if "ClassVar" not in ast.unparse(field.annotation)]
    return f"({', '.join(shown)})", ""


def arguments_of(node: Definition, *, is_method: bool) -> str:
    """The arguments of a definition, without `self` or `cls`."""
    shown = copy.deepcopy(node.args)
    if is_method and "staticmethod" not in marks(node):
        (shown.posonlyargs or shown.args).pop(0)
    return f"({ast.unparse(shown)})"


def plain(node: ast.AST) -> str:
    """The source of a node, without quotes around a type that is defined later."""
    if isinstance(node, ast.Constant) and isinstance(node.value, str):
        return node.value
    return ast.unparse(node)


def process(
    app: Sphinx, kind: str, full_name: str, value: Any, options: Any, signature: str | None, result: str
) -> tuple[str, str] | None:
    """Called by autodoc for each signature; what has none cannot be called."""
    if signature is not None and kind in ("class", "exception", "function", "method"):
        return as_written(kind, full_name, value)
    return None


def show_stub() -> None:
    """Let autodoc see the C++ half in the order of its stub, with the types of the properties."""
    ModuleAnalyzer.cache["module", CORE] = ModuleAnalyzer.for_file(STUB, CORE)
    for name, node in definitions(STUB).items():
        owner, _, attribute = name.rpartition(".")
        if owner and isinstance(node, ast.FunctionDef) and "property" in marks(node) and node.returns:
            # pybind11's properties have no types, and autodoc reads them from nowhere but the function.
            holder = getattr(pymilter._core, owner)

            def read(self: object) -> None: ...

            read.__annotations__["return"] = eval(plain(node.returns), {"Any": Any})
            setattr(holder, attribute, property(read, doc=getattr(holder, attribute).__doc__))
    for method in (pymilter.Base.envfrom, pymilter.Base.envrcpt):
        vars(method).pop("__wrapped__")  # shows inspect.signature() less than the method takes


def setup(app: Sphinx) -> None:
    """Called by the extension."""
    show_stub()
    app.connect("autodoc-process-signature", process)
