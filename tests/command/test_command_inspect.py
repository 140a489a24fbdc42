"""`pymilter inspect`: what filters of any kind negotiate, and what an MTA will not do for them."""

from __future__ import annotations

import json
import socket
import struct
from pathlib import Path

import pytest

from pymilter.testing import Action, Protocol, Stage
from support.cfilter.fixtures import Probe
from support.cfilter.rogue import AGREE, rogue, until_closed
from support.commands import in_pipe, in_terminal
from support.milters import opendkim, rspamd
from support.packets import packet

pytestmark = pytest.mark.timeout(60)


def inspected(agree: bytes) -> dict[str, object]:
    """What is shown, as JSON, of a filter that answers the negotiation so."""
    with rogue(until_closed, agree=agree) as address:
        done = in_pipe("inspect", "--json", address)
    assert (done.returncode, done.stderr) == (0, "")
    shown: dict[str, object] = json.loads(done.stdout)
    return shown


def agreement(version: int, actions: int, protocol: int, **lists: str) -> bytes:
    asked = b"".join(struct.pack("!I", Stage[stage]) + names.encode() + b"\0" for stage, names in lists.items())
    return struct.pack("!III", version, actions, protocol) + asked


def test_steps_actions_and_macros_are_shown(probe: Probe) -> None:
    process = probe("-a", hex(Action.ADDHDRS | Action.SETSYMLIST), "-P", hex(Protocol.NOHELO | Protocol.NR_HDR))
    done = in_pipe("inspect", process.address)
    assert (done.returncode, done.stderr) == (0, "")
    assert done.stdout.splitlines()[0] == f"{process.address}: milter protocol, version 6"
    lines = [" ".join(line.split()) for line in done.stdout.splitlines()]
    assert "add header fields" in lines
    assert "replace the body" not in lines
    assert "CONNECT answered the MTA's own list" in lines
    assert "HELO not sent the MTA's own list" in lines
    assert "HEADER no reply" in lines
    assert "EOM answered the MTA's own list" in lines
    assert any(line.startswith("(not sent: ") for line in lines)
    assert any(line.startswith("(no reply: ") for line in lines)
    assert "Warnings" not in lines


def test_the_filter_sees_no_message(probe: Probe) -> None:
    process = probe()
    assert in_pipe("inspect", process.address).returncode == 0
    assert "connect" not in process.stdout


def test_macros_that_the_filter_asks_for_are_shown(probe: Probe) -> None:
    process = probe("-l", "3=i {rcpt_addr} {auth_authen}")
    shown = in_pipe("inspect", process.address).stdout
    assert "RCPT      answered   i {rcpt_addr} {auth_authen}\n" in shown


def test_json_has_everything() -> None:
    agree = agreement(6, Action.ADDHDRS, Protocol.NOCONNECT | Protocol.NR_EOH | Protocol.SKIP, ENVFROM="i {mail_addr}")
    shown = inspected(agree)
    steps = shown["steps"]
    assert isinstance(steps, dict)
    assert (shown["version"], shown["actions"], shown["extras"]) == (6, ["ADDHDRS"], ["SKIP"])
    assert steps["CONNECT"] == {"answer": "not sent", "macros": None}
    assert steps["EOH"] == {"answer": "no reply", "macros": None}
    assert steps["MAIL"] == {"answer": "answered", "macros": ["i", "{mail_addr}"]}


@pytest.mark.parametrize(
    ("agree", "warnings"),
    [
        (AGREE, []),
        (
            agreement(6, 0x1FF, 0, HELO="{rcpt_addr} {mail_addr} {cipher} j"),
            ["no MTA knows {rcpt_addr}, {mail_addr} at HELO yet"],
        ),
        (
            agreement(6, 0x1FF, 0, CONNECT="j {if_addr} {tls_version}"),
            ["no MTA knows {tls_version} at CONNECT yet", "Postfix has no {if_addr}, which it asks for at CONNECT"],
        ),
        (
            agreement(6, 0x1FF, 0, EOM="i {rcpt_addr} {auth_authen}"),
            ["Postfix does not send {rcpt_addr} at EOM: ask for it before the content"],
        ),
        (
            agreement(6, 0x1FF, 0, ENVFROM="i"),
            ["Postfix has no i at ENVFROM: a message has a queue id from its first accepted recipient on"],
        ),
        (
            agreement(6, 0x10001, 0),
            ["it asks for actions that no MTA offers (0x10000): an MTA does not go on with it"],
        ),
        (
            agreement(6, 0x1FF, 0x400000),
            ["it asks for protocol options that no MTA offers (0x400000): an MTA does not go on with it"],
        ),
        (
            agreement(7, 0x1FF, 0),
            ["it answers with version 7 of the protocol, but 6 was offered: an MTA does not go on with it"],
        ),
        (
            agreement(2, 0x3F, 0),
            ["version 2 of the protocol has no DATA and unknown commands: they are never sent"],
        ),
    ],
)
def test_warnings_name_what_an_mta_will_not_do(agree: bytes, warnings: list[str]) -> None:
    assert inspected(agree)["warnings"] == warnings


