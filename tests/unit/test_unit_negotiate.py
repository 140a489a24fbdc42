"""What is read off a class: its steps, those without a verdict, and the bits that belong to them."""

from __future__ import annotations

from typing import Any

import pytest

from pymilter import Base, Outcome, Protocol, Stage, decode, enable_protocols, gather, nocallback, noreply, symlist
from pymilter._class import plan
from pymilter._class.decorators import HDR_LEADSPC, OPTIONAL_METHODS, RCPT_REJ
from pymilter._class.negotiate import ALWAYS_SENT, CAN_SKIP, MACRO_STAGE, NO_REPLY, NOT_SENT, Wishes, wishes_of

NOT_SENT_NAMES = {
    "connect": "NOCONNECT",
    "hello": "NOHELO",
    "envfrom": "NOMAIL",
    "envrcpt": "NORCPT",
    "data": "NODATA",
    "unknown": "NOUNKNOWN",
    "header": "NOHDRS",
    "eoh": "NOEOH",
    "body": "NOBODY",
}
NO_REPLY_NAMES = {
    "connect": "NR_CONN",
    "hello": "NR_HELO",
    "envfrom": "NR_MAIL",
    "envrcpt": "NR_RCPT",
    "data": "NR_DATA",
    "unknown": "NR_UNKN",
    "header": "NR_HDR",
    "eoh": "NR_EOH",
    "body": "NR_BODY",
}
STAGE_NAMES = {
    "connect": "CONNECT",
    "hello": "HELO",
    "envfrom": "ENVFROM",
    "envrcpt": "ENVRCPT",
    "data": "DATA",
    "eom": "EOM",
    "eoh": "EOH",
}


def wishes(klass: type[Any]) -> Wishes:
    return wishes_of(klass, Base)


def test_the_tables_are_libmilters() -> None:
    assert {name: Protocol[bit] for name, bit in NOT_SENT_NAMES.items()} == dict(NOT_SENT)
    assert {name: Protocol[bit] for name, bit in NO_REPLY_NAMES.items()} == dict(NO_REPLY)
    assert {name: Stage[stage] for name, stage in STAGE_NAMES.items()} == dict(MACRO_STAGE)
    assert tuple(int(bit) for bit in (Protocol.SKIP, Protocol.RCPT_REJ, Protocol.HDR_LEADSPC)) == (
        CAN_SKIP,
        RCPT_REJ,
        HDR_LEADSPC,
    )
    assert set(OPTIONAL_METHODS) == set(NOT_SENT)


def test_base_itself_wants_nothing() -> None:
    assert wishes(Base) == Wishes(
        steps=(),
        no_reply=(),
        protocol=sum(NOT_SENT.values()) | CAN_SKIP,
        text=dict.fromkeys(("connect", "hello", "envfrom", "envrcpt", "header", "unknown"), "surrogateescape"),
        macros=(),
        negotiates=False,
        begins=False,
    )


@pytest.mark.parametrize("name", NOT_SENT)
def test_each_step_by_itself(name: str) -> None:
    def handler(self: Base, *args: object) -> Outcome:
        return None

    def silent(self: Base, *args: object) -> None: ...

    answered = wishes(type("Answered", (Base,), {name: handler}))
    quiet = wishes(type("Quiet", (Base,), {name: silent}))
    absent = sum(NOT_SENT.values()) - NOT_SENT[name]
    assert (answered.steps, answered.no_reply) == ((name,), ())
    assert answered.protocol == absent | CAN_SKIP
    assert (quiet.steps, quiet.no_reply) == ((name,), (name,))
    assert quiet.protocol == absent | CAN_SKIP | NO_REPLY[name]


@pytest.mark.parametrize("name", ALWAYS_SENT)
def test_steps_that_always_come(name: str) -> None:
    def silent(self: Base) -> None: ...

    klass = wishes(type("Klass", (Base,), {name: silent}))
    assert (klass.steps, klass.no_reply) == ((name,), ())


@pytest.mark.parametrize(
    ("annotation", "is_no_reply"),
    [(None, True), ("None", True), (Outcome, False), ("Outcome", False), ("Status", False), (Any, False), (int, False)],
)
def test_what_an_annotation_says(annotation: object, is_no_reply: bool) -> None:
    def body(self: Base, chunk: bytes) -> None: ...

    body.__annotations__ = {"return": annotation}
    assert wishes(type("Klass", (Base,), {"body": body})).no_reply == (("body",) if is_no_reply else ())


