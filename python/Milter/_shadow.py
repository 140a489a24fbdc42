"""Checks that `milter` is the module of this package, not an extension module left by an older pymilter."""

import sys
from importlib.machinery import EXTENSION_SUFFIXES
from importlib.util import find_spec


def check_milter() -> None:
    """Raise ImportError, naming the file to remove, if Python would import an older `milter`."""
    module = sys.modules.get("milter")
    spec = find_spec("milter") if module is None else module.__spec__
    origin = spec.origin if spec is not None else None
    if origin is not None and origin.endswith(tuple(EXTENSION_SUFFIXES)):
        raise ImportError(f"{origin} was left by an older pymilter, and hides milter.py: remove this file")


check_milter()
