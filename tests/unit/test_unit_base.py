"""Base without an MTA: what each method asks of its context, how it negotiates, and what it is without a connection."""

from __future__ import annotations

import inspect
from collections.abc import Callable
from typing import Any

import pytest

from pymilter import CONTINUE, Action, Base, MilterError, Protocol, Stage, nocallback, noreply, symlist
from pymilter._class.base import ALL_ACTIONS, ALL_OPTIONS, options_of
from pymilter._class.handlers import Handlers
from pymilter._class.negotiate import MACRO_STAGE, NO_REPLY, NOT_SENT


class Asked:
    """A context that notes what it is asked."""

    def __init__(self) -> None:
        self.calls: list[tuple[Any, ...]] = []
        self.private: object = None
        self.queue_id = "4XYZ"
        self.peer = "mail.example.org[192.0.2.1]"

    def setpriv(self, private: object) -> None:
        self.private = private

    def __getattr__(self, name: str) -> Callable[..., str]:
        def note(*arguments: object) -> str:
            self.calls.append((name, *arguments))
            return f"answer to {name}"

        return note


def connected(klass: type[Base] = Base) -> tuple[Any, Asked]:
    handlers: Any = klass()
    asked = Asked()
    handlers._setctx(asked)
    return handlers, asked


@pytest.mark.parametrize(
    ("call", "asked"),
    [
        (lambda b: b.getsymval("i"), ("getsymval", "i")),
        (lambda b: b.setreply("550"), ("setreply", "550", None, None)),
        (
            lambda b: b.setreply("550", "5.7.1", "one", "two", "three"),
            ("setreply", "550", "5.7.1", "one", "two", "three"),
        ),
        (lambda b: b.addheader("X", "1"), ("addheader", "X", "1", -1)),
        (lambda b: b.addheader("X", "1", 0), ("addheader", "X", "1", 0)),
        (lambda b: b.chgheader("X", 2, "1"), ("chgheader", "X", 2, "1")),
        (lambda b: b.addrcpt("<a@b>"), ("addrcpt", "<a@b>", None)),
        (lambda b: b.addrcpt("<a@b>", ["X=1"]), ("addrcpt", "<a@b>", ["X=1"])),
        (lambda b: b.delrcpt("<a@b>"), ("delrcpt", "<a@b>")),
        (lambda b: b.chgfrom("<a@b>"), ("chgfrom", "<a@b>", None)),
        (lambda b: b.chgfrom("<a@b>", "X=1"), ("chgfrom", "<a@b>", "X=1")),
        (lambda b: b.replacebody(b"x"), ("replacebody", b"x")),
        (lambda b: b.quarantine("why"), ("quarantine", "why")),
        (lambda b: b.progress(), ("progress",)),
        (lambda b: b.setsymlist(Stage.EOM, "i", "j"), ("setsymlist", Stage.EOM, "i", "j")),
        (lambda b: b.setsymlist(5, "i"), ("setsymlist", 5, "i")),
        *(
            (lambda b, name=name: b.setsymlist(name, "i"), ("setsymlist", stage, "i"))
            for name, stage in MACRO_STAGE.items()
        ),
    ],
)
def test_each_request_goes_to_the_context(call: Callable[[Base], object], asked: tuple[Any, ...]) -> None:
    handlers, context = connected()
    assert call(handlers) == ("answer to getsymval" if asked[0] == "getsymval" else None)
    assert context.calls == [asked]


def test_stages_have_names() -> None:
    handlers, context = connected()
    with pytest.raises(ValueError, match=f"^stage is 'rcpt': allowed are {', '.join(MACRO_STAGE)}$"):
        handlers.setsymlist("rcpt", "i")
    assert context.calls == []


def test_what_is_known_of_the_connection() -> None:
    handlers, context = connected()
    assert (handlers.queue_id, handlers.peer) == (context.queue_id, context.peer)
    assert handlers.context is context
    assert context.private is handlers
    assert handlers._had_connection
    handlers._actions = handlers._protocol = 5
    handlers._setctx(None)
    assert (handlers._actions, handlers._protocol) == (ALL_ACTIONS, 0)
    for name in ("queue_id", "peer", "context"):
        with pytest.raises(MilterError, match=r"^this Base has no connection: libmilter gives it one after __init__"):
            getattr(handlers, name)
    handlers._setctx(None)
    with pytest.raises(MilterError, match="has no connection"):
        handlers.progress()
    assert not Base()._had_connection


@pytest.mark.parametrize("name", ["queue_id", "peer", "context"])
def test_an_attribute_of_the_programs_hides_ours(name: str) -> None:
    handlers, _ = connected()
    setattr(handlers, name, "mine")
    assert getattr(handlers, name) == "mine"
    delattr(handlers, name)
    assert getattr(handlers, name) != "mine"
    assert getattr(Base, name).__doc__ == vars(Base)[name].__doc__
    assert getattr(Base, name) is vars(Base)[name]
    assert vars(Base)[name].__doc__


@pytest.mark.parametrize(("name", "address"), [("envfrom", "mailfrom"), ("envrcpt", "to")])
def test_what_an_override_must_take_is_shown(name: str, address: str) -> None:
    shown = inspect.signature(getattr(Base, name))
    kind = inspect.Parameter.POSITIONAL_ONLY
    assert [(parameter.name, parameter.kind) for parameter in shown.parameters.values()] == [
        ("self", kind),
        (address, kind),
    ]


