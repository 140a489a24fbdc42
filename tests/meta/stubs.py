"""Compares a stub with the extension module that it describes: names, signatures, types, values and docstrings.

pybind11 writes each function's signature into the first line of its docstring, as C++ has it. mypy.stubtest cannot see
a return type at run time, so that line is the only witness of it.
"""

from __future__ import annotations

import ast
import enum
import inspect
from collections.abc import Iterator
from types import ModuleType
from typing import Any, Final

# A name that pybind11 needs for its own classes; it has nothing behind it at run time.
NOT_AT_RUN_TIME: Final = frozenset({"_pybind11_type"})
# What enum, pybind11 and CPython put into classes by themselves.
OF_THE_MACHINERY: Final = frozenset({"__pybind11_native_enum__"})

# What pybind11 takes for a C++ argument, and what a stub may ask for in its place: less, never more.
ARGUMENT_FORMS: Final = {
    "typing.SupportsInt | typing.SupportsIndex": "int",
    "typing.SupportsFloat | typing.SupportsIndex": "float",
}


def stub_faults(stub: str, module: ModuleType) -> list[str]:
    """Where the text of a stub and a module at run time differ."""
    tree = ast.parse(stub)
    found = [*_doc_faults(module.__name__, ast.get_docstring(tree), module.__doc__)]
    members = {name: node for name, node in _members(tree).items() if name not in NOT_AT_RUN_TIME}
    public = {name for name in vars(module) if not name.startswith("_")}
    found += [f"{name} is in the stub only" for name in sorted(members.keys() - public)]
    found += [f"{name} is at run time only" for name in sorted(public - members.keys())]
    for name in sorted(public & members.keys()):
        found += _faults_of_member(name, members[name], getattr(module, name))
    return found


def _members(tree: ast.Module | ast.ClassDef) -> dict[str, ast.stmt]:
    """What a module or a class of a stub defines, by name."""
    members: dict[str, ast.stmt] = {}
    for node in tree.body:
        match node:
            case ast.ClassDef(name=name) | ast.FunctionDef(name=name):
                members[name] = node
            case ast.AnnAssign(target=ast.Name(id=name)) | ast.Assign(targets=[ast.Name(id=name)]):
                members[name] = node
    return members


def _type_of(value: object) -> str:
    if isinstance(value, dict):
        parts = zip(*((_type_of(key), _type_of(item)) for key, item in value.items()), strict=True)
        return f"dict[{', '.join(' | '.join(sorted(set(part))) for part in parts)}]"
    if isinstance(value, tuple):
        return f"tuple[{' | '.join(sorted({_type_of(item) for item in value}))}, ...]"
    return type(value).__name__


def _faults_of_member(name: str, node: ast.stmt, value: Any) -> Iterator[str]:
    if isinstance(node, ast.ClassDef):
        yield from _faults_of_class(name, node, value)
    elif isinstance(node, ast.FunctionDef):
        yield from _faults_of_function(name, node, value.__doc__, is_init=name.endswith("__init__"))
    elif isinstance(node, ast.AnnAssign):
        told = ast.unparse(node.annotation)
        true = _type_of(value)
        if told != f"Final[{true}]":
            yield f"{name}: the stub says {told}, but it is a {true}"


def _faults_of_class(name: str, node: ast.ClassDef, klass: type) -> Iterator[str]:
    yield from _doc_faults(name, ast.get_docstring(node), klass.__doc__)
    members = {member: value for member, value in _members(node).items() if member not in OF_THE_MACHINERY}
    if issubclass(klass, enum.Enum):
        yield from _faults_of_enum(name, node, members, klass)
        return
    public = {member for member in vars(klass) if not member.startswith(("__", "_pybind11"))}
    yield from (f"{name}.{member} is in the stub only" for member in sorted(members.keys() - public - {"__init__"}))
    yield from (f"{name}.{member} is at run time only" for member in sorted(public - members.keys()))
    for member in sorted(public & members.keys()):
        value, stub = vars(klass)[member], members[member]
        if isinstance(value, property):
            yield from _faults_of_property(f"{name}.{member}", stub, value)
        else:
            yield from _faults_of_member(f"{name}.{member}", stub, value)
    yield from _faults_of_init(name, members.get("__init__"), klass)


def _faults_of_init(name: str, stub: ast.stmt | None, klass: type) -> Iterator[str]:
    can_be_made = (vars(klass).get("__init__").__doc__ or "").startswith("__init__(")
    if not isinstance(stub, ast.FunctionDef):
        yield f"{name}.__init__ is not in the stub"
    elif can_be_made:
        yield from _faults_of_function(f"{name}.__init__", stub, vars(klass)["__init__"].__doc__, is_init=True)
    elif ast.unparse(stub.args) != "self, *args: Any, **kwargs: Any":
        yield f"{name}.__init__: Python cannot make one, so the stub says (self, *args: Any, **kwargs: Any)"


def _faults_of_enum(
    name: str, node: ast.ClassDef, members: dict[str, ast.stmt], klass: type[enum.Enum]
) -> Iterator[str]:
    base = klass.__bases__[0].__name__
    if [ast.unparse(told) for told in node.bases] != [base]:
        yield f"{name}: the stub does not derive it from {base}"
    told = {member: ast.literal_eval(value.value) for member, value in members.items() if isinstance(value, ast.Assign)}
    true = {member.name: int(member.value) for member in klass}
    for member in sorted(told.keys() | true.keys()):
        if told.get(member) != true.get(member):
            yield f"{name}.{member}: {told.get(member)} in the stub, {true.get(member)} at run time"


