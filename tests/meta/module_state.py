"""Finds what a module keeps for itself although the process owns it: what changes belongs to `PROCESS`."""

from __future__ import annotations

import ast
from collections.abc import Iterator
from pathlib import Path
from typing import Final

# Each as "file: name", with the reason for which the module keeps it.
ALLOWED: Final = {
    "pymilter/_process/process.py: PROCESS": "the one object of the process",
    "pymilter/_command/main.py: sys.stdout": "the shell may have closed it",
    "pymilter/mime/_params.py: _kept_params": "a cache of a pure function",
    "pymilter/mime/_defang.py: defang": "a classic function with attributes, which copies itself for each call",
    "pymilter/mime/_names.py: bad_extensions": "a classic name, which programs change",
    "Milter/__init__.py: _seq_lock": "a classic name, which programs use",
    "Milter/_serial.py: Milter._seq": "a classic name, which programs use",
    "Milter/_maps.py: _warn_once": "keeps the log short, and can be lost",
    "Milter/_testrequests.py: _numbers": "numbers the contexts of a unit test, so that no two are equal",
}
# A call of one of these makes a value that nobody can change, or an object that Python has once anyway.
VALUES: Final = frozenset(
    {
        *("int", "str", "bytes", "tuple", "frozenset", "sum", "getattr", "MappingProxyType", "TypeVar", "Path"),
        *("re.compile", "parameter", "struct.Struct", "logging.getLogger", "ipaddress.IPv6Network", "Charset"),
        *("_core.version", "_StrPolicy"),
        *("Reject", "TempFail", "SmtpReply", "Limits", "ZipLimits", "Access", "Content"),
    }
)
CHANGES: Final = frozenset(
    {
        *("add", "append", "appendleft", "clear", "difference_update", "discard", "extend", "insert"),
        *("pop", "popitem", "popleft", "remove", "reverse", "setdefault", "sort", "update"),
    }
)


_DISPLAYS: Final = (ast.Dict, ast.List, ast.Set, ast.DictComp, ast.ListComp, ast.SetComp)
_FUNCTIONS: Final = (ast.FunctionDef, ast.AsyncFunctionDef)


def state_faults(python: Path) -> list[str]:
    """What modules keep at module level, and in caches, that is not in ALLOWED, as "file:line: name: why"."""
    return [
        f"{name}:{line}: {what}: {why}"
        for path in sorted(python.rglob("*.py"))
        for name in [path.relative_to(python).as_posix()]
        for line, what, why in _kept(ast.parse(path.read_text("utf-8"), name))
        if f"{name}: {what}" not in ALLOWED
    ]


def _kept(tree: ast.Module) -> Iterator[tuple[int, str, str]]:
    changed = {name: line for line, name in _changes(tree)}
    for line, name, value in _bindings(tree.body):
        if name.startswith("__") and name not in changed:
            continue
        for part in _parts(value):
            if isinstance(part, ast.Call) and not _makes_value(part.func):
                yield (
                    line,
                    name,
                    f"{ast.unparse(part.func)}() makes an object: PROCESS owns what there is once a process",
                )
            elif isinstance(part, _DISPLAYS) and name in changed:
                yield changed[name], name, "is changed here: PROCESS owns what changes"
            elif isinstance(part, _DISPLAYS) and not name.isupper():
                yield line, name, "can be changed: PROCESS owns what changes, and a table is named in capitals"
    modules = {alias.name for node in ast.walk(tree) if isinstance(node, ast.Import) for alias in node.names}
    for node in ast.walk(tree):
        if (
            isinstance(node, ast.Attribute)
            and not isinstance(node.ctx, ast.Load)
            and ast.unparse(node.value) in modules
        ):
            yield node.lineno, ast.unparse(node), "is set in another module: PROCESS owns what changes"
        if isinstance(node, ast.Global):
            yield node.lineno, ", ".join(node.names), "is global and set in a function: PROCESS owns what changes"
        elif isinstance(node, _FUNCTIONS) and any(_keeps_results(one) for one in node.decorator_list):
            yield node.lineno, node.name, "has a cache"


def _makes_value(function: ast.expr) -> bool:
    is_of_text = isinstance(function, ast.Attribute) and isinstance(function.value, ast.Constant)
    return is_of_text or ast.unparse(function) in VALUES


def _keeps_results(decorator: ast.expr) -> bool:
    text = ast.unparse(decorator)
    return "cache" in text and "cached_property" not in text


def _bindings(body: list[ast.stmt]) -> Iterator[tuple[int, str, ast.expr]]:
    """Line, name and value of what is set when the module is loaded."""
    for node in body:
        if isinstance(node, (ast.Assign, ast.AnnAssign)) and node.value is not None:
            targets = node.targets if isinstance(node, ast.Assign) else [node.target]
            for target in targets:
                yield node.lineno, ast.unparse(target), node.value
        elif not isinstance(node, (ast.ClassDef, *_FUNCTIONS)):
            for part in ("body", "orelse", "finalbody"):
                yield from _bindings(getattr(node, part, []))
            for handler in getattr(node, "handlers", []):
                yield from _bindings(handler.body)


def _parts(value: ast.expr) -> Iterator[ast.expr]:
    """The value, or what it is put together from."""
    if isinstance(value, ast.BinOp):
        yield from _parts(value.left)
        yield from _parts(value.right)
    elif isinstance(value, ast.IfExp):
        yield from _parts(value.body)
        yield from _parts(value.orelse)
    else:
        yield value


def _changes(tree: ast.Module) -> Iterator[tuple[int, str]]:
    """Line and name of what functions change without setting it: an item, or by a method such as append."""
    for node in ast.walk(tree):
        if isinstance(node, ast.Subscript) and not isinstance(node.ctx, ast.Load):
            yield node.lineno, ast.unparse(node.value)
        elif isinstance(node, ast.Call) and isinstance(node.func, ast.Attribute) and node.func.attr in CHANGES:
            yield node.lineno, ast.unparse(node.func.value)