@pytest.mark.parametrize(
    ("name", "arguments"),
    [
        ("connect", ("h", 2, None)),
        *((name, ("x",)) for name in ("hello", "unknown")),
        *((name, ("<a@b>", "SIZE=1")) for name in ("envfrom", "envrcpt")),
        ("header", ("X", "1")),
        ("body", (b"x",)),
        *((name, ()) for name in ("data", "eoh", "eom", "abort", "close")),
    ],
)
def test_what_is_not_overridden_lets_mail_through(name: str, arguments: tuple[Any, ...]) -> None:
    assert getattr(Base(), name)(*arguments) is CONTINUE


@pytest.mark.parametrize("name", ["begin_message", "log"])
def test_what_is_not_overridden_does_nothing(name: str) -> None:
    getattr(Base(), name)()


def test_the_verdict_of_a_method_is_that_of_its_bytes_hook() -> None:
    class Filter(Base):
        def envfrom(self, *mailfrom: str) -> Any:
            return ("from", *mailfrom)

        def envrcpt(self, to: str, params: str = "none") -> Any:
            return "rcpt", to, params

        def header(self, name: str, value: str) -> Any:
            return "header", name, value

    handlers: Any = Filter()
    assert handlers.envfrom_bytes(b"a", b"\xff", b"c") == ("from", "a", "\udcff", "c")
    assert handlers.envrcpt_bytes(b"a") == ("rcpt", "a", "none")
    assert handlers.envrcpt_bytes(b"a", b"b", b"c") == ("rcpt", "a", "b")
    assert handlers.header_bytes("X", b"\xff") == ("header", "X", "\udcff")


# ------------------------------------------------------------------------------------ negotiation

NOBODY = sum(NOT_SENT.values())


def test_options_that_are_not_wanted() -> None:
    class Filter(Base):
        def eoh(self) -> None: ...

    assert sum(Protocol) == ALL_OPTIONS
    assert Base.protocol_mask() == ALL_OPTIONS & ~(NOBODY | Protocol.SKIP)
    assert Filter.protocol_mask() == ALL_OPTIONS & ~(NOBODY - NOT_SENT["eoh"] | Protocol.SKIP | NO_REPLY["eoh"])


def test_handlers_that_are_set_on_the_object_decide_their_bits() -> None:
    class Filter(Base):
        def eoh(self) -> None: ...
        def data(self) -> None: ...

    handlers: Any = Filter()
    of_class = NOBODY - NOT_SENT["eoh"] - NOT_SENT["data"] | Protocol.SKIP | NO_REPLY["eoh"] | NO_REPLY["data"]
    assert options_of(Handlers.of(Filter)) == options_of(Handlers.of(handlers)) == of_class
    handlers.eoh = lambda: CONTINUE
    assert options_of(Handlers.of(handlers)) == of_class & ~NO_REPLY["eoh"]
    handlers.header_bytes = lambda name, value: CONTINUE
    assert options_of(Handlers.of(handlers)) == of_class & ~NO_REPLY["eoh"] & ~NOT_SENT["header"]
    handlers.eom = lambda: CONTINUE
    assert Handlers.of(handlers).own_bits() == (
        NOT_SENT["eoh"] | NO_REPLY["eoh"] | NOT_SENT["header"] | NO_REPLY["header"]
    )
    handlers.data = 5
    assert "data" not in Handlers.of(handlers).own


@pytest.mark.parametrize("has_macros", [True, False])
def test_negotiate_takes_of_the_offer_what_is_wanted(has_macros: bool) -> None:
    class Filter(Base):
        _wanted_actions = ALL_ACTIONS & ~Action.CHGBODY

        @symlist("{auth_authen}", "i")
        @noreply
        def hello(self, hostname: str) -> None: ...

        @nocallback
        def data(self) -> None: ...

    handlers, context = connected(Filter)
    offer = ALL_ACTIONS if has_macros else ALL_ACTIONS & ~Action.SETSYMLIST
    opts = [offer, ALL_OPTIONS & ~Protocol.NODATA, 7, 8]
    assert handlers.negotiate(opts) is CONTINUE
    wanted = NOBODY - NOT_SENT["hello"] - NOT_SENT["data"] | Protocol.SKIP | NO_REPLY["hello"]
    assert opts == [offer & ~Action.CHGBODY, wanted, 0, 0]
    assert (handlers._actions, handlers._protocol) == (opts[0], opts[1])
    assert context.calls == ([("setsymlist", Stage.HELO, "{auth_authen} i")] if has_macros else [])


# ------------------------------------------------------------------------------------ handlers of an object


def test_an_attribute_as_the_object_has_it() -> None:
    class Filter(Base):
        def eoh(self) -> None: ...

        @property
        def body(self) -> Any:
            return print

        @staticmethod
        def eom() -> None: ...

    found = Handlers.of(Filter)
    assert found.own == {}
    assert found.as_of_object("eoh").__func__ is Filter.eoh
    assert found.as_of_object("body") is Filter.body
    assert found.as_of_object("eom") is Filter.eom
    assert found.as_of_object("data").__func__ is Base.data
    assert found.eoh is Filter.eoh
    handlers: Any = Filter()
    handlers.eoh = print
    vars(handlers)["something"] = print
    found = Handlers.of(handlers)
    assert (found.klass, found.own) == (Filter, {"eoh": print})
    assert found.as_of_object("eoh") is found.eoh is print
