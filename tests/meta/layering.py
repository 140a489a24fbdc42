"""The layering rules of docs/design.md as functions: each gives what breaks them in a tree, as "file:line: what"."""

from __future__ import annotations

import ast
import re
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Final

LAYERS: Final = ("core", "python", "bindings")
GIL_FILES: Final = ("python/gil.hpp", "python/gil.cpp")
CALLBACK_FILES: Final = ("python/callbacks.hpp", "python/callbacks.cpp")
LIBMILTER_HEADER: Final = "core/libmilter.hpp"
PYTHON_HEADER: Final = "python/python.hpp"
BINDING_HEADERS: Final = ("pybind11/stl.h", "pybind11/native_enum.h")

CORE_IMPORTERS: Final = (
    "__init__",
    "_base",
    "_checks",
    "_constants",
    "_handlers",
    "_library",
    "_logging",
    "_loop",
    "_low_level",
    "_negotiate",
    "_plan",
    "_run",
    "_shares",
    "_stats",
    "replies",
)
# What an extra of pyproject.toml brings, and the only file that may need it.
OPTIONAL: Final = {"prometheus": "prometheus_client"}
CLASSIC: Final = ("Milter", "milter", "mime")
PURE: Final = ("_annotations", "_core", "_decorators")
# What this Python has, and what later ones have that is imported there.
STANDARD: Final = sys.stdlib_module_names | {"annotationlib"}

_INCLUDE = re.compile(r'^\s*#\s*include\s*([<"])([^>"]+)[>"]')
_GIL_CALL = re.compile(
    r"\b(PyGILState_\w+|PyEval_(?:Save|Restore|Acquire|Release)\w*|PyThreadState_\w+|_PyThreadState_\w+"
    r"|Py_(?:BEGIN|END)_ALLOW_THREADS|Py_(?:UN)?BLOCK_THREADS|gil_scoped_\w+|gil_safe_call_once\w*)"
)
_EXTERN_C = re.compile(r'\bextern\s*"C"')
_BLOCK_COMMENT = re.compile(r"/\*.*?\*/", re.DOTALL)


def cpp_faults(cpp: Path) -> list[str]:
    """What breaks the rules in a folder with the layers core, python and bindings."""
    files = sorted(path for path in cpp.rglob("*") if path.suffix in (".cpp", ".hpp"))
    return [fault for path in files for fault in _faults_of_cpp_file(cpp, path)]


def _faults_of_cpp_file(cpp: Path, path: Path) -> Iterator[str]:
    name = path.relative_to(cpp).as_posix()
    text = path.read_text("utf-8")
    if not re.match(r"// \S.*[.:]", text):
        yield f"{name}:1: does not open with a sentence that says what it owns"
    if name.partition("/")[0] not in LAYERS:
        yield f"{name}:1: is in no layer; the layers are {', '.join(LAYERS)}"
        return
    for number, line in enumerate(_without_comments(text).splitlines(), 1):
        if include := _INCLUDE.match(line):
            is_own = include[1] == '"'
            for fault in _own_include(cpp, name, include[2]) if is_own else _foreign_include(name, include[2]):
                yield f"{name}:{number}: {fault}"
        if (call := _GIL_CALL.search(line)) and name not in GIL_FILES:
            yield f"{name}:{number}: {call[1]} belongs into {GIL_FILES[1]}"
        if _EXTERN_C.search(line) and name not in CALLBACK_FILES:
            yield f'{name}:{number}: extern "C" belongs into {CALLBACK_FILES[1]}'


def _without_comments(text: str) -> str:
    """Without comments, each line where it was; a // within a string ends the line too, which no rule here minds."""
    blank = _BLOCK_COMMENT.sub(lambda found: "\n" * found[0].count("\n"), text)
    return re.sub(r"//.*", "", blank)


def _own_include(cpp: Path, name: str, header: str) -> Iterator[str]:
    layer, there = name.partition("/")[0], header.partition("/")[0]
    if there not in LAYERS or not (cpp / header).is_file():
        yield f'"{header}" is no header of ours: write the path from cpp/'
    elif LAYERS.index(there) > LAYERS.index(layer):
        yield f'"{header}" lies above: {layer} may include {", ".join(LAYERS[: LAYERS.index(layer) + 1])}'


def _foreign_include(name: str, header: str) -> Iterator[str]:
    if header.startswith("libmilter/") and name != LIBMILTER_HEADER:
        yield f"<{header}> is included only by {LIBMILTER_HEADER}"
    if header == "Python.h" or header.startswith(("pybind11/", "cpython/")):
        allowed: tuple[str, ...] = BINDING_HEADERS if name.startswith("bindings/") else ()
        if name == PYTHON_HEADER:
            allowed = ("pybind11/pybind11.h",)
        if header not in allowed:
            yield f"<{header}> comes only through {PYTHON_HEADER}"


def python_faults(python: Path) -> list[str]:
    """What breaks the rules in a folder with the package pymilter and the classic modules."""
    return [fault for path in sorted(python.rglob("*.py")) for fault in _faults_of_python_file(python, path)]


def _faults_of_python_file(python: Path, path: Path) -> Iterator[str]:
    name = path.relative_to(python).as_posix()
    tree = ast.parse(path.read_text("utf-8"), name)
    if not ast.get_docstring(tree):
        yield f"{name}:1: does not open with a sentence that says what it owns"
    if not name.startswith("pymilter/"):
        for line, module in _imports(tree, name):
            if _is_within(module, "pymilter._core") and name != "milter.py":
                yield f"{name}:{line}: imports pymilter._core, which of the classic modules only milter.py may"
        return
    module_name = name.removesuffix(".py").removeprefix("pymilter/")
    for line, module in _imports(tree, name):
        top = module.partition(".")[0]
        if top in CLASSIC:
            yield f"{name}:{line}: imports {module}: nothing in pymilter may import the classic modules"
        elif top not in ("pymilter", OPTIONAL.get(module_name)) and top not in STANDARD:
            yield f"{name}:{line}: imports {module}: pymilter has no run-time dependency"
        if _is_within(module, "pymilter._core") and module_name not in CORE_IMPORTERS:
            yield f"{name}:{line}: imports pymilter._core: only {', '.join(CORE_IMPORTERS)} may"
        is_allowed = module == "pymilter" or any(_is_within(module, f"pymilter.{pure}") for pure in PURE)
        if module_name == "_negotiate" and top == "pymilter" and not is_allowed:
            yield f"{name}:{line}: imports {module}: it is pure, and may import only {', '.join(PURE)} of pymilter"
        if module_name == "errors" and top == "pymilter":
            yield f"{name}:{line}: imports {module}: it may import nothing of pymilter"


def _is_within(module: str, package: str) -> bool:
    return module == package or module.startswith(f"{package}.")


def _imports(tree: ast.AST, name: str) -> Iterator[tuple[int, str]]:
    """Line and full name of all that a file imports, what stands behind `from` with and without the name taken."""
    package = name.removesuffix(".py").split("/")[:-1]
    for node in ast.walk(tree):
        if isinstance(node, ast.Import):
            for alias in node.names:
                yield node.lineno, alias.name
        elif isinstance(node, ast.ImportFrom):
            base = package[: len(package) - node.level + 1] if node.level else []
            module = ".".join([*base, *([node.module] if node.module else [])])
            yield node.lineno, module
            for alias in node.names:
                yield node.lineno, f"{module}.{alias.name}"
        elif isinstance(node, ast.Call) and ast.unparse(node.func) in ("importlib.import_module", "__import__"):
            match node.args:
                case [ast.Constant(value=str(module)), *_]:
                    yield node.lineno, module
