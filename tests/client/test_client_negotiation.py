"""Negotiation with a bare C filter: offers, steps left out, steps not answered, macro lists, extras."""

from __future__ import annotations

from collections.abc import Callable

import pytest

from pymilter.testing import (
    Action,
    Client,
    Command,
    FilterGone,
    FilterProcess,
    NotGranted,
    Protocol,
    ProtocolError,
    Response,
    Stage,
    Verdict,
)
from support.cfilter.probe import log

Probe = Callable[..., FilterProcess]

STEPS: dict[str, tuple[Protocol, Protocol, Callable[[Client, bool], Response]]] = {
    "connect": (Protocol.NOCONNECT, Protocol.NR_CONN, lambda client, force: client.connect(force=force)),
    "helo": (Protocol.NOHELO, Protocol.NR_HELO, lambda client, force: client.helo(force=force)),
    "mail": (Protocol.NOMAIL, Protocol.NR_MAIL, lambda client, force: client.mail("<a@b>", force=force)),
    "unknown": (Protocol.NOUNKNOWN, Protocol.NR_UNKN, lambda client, force: client.unknown("FOO", force=force)),
    "rcpt": (Protocol.NORCPT, Protocol.NR_RCPT, lambda client, force: client.rcpt("<c@d>", force=force)),
    "data": (Protocol.NODATA, Protocol.NR_DATA, lambda client, force: client.data(force=force)),
    "header": (Protocol.NOHDRS, Protocol.NR_HDR, lambda client, force: client.header("A", "b", force=force)),
    "eoh": (Protocol.NOEOH, Protocol.NR_EOH, lambda client, force: client.eoh(force=force)),
    "body": (Protocol.NOBODY, Protocol.NR_BODY, lambda client, force: client.body(b"x", force=force)),
}


def _session(client: Client, force: bool = False) -> dict[str, Verdict]:
    return {name: step(client, force).verdict for name, (_, _, step) in STEPS.items()}


def _words(process: FilterProcess) -> list[str]:
    return [line.split()[0] for line in log(process)]


def test_the_offer_is_postfixs_and_the_answer_is_told(probe: Probe) -> None:
    process = probe("-a", "0x11", "-P", hex(Protocol.NOHELO | Protocol.NR_HDR))
    with Client(process.address) as client:
        agreed = client.negotiation
    assert process.stdout.splitlines()[0] == "negotiate 1ff 1fffff"
    assert agreed.version == 6
    assert agreed.actions == Action.ADDHDRS | Action.CHGHDRS
    assert agreed.protocol == Protocol.NOHELO | Protocol.NR_HDR
    assert (agreed.offered_version, agreed.offered_actions, agreed.offered_protocol) == (6, 0x1FF, 0x1FFFFF)


@pytest.mark.parametrize("version", [2, 3, 4, 5, 6, 7])
def test_an_older_version_lacks_its_later_commands(probe: Probe, version: int) -> None:
    """libmilter answers with the lower version; DATA came with 4, unknown commands with 3."""
    process = probe()
    with Client(process.address, version=version) as client:
        assert client.negotiation.version == min(version, 6)
        answers = _session(client)
        assert client.eom().verdict is Verdict.CONTINUE
    left_out = {name for name, verdict in answers.items() if verdict is Verdict.NOT_SENT}
    expected: dict[int, set[str]] = {2: {"unknown", "data"}, 3: {"data"}}
    assert left_out == expected.get(version, set())
    assert set(_words(process)) == {*answers, "eom", "close"} - left_out


def test_version_1_is_refused_by_libmilter(probe: Probe) -> None:
    with pytest.raises(FilterGone, match="the negotiation"):
        Client(probe().address, version=1)


def test_a_filter_without_negotiate_callback(probe: Probe) -> None:
    process = probe("-n", "-a", "0x1")
    with Client(process.address) as client:
        assert client.negotiation.actions == Action.ADDHDRS
        assert client.negotiation.protocol == Protocol.NONE
        assert set(_session(client).values()) == {Verdict.CONTINUE}


def test_a_filter_that_needs_what_is_not_offered_hangs_up(probe: Probe) -> None:
    process = probe("-A", "-a", "0x1f")
    with pytest.raises(FilterGone, match="the negotiation"):
        Client(process.address, actions=Action.ADDHDRS)
    with Client(process.address, actions=Action(0x1F)) as client:
        assert client.negotiation.actions == 0x1F