def _faults_of_property(name: str, stub: ast.stmt, value: property) -> Iterator[str]:
    if not isinstance(stub, ast.FunctionDef) or [ast.unparse(mark) for mark in stub.decorator_list] != ["property"]:
        yield f"{name} is a property at run time"
        return
    yield from _doc_faults(name, ast.get_docstring(stub), value.__doc__)
    if value.fset is not None:
        yield f"{name} can be set at run time, and the stub does not tell"
    signature = (value.fget.__doc__ or "").strip()
    yield from _type_faults(f"{name} (its type)", stub.returns, _signature(signature).returns, is_argument=False)


def _faults_of_function(name: str, stub: ast.FunctionDef, doc: str | None, *, is_init: bool) -> Iterator[str]:
    head, _, rest = (doc or "").partition("\n")
    if "(" not in head or "->" not in head:
        yield f"{name}: pybind11 tells no signature in its docstring"
        return
    yield from _doc_faults(name, ast.get_docstring(stub), rest)
    yield from _signature_faults(name, stub, _signature(head))


def _signature_faults(name: str, stub: ast.FunctionDef, true: ast.FunctionDef) -> Iterator[str]:
    for kind in ("posonlyargs", "args", "kwonlyargs"):
        told_names = [argument.arg for argument in getattr(stub.args, kind)]
        true_names = [argument.arg for argument in getattr(true.args, kind)]
        if told_names != true_names:
            yield f"{name}: {kind} ({', '.join(told_names)}) in the stub, ({', '.join(true_names)}) at run time"
            return
        for told, real in zip(getattr(stub.args, kind), getattr(true.args, kind), strict=True):
            if told.arg != "self":
                yield from _type_faults(f"{name}({told.arg})", told.annotation, real.annotation, is_argument=True)
    for star in ("vararg", "kwarg"):
        if (getattr(stub.args, star) is None) != (getattr(true.args, star) is None):
            yield f"{name}: only one of stub and run time has {'*' if star == 'vararg' else '**'}arguments"
    told_defaults = [ast.unparse(default) for default in stub.args.defaults]
    true_defaults = [ast.unparse(default) for default in true.args.defaults]
    if told_defaults != true_defaults:
        yield f"{name}: defaults {told_defaults} in the stub, {true_defaults} at run time"
    yield from _type_faults(f"{name} (its result)", stub.returns, true.returns, is_argument=False)


def _signature(head: str) -> ast.FunctionDef:
    start = head.index("(")
    (function,) = ast.parse(f"def f{head[start:]}: ...").body
    assert isinstance(function, ast.FunctionDef)
    return function


def _type_faults(what: str, told: ast.expr | None, true: ast.expr | None, *, is_argument: bool) -> Iterator[str]:
    if told is None or true is None:
        yield f"{what}: has no type on one side"
        return
    told_text, true_text = ast.unparse(told), ast.unparse(true).replace("pymilter._core.", "")
    for form, plain in ARGUMENT_FORMS.items() if is_argument else ():
        true_text = true_text.replace(form, plain)
    if not _fits(told_text, true_text, is_argument=is_argument):
        yield f"{what}: {told_text} in the stub, {true_text} in C++"


def _fits(told: str, true: str, *, is_argument: bool) -> bool:
    """Whether the stub tells the C++ type, or one that is more precise where C++ has `object` or a bare container."""
    if "object" in _union(true):
        return True
    if _union(told) != _union(true) and (len(_union(true)) > 1 or len(_union(told)) > 1):
        return False
    told_base, true_base = told.partition("[")[0], true.partition("[")[0].rpartition(".")[2]
    if true_base in ("tuple", "dict", "list") and "[" not in true:
        return told_base == true_base
    told_inner, true_inner = _inner(told), _inner(true)
    if is_argument and true_base == "Sequence":
        told_inner = [part for part in told_inner if part != "..."]
        is_container = told_base in ("list", "tuple", "Sequence")
    elif is_argument and true_base == "Mapping":
        is_container = told_base in ("dict", "Mapping")
    else:
        is_container = told_base == true_base
    return (
        is_container
        and len(told_inner) == len(true_inner)
        and all(_fits(one, other, is_argument=is_argument) for one, other in zip(told_inner, true_inner, strict=True))
    )


def _union(text: str) -> set[str]:
    node: ast.expr = ast.parse(text, mode="eval").body
    members: set[str] = set()
    while isinstance(node, ast.BinOp):
        members.add(ast.unparse(node.right))
        node = node.left
    return members | {ast.unparse(node)}


def _inner(text: str) -> list[str]:
    node = ast.parse(text, mode="eval").body
    if not isinstance(node, ast.Subscript):
        return []
    return [ast.unparse(part) for part in (node.slice.elts if isinstance(node.slice, ast.Tuple) else [node.slice])]


def _doc_faults(name: str, told: str | None, true: str | None) -> Iterator[str]:
    told_text, true_text = (" ".join(inspect.cleandoc(text or "").split()) for text in (told, true))
    if told_text != true_text:
        yield f"{name}: docstring {told_text!r} in the stub, {true_text!r} at run time"
