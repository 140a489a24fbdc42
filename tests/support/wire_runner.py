"""Runs the source of one wire test: wire_runner.py SOURCE ADDRESS OPTIONS. Started by support.wire."""

from __future__ import annotations

import json
import logging
import os
import sys
import threading
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pymilter
from pymilter import _core


def note(*values: object) -> None:
    """Tell the test; each value must be a literal."""
    os.write(1, f"{values!a}\n".encode())


class _WhenServing(logging.Handler):
    def __init__(self, function: Callable[..., object], *arguments: object) -> None:
        super().__init__()
        self._function, self._arguments = function, arguments

    def emit(self, record: logging.LogRecord) -> None:
        if record.getMessage().startswith("listening on "):
            threading.Thread(target=self._function, args=self._arguments).start()


def when_serving(function: Callable[..., object], *arguments: object) -> None:
    """Call `function` from another thread, as soon as the filter serves."""
    logging.getLogger("pymilter").addHandler(_WhenServing(function, *arguments))


def main(source: str, address: str, options: str) -> None:
    """Run `Filter` of the source, or its own `main(address)` where it has one."""
    names: dict[str, Any] = {name: getattr(pymilter, name) for name in pymilter.__all__}
    names |= {"__name__": "program", "note": note, "when_serving": when_serving, "pymilter": pymilter}
    exec(compile(Path(source).read_text(), source, "exec", dont_inherit=True), names)
    if "main" in names:
        names["main"](address)
    else:
        pymilter.run(names["Filter"], address, **json.loads(options))
    note("end", *_core.connections())


if __name__ == "__main__":
    logging.basicConfig(level=logging.INFO)
    main(*sys.argv[1:])
