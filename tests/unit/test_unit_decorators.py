"""The decorators: what they refuse, at once and by name."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest

from pymilter import (
    REJECT,
    Base,
    Reject,
    decode,
    enable_protocols,
    gather,
    header_leading_space,
    nocallback,
    noreply,
    rejected_recipients,
    symlist,
)
from pymilter._class.arity import is_async, most_arguments
from pymilter._class.decorators import MACRO_METHODS, OPTIONAL_METHODS, TEXT_METHODS

ALL_METHODS = {*OPTIONAL_METHODS, *MACRO_METHODS, "eom", "abort", "close", "negotiate", "something"}


def method(name: str) -> Callable[..., Any]:
    def function(self: object) -> None: ...

    function.__name__ = name
    return function


@pytest.mark.parametrize("decorator", [noreply, nocallback])
@pytest.mark.parametrize("name", sorted(ALL_METHODS))
def test_noreply_and_nocallback_are_for_optional_steps(decorator: Callable[..., Any], name: str) -> None:
    function = method(name)
    if name in OPTIONAL_METHODS:
        assert decorator(function) is function
    else:
        with pytest.raises(ValueError, match=f"@{decorator.__name__} does not fit {name}: it is for connect, hello,"):
            decorator(function)


@pytest.mark.parametrize("name", sorted(ALL_METHODS))
def test_symlist_is_for_steps_with_macros_of_their_own(name: str) -> None:
    if name in MACRO_METHODS:
        symlist("i")(method(name))
    else:
        with pytest.raises(ValueError, match=f"@symlist does not fit {name}"):
            symlist("i")(method(name))


@pytest.mark.parametrize("name", sorted(ALL_METHODS))
def test_decode_is_for_steps_with_text(name: str) -> None:
    if name in TEXT_METHODS:
        decode("bytes")(method(name))
    else:
        with pytest.raises(ValueError, match=f"@decode does not fit {name}"):
            decode("bytes")(method(name))


def test_symlist_takes_up_to_50_macros() -> None:
    symlist(*(f"{{m{number}}}" for number in range(50)))(method("eom"))
    with pytest.raises(ValueError, match="@symlist got 51 macros: at most 50 are allowed for one step"):
        symlist(*(f"{{m{number}}}" for number in range(51)))


@pytest.mark.parametrize("name", ["", "i j", " i", "i\n", "\t"])
def test_a_macro_name_has_no_white_space(name: str) -> None:
    with pytest.raises(ValueError, match="a macro name has no white space"):
        symlist("i", name)


@pytest.mark.parametrize("strategy", ["backslashreplace", "", "BYTES", "utf-8"])
def test_decode_knows_its_strategies(strategy: str) -> None:
    with pytest.raises(ValueError, match="allowed are surrogateescape, strict, ignore, replace, bytes"):
        decode(strategy)  # type: ignore[call-overload]


def test_what_a_decorator_marks_is_the_function_alone() -> None:
    @noreply
    def header(self: object, name: str, value: str) -> None: ...

    class Filter(Base):
        pass

    assert header.__name__ == "header"
    assert not hasattr(Base.header, "_milter_noreply")
    assert not hasattr(Filter.header, "_milter_noreply")


def test_protocols_of_a_class_do_not_reach_its_base() -> None:
    class Parent(Base):
        pass

    @header_leading_space
    class Child(Parent):
        pass

    @rejected_recipients
    class Grandchild(Child):
        pass

    assert enable_protocols(Grandchild, 0) is Grandchild
    masks = [getattr(klass, "_milter_protocol", 0) for klass in (Base, Parent, Child, Grandchild)]
    assert masks == [0, 0, 0x100000, 0x100800]


@pytest.mark.parametrize("exceeded", [REJECT, None, "552 too large", Reject])
def test_a_body_that_is_too_large_is_answered_by_a_reply(exceeded: Any) -> None:
    with pytest.raises(ValueError, match=r"exceeded=.*: allowed are Reject\(\.\.\.\) and TempFail\(\.\.\.\)"):
        gather(exceeded=exceeded)
    gather(exceeded=Reject(552, "5.3.4", "too large"))


def test_hooks_for_bytes_decode_as_the_method_says() -> None:
    class Filter(Base):
        seen: Any = None

        @decode("bytes")
        def envfrom(self, mailfrom: Any, *params: Any) -> None:
            self.seen = mailfrom, params

        @decode("replace")
        def envrcpt(self, to: str) -> None:
            self.seen = to

        def header(self, name: str, value: str) -> None:
            self.seen = name, value

    handlers = Filter()
    handlers.envfrom_bytes(b"<\xff>", b"SIZE=1")
    assert handlers.seen == (b"<\xff>", (b"SIZE=1",))
    handlers.envrcpt_bytes(b"<\xff>", b"NOTIFY=NEVER")
    assert handlers.seen == "<\N{REPLACEMENT CHARACTER}>"
    handlers.header_bytes("X", b"\xff")
    assert handlers.seen == ("X", "\udcff")


def test_a_ring_of_wrappers_is_no_handler() -> None:
    def wrapped(address: str) -> None: ...
    def wrapper(*args: str) -> None: ...

    vars(wrapper)["__wrapped__"] = wrapped
    assert most_arguments(wrapper) == 1
    vars(wrapped)["__wrapped__"] = wrapper
    with pytest.raises(ValueError, match="wrapper loop when unwrapping"):
        most_arguments(wrapper)
    assert not is_async(wrapper)


@pytest.mark.parametrize("sizes", [{"limit": 0}, {"limit": -1}, {"piece": -1}, {"in_memory": -1}])
def test_sizes_out_of_range(sizes: dict[str, int]) -> None:
    with pytest.raises(ValueError, match="sizes are in bytes, limit > 0"):
        gather(**sizes)  # type: ignore[call-overload]
