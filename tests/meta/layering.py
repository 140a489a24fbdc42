"""The layering rules of docs/explanation/design.md as functions: each returns the breaches, as "file:line: what"."""

from __future__ import annotations

import ast
import re
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Final

LAYERS: Final = ("core", "python", "bindings")
# The rooms of each layer in their order: a file includes from its own room and from those before it, so that there is
# no circle. A layer without rooms has its files in its own folder.
CPP_ROOMS: Final = {
    "core": ("protocol", "body", "process", "balance", "relay"),
    "python": ("interpreter", "handlers", "connection", "service", "boundary"),
    "bindings": (),
}
GIL_FILES: Final = ("python/interpreter/gil.hpp", "python/interpreter/gil.cpp")
CALLBACK_FILES: Final = ("python/boundary/callbacks.hpp", "python/boundary/callbacks.cpp")
LIBMILTER_HEADER: Final = "core/protocol/libmilter.hpp"
PYTHON_HEADER: Final = "python/interpreter/python.hpp"
BINDING_HEADERS: Final = ("pybind11/stl.h", "pybind11/native_enum.h")
MOST_LINES: Final = 250

# The rooms of the package: each imports only from itself and from those before it. Files of the package's own folder
# stand on the ground or, if they are named nowhere here, on the roof.
ROOMS: Final = (
    ("ground", ("_core", "errors", "_library", "_constants", "_checks", "replies")),
    ("_process", ("_process",)),
    ("_class", ("_class",)),
    ("_observe", ("_observe",)),
    ("_serve", ("_serve",)),
    ("_workers", ("_workers",)),
    ("run", ("prometheus", "_run", "_low_level")),
    ("mime", ("mime",)),
    ("message", ("message",)),
    ("testing", ("testing",)),
)
# Above the roof: programs, which no file of the package imports. A `__main__` is one, in whatever room it lies.
PROGRAMS: Final = ("_command", "__main__")
CORE_IMPORTERS: Final = (
    "__init__",
    "_checks",
    "_class.base",
    "_class.decorators",
    "_class.handlers",
    "_class.negotiate",
    "_class.plan",
    "_command.check",
    "_command.relay",
    "_constants",
    "_library",
    "_low_level",
    "_observe.counts",
    "_observe.logging",
    "_observe.stats",
    "_observe.writer",
    "_process.process",
    "_run",
    "_serve.drain",
    "_serve.serving",
    "_workers.slots",
    "replies",
    "testing._fixtures",
    "testing._session",
)
# What an extra of pyproject.toml brings, and the only file that may need it.
OPTIONAL: Final = {"prometheus": "prometheus_client", "_command.reload": "watchfiles"}
CLASSIC: Final = ("Milter", "milter", "mime")
PURE: Final = ("_core", "_class.annotations", "_class.decorators", "_class.marks")
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


def cpp_circles(cpp: Path) -> list[str]:
    """Units that include each other in a circle, each once; a unit is a source with its header."""
    included: dict[str, dict[str, None]] = {}
    for path in sorted(path for path in cpp.rglob("*") if path.suffix in (".cpp", ".hpp")):
        unit = path.relative_to(cpp).with_suffix("").as_posix()
        includes = [_INCLUDE.match(line) for line in _without_comments(path.read_text("utf-8")).splitlines()]
        others = (include[2].rpartition(".")[0] for include in includes if include and include[1] == '"')
        included.setdefault(unit, {}).update(dict.fromkeys(other for other in others if other != unit))
    return [
        f"{circle[0]}:1: includes itself in a circle: {' includes '.join(circle)}"
        for circle in _circles_in({unit: list(others) for unit, others in included.items()})
    ]


def _faults_of_cpp_file(cpp: Path, path: Path) -> Iterator[str]:
    name = path.relative_to(cpp).as_posix()
    text = path.read_text("utf-8")
    if not re.match(r"// \S.*[.:]", text):
        yield f"{name}:1: does not open with a sentence that says what it owns"
    if name.partition("/")[0] not in LAYERS:
        yield f"{name}:1: is in no layer; the layers are {', '.join(LAYERS)}"
        return
    if _folder_of(name) not in (CPP_ROOMS[_layer_of(name)] or ("",)):
        yield f"{name}:1: is in no room; the rooms of {_layer_of(name)} are {', '.join(CPP_ROOMS[_layer_of(name)])}"
        return
    if (lines := text.count("\n")) > MOST_LINES:
        yield f"{name}:{MOST_LINES + 1}: has {lines} lines, more than {MOST_LINES}: look for the two things in it"
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


def _layer_of(name: str) -> str:
    return name.partition("/")[0]


def _folder_of(name: str) -> str:
    """The folders between the layer and the file."""
    return "/".join(name.split("/")[1:-1])


def _own_include(cpp: Path, name: str, header: str) -> Iterator[str]:
    layer, there = _layer_of(name), _layer_of(header)
    if there not in LAYERS or not (cpp / header).is_file():
        yield f'"{header}" is no header of ours: write the path from cpp/'
    elif LAYERS.index(there) > LAYERS.index(layer):
        yield f'"{header}" lies above: {layer} may include {", ".join(LAYERS[: LAYERS.index(layer) + 1])}'
    elif there == layer and _folder_of(header) not in (allowed := _rooms_up_to(name)):
        yield f'"{header}" lies above: {layer}/{_folder_of(name)} may include {", ".join(allowed)}'


