"""A MessageFilter and a chain, called as dispatch calls them, with a context that notes what reaches the MTA."""

from __future__ import annotations

import inspect
from collections.abc import Callable, Sequence
from typing import Any

import pytest

from pymilter import (
    ACCEPT,
    CONTINUE,
    DISCARD,
    REJECT,
    TEMPFAIL,
    Action,
    Base,
    DisabledAction,
    Envelope,
    Message,
    MessageFilter,
    MilterError,
    Protocol,
    Recipient,
    Reject,
    Stage,
    TempFail,
    chain,
    message_filter,
)
from pymilter._class.decorators import GATHERED_MARK, MACROS_MARK
from pymilter._class.negotiate import wishes_of
from pymilter.message._filter import (
    FINAL,
    HEADER_LIMIT,
    MACROS,
    MOST_BYTES,
    Gathering,
    is_status,
    passes,
)
from pymilter.message._grant import OVER

HEADER = b"From\0 a@example.org\0Subject\0 s\0"
ALL = sum(Action)


class Received:
    """The envelope so far, as the C++ half has it."""

    def __init__(self, *recipients: tuple[bool, str]) -> None:
        self._recipients = recipients

    def sender(self) -> Sequence[str]:
        return "<a@example.org>", "SIZE=5"

    def recipients(self) -> list[tuple[bool, Sequence[str]]]:
        return [(is_accepted, (address, "NOTIFY=NEVER")) for is_accepted, address in self._recipients if is_accepted]

    def last_recipient(self) -> tuple[bool, Sequence[str]]:
        is_accepted, address = self._recipients[-1]
        return is_accepted, (address,)

    def recipient_count(self) -> int:
        return len(self.recipients())


class Asked:
    """A context that notes what it is asked; it knows macros until the connection is gone."""

    def __init__(self, *recipients: tuple[bool, str], macros: dict[str, str] | None = None) -> None:
        self.calls: list[tuple[Any, ...]] = []
        self.macros = {"i": "4XYZ", "v": "Postfix 3.7.11"} | (macros or {})
        self.recipients = recipients
        self.is_gone = False

    def setpriv(self, private: object) -> None: ...

    def _received(self) -> Received:
        return Received(*self.recipients)

    def _origin(self) -> tuple[str, tuple[str, int], str]:
        if self.is_gone:
            raise MilterError("the connection is gone")
        return "mx.example.org", ("192.0.2.1", 25), "helo.example"

    def getsymval(self, name: str) -> str | None:
        if self.is_gone:
            raise MilterError("the connection is gone")
        return self.macros.get(name)

    def __getattr__(self, name: str) -> Callable[..., None]:
        return lambda *arguments: self.calls.append((name, *arguments))


def serving(
    klass: Callable[[], MessageFilter], context: Asked | None = None, actions: int = ALL, protocol: int = 0
) -> tuple[Any, Asked]:
    context = context or Asked()
    handlers: Any = klass()
    handlers._setctx(context)
    handlers._actions, handlers._protocol = actions, protocol
    return handlers, context