def test_no_annotation_says_nothing() -> None:
    def body(self, chunk):  # type: ignore[no-untyped-def]
        pass

    assert wishes(type("Klass", (Base,), {"body": body})).no_reply == ()
    assert wishes(type("Klass", (Base,), {"body": noreply(body)})).no_reply == ("body",)


class Parent(Base):
    @decode("bytes")
    @symlist("{tls_version}", "i")
    def hello(self, hostname: str) -> None: ...

    def body(self, chunk: bytes) -> None: ...


class Child(Parent):
    def body(self, chunk: bytes) -> Outcome:  # type: ignore[override]
        return None

    def header(self, name: str, value: str) -> Outcome:
        return None


class Quiet(Child):
    @nocallback
    def header(self, name: str, value: str) -> Outcome:
        return None


def test_a_subclass_wants_for_itself() -> None:
    assert (wishes(Parent).steps, wishes(Parent).no_reply) == (("hello", "body"), ("hello", "body"))
    assert (wishes(Child).steps, wishes(Child).no_reply) == (("hello", "header", "body"), ("hello",))
    assert (wishes(Quiet).steps, wishes(Quiet).no_reply) == (("hello", "body"), ("hello",))
    assert wishes(Child).text["hello"] == "bytes"
    assert wishes(Child).macros == ((Stage.HELO, "{tls_version} i"),)


def test_a_mixin_counts_as_the_class_itself() -> None:
    class Mixin:
        def eoh(self) -> Outcome:
            return None

    class Filter(Mixin, Base):
        pass

    assert wishes(Filter).steps == ("eoh",)


def test_a_bytes_hook_asks_for_its_step() -> None:
    class Filter(Base):
        def header_bytes(self, fld: str, val: bytes) -> Outcome:
            return None

    assert (wishes(Filter).steps, wishes(Filter).no_reply) == (("header",), ())


def test_protocol_options_are_added() -> None:
    klass = enable_protocols(type("Klass", (Base,), {}), Protocol.RCPT_REJ)
    assert wishes(klass).protocol == wishes(Base).protocol | Protocol.RCPT_REJ


@pytest.mark.parametrize(("piece", "is_answered_at_the_end"), [(0, True), (1, False)])
def test_a_body_that_is_gathered_whole_is_answered_at_the_end(piece: int, is_answered_at_the_end: bool) -> None:
    class Filter(Base):
        @gather(piece=piece)
        def body(self, chunk: bytes) -> Outcome:
            return None

        def header(self, name: str, value: str) -> Outcome:
            return None

    found = wishes(Filter)
    assert (found.steps, found.no_reply) == (("header", "body"), ())
    assert bool(found.protocol & NO_REPLY["body"]) is is_answered_at_the_end
    assert not found.protocol & NO_REPLY["header"]


def test_an_empty_symlist_is_a_wish_too() -> None:
    def data(self: Base) -> Outcome:
        return None

    assert wishes(type("Klass", (Base,), {"data": symlist()(data)})).macros == ((Stage.DATA, ""),)


def test_a_plan_is_that_of_its_class_whatever_other_threads_look_up(monkeypatch: pytest.MonkeyPatch) -> None:
    """A factory may make objects of two classes, each in a thread of its own."""

    class One(Base):
        def eom(self) -> Outcome: ...

    class Other(Base):
        def data(self) -> Outcome: ...

    class Switching:
        """A weak reference, at whose call the other thread runs."""

        def __init__(self, klass: type[Base]) -> None:
            self._klass = klass

        def __call__(self) -> type[Base]:
            if meanwhile:
                plans.of(meanwhile.pop())
            return self._klass

    meanwhile: list[type[Base]] = []
    plans = plan.Plans()
    expected = {klass: plans.of(klass) for klass in (One, Other)}
    monkeypatch.setattr(plan, "ref", Switching)
    for klass, other in ((One, Other), (Other, One)):
        plans.of(klass)
        meanwhile.append(other)
        assert plans.of(klass) is expected[klass]
        assert meanwhile == []
