"""No Python code ends the process: objects of _core without their C++ half, and calls with arguments that are wrong."""

from __future__ import annotations

import subprocess
import sys

# Each name of each class, used on an object that __new__ made and no __init__, in every way that Python has.
WITHOUT_INIT = """
import contextlib, copy, faulthandler, gc, io, pickle, sys
from pymilter import _core
faulthandler.enable()
ARGUMENTS = [(), (1,), ("x",), (1, 2), ("x", None), (None,), (lambda: None, lambda kind: None)]
classes = [value for value in vars(_core).values() if isinstance(value, type)]
bases = {base for kind in classes for base in kind.__mro__ if base.__module__.startswith("pybind11")}
metaclass = type(_core.Context)
made = calls = 0
whole = {
    _core.Gather: lambda: _core.make_gather(
        piece=0, limit=1, in_memory=0, as_view=False, exceeded=(4, b"451", b"", ())),
    _core.Plan: lambda: _core.make_plan(actions=0, protocol=0, steps=[], no_reply=[], negotiates=False, has_begin=False,
                                        text={}, macros=[], hooks={}, gather=None, whole=None),
    _core.Whole: lambda: _core.make_whole(header_limit=1, header_exceeded=(4, b"451", b"", ())),
    _core.Handlers: lambda: _core.make_handlers(exception_policy=4),
    _core.Service: lambda: _core.make_service(
        name="x", handlers=_core.make_handlers(exception_policy=4), report=lambda *what: None),
}
for kind in [*classes, *bases, metaclass]:
    makers = [lambda: kind.__new__(kind), lambda: object.__new__(kind), lambda: kind()]
    makers += [lambda base=base: base.__new__(kind) for base in kind.__mro__]
    makers += [lambda: type("Sub", (kind,), {})(), lambda: metaclass("Sub", (kind,), {})(),
               lambda: (lambda sub: sub.__new__(sub))(type("Sub", (kind,), {"__init__": lambda self: None}))]
    makers += [whole[kind]] if kind in whole else []
    for make in makers:
        try:
            thing = make()
        except Exception:
            continue
        made += 1
        uses = [repr, str, hash, bool, dir, memoryview, bytes, copy.copy, copy.deepcopy, pickle.dumps, list, int]
        for use in uses:
            with contextlib.suppress(Exception):
                use(thing)
        for name in dir(kind):
            if name in ("__class__", "__init_subclass__", "__subclasshook__", "wait"):  # it waits
                continue
            print(kind.__name__, name, flush=True)
            with contextlib.suppress(Exception):
                attribute = getattr(thing, name)
                for arguments in ARGUMENTS:
                    calls += 1
                    with contextlib.suppress(Exception):
                        attribute(*arguments)
        del thing
        gc.collect()
print("made", made, "calls", calls)
"""


def run(source: str) -> str:
    done = subprocess.run([sys.executable, "-c", source], capture_output=True, text=True, timeout=60)
    assert done.returncode == 0, f"{done.returncode}: after {done.stdout.splitlines()[-1:]}: {done.stderr}"
    return done.stdout


def test_an_object_without_its_cpp_half_raises() -> None:
    last = run(WITHOUT_INIT).splitlines()[-1].split()
    assert int(last[1]) > 7  # four that are whole, two classes of enums' members, and what pybind11 gives out
    assert int(last[3]) > 500


def test_contexts_and_views_are_made_in_cpp_only() -> None:
    told = run("""
from pymilter import _core
for make in (_core.Context, _core.BodyView, lambda: _core.Context.__new__(_core.Context),
             lambda: _core.BodyView.__new__(_core.BodyView)):
    try:
        make()
    except TypeError as error:
        print(error)
""")
    one = "pymilter._core.{} objects are made by pymilter itself, not by programs"
    assert told.splitlines() == [one.format(name) for name in ("Context", "BodyView", "Context", "BodyView")]


def test_a_slot_that_the_shared_memory_does_not_have() -> None:
    told = run("""
import os
from pymilter import _core
memory = os.memfd_create("slots")
for slots, slot in (2, 1), (2, 2), (0, 0), (2, 2**62):
    os.truncate(memory, slots * _core.BALANCE_SLOT)
    service = _core.make_service(
        name="x", handlers=_core.make_handlers(exception_policy=4), report=lambda *what: None)
    try:
        print(service.join_balance(memory, slot, patience=1))
    except ValueError as error:
        print(error)
""")
    told_of = "slot {}: the shared memory has {}"
    assert told.splitlines() == ["None", *(told_of.format(*pair) for pair in ((2, 2), (0, 0), (2**62, 2)))]
