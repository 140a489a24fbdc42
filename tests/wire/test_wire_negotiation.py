"""The negotiation with MTAs of every kind, and handlers of their own for it."""

from __future__ import annotations

import struct
import sys

import pytest

from pymilter.testing import Action, Client, Command, FilterGone, Negotiation, Protocol, Verdict
from support.wire import Start, session

MUTE = """
    class Filter(Base):
        def connect(self, hostname, family, hostaddr) -> None: note("connect")
        def hello(self, hostname) -> None: note("hello")
        def envfrom(self, mailfrom, *params) -> None: note("envfrom")
        def envrcpt(self, to, *params) -> None: note("envrcpt")
        def data(self) -> None: note("data")
        def unknown(self, command) -> None: note("unknown")
        def header(self, name, value) -> None: note("header")
        def eoh(self) -> None: note("eoh")
        def body(self, chunk) -> None: note("body")
        def eom(self):
            self.addheader("X-A", "b")
            note("eom", self._actions, self._protocol, self._ctx.actions, self._ctx.protocol)
            return ACCEPT
"""
NO_REPLY_STEPS = ("connect", "hello", "envfrom", "envrcpt", "unknown", "data", "header", "eoh", "body")


@pytest.mark.parametrize("offered", [Protocol.ALL, Protocol.ALL & ~Protocol.NR_ALL, Protocol.NR_HDR | Protocol.SKIP])
def test_handlers_do_not_see_whether_the_mta_waits(start: Start, kind: str, offered: Protocol) -> None:
    process = start(MUTE, kind=kind)
    with Client(process.address, protocol=offered) as client:
        agreed = client.negotiation
        answers = session(client)
    mute = agreed.protocol & Protocol.NR_ALL
    if kind == "unix":
        assert mute == offered & Protocol.NR_ALL
    waited = {Verdict.CONTINUE} if not mute else {Verdict.NO_REPLY} if mute == Protocol.NR_ALL else None
    if waited is not None:
        assert {answers[step].verdict for step in NO_REPLY_STEPS} == waited
    assert answers["eom"].verdict is Verdict.ACCEPT
    assert [values[0] for values in process.seen()] == [*NO_REPLY_STEPS, "eom"]
    _, actions, protocol, context_actions, context_protocol = process.seen("eom")[0]
    assert (actions, protocol) == (context_actions, context_protocol)
    assert actions == agreed.actions
    assert protocol & ~Protocol.NR_ALL == agreed.protocol & ~Protocol.NR_ALL


# Before CPython 3.14 the annotation must be quoted: there it is evaluated with the function.
TYPE_ONLY = "TypeOnly" if sys.version_info >= (3, 14) else "'TypeOnly'"


def test_annotations_may_name_what_only_type_checkers_see(start: Start) -> None:
    process = start(f"""
    class Filter(Base):
        def envfrom(self, mailfrom: {TYPE_ONLY}, *params: {TYPE_ONLY}) -> {TYPE_ONLY}: return CONTINUE
        def header(self, name: {TYPE_ONLY}, value: str) -> None: note(name, value)
        def eom(self) -> {TYPE_ONLY}: return REJECT
    """)
    with Client(process.address) as client:
        assert client.negotiation.protocol & (Protocol.NR_HDR | Protocol.NR_MAIL) == Protocol.NR_HDR
        assert session(client)["eom"].verdict is Verdict.REJECT
    assert process.seen()


@pytest.mark.parametrize("offered", [Action.ADDHDRS, Action.ALL & ~Action.CHGFROM, Action.ALL])
def test_only_offered_actions_are_asked_for(start: Start, offered: Action) -> None:
    with Client(start("Filter = Base").address, actions=offered) as client:
        assert client.negotiation.actions == offered


def test_bits_from_the_future_are_not_asked_for(start: Start) -> None:
    process = start("Filter = Base")
    everything = 0xFFFFFFFF
    with Client(process.address, negotiate=False) as client:
        client.send(Command.NEGOTIATE, struct.pack("!III", 6, everything, everything & ~0x30000000))
        code, payload = client.receive()
    assert code == b"O"
    _, actions, protocol = struct.unpack("!III", payload[:12])
    assert actions & ~0x1FF == 0
    assert protocol & ~0x1FFFFF == 0


def negotiate_by_hand(client: Client, version: int, actions: int, protocol: int) -> tuple[int, int, int]:
    client.send(Command.NEGOTIATE, struct.pack("!III", version, actions, protocol))
    code, payload = client.receive()
    assert code == b"O"
    answered: tuple[int, int, int] = struct.unpack("!III", payload[:12])
    return answered


def test_an_mta_that_offers_nothing(start: Start) -> None:
    # libmilter takes zeros for the first version of the protocol, with four actions and the six oldest NO* options.
    process = start("class Filter(Base):\n    def body(self, chunk): return REJECT")
    with Client(process.address, negotiate=False) as client:
        assert negotiate_by_hand(client, 2, 0, 0) == (2, 0x0F, 0x2F)


@pytest.mark.parametrize("version", [2, 4, 5])
def test_an_older_mta(start: Start, version: int) -> None:
    process = start(MUTE)
    offered = Protocol(0x7F) if version == 2 else Protocol(0x37F)
    with Client(process.address, version=version, actions=Action(0x3F), protocol=offered) as client:
        assert client.negotiation.version == version
        assert client.negotiation.protocol == Protocol.NONE
        answers = session(client)
    absent = {"unknown", "data"} if version == 2 else set()
    assert {step for step, answer in answers.items() if answer.verdict is Verdict.NOT_SENT} == absent
    assert answers["eom"].verdict is Verdict.ACCEPT
    assert [values[0] for values in process.seen()] == [step for step in (*NO_REPLY_STEPS, "eom") if step not in absent]


