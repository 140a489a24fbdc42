"""What is read off a class: its steps, those without a verdict, and the bits that belong to them."""

from __future__ import annotations

from typing import Any

import pytest

from pymilter import Base, Outcome, Protocol, Stage, decode, enable_protocols, nocallback, noreply, symlist
from pymilter._decorators import HDR_LEADSPC, OPTIONAL_METHODS, RCPT_REJ
from pymilter._negotiate import ALWAYS_SENT, MACRO_STAGES, MUTE_BITS, SKIP_BITS, SKIP_BODY, Wishes, wishes_of

SKIP_NAMES = {
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
MUTE_NAMES = {
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
    assert {name: Protocol[bit] for name, bit in SKIP_NAMES.items()} == dict(SKIP_BITS)
    assert {name: Protocol[bit] for name, bit in MUTE_NAMES.items()} == dict(MUTE_BITS)
    assert {name: Stage[stage] for name, stage in STAGE_NAMES.items()} == dict(MACRO_STAGES)
    assert tuple(int(bit) for bit in (Protocol.SKIP, Protocol.RCPT_REJ, Protocol.HDR_LEADSPC)) == (
        SKIP_BODY,
        RCPT_REJ,
        HDR_LEADSPC,
    )
    assert set(OPTIONAL_METHODS) == set(SKIP_BITS)


def test_base_itself_wants_nothing() -> None:
    assert wishes(Base) == Wishes(
        steps=(),
        mute=(),
        protocol=sum(SKIP_BITS.values()) | SKIP_BODY,
        text=dict.fromkeys(("connect", "hello", "envfrom", "envrcpt", "header", "unknown"), "surrogateescape"),
        macros=(),
        negotiates=False,
        begins=False,
    )


@pytest.mark.parametrize("name", SKIP_BITS)
def test_each_step_by_itself(name: str) -> None:
    def handler(self: Base, *args: object) -> Outcome:
        return None

    def silent(self: Base, *args: object) -> None: ...

    answered = wishes(type("Answered", (Base,), {name: handler}))
    mute = wishes(type("Mute", (Base,), {name: silent}))
    absent = sum(SKIP_BITS.values()) - SKIP_BITS[name]
    assert (answered.steps, answered.mute) == ((name,), ())
    assert answered.protocol == absent | SKIP_BODY
    assert (mute.steps, mute.mute) == ((name,), (name,))
    assert mute.protocol == absent | SKIP_BODY | MUTE_BITS[name]


@pytest.mark.parametrize("name", ALWAYS_SENT)
def test_steps_that_always_come(name: str) -> None:
    def silent(self: Base) -> None: ...

    klass = wishes(type("Klass", (Base,), {name: silent}))
    assert (klass.steps, klass.mute) == ((name,), ())


@pytest.mark.parametrize(
    ("annotation", "is_mute"),
    [(None, True), ("None", True), (Outcome, False), ("Outcome", False), ("Status", False), (Any, False), (int, False)],
)
def test_what_an_annotation_says(annotation: object, is_mute: bool) -> None:
    def body(self: Base, chunk: bytes) -> None: ...

    body.__annotations__ = {"return": annotation}
    assert wishes(type("Klass", (Base,), {"body": body})).mute == (("body",) if is_mute else ())


def test_no_annotation_says_nothing() -> None:
    def body(self, chunk):  # type: ignore[no-untyped-def]
        pass

    assert wishes(type("Klass", (Base,), {"body": body})).mute == ()
    assert wishes(type("Klass", (Base,), {"body": noreply(body)})).mute == ("body",)


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
    assert (wishes(Parent).steps, wishes(Parent).mute) == (("hello", "body"), ("hello", "body"))
    assert (wishes(Child).steps, wishes(Child).mute) == (("hello", "body", "header"), ("hello",))
    assert (wishes(Quiet).steps, wishes(Quiet).mute) == (("hello", "body"), ("hello",))
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

    assert (wishes(Filter).steps, wishes(Filter).mute) == (("header",), ())


def test_protocol_options_are_added() -> None:
    klass = enable_protocols(type("Klass", (Base,), {}), Protocol.RCPT_REJ)
    assert wishes(klass).protocol == wishes(Base).protocol | Protocol.RCPT_REJ


def test_an_empty_symlist_is_a_wish_too() -> None:
    def data(self: Base) -> Outcome:
        return None

    assert wishes(type("Klass", (Base,), {"data": symlist()(data)})).macros == ((Stage.DATA, ""),)
