"""Faults of classes and factories, to the letter: what is raised, what is warned of, and the plan of the rest."""

from __future__ import annotations

import abc
import dataclasses
import functools
import gc
import logging
import weakref
from collections.abc import Callable
from typing import Any

import pytest

from pymilter import Base, MessageFilter, Reject, TempFail, decode, gather, nocallback, noreply, symlist
from pymilter._class import plan as plan_module
from pymilter._class.arity import Arity
from pymilter._class.decorators import GATHER_MARK
from pymilter._class.factories import _needs, factory_faults
from pymilter._class.faults import (
    ARGUMENTS,
    begins_messages,
    check_factory,
    check_handlers,
    faults_of_factory,
    faults_of_handlers,
    warn_of_factory,
    warn_of_handlers,
)
from pymilter._class.gather import TOO_LARGE, GatherMark
from pymilter._class.handlers import Handlers
from pymilter._class.marks import mark, mark_of
from pymilter._class.plan import Plans, classic_plan_of, plan_of

partial: Any = functools.partial


def made(base: Any = Base, **methods: Any) -> Any:
    return type("Filter", (base,), methods)


def faults(klass: Any) -> list[str]:
    return list(faults_of_handlers(Handlers.of(klass)))


def taking(count: int | None) -> Callable[..., None]:
    """A method that takes `count` arguments beside self; any number of them for None."""
    if count is None:
        return lambda self, *arguments: None
    names = ", ".join(["self", *(f"a{number}" for number in range(count))])
    function: Callable[..., None] = eval(f"lambda {names}: None")
    return function


async def asynchronous(*arguments: object) -> None: ...


def yielding(*arguments: object) -> Any:
    yield


# ------------------------------------------------------------------------------------ handlers


@pytest.mark.parametrize("name", ARGUMENTS)
def test_each_handler_takes_its_arguments_and_no_others(name: str) -> None:
    arguments = ARGUMENTS[name]
    is_open = "*params" in arguments
    right = len(arguments) - is_open
    wrong = f"Filter.{name} cannot be called as it will be: {name}({', '.join(arguments)})"
    takes_fewer = is_open and not name.endswith("_bytes")  # ESMTP parameters are for those that want them
    for count in range(5):
        is_right = count == right and (takes_fewer or not is_open)
        assert faults(made(**{name: taking(count)})) == ([] if is_right else [wrong]), count
    assert faults(made(**{name: taking(None)})) == []
    assert faults(made(**{name: asynchronous})) == [
        f"Filter.{name} is async: a handler must be a plain method, async ones are not supported yet"
    ]
    assert faults(made(**{name: yielding})) == [
        f"Filter.{name} has a yield in it: calling it would run none of its code"
    ]
    assert faults(made(**{name: 5})) == [
        f"Filter.{name} is int: this name is that of a handler, which must be a method"
    ]
    assert faults(made(**{name: property(lambda self: 5)})) == []
    slots = [one for one in faults(made(__slots__=(name,))) if "member_descriptor" in one]
    assert slots == [f"Filter.{name} is member_descriptor: this name is that of a handler, which must be a method"]


def test_all_faults_are_told_and_the_first_is_raised(caplog: pytest.LogCaptureFixture) -> None:
    klass = made(eom=taking(1), hello=taking(0), helo=taking(0))
    told = [
        "Filter.hello cannot be called as it will be: hello(hostname)",
        "Filter.eom cannot be called as it will be: eom()",
    ]
    assert faults(klass) == told
    with pytest.raises(TypeError, match=r"^Filter\.hello cannot be called"):
        check_handlers(Handlers.of(klass))
    with pytest.raises(TypeError, match=r"^Filter\.hello cannot be called"):
        check_factory(klass)
    assert caplog.messages == []
    klass = made(eom=taking(1), hello=taking(0), bdy=taking(0))
    for _ in range(2):
        warn_of_handlers(Handlers.of(klass))
        assert caplog.messages == [*told, "Filter.bdy is no event and is never called: did you mean body?"]