def _rooms_up_to(name: str) -> tuple[str, ...]:
    rooms = CPP_ROOMS[_layer_of(name)]
    return rooms[: rooms.index(_folder_of(name)) + 1] if rooms else ("",)


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
    faults = [fault for path in sorted(python.rglob("*.py")) for fault in _faults_of_python_file(python, path)]
    return faults + circles(python / "pymilter")


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
    module_name = _module_of(name).partition(".")[2] or "__init__"
    for line, module in _imports(tree, name):
        top = module.partition(".")[0]
        if top in CLASSIC:
            yield f"{name}:{line}: imports {module}: nothing in pymilter may import the classic modules"
        elif top not in ("pymilter", OPTIONAL.get(module_name)) and top not in STANDARD:
            yield f"{name}:{line}: imports {module}: pymilter has no run-time dependency"
        if _is_within(module, "pymilter._core") and module_name not in CORE_IMPORTERS:
            yield f"{name}:{line}: imports pymilter._core: only {', '.join(CORE_IMPORTERS)} may"
        is_allowed = module in ("pymilter", "pymilter._class") or any(
            _is_within(module, f"pymilter.{pure}") for pure in PURE
        )
        if module_name == "_class.negotiate" and top == "pymilter" and not is_allowed:
            yield f"{name}:{line}: imports {module}: it is pure, and may import only {', '.join(PURE)} of pymilter"
        if module_name == "errors" and top == "pymilter":
            yield f"{name}:{line}: imports {module}: it may import nothing of pymilter"
    for line, module in _imports(_as_it_runs(tree), name):
        if told := _runs_up(module_name, module):
            yield f"{name}:{line}: imports {module}: {told}"


def _room_of(module_name: str) -> int:
    """The number of the room of a module, given without the package's name; the roof is above them."""
    first = module_name.partition(".")[0]
    if first in PROGRAMS or module_name.endswith(".__main__"):
        return len(ROOMS) + 1
    return next((number for number, (_, parts) in enumerate(ROOMS) if first in parts), len(ROOMS))


def _runs_up(module_name: str, imported: str) -> str:
    """What is wrong with the direction of an import, or "" if nothing is."""
    package, _, there = imported.partition(".")
    here = _room_of(module_name)
    # The package itself is named by `from pymilter import _core` too, whose name comes once more with what it takes.
    if package != "pymilter" or not there or _room_of(there) <= here:
        return ""
    if here == len(ROOMS):
        return f"nothing imports {' or '.join(PROGRAMS)}"
    return f"{ROOMS[here][0]} may import only from {', '.join(room for room, _ in ROOMS[: here + 1])}"


def circles(package: Path) -> list[str]:
    """Files of a package that import each other in a circle: each circle once, as "a.py: ... imports b imports a"."""
    files = {_module_of(path.relative_to(package.parent).as_posix()): path for path in sorted(package.rglob("*.py"))}
    imported = {module: _imported_files(module, path, files) for module, path in files.items()}
    return [
        f"{files[circle[0]].relative_to(package.parent).as_posix()}:1: "
        f"imports itself in a circle: {' imports '.join(circle)}"
        for circle in _circles_in(imported)
    ]


def _circles_in(needed: dict[str, list[str]]) -> list[list[str]]:
    """The circles of a graph, each once, from a node back to that node."""
    found: list[list[str]] = []
    done: set[str] = set()

    def visit(node: str, way: list[str]) -> None:
        if node in way:
            found.append([*way[way.index(node) :], node])
        elif node not in done:
            for other in needed.get(node, ()):
                visit(other, [*way, node])
            done.add(node)

    for node in needed:
        visit(node, [])
    return found


def _imported_files(module: str, path: Path, files: dict[str, Path]) -> list[str]:
    """The modules among `files` that a file imports when it runs; not what it imports for type checkers alone."""
    name = path.relative_to(path.parents[module.count(".") + (path.name == "__init__.py")]).as_posix()
    tree = _as_it_runs(ast.parse(path.read_text("utf-8"), name))
    wanted = {other: None for _, other in _imports(tree, name) if other in files and other != module}
    # `from package import part` names the package as well, whose own imports are not meant.
    return [other for other in wanted if not module.startswith(f"{other}.") or not _names_a_part(wanted, other)]


def _as_it_runs(tree: ast.Module) -> ast.Module:
    """The tree without what only type checkers read."""
    for node in ast.walk(tree):
        if isinstance(node, ast.If) and "TYPE_CHECKING" in ast.unparse(node.test):
            node.body = []
    return tree


def _names_a_part(wanted: dict[str, None], package: str) -> bool:
    return any(other.startswith(f"{package}.") for other in wanted)


def _module_of(name: str) -> str:
    return name.removesuffix(".py").removesuffix("/__init__").replace("/", ".")


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
