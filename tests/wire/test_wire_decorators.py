"""What decorators and annotations negotiate: which steps the MTA sends, and for which of them it waits."""

from __future__ import annotations

import pytest

from pymilter.testing import Client, Protocol, Verdict
from support.wire import Start, message, session

METHODS = {
    "connect": ("hostname, family, hostaddr", Protocol.NOCONNECT, Protocol.NR_CONN),
    "hello": ("hostname", Protocol.NOHELO, Protocol.NR_HELO),
    "envfrom": ("mailfrom, *params", Protocol.NOMAIL, Protocol.NR_MAIL),
    "envrcpt": ("to, *params", Protocol.NORCPT, Protocol.NR_RCPT),
    "data": ("", Protocol.NODATA, Protocol.NR_DATA),
    "header": ("name, value", Protocol.NOHDRS, Protocol.NR_HDR),
    "eoh": ("", Protocol.NOEOH, Protocol.NR_EOH),
    "body": ("chunk", Protocol.NOBODY, Protocol.NR_BODY),
}
UNKNOWN = ("command", Protocol.NOUNKNOWN, Protocol.NR_UNKN)
ALL_NO = Protocol(0x37F & ~0x80)
EXTRAS = ~(ALL_NO | Protocol.NR_ALL)


def one_method(name: str, *, before: str = "", returns: str = "", result: str = "CONTINUE") -> str:
    arguments = {**METHODS, "unknown": UNKNOWN}[name][0]
    return f"""
        class Filter(Base):
            {before}
            def {name}(self, {arguments}){returns}:
                note("{name}")
                return {result}
    """


@pytest.mark.parametrize("name", METHODS)
def test_only_what_is_overridden_is_sent(start: Start, name: str) -> None:
    process = start(one_method(name))
    with Client(process.address) as client:
        asked = client.negotiation.protocol
        answers = session(client)
    assert asked & ALL_NO == ALL_NO & ~METHODS[name][1]
    assert asked & Protocol.NR_ALL == Protocol.NONE
    assert Protocol.SKIP in asked
    sent = {step for step, answer in answers.items() if answer.verdict is not Verdict.NOT_SENT}
    assert sent == {name, "eom"}
    assert process.seen() == [(name,)]


@pytest.mark.parametrize("name", [*METHODS, "unknown"])
@pytest.mark.parametrize(
    ("before", "returns"),
    [("@noreply", ""), ("", " -> None"), ("", " -> 'None'"), ("@noreply", " -> Outcome")],
    ids=["noreply", "None", "'None'", "noreply on a typed one"],
)
def test_a_handler_without_verdict_is_not_waited_for(start: Start, name: str, before: str, returns: str) -> None:
    process = start(one_method(name, before=before, returns=returns, result="None"))
    with Client(process.address) as client:
        asked = client.negotiation.protocol
        assert session(client)[name].verdict is Verdict.NO_REPLY
    data = Protocol.NR_DATA if name == "unknown" else Protocol.NONE  # libmilter needs DATA after an unknown command
    assert asked & Protocol.NR_ALL == {**METHODS, "unknown": UNKNOWN}[name][2] | data
    assert process.seen() == [(name,)]


def test_none_under_deferred_annotations(start: Start) -> None:
    process = start("from __future__ import annotations\nclass Filter(Base):\n    def data(self) -> None: note('data')")
    with Client(process.address) as client:
        assert client.negotiation.protocol & Protocol.NR_ALL == Protocol.NR_DATA
        assert session(client)["eom"].verdict is Verdict.CONTINUE
    assert process.seen() == [("data",)]


def test_none_may_come_from_a_decorated_handler(start: Start) -> None:
    process = start("""
        import functools

        def traced(function):
            @functools.wraps(function)
            def wrapper(*args):
                note("traced")
                return function(*args)
            return wrapper

        class Filter(Base):
            @traced
            def data(self) -> None:
                pass
    """)
    with Client(process.address) as client:
        assert client.negotiation.protocol & Protocol.NR_ALL == Protocol.NR_DATA
        session(client)
    assert process.seen() == [("traced",)]


@pytest.mark.parametrize("name", ["eom", "abort", "close"])
def test_none_changes_nothing_where_the_mta_always_waits(start: Start, name: str) -> None:
    process = start(f"""
        class Filter(Base):
            def envfrom(self, mailfrom, *params): return CONTINUE
            def {name}(self) -> None: note({name!r})
    """)
    with Client(process.address) as client:
        assert client.negotiation.protocol & Protocol.NR_ALL == Protocol.NONE
        assert session(client)["eom"].verdict is Verdict.CONTINUE
        message(client, "envfrom")
    assert (name,) in process.seen()