def test_near_misses_are_warned_of_once_a_class(caplog: pytest.LogCaptureFixture) -> None:
    told = ["Filter.bdy is no event and is never called: did you mean body?"]
    klass = made(bdy=taking(1))
    checks: list[Callable[[], None]] = [
        lambda: check_handlers(Handlers.of(klass)),
        lambda: check_factory(klass),
        lambda: warn_of_factory(klass),
        lambda: warn_of_handlers(Handlers.of(klass)),
    ]
    for check in checks:
        check()
        assert caplog.messages == told
    for check_class in (check_factory, warn_of_factory):
        caplog.clear()
        check_class(partial(made(bdy=taking(1))))
        assert caplog.messages == told
    caplog.clear()
    warn_of_factory(type("Other", (), {"bdy": taking(1)}))
    assert caplog.messages == ["factory is the class Other: it must be derived from Milter.Base"]


def test_what_nobody_calls_may_be_anything() -> None:
    assert faults(made(header=nocallback(_named("header", 0)))) == []


def _named(name: str, count: int) -> Callable[..., None]:
    function = taking(count)
    function.__name__ = name
    return function


def test_begin_message_of_a_classic_program_may_be_another_method() -> None:
    for count, is_ours in ((0, True), (1, False)):
        assert begins_messages(Handlers.of(made(begin_message=taking(count)))) is is_ours
        handlers = made(begin_message=taking(count))
        assert classic_plan_of(handlers) is not None


def test_hooks_of_a_message_filter() -> None:
    assert faults(made(MessageFilter, message=taking(1))) == []
    assert faults(made(MessageFilter)) == ["Filter has no method message(self, message): a MessageFilter needs it"]
    for name, right in (("mail", 1), ("recipient", 2), ("message", 1)):
        arguments = {"mail": "envelope", "recipient": "recipient, envelope", "message": "message"}[name]
        for count in range(4):
            klass = made(MessageFilter, **{"message": taking(1), name: taking(count)})
            wrong = [f"Filter.{name} cannot be called as it will be: {name}({arguments})"]
            assert faults(klass) == ([] if count == right else wrong)
    handlers = made(MessageFilter, message=taking(1))()
    handlers.recipient = print
    (told,) = faults(handlers)
    assert told == (
        "self.recipient was set, but Filter has no method of that name, from which the MTA learns that it must wait "
        "for an answer: define recipient in the class"
    )
    handlers = made(MessageFilter)()
    handlers.message = print
    assert faults(handlers)[0].startswith("self.message was set, but Filter has no method of that name")
    assert faults(made(made(MessageFilter, message=taking(1)))) == []


# ------------------------------------------------------------------------------------ factories


@dataclasses.dataclass(frozen=True)
class Frozen(Base):
    number: int = 1


class Thawed(Frozen): ...


class Abstract(Base, abc.ABC):
    @abc.abstractmethod
    def header(self, name: str, value: str) -> None: ...
    @abc.abstractmethod
    def eom(self) -> None: ...


class Meta(type):
    def __call__(cls, *arguments: Any) -> Any:
        return super().__call__(1)


class OfMeta(Base, metaclass=Meta):
    def __init__(self, number: int) -> None: ...


class New(Base):
    def __new__(cls, first: int, second: int) -> Any:
        return super().__new__(cls)

    def __init__(self, first: int, second: int, third: int) -> None: ...


class Init(Base):
    def __init__(self, first: int, *, second: int, third: int = 3) -> None: ...

    def make(self, first: int) -> Base:
        return Base()


class Setattr(Base):
    def _frozen_setattrs(self, name: str, value: object) -> None: ...

    __setattr__ = _frozen_setattrs


def function(first: int) -> Base:
    return Base()


CALLED = "it is called without arguments"
ASYNC = "is async: it must be a class or a plain function that returns an object"
GIVES = "it is called without arguments, unless functools.partial({0}, ...) gives them"


