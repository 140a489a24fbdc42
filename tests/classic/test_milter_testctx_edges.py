"""TestCtx at its edges: what it has at first, each request at the wrong place, each step that ends a session."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from io import BytesIO
from typing import Any

import pytest

import Milter
from Milter._tables import decode_mask
from Milter._testmacros import is_sent
from Milter._testmessage import TestMessage, change_header
from Milter._testrequests import TestRequests, decoded, encoded
from Milter.testctx import TestCtx
from pymilter import Action, Base, Outcome, Protocol, Reject, Stage, TempFail
from pymilter.mime import message_from_file


@pytest.fixture(autouse=True)
def factory() -> Iterator[None]:
    earlier = Milter.factory
    yield
    Milter.factory = earlier


def connected(**handlers: Any) -> TestCtx:
    """A context whose filter has these handlers."""
    Milter.factory = type("Made", (Base,), handlers)
    ctx = TestCtx()
    assert ctx._connect() == Milter.CONTINUE
    return ctx


def at_eom(ask: Callable[[Any], object], taken: int = 0) -> TestCtx:
    """A context whose filter asks for something at eom, with all actions but those that are taken away."""

    def negotiate(self: Any, opts: list[int], /) -> Any:
        status = Base.negotiate(self, opts)
        opts[0] &= ~taken
        return status

    def eom(self: Any) -> Outcome:
        ask(self)
        return Milter.CONTINUE

    ctx = connected(negotiate=negotiate, eom=eom)
    ctx._envfrom("<a@b>")
    ctx._eom()
    return ctx


def test_before_anything_is_asked() -> None:
    ctx = TestRequests()
    kept = {name: value for name, value in vars(ctx).items() if name not in ("_activity", "_id")}
    assert kept == {
        "_priv": None,
        "_macros": {},
        "_symlist": [None] * 7,
        "_actions": 0,
        "_stage": None,
        "_reply": None,
        "_sender": None,
        "_protocol": 0,
        "_peer": None,
        "_has_begun": False,
        "_addrcpt": [],
        "_delrcpt": [],
        "_body": None,
        "_bodyreplaced": False,
        "_msg": None,
        "_headerschanged": False,
        "_envfromchanged": False,
        "_quarantine": None,
        "_head": b"",
        "_chunks": [],
    }
    assert (ctx.actions, ctx.protocol, ctx.peer, ctx.queue_id, ctx.getpriv()) == (0, 0, None, None, None)
    assert ctx.setpriv("one") is None
    assert ctx.setpriv("two") == "one"
    assert ctx.getpriv() == "two"
    whole = TestCtx("ignored")
    assert (whole._is_open, whole._verdict, whole._opts) == (False, Milter.CONTINUE, TestCtx.default_opts)


def test_a_message_leaves_nothing_for_the_next() -> None:
    def ask(self: Any) -> None:
        self.addheader("A", "b")
        self.addrcpt("<c@d>")
        self.delrcpt("<e@f>")
        self.chgfrom("<g@h>")
        self.replacebody(b"new")
        self.quarantine("odd")

    ctx = at_eom(ask)
    assert (ctx._addrcpt, ctx._delrcpt, ctx._sender, ctx._quarantine) == ([("<c@d>", None)], ["<e@f>"], "<g@h>", "odd")
    assert (ctx._headerschanged, ctx._envfromchanged, ctx._bodyreplaced) == (True, True, True)
    ctx._envfrom("<i@j>")
    fresh = vars(TestRequests())
    for name in ("_addrcpt", "_delrcpt", "_body", "_bodyreplaced", "_msg", "_headerschanged", "_envfromchanged"):
        assert getattr(ctx, name) == fresh[name], name
    for name in ("_quarantine", "_head", "_chunks", "_reply"):
        assert getattr(ctx, name) == fresh[name], name
    assert ctx._sender == "<i@j>"


EDITS: dict[str, tuple[Action, Callable[[Any], object]]] = {
    "addheader": (Action.ADDHDRS, lambda ctx: ctx.addheader("A", "b")),
    "chgheader": (Action.CHGHDRS, lambda ctx: ctx.chgheader("A", 1, "b")),
    "addrcpt": (Action.ADDRCPT, lambda ctx: ctx.addrcpt("<a@b>")),
    "addrcpt with parameters": (Action.ADDRCPT_PAR, lambda ctx: ctx.addrcpt("<a@b>", "NOTIFY=NEVER")),
    "delrcpt": (Action.DELRCPT, lambda ctx: ctx.delrcpt("<a@b>")),
    "chgfrom": (Action.CHGFROM, lambda ctx: ctx.chgfrom("<a@b>")),
    "replacebody": (Action.CHGBODY, lambda ctx: ctx.replacebody(b"x")),
    "quarantine": (Action.QUARANTINE, lambda ctx: ctx.quarantine("x")),
}


@pytest.mark.parametrize("name", EDITS)
def test_each_edit_has_its_place_and_its_action(name: str) -> None:
    action, edit = EDITS[name]
    what = name.split()[0]
    at_eom(edit)
    at_eom(edit, taken=int(Milter.CURR_ACTS) & ~int(action))
    with pytest.raises(Milter.DisabledAction) as disabled:
        at_eom(edit, taken=action)
    assert str(disabled.value) == f"{what} needs the action {action.name}, which was not granted"
    with pytest.raises(Milter.error) as misplaced:
        edit(connected())
    assert str(misplaced.value) == f"{what} is possible only at eom"


def test_what_is_possible_at_one_place_only() -> None:
    with pytest.raises(Milter.error, match=r"^progress is possible only at eom$"):
        connected().progress()
    with pytest.raises(Milter.error, match=r"^setsymlist is possible only in negotiate$"):
        connected().setsymlist(0, "i")


def test_macros_are_found_with_and_without_braces() -> None:
    ctx = connected()
    ctx._setsymval("{one}", "1")
    ctx._setsymval("two", "2")
    ctx._setsymval("{both}", "braces")
    ctx._setsymval("both", "none")
    found = {
        name: ctx.getsymval(name) for name in ("one", "{one}", "two", "{two}", "both", "{both}", "three", "{three}")
    }
    assert found == {
        "one": "1",
        "{one}": "1",
        "two": "2",
        "{two}": "2",
        "both": "none",
        "{both}": "braces",
        "three": None,
        "{three}": None,
    }


@pytest.mark.parametrize(
    ("rcode", "xcode", "lines", "reply"),
    [
        ("550", "5.7.1", ["no"], ("550", "5.7.1", "no")),
        ("451", None, ["later", None, "on"], ("451", None, "later", "on")),
        ("554", None, [], ("554", None)),
    ],
)
def test_a_reply_is_kept(rcode: str, xcode: str | None, lines: list[str | None], reply: tuple[object, ...]) -> None:
    ctx = connected()
    ctx.setreply(rcode, xcode, *lines)
    assert ctx._reply == reply


@pytest.mark.parametrize("rcode", ["", "x", "55x", "350", "600", "5", "-550"])
def test_a_reply_code_that_is_none(rcode: str) -> None:
    with pytest.raises(ValueError, match="code"):
        connected().setreply(rcode, None, "x")


def test_text_is_what_goes_over_the_wire() -> None:
    assert (encoded("caf\xe9\udce9"), encoded(b"\xe9")) == (b"caf\xc3\xa9\xe9", b"\xe9")
    assert (decoded(b"caf\xc3\xa9\xe9"), decoded("x")) == ("caf\xe9\udce9", "x")
    ctx = at_eom(lambda self: self.addheader("A", b"caf\xe9"))
    assert ctx._msg.get_all("A") == ["caf\udce9"]
    ctx = at_eom(lambda self: self.replacebody(memoryview(b"abc")))
    assert ctx._body is not None
    assert ctx._body.getvalue() == b"abc"


@pytest.mark.parametrize(
    ("index", "value", "left"),
    [
        (1, "new", ["new", "2", "3"]),
        (0, "new", ["new", "2", "3"]),
        (-1, "new", ["new", "2", "3"]),
        (2, "new", ["1", "new", "3"]),
        (3, "new", ["1", "2", "new"]),
        (4, "new", ["1", "2", "3", "new"]),
        (9, "new", ["1", "2", "3", "new"]),
        (1, "", ["2", "3"]),
        (3, None, ["1", "2"]),
        (4, None, ["1", "2", "3"]),
    ],
)
def test_one_of_several_fields_is_changed(index: int, value: str | None, left: list[str]) -> None:
    message = message_from_file(BytesIO(b"X: 1\nA: b\nX: 2\nX: 3\n\nx\n"))
    change_header(message, "x", index, value)
    assert message.get_all("X") == left
    assert message["A"] == "b"


@pytest.mark.parametrize(
    ("index", "value", "lines"),
    [
        (1, "new", [("A", "1"), ("X", "new"), ("B", "2")]),  # it stays where it is
        (1, "", [("A", "1"), ("B", "2")]),
        (2, "new", [("A", "1"), ("X", "0"), ("B", "2"), ("X", "new")]),
        (2, "", [("A", "1"), ("X", "0"), ("B", "2")]),
    ],
)
def test_the_only_field_of_a_name_is_changed(index: int, value: str, lines: list[tuple[str, str]]) -> None:
    message = message_from_file(BytesIO(b"A: 1\nX: 0\nB: 2\n\nx\n"))
    change_header(message, "X", index, value)
    assert message.items() == lines


@pytest.mark.parametrize(
    ("data", "head", "body", "fields"),
    [
        (b"A: b\n\nx\n", b"A: b\n\n", b"x\n", [("A", b"b")]),
        (b"A: b\r\n\r\nx\r\n", b"A: b\r\n\r\n", b"x\r\n", [("A", b"b")]),
        (b"From a b\nA: b\n\nx", b"A: b\n\n", b"x", [("A", b"b")]),
        (b"From a b", b"", b"From a b", []),
        (b"From: a\n\n", b"From: a\n\n", b"", [("From", b"a")]),
        (b"A:b\nB :  c\nC\t:\td\n", b"A:b\nB :  c\nC\t:\td\n", b"", [("A", b"b"), ("B", b" c"), ("C", b"d")]),
        (b"A: b\n c\n\td\nB: e", b"A: b\n c\n\td\nB: e", b"", [("A", b"b\n c\n\td"), ("B", b"e")]),
        (b"A: b\r\n c\r\n\r\n\r\n", b"A: b\r\n c\r\n\r\n", b"\r\n", [("A", b"b\n c")]),
        (b"A:\n\n\n", b"A:\n\n", b"\n", [("A", b"")]),
        (b"A: b\nno field\n", b"A: b\n", b"no field\n", [("A", b"b")]),
        (b"!~9;: x\n", b"!~9;: x\n", b"", [("!~9;", b"x")]),
        (b"\nA: b\n", b"\n", b"A: b\n", []),
    ],
)
def test_a_message_is_split_after_its_header(
    data: bytes, head: bytes, body: bytes, fields: list[tuple[str, bytes]]
) -> None:
    message = TestMessage.read(data)
    assert (message.head, message.body, list(message.fields())) == (head, body, fields)
    assert len(message.parsed.items()) == len(fields)


ASKED: dict[int, str] = {Stage.ENVFROM: "{a} b", Stage.EOM: "c {d}", Stage.EOH: ""}


@pytest.mark.parametrize(
    ("step", "sent"),
    [
        (None, "any"),
        ("negotiate", "any"),
        ("unknown", "any"),
        ("connect", "any"),
        ("hello", "any"),
        ("envfrom", "jab"),
        ("envrcpt", "any"),
        ("data", "any"),
        ("header", "any"),
        ("eoh", "jabi"),
        ("body", "jabi"),
        ("eom", "jabicd"),
    ],
)
def test_macros_come_with_their_stage(step: str | None, sent: str) -> None:
    lists = [ASKED.get(stage) for stage in range(len(Stage))]
    for name in "jabicdz":
        assert is_sent(name, step, lists) is (sent == "any" or name in sent), name
        assert is_sent(f"{{{name}}}", step, lists) is (sent == "any" or name in sent), name


def test_a_long_name_has_braces() -> None:
    lists: list[str | None] = [None] * len(Stage)
    lists[Stage.CONNECT] = "ab {cd}"
    assert [is_sent(name, "connect", lists) for name in ("ab", "{ab}", "cd", "{cd}")] == [False, False, True, True]


def test_bits_are_named() -> None:
    assert decode_mask(Milter.ADDHDRS | Milter.CHGBODY, ["ADDHDRS", "CHGHDRS", "CHGBODY"]) == ["ADDHDRS", "CHGBODY"]
    assert decode_mask(0, ["ADDHDRS"]) == []
    assert decode_mask(0x1001, ["ADDHDRS", "CHGBODY"]) == ["ADDHDRS", "0x1000"]
    assert decode_mask(3, ["CHGBODY"]) == ["CHGBODY", "0x1"]
    with pytest.raises(AttributeError):
        decode_mask(1, ["NOTHING"])


# -- sessions


class Noting(Base):
    """Notes each event, and answers what the test has for it."""

    answers: dict[str, Any] = {}  # noqa: RUF012 - set by each test
    events: list[str]

    def __init__(self) -> None:
        self.events = []


def _noting(name: str) -> Callable[..., Any]:
    def handler(self: Noting, *values: Any) -> Any:
        self.events.append(f"{name} {values}")
        return self.answers.get(name, Milter.CONTINUE)

    return handler


STEPS = ("connect", "hello", "envfrom", "envrcpt", "data", "header", "eoh", "body", "eom", "abort", "close", "unknown")
ALL = type("All", (Noting,), {name: _noting(name) for name in STEPS})
MESSAGE = b"A: b\nC: d\n\nbody\n"


def noted(**answers: Any) -> tuple[TestCtx, Callable[[], list[str]]]:
    """A context, and what has happened on it so far."""
    Milter.factory = type("Answering", (ALL,), {"answers": answers})
    ctx = TestCtx()
    return ctx, lambda: [event.split()[0] for event in ctx.getpriv().events]


def test_defaults_are_those_of_classic_programs() -> None:
    ctx, _ = noted()
    ctx._connect()
    ctx._feedFile(BytesIO(MESSAGE))
    assert ctx.getpriv().events == [
        "connect ('localhost', <AddressFamily.AF_INET: 2>, ('1.2.3.4', 1234))",
        "hello ('spamrelay',)",
        "envfrom ('<spam@adv.com>',)",
        "envrcpt ('<victim@lamb.com>',)",
        "data ()",
        "header ('A', 'b')",
        "header ('C', 'd')",
        "eoh ()",
        "body (b'body\\n',)",
        "eom ()",
    ]
    assert ctx._peer == "localhost[1.2.3.4]"


@pytest.mark.parametrize("step", STEPS[:9])
@pytest.mark.parametrize(
    ("answer", "status"),
    [(Milter.REJECT, Milter.REJECT), (Milter.DISCARD, Milter.DISCARD), (TempFail(451, "4.7.1", "x"), Milter.TEMPFAIL)],
)
def test_each_step_may_end_it(step: str, answer: Any, status: int) -> None:
    ctx, events = noted(**{step: answer})
    if step in ("connect", "hello"):
        assert ctx._connect() == status
        assert events() == [*STEPS[: STEPS.index(step) + 1], "close"]
        assert ctx._feedFile(BytesIO(MESSAGE)) == status
        assert events()[-1] == "close"
    else:
        assert ctx._connect() == Milter.CONTINUE
        assert ctx._feedFile(BytesIO(MESSAGE)) == status
        assert events()[-1] == step
        assert events().count(step) == 1
        assert (ctx._body is not None) is (step == "eom")
    assert ctx._reply == (("451", "4.7.1", "x") if status == Milter.TEMPFAIL else None)


def test_each_recipient_is_sent() -> None:
    ctx, _ = noted()
    ctx._connect()
    ctx._feedFile(BytesIO(MESSAGE), "a@b", "c@d", "e@f", "g@h")
    told = [event for event in ctx.getpriv().events if event.startswith("env")]
    assert told == ["envfrom ('<a@b>',)", *(f"envrcpt ('<{one}>',)" for one in ("c@d", "e@f", "g@h"))]


def test_a_long_body_comes_in_chunks() -> None:
    ctx, events = noted()
    ctx._connect()
    ctx._feedFile(BytesIO(b"\n" + b"x" * 65535 * 2))
    assert events().count("body") == 2
    ctx._feedFile(BytesIO(b"\n" + b"x" * (65535 * 2 + 1)))
    assert events().count("body") == 5


def test_a_connection_ends_once() -> None:
    ctx, events = noted()
    ctx._close()  # there is none yet
    ctx._connect()
    ctx._abort()
    ctx._close()
    assert events() == ["connect", "hello", "abort", "close"]
    assert ctx._negotiate() == Milter.CONTINUE  # another one
    assert ctx._data() == Milter.CONTINUE
    assert events() == ["data"]


@pytest.mark.parametrize("protocol", [0, int(Protocol.NOHELO)])
def test_what_is_offered_limits_what_is_agreed(protocol: int, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(TestCtx, "default_opts", [int(Action.ADDHDRS), protocol, 0, 0])
    Milter.factory = type("Small", (Base,), {"eom": lambda self: Milter.CONTINUE})
    ctx = TestCtx()
    ctx._connect()
    assert (ctx.actions, ctx.protocol) == (Action.ADDHDRS, protocol)
    assert ctx._opts == [Action.ADDHDRS, protocol, 0, 0]
    assert (ctx.getpriv()._actions, ctx.getpriv()._protocol) == (ctx.actions, ctx.protocol)


def test_a_reply_of_the_last_message_is_forgotten() -> None:
    ctx, _ = noted(envfrom=Reject(550, "5.7.1", "a", "b"))
    ctx._connect()
    ctx._envfrom("<a@b>")
    assert ctx._reply == ("550", "5.7.1", "a", "b")
    ctx.getpriv().answers = {}
    ctx._envfrom("<a@b>")
    assert ctx._reply is None


CALLS: dict[str, Callable[[TestCtx], object]] = {
    "hello": lambda ctx: ctx._helo("x"),
    "envfrom": lambda ctx: ctx._envfrom("<a@b>"),
    "envrcpt": lambda ctx: ctx._envrcpt("<a@b>"),
    "data": lambda ctx: ctx._data(),
    "header": lambda ctx: ctx._header("A", "b"),
    "eoh": lambda ctx: ctx._eoh(),
    "body": lambda ctx: ctx._feed_body(BytesIO(b"x")),
    "eom": lambda ctx: ctx._eom(),
    "abort": lambda ctx: ctx._abort(),
    "unknown": lambda ctx: ctx._unknown("x"),
}


@pytest.mark.parametrize("step", CALLS)
def test_each_step_needs_a_connection(step: str) -> None:
    ctx, events = noted()
    with pytest.raises(Milter.error) as raised:
        CALLS[step](ctx)
    assert str(raised.value) == f"{step} is not possible: there is no connection, _connect() makes one"
    ctx._negotiate()
    CALLS[step](ctx)
    assert events()[0] == step


@pytest.mark.parametrize("step", [step for step in CALLS if step not in ("eom", "abort")])
def test_each_step_is_left_out_or_unanswered_by_its_own_bits(step: str) -> None:
    asked: list[str] = []
    handlers = {name: _noting(name) for name in STEPS if name != step}
    Milter.factory = type("Less", (Noting,), handlers)
    ctx = TestCtx()
    ctx._connect()
    CALLS[step](ctx)
    assert step not in [event.split()[0] for event in ctx.getpriv().events]

    def refuse(self: Base, *values: Any) -> Any:
        asked.append(step)
        return Milter.REJECT

    def handler(self: Base, *values: Any) -> Any:
        return refuse(self, *values)

    handler.__name__ = step
    Milter.factory = type("Mute", (Base,), {step: Milter.noreply(handler)})
    ctx = TestCtx()
    ctx._negotiate()
    with pytest.raises(ValueError, match=rf"^{step}\(\) returned 1: it is declared to give no verdict"):
        CALLS[step](ctx)
    assert asked == [step]


@pytest.mark.parametrize("step", ["envfrom", "envrcpt", "data", "header", "eoh", "body", "eom", "unknown", "hello"])
def test_a_message_begins_with_whatever_step_of_it_comes_first(step: str) -> None:
    begun: list[bool] = []
    Milter.factory = type("Begins", (ALL,), {"begin_message": lambda self: begun.append(True)})
    ctx = TestCtx()
    ctx._setsymval("i", "4711")
    ctx._negotiate()
    CALLS[step](ctx)
    CALLS[step](ctx)
    of_message = step not in ("unknown", "hello")
    expected = 0 if not of_message else 2 if step in ("envfrom", "eom") else 1
    assert len(begun) == expected
