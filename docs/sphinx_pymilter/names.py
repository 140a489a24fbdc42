"""The public names of the packages that a wheel of pymilter has, and the one place where each is described."""

from __future__ import annotations

import importlib
import inspect
from types import ModuleType
from typing import Final

CLASSIC: Final = (
    "cache", "config", "dns", "dsn", "dynip", "greylist", "greysql", "plock", "policy", "pyip6", "sgmllib", "test",
    "testctx", "unsign", "utils",
)  # fmt: skip
MODULES: Final = (
    "pymilter",
    "pymilter.message",
    "pymilter.mime",
    "pymilter.testing",
    "pymilter.prometheus",
    "milter",
    "Milter",
    *(f"Milter.{name}" for name in CLASSIC),
)
"""All public modules. A name that several of them have is described for the first."""

SHOWN_AS: Final = {"_io": "io", "email._parseaddr": "email.utils"}
"""The names under which Python documents what its private modules define."""


# As 1.0.5's does, Milter.testctx gives Milter another NOREPLY when it is imported, which few programs do.
Milter = importlib.import_module("Milter")
noreply = Milter.NOREPLY
importlib.import_module("Milter.testctx")
vars(Milter)["NOREPLY"] = noreply


def public_names(module: str) -> list[str]:
    """What a module offers: its __all__, or what it defines itself."""
    loaded = importlib.import_module(module)
    listed = getattr(loaded, "__all__", None)
    if listed is None:
        listed = [name for name, value in vars(loaded).items() if getattr(value, "__module__", None) == module]
    return [name for name in listed if not name.startswith("_")]


def home_of(module: str, name: str) -> str:
    """The full name under which a public name is described: of pymilter, or of the package that it comes from."""
    value = getattr(importlib.import_module(module), name)
    for earlier in MODULES[: MODULES.index(module)]:
        if name in public_names(earlier) and getattr(importlib.import_module(earlier), name) is value:
            return f"{earlier}.{name}"
    if isinstance(value, ModuleType):
        return module_home(value.__name__, module, name)
    defined_in = (
        str(getattr(value, "__module__", module)) if inspect.isclass(value) or inspect.isroutine(value) else module
    )
    if defined_in.partition(".")[0] not in ("pymilter", "milter", "Milter"):
        return f"{SHOWN_AS.get(defined_in, defined_in)}.{value.__qualname__}"
    return f"{module}.{name}"


def module_home(full_name: str, module: str, name: str) -> str:
    """A module that is offered by another is described as itself."""
    return full_name if full_name in MODULES or not full_name.startswith(("pymilter", "Milter")) else f"{module}.{name}"


def is_alias(module: str, name: str) -> bool:
    """Whether the name is described elsewhere."""
    return home_of(module, name) != f"{module}.{name}"