@pytest.mark.parametrize("step", STEPS)
def test_a_step_left_out_is_not_sent(probe: Probe, step: str) -> None:
    process = probe("-P", hex(STEPS[step][0]))
    with Client(process.address) as client:
        answers = _session(client)
        assert client.eom().verdict is Verdict.CONTINUE
    assert {name for name, verdict in answers.items() if verdict is Verdict.NOT_SENT} == {step}
    assert step not in _words(process)
    # Of a filter without MAIL libmilter believes that a message is still open when Postfix says ABORT after it.
    ending = ["eom", "abort", "close"] if step == "mail" else ["eom", "close"]
    assert _words(process)[-len(ending) :] == ending


def test_a_filter_may_leave_out_everything_but_the_end(probe: Probe) -> None:
    every = Protocol.NONE
    for left_out, _, _ in STEPS.values():
        every |= left_out
    process = probe("-P", hex(every))
    with Client(process.address) as client:
        assert set(_session(client).values()) == {Verdict.NOT_SENT}
        assert client.eom().verdict is Verdict.CONTINUE
    assert _words(process) == ["eom", "abort", "close"]


def test_force_sends_all_the_same(probe: Probe) -> None:
    process = probe("-P", hex(Protocol.NOHELO | Protocol.NOBODY))
    with Client(process.address) as client:
        assert set(_session(client, force=True).values()) == {Verdict.CONTINUE}
    assert {"helo", "body"} <= set(_words(process))


def test_macros_of_a_step_left_out_are_sent_as_by_postfix(probe: Probe) -> None:
    process = probe("-P", hex(Protocol.NOCONNECT), "-m", "mail=j")
    with Client(process.address) as client:
        assert client.connect().verdict is Verdict.NOT_SENT
        client.helo()
        client.mail("<a@b>")
    assert log(process)[1] == "mail [<a@b>] j=mail.example.com"


@pytest.mark.parametrize("step", STEPS)
def test_a_step_without_reply_is_not_waited_for(probe: Probe, step: str) -> None:
    process = probe("-P", hex(STEPS[step][1]))
    with Client(process.address, timeout=5) as client:
        answers = _session(client)
        assert client.eom().verdict is Verdict.CONTINUE
    assert {name for name, verdict in answers.items() if verdict is Verdict.NO_REPLY} == {step}
    assert _words(process) == [*STEPS, "eom", "close"]


def test_no_step_with_reply_over_every_socket(probe: Probe, transport: str) -> None:
    process = probe("-P", hex(Protocol.NR_ALL), address=transport)
    with Client(transport) as client:
        assert set(_session(client).values()) == {Verdict.NO_REPLY}
        assert client.eom().verdict is Verdict.CONTINUE
    assert _words(process) == [*STEPS, "eom", "close"]


def test_libmilter_answers_for_the_filter_where_no_reply_was_not_offered(probe: Probe) -> None:
    process = probe("-P", hex(Protocol.NR_ALL))
    with Client(process.address, protocol=Protocol.ALL & ~Protocol.NR_ALL) as client:
        assert client.negotiation.protocol == Protocol.NONE
        assert set(_session(client).values()) == {Verdict.CONTINUE}
    assert process.stdout.splitlines()[0] == "negotiate 1ff 1fffff"  # libmilter tells the filter that it can fake them


def test_libmilter_takes_an_empty_offer_for_version_1s(probe: Probe) -> None:
    process = probe()
    with (
        pytest.raises(NotGranted, match=r"actions that were not offered.*ADDHDRS"),
        Client(process.address, actions=Action.NONE, protocol=Protocol.NONE),
    ):
        pass
    assert process.stdout.splitlines()[0] == "negotiate f ff0bf"