@pytest.mark.parametrize(
    ("factory", "told"),
    [
        (Base, []),
        (Frozen, ["Frozen is frozen: pymilter sets attributes of each object, so a filter cannot be"]),
        (Setattr, ["Setattr is frozen: pymilter sets attributes of each object, so a filter cannot be"]),
        (Thawed, []),
        (dataclasses.dataclass(made()), []),
        (Abstract, ["Abstract is abstract: it lacks eom, header"]),
        (OfMeta, []),
        (
            New,
            [
                f"New.__new__ needs 2 arguments: {GIVES.format('New')}",
                f"New.__init__ needs 3 arguments: {GIVES.format('New')}",
            ],
        ),
        (partial(New, 1, 2), [f"New.__init__ needs 1 argument: {GIVES.format('New')}"]),
        (partial(New, 1, 2, 3), [f"New.__new__ does not take what functools.partial gives: {GIVES.format('New')}"]),
        (Init, [f"Init.__init__ needs 1 argument and second=: {GIVES.format('Init')}"]),
        (partial(Init, 1), [f"Init.__init__ needs second=: {GIVES.format('Init')}"]),
        (partial(Init, second=1), [f"Init.__init__ needs 1 argument: {GIVES.format('Init')}"]),
        (partial(Init, 1, second=2), []),
        (
            partial(Init, 1, fourth=2),
            [f"Init.__init__ does not take what functools.partial gives: {GIVES.format('Init')}"],
        ),
        (function, [f"factory function needs 1 argument: {CALLED}"]),
        (partial(function, 1), []),
        (partial(function, 1, 2), [f"factory function does not take what functools.partial gives: {CALLED}"]),
        (Init.make, [f"factory Init.make needs 2 arguments: {CALLED}"]),
        (partial(Init, 1, second=2)().make, [f"factory Init.make needs 1 argument: {CALLED}"]),
        (lambda *, key: Base(), [f"factory <lambda> needs key=: {CALLED}"]),
        (
            asynchronous,
            ["factory asynchronous is async: it must be a class or a plain function that returns an object"],
        ),
        (yielding, ["factory yielding has a yield in it: it must return an object"]),
        (type("Loop", (), {"__call__": asynchronous})(), [f"factory asynchronous {ASYNC}"]),
        (print, []),
    ],
)
def test_what_a_factory_lacks(factory: Any, told: list[str]) -> None:
    assert list(factory_faults(factory)) == told
    assert list(faults_of_factory(factory)) == told
    if told:
        with pytest.raises(TypeError) as info:
            check_factory(factory)
        assert str(info.value) == told[0]
    else:
        check_factory(factory)


@pytest.mark.parametrize(
    ("arity", "text"),
    [
        (Arity(0, -1, ()), "does not take what functools.partial gives"),
        (Arity(1, 1, ()), "needs 1 argument"),
        (Arity(2, None, ()), "needs 2 arguments"),
        (Arity(0, 0, ("a", "b")), "needs a= and b="),
        (Arity(1, 1, ("a",)), "needs 1 argument and a="),
    ],
)
def test_what_a_call_needs(arity: Arity, text: str) -> None:
    assert _needs(arity) == text


@pytest.mark.parametrize("wrong", [5, None, "Filter"])
def test_what_cannot_be_called_is_no_factory(wrong: Any) -> None:
    assert list(faults_of_factory(wrong)) == [
        f"factory must be a class or a function that makes a Base, not {type(wrong).__name__}"
    ]