def test_what_an_old_version_has_not_is_not_sent() -> None:
    steps = inspected(agreement(2, 0x3F, 0))["steps"]
    assert isinstance(steps, dict)
    assert [name for name, step in steps.items() if step["answer"] == "not sent"] == ["DATA", "UNKNOWN"]


def test_opendkim() -> None:
    with opendkim() as address:
        done = in_pipe("inspect", "--json", address)
    assert (done.returncode, done.stderr) == (0, "")
    shown = json.loads(done.stdout)
    assert shown["actions"] == ["ADDHDRS", "CHGHDRS", "SETSYMLIST"]
    assert shown["steps"]["HELO"]["answer"] == "not sent"
    assert shown["steps"]["EOM"]["answer"] == "answered"
    assert "HDR_LEADSPC" in shown["extras"]


def test_rspamd() -> None:
    with rspamd() as address:
        done = in_pipe("inspect", "--json", address)
    assert (done.returncode, done.stderr) == (0, "")
    shown = json.loads(done.stdout)
    assert "QUARANTINE" in shown["actions"]
    assert {name: step["answer"] for name, step in shown["steps"].items()} == {
        **dict.fromkeys(shown["steps"], "no reply"),
        "EOM": "answered",
    }


@pytest.mark.parametrize("columns", [40, 100])
def test_it_fits_the_terminal(columns: int) -> None:
    names = " ".join(f"{{{name}}}" for name in ("mail_addr", "mail_host", "auth_authen", "auth_author", "cert_issuer"))
    with rogue(until_closed, agree=agreement(6, 0x1FF, 0x1, ENVFROM=names, CONNECT="{odd}")) as address:
        status, shown = in_terminal("inspect", address, columns=columns, NO_COLOR="1")
    assert status == 0
    assert max(map(len, shown.splitlines())) <= max(columns, len(f"{address}: milter protocol, version 6"))
    assert "  - Postfix has no {odd}" in shown


def test_a_terminal_has_colours(probe: Probe) -> None:
    assert "\x1b[32manswered\x1b[0m" in in_terminal("inspect", probe().address)[1]


def test_nothing_that_a_filter_says_reaches_the_terminal_raw() -> None:
    with rogue(until_closed, agree=agreement(6, 0x1FF, 0, CONNECT="\x1b[2J{x\x07}")) as address:
        shown = in_pipe("inspect", address).stdout
    assert "\x1b" not in shown
    assert r"\x1b[2J{x\x07}" in shown


def talk(sock: socket.socket) -> None:
    sock.sendall(b"220 mail.example.com ESMTP\r\n")
    until_closed(sock)


def refuse(sock: socket.socket) -> None:
    sock.sendall(packet(b"t"))
    until_closed(sock)


def hang_up(sock: socket.socket) -> None:
    sock.recv(100)


@pytest.mark.parametrize(
    ("script", "told"),
    [
        (
            talk,
            "the filter answered the negotiation with a packet that claims 842149920 bytes",
        ),
        (refuse, "the filter answered the negotiation with b't' (tempfail)"),
        (hang_up, "the filter closed the connection at the negotiation"),
    ],
)
def test_what_is_no_filter_is_told(script: object, told: str) -> None:
    with rogue(script, agree=None) as address:  # type: ignore[arg-type]
        done = in_pipe("inspect", address)
    assert done.returncode == 1
    assert done.stderr.startswith(f"pymilter inspect: {told}")
    assert done.stderr.count("\n") == 1


def test_a_filter_that_says_nothing_is_told() -> None:
    with rogue(until_closed, agree=None) as address:
        done = in_pipe("inspect", "--timeout=0.2", address)
    assert (done.returncode, done.stderr) == (
        1,
        "pymilter inspect: the filter did not answer the negotiation within 0.2 s\n",
    )


def test_bad_arguments_are_told(tmp_path: Path) -> None:
    assert in_pipe("inspect").stderr.endswith("error: the following arguments are required: SOCKET\n")
    done = in_pipe("inspect", tmp_path / "none")
    assert (done.returncode, done.stderr) == (
        1,
        f"pymilter inspect: cannot connect to unix:{tmp_path}/none: No such file or directory\n",
    )
