"""`support.parity` runs this in the interpreter to inspect: reads a request from standard input, writes JSON."""

import importlib
import inspect
import json
import re
import sys
import types
from typing import Any

_PLAIN = (str, bytes, float, type(None))


class _Stub(types.ModuleType):
    """A module in which every name is an exception class."""

    __path__: Any = ()

    def __getattr__(self, name: str) -> type:
        if name.startswith("__"):
            raise AttributeError(name)
        return type(name, (Exception,), {})


def _value(value: object) -> str:
    """Return text that is equal for equal values in two Pythons; members of IntEnum and IntFlag are numbers."""
    if isinstance(value, (bool, *_PLAIN)):
        return repr(value)
    if isinstance(value, int):
        return str(int(value))
    if isinstance(value, (tuple, list)):
        return f"[{', '.join(_value(item) for item in value)}]"
    if isinstance(value, (set, frozenset)):
        return f"{{{', '.join(sorted(_value(item) for item in value))}}}"
    if isinstance(value, dict):
        return f"{{{', '.join(sorted(f'{_value(key)}: {_value(item)}' for key, item in value.items()))}}}"
    if isinstance(value, re.Pattern):
        return f"pattern {value.pattern!r} flags {value.flags}"
    if isinstance(value, type) or callable(value):
        return f"<{getattr(value, '__name__', type(value).__name__)}>"
    return f"<{type(value).__name__}>"


def _signature(function: Any) -> list[list[Any]] | None:
    """Return [name, kind, default] of each parameter; None for built-in functions without a signature."""
    try:
        parameters = inspect.signature(function).parameters.values()
    except (TypeError, ValueError):
        return None
    return [[p.name, p.kind.name, None if p.default is p.empty else _value(p.default)] for p in parameters]


def _members(cls: type, private: list[str]) -> dict[str, Any]:
    found = {}
    for name in dir(cls):
        if name.startswith("_") and name not in private:
            continue
        value = inspect.getattr_static(cls, name)
        owner = next(base for base in cls.__mro__ if name in vars(base))
        if owner.__module__.partition(".")[0] in sys.stdlib_module_names:
            continue
        found[name] = _describe(value, private)
    return found


def _describe(value: Any, private: list[str]) -> dict[str, Any]:
    if isinstance(value, (staticmethod, classmethod)):
        return {"kind": "function", "signature": _signature(value.__func__)}
    if isinstance(value, type):
        bases = [base.__qualname__ for base in value.__mro__[1:-1]]
        return {"kind": "class", "bases": bases, "members": _members(value, private), "signature": _signature(value)}
    if inspect.isdatadescriptor(value):
        return {"kind": "attribute"}
    if inspect.isroutine(value):
        return {"kind": "function", "signature": _signature(value)}
    return {"kind": "value", "value": _value(value)}


def _own(value: Any) -> bool:
    """Whether a name belongs to the package: neither a module nor imported from the standard library."""
    if inspect.ismodule(value):
        return False
    home = getattr(value, "__module__", None) if callable(value) else type(value).__module__
    if isinstance(value, re.Pattern):
        return True
    return home is None or home in ("builtins", "_thread") or home.partition(".")[0] not in sys.stdlib_module_names


def _module(name: str, private: list[str]) -> dict[str, Any]:
    try:
        module = importlib.import_module(name)
    except ImportError as error:
        return {"ImportError": {"kind": "value", "value": str(error)}}
    return {
        key: _describe(getattr(module, key), private)
        for key in dir(module)
        if (not key.startswith("_") or key in private) and _own(getattr(module, key))
    }


def main() -> None:
    request = json.load(sys.stdin)
    for name in request["stubs"]:
        sys.modules[name] = _Stub(name)
    for name, present in request["aliases"].items():
        sys.modules[name] = importlib.import_module(present)
    del sys.path[0]  # the folder of this file would hide other modules
    json.dump({name: _module(name, request["private"]) for name in request["modules"]}, sys.stdout)


main()
