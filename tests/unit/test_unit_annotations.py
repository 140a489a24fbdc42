"""Which handlers say that they return nothing: read off annotations in every form, without evaluating one."""

import functools
import sys
import textwrap
from typing import Any

import pytest

from pymilter import Base
from pymilter._class.annotations import returns_none
from pymilter._class.negotiate import wishes_of

FUTURE = "from __future__ import annotations\n"
# CPython 3.14 and later evaluate an annotation only when someone looks at it; those before, when the function is made.
IS_LAZY = sys.version_info >= (3, 14)
UNDEFINED = "TypeOnly" if IS_LAZY else "'TypeOnly'"


class EvaluatedError(Exception):
    """Somebody evaluated an annotation."""


def trap() -> object:
    raise EvaluatedError


def made(source: str, **names: object) -> Any:
    """What `source` calls `f`; the source is compiled by itself, whatever this file imports from __future__."""
    names |= {"functools": functools, "trap": trap, "Base": Base}
    exec(compile(textwrap.dedent(source), "<source>", "exec", dont_inherit=True), names)
    return names["f"]


@pytest.mark.parametrize("head", ["", FUTURE], ids=["plain", "future"])
@pytest.mark.parametrize(
    ("annotation", "expected"),
    [
        ("None", True),
        ("'None'", True),
        ('"None"', True),
        ("' None '", True),
        ("\"'None'\"", True),
        ("'NoneType'", False),
        ("'None | int'", False),
        ("'Outcome'", False),
        ("''", False),
        ('"\'"', False),
        ("'xNonex'", False),
        ('"\'None"', False),
        ('"None\'"', False),
        ("'None x'", False),
        ("int", False),
        ("type(None)", False),
        ("'not python at all ('", False),
        (UNDEFINED, False),
    ],
)
def test_return_annotation(head: str, annotation: str, expected: bool) -> None:
    assert returns_none(made(f"{head}def f(self) -> {annotation}: ...")) is expected


@pytest.mark.parametrize("head", ["", FUTURE], ids=["plain", "future"])
def test_a_parameter_may_name_what_only_type_checkers_see(head: str) -> None:
    named = "TypeOnly" if head else UNDEFINED
    assert returns_none(made(f"{head}def f(self, x: {named}, *y: {named}) -> None: ..."))
    assert not returns_none(made(f"{head}def f(self, x: {named}) -> object: ..."))
    assert not returns_none(made(f"{head}def f(self, x: {named}): ..."))


@pytest.mark.parametrize("head", ["", FUTURE], ids=["plain", "future"])
def test_nothing_is_evaluated(head: str) -> None:
    called = "trap()" if head or IS_LAZY else "'trap()'"
    assert returns_none(made(f"{head}def f(self, x: {called}) -> None: ..."))
    assert not returns_none(made(f"{head}def f(self) -> {called}: ..."))


@pytest.mark.skipif(not IS_LAZY, reason="before CPython 3.14 such a function cannot be made")
def test_an_annotation_that_has_no_text_is_answered() -> None:
    assert not returns_none(made("def f(self, x: 1 / 0) -> None: ..."))


WRAPPED = """
def logged(handler):
    @functools.wraps(handler)
    def wrapper(*args):
        return handler(*args)
    return wrapper

def inner(self, x: {named}) -> {annotation}: ...

f = logged(logged(inner))
"""


@pytest.mark.parametrize("head", ["", FUTURE], ids=["plain", "future"])
@pytest.mark.parametrize(("annotation", "expected"), [("None", True), ("'None'", True), ("object", False)])
def test_wrapped_by_a_decorator(head: str, annotation: str, expected: bool) -> None:
    named = "TypeOnly" if head else UNDEFINED
    source = WRAPPED.format(named=named, annotation=annotation)
    assert returns_none(made(head + source)) is expected


def test_a_wrapper_without_annotations_counts_as_what_it_wraps() -> None:
    for annotation, expected in (("None", True), ("object", False)):
        function = made(f"""
            def inner(self) -> {annotation}: ...
            def f(*args): ...
            f.__wrapped__ = inner
        """)
        assert returns_none(function) is expected


def test_a_wrapper_with_a_verdict_of_its_own_is_answered() -> None:
    function = made("""
        def inner(self) -> None: ...
        def f(self) -> object: ...
        f.__wrapped__ = inner
    """)
    assert not returns_none(function)


def test_wrapped_by_itself() -> None:
    function = made("def f(self): ...\nf.__wrapped__ = f")
    assert not returns_none(function)


class _Callable:
    value: int

    def __call__(self, *args: object) -> None: ...


@pytest.mark.parametrize("handler", [_Callable(), functools.partial(print), print, None])
def test_what_is_no_function(handler: object) -> None:
    assert returns_none(handler) is False


@pytest.mark.parametrize(("annotation", "expected"), [(None, True), ("None", True), (int, False)])
def test_annotations_that_were_set(annotation: object, expected: bool) -> None:
    function = made("def f(self, chunk): ...")
    function.__annotations__ = {"return": annotation}
    assert returns_none(function) is expected


def test_a_class_is_read_without_evaluating() -> None:
    klass = made(f"""
        class f(Base):
            def header(self, name: {UNDEFINED}, value: str) -> None: ...
            def envfrom(self, mailfrom: {UNDEFINED}, *params: str) -> {UNDEFINED}: ...
    """)
    found = wishes_of(klass, Base)
    assert (found.steps, found.no_reply) == (("envfrom", "header"), ("header",))