@pytest.mark.parametrize("name", METHODS)
def test_nocallback_takes_a_step_away(start: Start, name: str) -> None:
    process = start(
        one_method(name)
        + f"""
        class Filter(Filter):
            @nocallback
            def {name}(self, *args):
                note("never")
    """
    )
    with Client(process.address) as client:
        assert client.negotiation.protocol & ALL_NO == ALL_NO
        assert session(client)[name].verdict is Verdict.NOT_SENT
    assert process.seen() == []


def test_a_step_that_is_not_wanted_is_passed_when_it_comes_all_the_same(start: Start) -> None:
    process = start(one_method("body"))
    with Client(process.address, protocol=Protocol.ALL & ~ALL_NO) as client:
        assert client.negotiation.protocol & ALL_NO == Protocol.NONE
        assert {answer.verdict for answer in session(client).values()} == {Verdict.CONTINUE}
    assert process.seen() == [("body",)]


FAMILY = """
    class Parent(Base):
        def header(self, name, value) -> None: note("header")
        @noreply
        def eoh(self): note("eoh")
    class Middle(Parent):
        def body(self, chunk): note("body")
    class Filter(Middle):
        def header(self, name, value):
            note("header")
            return Reject(550, "5.7.1", "no") if value == "hello" else CONTINUE
        def eoh(self): return CONTINUE

    made = iter((Parent, Middle, Filter, Middle, Parent))
    classes = [Parent, Middle, Filter]
    Parent.protocol_mask(), Middle.protocol_mask()
    Filter = lambda: next(made)()
"""


def test_each_class_negotiates_for_itself(start: Start) -> None:
    process = start(FAMILY)
    seen = []
    for _ in range(5):
        with Client(process.address) as client:
            asked = client.negotiation.protocol
            verdict = session(client)["header"].verdict
            seen.append((Protocol.NOBODY in asked, asked & Protocol.NR_ALL, verdict))
    parent = (True, Protocol.NR_HDR | Protocol.NR_EOH, Verdict.NO_REPLY)
    middle = (False, Protocol.NR_HDR | Protocol.NR_EOH, Verdict.NO_REPLY)
    child = (False, Protocol.NONE, Verdict.REJECT)
    assert seen == [parent, middle, child, middle, parent]
    assert process.seen("body") == [("body",)] * 2


LEADING_SPACE = """
    @header_leading_space
    class Filter(Base):
        def header(self, name, value):
            note(value)
        def eom(self):
            self.addheader("X-A", " b")
"""


def test_header_leading_space(start: Start) -> None:
    process = start(LEADING_SPACE)
    with Client(process.address) as client:
        assert Protocol.HDR_LEADSPC in client.negotiation.protocol
        result = client.play(b"One: 1\r\nTwo:  2\r\nNone:3\r\n\r\n")
    assert process.seen() == [(" 1",), ("  2",), ("3",)]
    assert result.message.startswith(b"One: 1\r\nTwo:  2\r\nNone:3\r\nX-A: b\r\n")


REJECTED = """
    @rejected_recipients
    class Filter(Base):
        @symlist("{rcpt_mailer}", "{rcpt_addr}")
        def envrcpt(self, to, *params):
            note(to, self.getsymval("rcpt_mailer"))
"""


def test_rejected_recipients(start: Start) -> None:
    process = start(REJECTED)
    with Client(process.address) as client:
        client.connect()
        client.mail("<>")
        client.rcpt("<good@x>")
        assert client.rcpt("<bad@x>", rejected="550 5.1.1 no such user").verdict is Verdict.CONTINUE
    assert process.seen() == [("<good@x>", "smtp"), ("<bad@x>", "error")]


def test_rejected_recipients_only_when_asked_for(start: Start) -> None:
    process = start(one_method("envrcpt"))
    with Client(process.address) as client:
        assert client.negotiation.protocol & (Protocol.RCPT_REJ | Protocol.HDR_LEADSPC) == Protocol.NONE


def test_enabled_protocols_add_up_and_are_inherited(start: Start) -> None:
    process = start("""
        @header_leading_space
        class Parent(Base):
            pass
        @rejected_recipients
        class Child(Parent):
            pass
        class Filter(Child):
            def envrcpt(self, to, *params): pass
        class Sister(Parent):
            pass
        made = iter((Filter, Sister))
        Filter = lambda: next(made)()
    """)
    extras = []
    for _ in range(2):
        with Client(process.address) as client:
            extras.append(client.negotiation.protocol & EXTRAS & ~Protocol.SKIP)
    assert extras == [Protocol.RCPT_REJ | Protocol.HDR_LEADSPC, Protocol.HDR_LEADSPC]


def test_enable_protocols(start: Start) -> None:
    process = start("class Filter(Base): pass\nenable_protocols(Filter, P_RCPT_REJ)")
    with Client(process.address) as client:
        assert client.negotiation.protocol & EXTRAS == Protocol.RCPT_REJ | Protocol.SKIP