def test_a_verdict_counts_where_the_mta_cannot_leave_steps_out(start: Start) -> None:
    process = start("class Filter(Base):\n    def body(self, chunk): return SKIP\n    def eom(self): return REJECT")
    with Client(process.address, version=2, actions=Action(0x0F), protocol=Protocol.NOCONNECT) as client:
        answers = session(client)
    assert answers["body"].verdict is Verdict.CONTINUE
    assert answers["eom"].verdict is Verdict.REJECT


def agreed_with(start: Start, body: str) -> Negotiation:
    """What comes of a negotiate() with this body."""
    process = start(f"""
        class Filter(Base):
            def header(self, name, value): return REJECT
            def eom(self): note("eom")
            def negotiate(self, opts):
                {body}
    """)
    with Client(process.address) as client:
        agreed = client.negotiation
        client.connect()
        client.mail("<>")
        client.rcpt("<b@x>")
        client.eom()
    assert process.seen("eom") == [("eom",)]
    return agreed


def test_negotiate_may_take_less(start: Start) -> None:
    agreed = agreed_with(start, "opts[0] = ADDHDRS | CHGBODY; opts[1] = P_NOHELO | P_NOUNKNOWN; return CONTINUE")
    assert agreed.actions == Action.ADDHDRS | Action.CHGBODY
    assert agreed.protocol == Protocol.NOHELO | Protocol.NOUNKNOWN


def test_negotiate_may_go_on_from_what_base_wants(start: Start) -> None:
    agreed = agreed_with(start, "super().negotiate(opts); opts[0] &= ~CHGFROM; opts[1] &= ~P_NOHELO")
    assert agreed.actions == Action.ALL & ~Action.CHGFROM
    assert Protocol.NOHELO not in agreed.protocol
    assert Protocol.NOCONNECT in agreed.protocol


def test_negotiate_may_say_all_opts(start: Start) -> None:
    agreed = agreed_with(start, "opts[0] = opts[1] = 0; return ALL_OPTS")
    assert agreed.actions == Action.ALL
    assert agreed.protocol & (Protocol.NR_ALL | Protocol(0x37F)) == Protocol.NONE
    assert Protocol.SKIP in agreed.protocol  # it leaves out no step


def test_negotiate_that_changes_nothing_takes_what_is_safe(start: Start) -> None:
    agreed = agreed_with(start, "opts[1] &= P_SKIP; return CONTINUE")
    assert agreed.actions == Action.ALL
    assert agreed.protocol == Protocol.SKIP


def test_negotiate_cannot_take_more_than_is_offered(start: Start) -> None:
    process = start("""
        class Filter(Base):
            def negotiate(self, opts):
                note(*opts)
                opts[0] = opts[1] = 0xFFFF
                return CONTINUE
    """)
    actions, protocol = Action.ADDHDRS | Action.SETSYMLIST, Protocol.NOHELO | Protocol.SKIP
    with Client(process.address, actions=actions, protocol=protocol) as client:
        assert client.negotiation.actions == actions
        assert client.negotiation.protocol == protocol
    # libmilter stands in for NR_*: it offers these whatever the MTA does, and answers for the filter.
    assert process.seen() == [(int(actions), int(protocol | Protocol.NR_ALL), 0, 0)]


@pytest.mark.parametrize("result", ["REJECT", "Reject(550)", "TEMPFAIL", "ACCEPT", "DISCARD"])
def test_negotiate_that_refuses_ends_the_session(start: Start, result: str) -> None:
    process = start(f"class Filter(Base):\n    def negotiate(self, opts): return {result}")
    with pytest.raises(FilterGone):
        Client(process.address)


@pytest.mark.parametrize("data", ["", "@nocallback\n            def data(self): pass"])
def test_an_unknown_command_does_not_strand_the_message(start: Start, kind: str, data: str) -> None:
    # libmilter takes nothing but a command of the envelope after an unknown one: without DATA the headers would hang.
    process = start(
        f"""
        class Filter(Base):
            def unknown(self, command): note(command)
            def header(self, name, value): note(name)
            {data}
        """,
        kind=kind,
    )
    with Client(process.address) as client:
        client.connect()
        client.mail("<>")
        client.rcpt("<b@x>")
        assert client.unknown("FOO").verdict is Verdict.CONTINUE
        assert client.data().verdict in (Verdict.CONTINUE, Verdict.NO_REPLY)
        assert client.header("A", "b").verdict is Verdict.CONTINUE
        assert client.eom().verdict is Verdict.CONTINUE
    assert process.seen() == [("FOO",), ("A",)]


@pytest.mark.parametrize(
    ("body", "error"),
    [
        ("1 // 0", "ZeroDivisionError"),
        ("return 'x'", "TypeError"),
        ("return 1 << 80", "ValueError"),
        ("return SKIP", "ValueError"),
        ("opts[1] = 'x'", "RuntimeError"),
        ("opts[0] = -1", "RuntimeError"),
        ("opts.clear()", "IndexError"),
        ("raise SystemExit", "SystemExit"),
    ],
)
def test_negotiate_that_fails_is_answered_at_the_next_step(start: Start, body: str, error: str) -> None:
    process = start(f"""
        class Filter(Base):
            def eom(self): note("eom")
            def negotiate(self, opts):
                {body}
    """)
    with Client(process.address) as client:
        assert client.negotiation.protocol & Protocol(0x37F) == Protocol.NONE
        assert client.connect().code == 451
    assert process.seen() == []
    assert "negotiate() failed" in process.stderr
    assert f"\n{error}" in process.stderr