def test_a_class_of_another_kind_is_no_factory(caplog: pytest.LogCaptureFixture) -> None:
    assert list(faults_of_factory(dict)) == ["factory is the class dict: it must be derived from pymilter.Base"]
    assert list(faults_of_factory(partial(dict), "Milter.Base")) == [
        "factory is the class dict: it must be derived from Milter.Base"
    ]
    assert list(faults_of_factory(made(eom=taking(1)))) == ["Filter.eom cannot be called as it will be: eom()"]
    with pytest.raises(TypeError, match=r"^the factory made a dict: it must make an object derived from pymilter"):
        plan_of(dict)
    with pytest.raises(TypeError, match="the factory made a dict"):
        classic_plan_of(dict)
    warn_of_factory(made(eom=taking(1), hello=taking(3)))
    assert [record.levelno for record in caplog.records] == [logging.WARNING] * 2


# ------------------------------------------------------------------------------------ the plan


class Kept(list[tuple[str, dict[str, Any]]]):
    """What was handed to the C++ half."""


def test_a_class_that_cannot_work_has_no_plan(caplog: pytest.LogCaptureFixture) -> None:
    with pytest.raises(TypeError, match=r"^Filter\.eom cannot be called as it will be: eom\(\)$"):
        plan_of(made(eom=taking(1)))
    assert caplog.messages == []
    classic_plan_of(made(eom=taking(1)))
    assert caplog.messages == ["Filter.eom cannot be called as it will be: eom()"]


@pytest.fixture
def kept(monkeypatch: pytest.MonkeyPatch) -> Kept:
    calls = Kept()
    for name in ("make_plan", "make_gather", "make_whole"):

        def keep(name: str = name, **values: Any) -> Any:
            calls.append((name, values))
            return name

        monkeypatch.setattr(plan_module, name, keep)
    return calls


def test_all_of_a_plan(kept: Kept) -> None:
    class Filter(Base):
        _wanted_actions = 3

        @gather(piece=5, limit=6, in_memory=7, view=True, exceeded=Reject(550, "5.7.1", "no"))
        def body(self, chunk: memoryview) -> None: ...
        @decode("bytes")
        @symlist("i", "j")
        @noreply
        def hello(self, hostname: str) -> None: ...
        def envfrom(self, mailfrom: str) -> Any: ...
        def envrcpt(self, to: str, *params: str) -> Any: ...
        def negotiate(self, opts: list[int]) -> Any: ...
        def begin_message(self) -> None: ...

    plan_of(Filter)
    (first, gathered), (second, values) = kept
    assert (first, gathered) == (
        "make_gather",
        {"piece": 5, "limit": 6, "in_memory": 7, "as_view": True, "exceeded": Reject(550, "5.7.1", "no")._wire},
    )
    assert second == "make_plan"
    assert (values["gather"], values["whole"], values["actions"]) == ("make_gather", None, 3)
    assert (values["steps"], values["no_reply"]) == (["hello", "envfrom", "envrcpt", "body"], ["hello", "body"])
    assert (values["negotiates"], values["has_begin"]) == (True, True)
    assert (values["text"]["hello"], values["text"]["envfrom"]) == ("bytes", "surrogateescape")
    assert [names for _, names in values["macros"]] == ["i j"]
    # The inherited hook leaves out what `envfrom` does not take; it is called although it is inherited.
    assert values["hooks"]["envfrom"] is not Base.envfrom_bytes
    assert values["hooks"]["envrcpt"] is Base.envrcpt_bytes
    assert values["hooks"]["header"] is Base.header_bytes
    kept.clear()
    plan_of(Base)
    ((_, values),) = kept
    assert (values["gather"], values["whole"]) == (None, None)
    assert (values["negotiates"], values["has_begin"]) == (False, False)
    assert values["hooks"] == {name: getattr(Base, f"{name}_bytes") for name in ("envfrom", "envrcpt", "header")}
    kept.clear()
    plan_of(made(envrcpt=taking(1), begin_message=taking(0)))
    ((_, values),) = kept
    assert values["hooks"]["envfrom"] is Base.envfrom_bytes
    assert values["hooks"]["envrcpt"] is not Base.envrcpt_bytes
    assert values["has_begin"]


