"""Compares what `dir()` and `inspect` show of modules in two Pythons: names, signatures, values, classes and members.

`surface()` runs `_surface.py` in an interpreter; `differences()` compares two of its results. No source is read.
"""

from __future__ import annotations

import json
import subprocess
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

Surface = dict[str, dict[str, Any]]

_SCRIPT = Path(__file__).with_name("_surface.py")


def surface(
    interpreter: str | Path,
    modules: Sequence[str],
    *,
    stubs: Sequence[str] = (),
    aliases: Mapping[str, str] | None = None,
    pythonpath: str | Path | None = None,
    private: Sequence[str] = (),
) -> Surface:
    """The public surface of `modules` as `interpreter` sees them: {module: {name: description}}.

    stubs: modules to put in place of missing ones, with any name in them a new exception class.
    aliases: modules to put in place of missing ones, {missing: present}.
    pythonpath: a folder to look in first. private: names with an underscore to describe as well.
    A module that cannot be imported has one entry, "ImportError", with the reason.
    """
    request = {"modules": [*modules], "stubs": [*stubs], "aliases": dict(aliases or {}), "private": [*private]}
    environment = {"PATH": "/usr/bin:/bin", "PYTHONPATH": str(pythonpath or "")}
    done = subprocess.run(
        [str(interpreter), "-W", "ignore", str(_SCRIPT)],
        input=json.dumps(request),
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
        env=environment,
    )
    if done.returncode:
        raise RuntimeError(f"{interpreter} cannot describe {', '.join(modules)}:\n{done.stderr}")
    found: Surface = json.loads(done.stdout)
    return found


def differences(old: Surface, new: Surface) -> dict[str, str]:
    """What of `old` is not the same in `new`: {"module.name": "missing" or "OLD -> NEW"}. Additions do not count."""
    found: dict[str, str] = {}
    for module, names in old.items():
        _compare(module, names, new.get(module, {}), found)
    return found


def _compare(path: str, old: dict[str, Any], new: dict[str, Any], found: dict[str, str]) -> None:
    for name, was in old.items():
        here = f"{path}.{name}"
        if name not in new:
            found[here] = "missing"
            continue
        now = new[name]
        for field in ("kind", "signature", "value"):
            if was.get(field) != now.get(field):
                found[here] = f"{was.get(field)} -> {now.get(field)}"
                break
        else:
            lost = [base for base in was.get("bases", ()) if base not in now.get("bases", ())]
            if lost:
                found[here] = f"no longer a {', '.join(lost)}"
        _compare(here, was.get("members", {}), now.get("members", {}), found)


def unexplained(found: Mapping[str, str], reasons: Mapping[str, str]) -> list[str]:
    """Lines for a failing test: differences without a reason, and reasons whose difference is gone."""
    new = [f"not listed: {name}: {what}" for name, what in found.items() if name not in reasons]
    return new + [f"listed, but the same or gone: {name}" for name in reasons if name not in found]
