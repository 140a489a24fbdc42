"""What makes the object of a connection: a class, a function, a lambda, and all that can go wrong there."""

from __future__ import annotations

import pytest

from pymilter.testing import Client, Verdict
from support.wire import Start, session

GATE = """
    class Gate(Base):
        word = "class"
        def eom(self):
            note(self.word)
            return ACCEPT
"""


@pytest.mark.parametrize(
    ("factory", "word"),
    [
        ("Filter = Gate", "class"),
        ("def Filter():\n        gate = Gate(); gate.word = 'function'; return gate", "function"),
        ("Filter = lambda: type('Sub', (Gate,), {'word': 'lambda'})()", "lambda"),
        ("import functools\n    Filter = functools.partial(Gate)", "class"),
        ("class Filter(Gate):\n        def __init__(self): self.word = 'no super'", "no super"),
        ("class Filter(Gate):\n        def __init__(self, word='default'):\n            self.word = word", "default"),
        ("class Filter(Gate):\n        __slots__ = ()", "class"),
    ],
)
def test_each_kind_of_factory(start: Start, factory: str, word: str) -> None:
    process = start(f"{GATE}\n    {factory}\n")
    with Client(process.address) as client:
        assert session(client)["eom"].verdict is Verdict.ACCEPT
    assert process.seen() == [(word,)]


def test_each_connection_has_its_own_object(start: Start) -> None:
    process = start("""
        class Filter(Base):
            def __init__(self): self.heard = []
            def hello(self, hostname): self.heard.append(hostname)
            def close(self): note(self.heard)
    """)
    with Client(process.address) as one, Client(process.address) as two:
        one.connect()
        two.connect()
        one.helo("one")
        two.helo("two")
        one.helo("one again")
    assert process.seen() == [(["two"],), (["one", "one again"],)]


def test_the_object_is_let_go_at_close(start: Start) -> None:
    process = start("""
        import weakref
        alive = weakref.WeakSet()
        class Filter(Base):
            def __init__(self):
                note(len(alive))
                alive.add(self)
    """)
    for _ in range(3):
        with Client(process.address) as client:
            session(client)
    assert process.seen() == [(0,)] * 3


def test_a_class_made_for_a_connection_is_let_go(start: Start) -> None:
    process = start("""
        import gc, weakref
        alive = weakref.WeakSet()
        def Filter():
            gc.collect()
            note(len(alive))
            class Gate(Base):
                def eom(self): return ACCEPT
            alive.add(Gate)
            return Gate()
    """)
    for _ in range(4):
        with Client(process.address) as client:
            assert session(client)["eom"].verdict is Verdict.ACCEPT
    assert process.wait_for(lambda seen: len(seen) == 4)[-1][0] < 3


@pytest.mark.parametrize(
    ("factory", "error"),
    [
        ("class Filter(Base):\n        def __init__(self): raise LookupError('SECRET')", "LookupError: SECRET"),
        ("class Filter(Base):\n        def __init__(self): raise SystemExit(3)", "SystemExit: 3"),
        (
            "class Made(Base):\n        def __init__(self, needed): pass\n    def Filter(): return Made()",
            "missing 1 required positional argument",
        ),
        ("def Filter(): return None", "the factory made a NoneType: it must make an object derived from pymilter.Base"),
        ("class Other: pass\n    Filter = lambda: Other()", "the factory made a Other: it must make an object derived"),
        ("def Filter(): return Base", "the factory made a type"),
        ("class Filter(Base):\n        def _setctx(self, ctx): raise LookupError('SECRET')", "LookupError: SECRET"),
    ],
)
def test_a_factory_that_fails_is_answered_at_connect(start: Start, kind: str, factory: str, error: str) -> None:
    process = start(f"\n    {factory}\n", kind=kind)
    for _ in range(2):
        with Client(process.address) as client:
            answer = client.connect()
            assert answer.code == 451
            assert "SECRET" not in str(answer.reply)
    assert error in process.stderr
    assert process.stderr.count("negotiate() failed") == 2


def test_a_factory_that_fails_once_fails_one_connection(start: Start) -> None:
    process = start("""
        made = iter([1, 0, 1])
        class Filter(Base):
            def __init__(self): 1 / next(made)
            def eom(self): return ACCEPT
    """)
    verdicts = []
    for _ in range(3):
        with Client(process.address) as client:
            verdicts.append(client.play(b"A: b\r\n\r\nx\r\n").verdict)
    assert verdicts == [Verdict.ACCEPT, Verdict.TEMPFAIL, Verdict.ACCEPT]


def test_a_factory_must_be_callable(start: Start) -> None:
    process = start("""
        def main(address):
            for factory in (None, Base(), "x"):
                try:
                    run(factory, address)
                except TypeError as error:
                    note(str(error))
            run(Base, address)
    """)
    assert process.seen() == [
        (f"factory must be a class or a function that makes a Base, not {name}",)
        for name in ("NoneType", "Base", "str")
    ]