def test_macro_lists_are_told_and_honoured(probe: Probe) -> None:
    asked = {
        Stage.CONNECT: ("j", "{client_addr}", "{client_port}"),
        Stage.HELO: ("{client_name}",),
        Stage.ENVFROM: ("i", "{client_addr}"),
        Stage.DATA: ("{mail_host}",),
        Stage.EOH: ("{client_ptr}",),
        Stage.EOM: ("{mail_addr}", "{rcpt_addr}", "{nobody_knows}"),
    }
    options = [word for stage, names in asked.items() for word in ("-l", f"{stage.value}={' '.join(names)}")]
    steps = {"connect": "{client_port} v", "helo": "{client_name}", "mail": "{client_addr} {mail_addr}"}
    steps |= {"rcpt": "{rcpt_addr}", "data": "{mail_host} i", "eoh": "{client_ptr} i"}
    steps |= {"eom": "{rcpt_addr} {nobody_knows} {mail_addr}"}
    options += [word for step, names in steps.items() for name in names.split() for word in ("-m", f"{step}={name}")]
    process = probe(*options)
    with Client(process.address) as client:
        assert client.negotiation.macro_lists == asked
        client.connect("h", "192.0.2.3", 99)
        client.helo()
        client.mail("<a@b>")
        client.rcpt("<c@d>")
        client.data()
        client.eoh()
        client.eom()
    assert log(process) == [
        "connect [h] inet 192.0.2.3 99 {client_port}=99 v=(none)",
        "helo [client.example.com] {client_name}=h",
        "mail [<a@b>] {client_addr}=192.0.2.3 {mail_addr}=(none)",
        "rcpt [<c@d>] {rcpt_addr}=c@d",
        "data {mail_host}=b i=(none)",
        "eoh {client_ptr}=h i=(none)",
        "eom {rcpt_addr}=c@d {nobody_knows}=(none) {mail_addr}=(none)",
        "close",
    ]


def test_an_empty_macro_list_means_the_default_one_as_in_postfix(probe: Probe) -> None:
    process = probe("-l", "0=", "-m", "connect=j")
    with Client(process.address) as client:
        assert client.negotiation.macro_lists in ({}, {Stage.CONNECT: ()})
        client.connect("h", None)
    assert log(process)[0] == "connect [h] NULL j=mail.example.com"


def test_fifty_macros_for_one_stage(probe: Probe) -> None:
    names = tuple(f"{{name{number}}}" for number in range(50))
    process = probe("-l", f"0={' '.join(names)}", "-m", "connect={name49}")
    with Client(process.address, macros={name: name.upper() for name in names}) as client:
        assert client.negotiation.macro_lists == {Stage.CONNECT: names}
        client.connect("h", None)
    assert log(process)[0] == "connect [h] NULL {name49}={NAME49}"


def test_rejected_recipients_come_only_where_asked_for(probe: Probe) -> None:
    macros = [word for name in ("{rcpt_mailer}", "{rcpt_host}", "{rcpt_addr}") for word in ("-m", f"rcpt={name}")]
    for asked, verdict in ((Protocol.NONE, Verdict.NOT_SENT), (Protocol.RCPT_REJ, Verdict.CONTINUE)):
        process = probe("-P", hex(asked), *macros)
        with Client(process.address) as client:
            client.connect()
            client.mail("<a@b>")
            assert client.rcpt("<x@y>", rejected="550 5.1.1 no such user").verdict is verdict
            client.rcpt("<c@d>")
        seen = [line for line in log(process) if line.startswith("rcpt")]
        refused = "rcpt [<x@y>] {rcpt_mailer}=error {rcpt_host}=5.1.1 {rcpt_addr}=550 5.1.1 no such user"
        known = "rcpt [<c@d>] {rcpt_mailer}=smtp {rcpt_host}=d {rcpt_addr}=c@d"
        assert seen == ([refused, known] if asked else [known])


def test_skip_must_have_been_negotiated(probe: Probe) -> None:
    with Client(probe("-r", "body=skip").address) as client:
        client.connect()
        client.mail("<a@b>")
        client.rcpt("<c@d>")
        with pytest.raises(NotGranted, match="answered BODY with SKIP, which was not negotiated"):
            client.body(b"x")
        client.close()


def test_negotiation_by_hand(probe: Probe) -> None:
    with Client(probe().address, negotiate=False) as client:
        with pytest.raises(ProtocolError, match="nothing was negotiated"):
            client.connect()
        agreed = client.negotiate(4, Action.ADDHDRS, Protocol.NOCONNECT | Protocol.NODATA)
        assert client.negotiation is agreed
        assert (agreed.version, agreed.actions) == (4, Action.ADDHDRS)
        assert client.connect().step is Command.CONNECT