def test_all_of_the_plan_of_a_message_filter(kept: Kept) -> None:
    class Filter(
        MessageFilter, limit=5, in_memory=6, exceeded=Reject(550), header_limit=7, header_exceeded=TempFail(450)
    ):
        def message(self, message: Any) -> None: ...

    plan_of(Filter)
    assert kept[:2] == [
        ("make_gather", {"piece": 0, "limit": 5, "in_memory": 6, "as_view": True, "exceeded": Reject(550)._wire}),
        ("make_whole", {"header_limit": 7, "header_exceeded": TempFail(450)._wire}),
    ]
    assert (kept[2][1]["gather"], kept[2][1]["whole"]) == ("make_gather", "make_whole")


def test_each_class_is_read_once_and_freed() -> None:
    read: list[Any] = []

    def plan(handlers: Any) -> Any:
        read.append(handlers if isinstance(handlers, type) else type(handlers))
        return object()

    plans, one, other = Plans(plan), made(), made()
    first = plans.of(one)
    second = plans.of(other)
    assert first is not second
    assert [plans.of(klass) for klass in (one, one, other, one)] == [first, first, second, first]
    assert read == [one, other]
    handlers = one()
    assert plans.of(handlers) is not plans.of(handlers)  # those set on an object may change
    assert plans.of(one) is first
    assert read == [one, other, one, one]
    gone = weakref.ref(other)
    read.clear()
    del other, handlers
    gc.collect()
    assert gone() is None
    assert plans.of(one) is first


# ------------------------------------------------------------------------------------ marks


def test_marks_are_found_wherever_they_are() -> None:
    def handler(self: object, *arguments: object) -> None: ...

    mark(handler, "note", 1)
    assert mark_of(handler, "note") == 1
    assert mark_of(handler, "other") is None
    assert mark_of(handler, "other", 5) == 5
    assert mark_of(None, "note", 5) == 5
    decorated: list[Any] = [staticmethod(handler), classmethod(handler)]
    for static in decorated:
        mark(static, "more", 2)
        assert mark_of(handler, "more") == 2
        del handler.more  # type: ignore[attr-defined]
    bound = functools.partialmethod(handler, 1)
    assert mark_of(bound, "note") == mark_of(partial(partial(handler, 1), 2), "note") == 1
    assert mark_of(made(eom=bound).eom, "note") == 1
    mark(bound, "note", 3)
    assert mark_of(made(eom=bound).eom, "note") == 3  # the outer one counts


@pytest.mark.parametrize(
    ("keywords", "expected"),
    [
        ({}, GatherMark(0, 256 * 1024 * 1024, 8 * 1024 * 1024, False, TOO_LARGE)),
        ({"piece": 1, "limit": 1, "in_memory": 0, "view": True}, GatherMark(1, 1, 0, True, TOO_LARGE)),
        ({"exceeded": Reject(550)}, GatherMark(0, 256 * 1024 * 1024, 8 * 1024 * 1024, False, Reject(550))),
    ],
)
def test_what_gather_marks(keywords: dict[str, Any], expected: GatherMark) -> None:
    def body(self: object, chunk: bytes) -> None: ...

    decorate: Any = gather
    assert decorate(**keywords)(body) is body
    assert mark_of(body, GATHER_MARK) == expected
    assert TempFail(452, "4.3.4", "Message too large for the mail filter") == TOO_LARGE
    if not keywords:
        delattr(body, GATHER_MARK)
        assert decorate(body) is body
        assert mark_of(body, GATHER_MARK) == expected


def test_gather_is_for_the_body() -> None:
    wrong = _named("header", 2)
    uses: list[Callable[[], object]] = [lambda: gather(wrong), lambda: gather(piece=1)(wrong)]
    for decorate in uses:
        with pytest.raises(ValueError, match=r"^@gather does not fit header: it is for body$"):
            decorate()
    with pytest.raises(ValueError, match=r"^@gather got piece=-1, limit=1, in_memory=2: sizes are in bytes, limit"):
        gather(piece=-1, limit=1, in_memory=2)