def end(handlers: Any, body: Any = b"body\r\n", header: bytes = HEADER, count: int = 1) -> Any:
    """The end of a message, as dispatch hands it over."""
    handlers.begin_message()
    source = Received((True, "<b@example.net>"), (True, "<c@example.net>"))
    return handlers.eom(source, count, header, header.count(b"\0") // 2, body)


def filter_of(outcome: object = CONTINUE, change: Callable[[Message], object] | None = None, **keywords: Any) -> Any:
    class Filter(MessageFilter, **keywords):
        def message(self, message: Message) -> Any:
            self.seen = message
            if change is not None:
                change(message)
            if isinstance(outcome, BaseException):
                raise outcome
            return outcome

    return Filter


# ------------------------------------------------------------------------------------ the end of a message

OUTCOMES: list[tuple[Any, bool]] = [
    (CONTINUE, True),
    (ACCEPT, True),
    (None, True),
    (int(CONTINUE), True),
    (int(ACCEPT), True),
    (REJECT, False),
    (TEMPFAIL, False),
    (DISCARD, False),
    (False, False),
    (Action.CHGBODY, False),
    (Reject(550), False),
    (TempFail(450), False),
    ("CONTINUE", False),
]


@pytest.mark.parametrize(("outcome", "is_sent"), OUTCOMES)
def test_which_outcomes_send_changes(outcome: Any, is_sent: bool) -> None:
    handlers, context = serving(filter_of(outcome, lambda message: message.headers.append("X", "1")))
    assert end(handlers) is outcome
    assert context.calls == ([("addheader", "X", "1")] if is_sent else [])
    assert passes(outcome) is is_sent


def test_a_status_is_nothing_that_is_only_equal_to_it() -> None:
    assert is_status(CONTINUE, CONTINUE)
    assert not is_status(ACCEPT, CONTINUE)
    other: Any = False
    assert not is_status(other, CONTINUE)
    other = 0.0
    assert not is_status(other, CONTINUE)


Change = Callable[[Any], object]
EDITS: list[tuple[Change, list[tuple[Any, ...]]]] = [
    (lambda m: None, []),
    (lambda m: m.headers["From"].value, []),
    (lambda m: m.email, []),
    (lambda m: m.headers.append("X", "1"), [("addheader", "X", "1")]),
    (lambda m: m.headers.prepend("X", "1"), [("addheader", "X", "1", 0)]),
    (lambda m: setattr(m.headers["Subject"], "value", "t"), [("chgheader", "Subject", 1, "t")]),
    (lambda m: m.headers["Subject"].delete(), [("chgheader", "Subject", 1, "")]),
    (lambda m: setattr(m, "sender", "x@example.org"), [("chgfrom", "<x@example.org>", None)]),
    (lambda m: m.recipients.add("x@example.org"), [("addrcpt", "<x@example.org>", None)]),
    (lambda m: m.recipients.add("x@example.org", ["N=1"]), [("addrcpt", "<x@example.org>", "N=1")]),
    (
        lambda m: [m.recipients.remove("b@example.net"), m.recipients.add("x@example.org")],
        [("delrcpt", "<b@example.net>"), ("addrcpt", "<x@example.org>", None)],
    ),
    (lambda m: setattr(m, "body", b"new"), [("replacebody", b"new\r\n")]),
    (lambda m: setattr(m, "body", b"body\n"), []),
    (lambda m: m.quarantine("why"), [("quarantine", "why")]),
    (lambda m: m.email.append_text("more\n"), [("replacebody", b"body\r\nmore\r\n")]),
    (lambda m: m.email.__setitem__("X", "1"), [("addheader", "X", "1")]),
    (lambda m: m.progress(), [("progress",)]),
]


@pytest.mark.parametrize(("change", "calls"), EDITS)
def test_what_each_change_sends(change: Change, calls: list[tuple[Any, ...]]) -> None:
    handlers, context = serving(filter_of(CONTINUE, change))
    assert end(handlers, header=HEADER.replace(b"\0 ", b"\0")) is CONTINUE
    assert context.calls == calls


def test_the_space_after_the_colon_is_the_filters_if_that_was_agreed() -> None:
    def change(message: Message) -> None:
        message.headers["Subject"].value = "t"
        message.headers.append("X", "1")

    handlers, context = serving(filter_of(CONTINUE, change), protocol=Protocol.HDR_LEADSPC)
    end(handlers)
    assert context.calls == [("chgheader", "Subject", 1, " t"), ("addheader", "X", " 1")]
    assert handlers.seen.as_bytes() == b"From: a@example.org\r\nSubject: t\r\nX: 1\r\n\r\nbody\r\n"


def test_all_changes_are_sent_in_one_order() -> None:
    def change(message: Message) -> None:
        message.quarantine("why")
        message.body = b"new"
        message.headers["Subject"].value = "t"
        message.recipients.add("x@example.org")
        message.sender = "x@example.org"

    handlers, context = serving(filter_of(CONTINUE, change))
    end(handlers)
    assert [name for name, *_ in context.calls] == ["chgfrom", "addrcpt", "chgheader", "replacebody", "quarantine"]


@pytest.mark.parametrize("error", [ValueError("wrong"), TypeError("wrong")])
def test_a_message_whose_filter_fails_is_not_changed(error: Exception) -> None:
    handlers, context = serving(filter_of(error, lambda message: message.headers.append("X", "1")))
    with pytest.raises(type(error), match=r"^wrong$"):
        end(handlers)
    assert context.calls == []
    with pytest.raises(MilterError, match=OVER):
        handlers.seen.headers.append("X", "2")


def test_a_message_has_what_came() -> None:
    handlers, _ = serving(filter_of())
    end(handlers, count=2)
    message = handlers.seen
    assert (message.sender.address, message.sender.params) == ("a@example.org", ("SIZE=5",))
    assert [(one.address, one.params, one.is_accepted) for one in message.recipients] == [
        ("b@example.net", ("NOTIFY=NEVER",), True),
        ("c@example.net", ("NOTIFY=NEVER",), True),
    ]
    assert [(field.name, field.value) for field in message.headers] == [("From", "a@example.org"), ("Subject", "s")]
    assert (message.body, message.queue_id, message.connection.mta) == (b"body\r\n", "4XYZ", "postfix")
    assert (str(message.connection.peer), message.connection.helo) == ("mx.example.org[192.0.2.1]", "helo.example")
    end(handlers, count=1)
    assert len(handlers.seen.recipients) == 1
    assert handlers.connection is handlers.connection


def test_parts_that_were_left_out() -> None:
    handlers, _ = serving(filter_of(body=False))
    end(handlers, body=b"")
    looks: list[Callable[[], object]] = [
        lambda: handlers.seen.body,
        lambda: handlers.seen.body_view,
        lambda: handlers.seen.as_bytes(),
    ]
    for look in looks:
        with pytest.raises(MilterError, match="the class has body=False, so the MTA did not send the body"):
            look()
    handlers, context = serving(filter_of(CONTINUE, lambda message: setattr(message, "body", b"new"), body=False))
    end(handlers, body=b"")
    assert context.calls == [("replacebody", b"new\r\n")]
    handlers, _ = serving(filter_of(headers=False))
    end(handlers, header=b"")
    looks = [
        lambda: handlers.seen.headers["From"],
        lambda: handlers.seen.headers.get("From"),
        lambda: len(handlers.seen.headers),
        lambda: list(handlers.seen.headers),
    ]
    for look in looks:
        with pytest.raises(MilterError, match="the class has headers=False, so the MTA did not send the header"):
            look()
    handlers, context = serving(filter_of(CONTINUE, lambda message: message.headers.append("X", "1"), headers=False))
    end(handlers, header=b"")
    assert context.calls == [("addheader", "X", "1")]


@pytest.mark.parametrize("granted", [Action.ADDHDRS, Action.CHGBODY])
def test_what_the_mta_grants_is_what_may_be_changed(granted: Action) -> None:
    handlers, _ = serving(filter_of(CONTINUE, lambda message: message.headers.append("X", "1")), actions=granted)
    if granted == Action.ADDHDRS:
        end(handlers)
    else:
        with pytest.raises(DisabledAction, match="ADDHDRS was not agreed"):
            end(handlers)


def test_a_message_that_is_kept_knows_its_macros_and_changes() -> None:
    def change(message: Message) -> None:
        message.email["X"] = "1"
        message.connection.values["room"] = 5

    klass = filter_of(REJECT, change, macros=["{own}"])
    handlers, context = serving(klass, Asked(macros={"{own}": "mine", "own": "mine", "auth_authen": "anna"}))
    end(handlers)
    context.is_gone = True
    message = handlers.seen
    assert (message.macro("{own}"), message.queue_id, message.connection.login) == ("mine", "4XYZ", "anna")
    assert message.connection.values == {"room": 5}
    assert message.headers["X"].value == "1"
    with pytest.raises(MilterError, match="macro other was not read before"):
        message.macro("other")
    context.is_gone = False
    handlers, context = serving(filter_of(REJECT, lambda message: setattr(context, "is_gone", True)), Asked())
    end(handlers)  # a connection that is gone is no error


def test_what_hides_message_is_named() -> None:
    handlers, _ = serving(filter_of())
    vars(handlers)["message"] = 5
    with pytest.raises(TypeError, match=r"^self\.message was set to int: it hides the method$"):
        end(handlers)


# ------------------------------------------------------------------------------------ sender and recipients


def test_sender_and_recipients_so_far() -> None:
    seen: list[Any] = []

    class Filter(MessageFilter):
        def mail(self, envelope: Envelope) -> Any:
            seen.append((envelope.sender.address, envelope.sender.params, len(envelope.recipients)))
            with pytest.raises(MilterError, match="the envelope can be changed in message"):
                envelope.sender = "x@example.org"
            return REJECT

        def recipient(self, recipient: Recipient, envelope: Envelope) -> Any:
            seen.append((recipient.address, recipient.params, recipient.is_accepted))
            seen.append([str(one) for one in envelope.recipients])
            with pytest.raises(MilterError, match="the envelope can be changed in message"):
                envelope.recipients.clear()
            return DISCARD

        def message(self, message: Message) -> None: ...

    handlers, context = serving(Filter)
    assert handlers.envfrom("<a@example.org>", "SIZE=5") is REJECT
    context.recipients = ((True, "<b@example.net>"), (True, "<c@example.net>"))
    assert handlers.envrcpt("<c@example.net>", "X=1", "Y=2") is DISCARD
    context.recipients = ((True, "<b@example.net>"), (False, "<d@example.net>"))
    assert handlers.envrcpt("<d@example.net>") is DISCARD
    assert seen == [
        ("a@example.org", ("SIZE=5",), 0),
        ("c@example.net", ("X=1", "Y=2"), True),
        ["b@example.net", "c@example.net"],
        ("d@example.net", (), False),
        ["b@example.net"],
    ]
    for name in ("mail", "recipient"):
        vars(handlers)[name] = None
        event = handlers.envfrom if name == "mail" else handlers.envrcpt
        with pytest.raises(TypeError, match=rf"^self\.{name} was set to NoneType: it hides the method$"):
            event("<a@example.org>")


def test_only_what_is_overridden_is_an_event() -> None:
    nothing: Any = filter_of()
    both: Any = type("Both", (nothing,), {name: lambda *arguments: None for name in ("mail", "recipient")})
    assert nothing.envfrom is MessageFilter.envfrom
    assert nothing.envrcpt is MessageFilter.envrcpt
    assert (both.envfrom, both.envrcpt) == (MessageFilter._envfrom, MessageFilter._envrcpt)
    derived: Any = type("Derived", (both,), {})
    assert derived.envfrom is MessageFilter._envfrom
    one: Any = type("One", (nothing,), {"recipient": lambda *a: None})
    assert (one.envfrom, one.envrcpt) == (MessageFilter.envfrom, MessageFilter._envrcpt)
    handlers: Any = MessageFilter()
    assert (handlers.mail(None), handlers.recipient(None, None)) == (CONTINUE, CONTINUE)


def test_what_is_only_gathered_needs_no_answer() -> None:
    gathered = ("connect", "hello", "envfrom", "envrcpt", "header", "body")
    found = wishes_of(filter_of(), Base)
    assert (found.steps, found.no_reply) == (("eom",), gathered)
    both = type("Both", (filter_of(),), {"recipient": lambda *arguments: None, "hello": lambda *arguments: None})
    found = wishes_of(both, Base)
    assert found.steps == ("hello", "envrcpt", "eom")
    assert found.no_reply == ("connect", "envfrom", "header", "body")
    found = wishes_of(filter_of(headers=False, body=False), Base)
    assert found.no_reply == ("connect", "hello", "envfrom", "envrcpt")


# ------------------------------------------------------------------------------------ keywords


def test_defaults() -> None:
    assert MessageFilter._gathering == Gathering(
        limit=256 * 1024 * 1024,
        exceeded=TempFail(452, "4.3.4", "Message too large for the mail filter"),
        header_limit=1024 * 1024,
        header_exceeded=Reject(552, "5.3.4", "Message header too large for the mail filter"),
        in_memory=8 * 1024 * 1024,
        headers=True,
        body=True,
        macros=(),
    )
    assert (HEADER_LIMIT, MOST_BYTES) == (2**20, 2**63 - 1)
    filter_of(limit=MOST_BYTES, header_limit=MOST_BYTES, in_memory=MOST_BYTES)
    filter_of(limit=1, header_limit=1, in_memory=0)


@pytest.mark.parametrize(
    ("keywords", "kind", "text"),
    [
        ({"limit": 0}, ValueError, f"Filter: limit is 0: allowed are 1 to {MOST_BYTES} bytes"),
        ({"header_limit": 0}, ValueError, f"Filter: header_limit is 0: allowed are 1 to {MOST_BYTES} bytes"),
        ({"in_memory": -1}, ValueError, f"Filter: in_memory is -1: allowed are 0 to {MOST_BYTES} bytes"),
        ({"limit": 2**63}, ValueError, f"Filter: limit is {2**63}: allowed are 1 to {MOST_BYTES} bytes"),
        ({"limit": 5.0}, TypeError, "Filter: limit is 5.0: it must be an int, a number of bytes"),
        ({"in_memory": True}, TypeError, "Filter: in_memory is True: it must be an int, a number of bytes"),
        ({"headers": 1}, TypeError, "Filter: headers is 1: allowed are True and False"),
        ({"body": None}, TypeError, "Filter: body is None: allowed are True and False"),
        ({"exceeded": 4}, TypeError, "Filter: exceeded is 4: allowed are Reject(...) and TempFail(...)"),
        ({"header_exceeded": "no"}, TypeError, "Filter: header_exceeded is 'no': allowed are Reject(...) and TempFail"),
        ({"macros": "i"}, TypeError, "Filter: macros is a str: give a list of names, such as ['{auth_authen}']"),
        ({"macros": [5]}, ValueError, "Filter: 5 is no name of a macro, such as '{auth_authen}'"),
        ({"macros": ["i", ""]}, ValueError, "Filter: '' is no name of a macro, such as '{auth_authen}'"),
        ({"macros": ["i", " j"]}, ValueError, "Filter: ' j' is no name of a macro, such as '{auth_authen}'"),
        (
            {"lmit": 5},
            TypeError,
            "Filter: there is no class keyword lmit; allowed are limit, exceeded, header_limit, header_exceeded, ",
        ),
    ],
)
def test_keywords_that_are_wrong(keywords: dict[str, Any], kind: type[Exception], text: str) -> None:
    with pytest.raises(kind) as info:
        filter_of(**keywords)
    assert text in str(info.value)


def test_what_a_class_asks_of_the_mta() -> None:
    steps = ("connect", "hello", "envfrom", "envrcpt")
    assert getattr(filter_of(), GATHERED_MARK) == (*steps, "header", "body")
    assert getattr(filter_of(body=False), GATHERED_MARK) == (*steps, "header")
    assert getattr(filter_of(headers=False), GATHERED_MARK) == (*steps, "body")
    assert getattr(filter_of(headers=False, body=False), GATHERED_MARK) == steps
    asked = dict(getattr(filter_of(macros=["{own}", "x"]), MACROS_MARK))
    assert asked == {stage: " ".join(names) for stage, names in MACROS.items()} | {Stage.EOM: "i {own} x"}
    assert asked[Stage.ENVRCPT] == "i {rcpt_addr} {rcpt_host} {rcpt_mailer}"
    derived = type("Derived", (filter_of(macros=["{own}"]),), {})
    assert dict(getattr(derived, MACROS_MARK))[Stage.EOM] == "i {own}"


@pytest.mark.parametrize("name", FINAL)
def test_methods_that_a_message_filter_has_for_itself(name: str) -> None:
    with pytest.raises(TypeError, match=f"^Filter.{name} would never be called: a MessageFilter gets the whole mess"):
        type("Filter", (MessageFilter,), {name: lambda *arguments: None})


# ------------------------------------------------------------------------------------ functions and chains


def test_a_function_lends_its_name_and_docstring() -> None:
    def gate(message: Message) -> Any:
        """Open for all."""
        return REJECT

    made = message_filter(gate)
    assert (made.__name__, made.__doc__, made.__module__) == ("gate", "Open for all.", __name__)
    assert made.__qualname__ == gate.__qualname__
    assert end(serving(made)[0]) is REJECT
    limited = message_filter(limit=5, body=False)(gate)
    assert (limited._gathering.limit, limited._gathering.body) == (5, False)

    class Nameless:
        def __call__(self, message: Message) -> Any:
            return REJECT

    nameless = message_filter(Nameless())
    assert (nameless.__name__, nameless.__qualname__) == ("Nameless", "Nameless")
    assert inspect.isclass(nameless)


Seen = list[tuple[Any, ...]]


def noting(seen: Seen, name: str, **answers: Any) -> Any:
    """A filter that notes its events, and answers to these."""

    def event(step: str) -> Callable[..., Any]:
        def note(self: MessageFilter, *arguments: Any) -> Any:
            seen.append((name, step))
            return answers[step]

        return note

    methods: dict[str, Any] = {"message": lambda self, message: seen.append((name, "message"))}
    methods |= {step: event(step) for step in answers}
    return type(name, (MessageFilter,), methods)


ARGUMENTS: dict[str, tuple[Any, ...]] = {
    "connect": ("host", 2, None),
    "hello": ("host",),
    "mail": (None,),
    "recipient": (None, None),
    "data": (),
    "unknown": ("XYZ",),
}


@pytest.mark.parametrize("step", ARGUMENTS)
@pytest.mark.parametrize("answer", [REJECT, TEMPFAIL, DISCARD, Reject(550), False, "wrong"])
def test_the_first_refusal_of_a_chain_is_its_answer(step: str, answer: Any) -> None:
    seen: Seen = []
    answers: list[Any] = [CONTINUE, None, 0, answer, CONTINUE]
    made = chain(*(noting(seen, f"F{place}", **{step: one}) for place, one in enumerate(answers)))
    handlers, _ = serving(made)
    handlers.begin_message()
    assert getattr(handlers, step)(*ARGUMENTS[step]) is answer
    assert seen == [(f"F{place}", step) for place in range(4)]


@pytest.mark.parametrize("step", [*ARGUMENTS, "message"])
def test_who_accepts_in_a_chain_is_done_for_the_message_or_for_the_connection(step: str) -> None:
    seen: Seen = []
    first, second = noting(seen, "A", **{step: ACCEPT}), noting(seen, "B", **{step: CONTINUE})
    handlers, _ = serving(chain(first, second))
    handlers.begin_message()
    arguments = ARGUMENTS.get(step, (None,))
    assert getattr(handlers, step)(*arguments) is CONTINUE
    assert getattr(handlers, step)(*arguments) is CONTINUE
    assert seen == [("A", step), ("B", step), ("B", step)]
    seen.clear()
    handlers.begin_message()
    assert handlers.message(None) is CONTINUE
    is_of_connection = step in ("connect", "hello", "unknown")
    assert [name for name, _ in seen] == (["B"] if is_of_connection else ["A", "B"])


@pytest.mark.parametrize("step", [*ARGUMENTS, "message"])
def test_a_chain_accepts_once_all_do(step: str) -> None:
    seen: Seen = []
    made = chain(*(noting(seen, name, **{step: int(ACCEPT) if name == "A" else ACCEPT}) for name in "AB"))
    handlers, _ = serving(made)
    handlers.begin_message()
    assert getattr(handlers, step)(*ARGUMENTS.get(step, (None,))) is ACCEPT
    assert getattr(handlers, step)(*ARGUMENTS.get(step, (None,))) is ACCEPT
    assert len(seen) == 2


def test_each_filter_of_a_chain_lives_as_if_alone() -> None:
    seen: Seen = []
    plain = dict.fromkeys(("begin_message", "abort", "close"), CONTINUE)
    made = chain(noting(seen, "A", **plain), noting(seen, "B", **plain))
    handlers, context = serving(made)
    assert [one._ctx for one in handlers._filters] == [context, context]
    for step in plain:
        assert getattr(handlers, step)() in (CONTINUE, None)
    assert seen == [(name, step) for step in plain for name in "AB"]
    assert (handlers.abort(), handlers.close()) == (CONTINUE, CONTINUE)
    assert made.__name__ == "chain(A, B)"


def test_a_chain_hears_only_what_one_of_it_handles() -> None:
    seen: Seen = []
    for step in ARGUMENTS:
        made = chain(noting(seen, "A"), noting(seen, "B", **{step: CONTINUE}))
        assert [name for name in ARGUMENTS if getattr(made, name) is not getattr(MessageFilter, name)] == [step]
        handlers, _ = serving(made)
        seen.clear()
        getattr(handlers, step)(*ARGUMENTS[step])
        assert seen == [("B", step)]


def test_what_reaches_a_chain_is_refused_where_it_is_wrong() -> None:
    with pytest.raises(TypeError, match=r"^chain got no filter: at least one is needed$"):
        chain()
    wrong: Any
    for wrong in (5, int, lambda: 5, MessageFilter()):
        with pytest.raises(TypeError, match=r"^chain got .*: allowed are classes derived from MessageFilter, and what"):
            chain(wrong)
    needs: Any = lambda argument: None  # noqa: E731
    with pytest.raises(TypeError, match=r"^factory .*<lambda> needs 1 argument"):
        chain(needs)


@pytest.mark.parametrize(
    ("limits", "headers", "expected"),
    [
        ((10, 20), (200, 100), (10, 100, Reject(551), TempFail(452))),
        ((20, 10), (100, 200), (10, 100, Reject(552), TempFail(451))),
    ],
)
def test_the_smallest_limit_brings_its_answer(
    limits: tuple[int, int], headers: tuple[int, int], expected: tuple[Any, ...]
) -> None:
    classes = [
        filter_of(
            limit=limits[number],
            exceeded=Reject(551 + number),
            header_limit=headers[number],
            header_exceeded=TempFail(451 + number),
            in_memory=5 + number,
            body=number == 0,
            headers=False,
        )
        for number in range(2)
    ]
    made = chain(*classes)._gathering
    assert (made.limit, made.header_limit, made.exceeded, made.header_exceeded) == expected
    assert (made.in_memory, made.body, made.headers) == (5, True, False)
