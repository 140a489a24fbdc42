"""What the other tests here stand on: missing parts, the private servers' start and end, and the sink."""

from __future__ import annotations

import os
import smtplib
import socket
from pathlib import Path

import pytest

from support import require
from support.mta import MtaError, free_port
from support.postfix import Postfix, postfix_address
from support.rig import Message
from support.sendmail import Sendmail
from support.sink import Mailbox, Sink

SERVERS = pytest.mark.parametrize("server", [Postfix, Sendmail])


def processes_naming(text: str) -> list[str]:
    """Return the command lines and the working folders of the running processes in which ``text`` occurs."""
    found: list[str] = []
    for entry in Path("/proc").glob("[0-9]*"):
        try:
            described = f"{(entry / 'cmdline').read_bytes()!r} {(entry / 'cwd').readlink()}"
        except OSError:  # it has just ended
            continue
        if text in described:
            found.append(described)
    return found


@SERVERS
def test_server_leaves_nothing_behind(server: type[Postfix] | type[Sendmail]) -> None:
    with Sink() as sink, server([], sink.port) as mta:
        folder, port = mta.folder, mta.port
        message = Message()
        with mta.client() as client:
            client.sendmail("<from@example.org>", ["<first@example.net>"], bytes(message))
        assert sink.wait(message.token).body == message.body
        assert processes_naming(str(folder))
    assert not folder.exists()
    assert processes_naming(str(folder)) == []
    with pytest.raises(ConnectionRefusedError):
        socket.create_connection(("127.0.0.1", port), timeout=10)


@SERVERS
def test_server_without_its_filter_puts_mail_off(server: type[Postfix] | type[Sendmail]) -> None:
    with Sink() as sink, server([f"inet:{free_port()}@127.0.0.1"], sink.port) as mta, mta.client() as client:
        with pytest.raises(smtplib.SMTPSenderRefused) as refusal:
            client.sendmail("<from@example.org>", ["<first@example.net>"], bytes(Message()))
        assert refusal.value.smtp_code == 451


@SERVERS
def test_server_that_does_not_start_shows_its_log(
    server: type[Postfix] | type[Sendmail], monkeypatch: pytest.MonkeyPatch
) -> None:
    with socket.create_server(("127.0.0.1", 0)) as taken:
        monkeypatch.setattr("support.mta.free_port", lambda: taken.getsockname()[1])
        monkeypatch.setattr(server, "start_deadline", 1.0)
        monkeypatch.setattr(server, "stop_deadline", 0.5)  # Sendmail tries for the port again and is deaf meanwhile
        broken = server([], 9)
        with pytest.raises(MtaError, match=f"the log of {server.name}"), broken:
            pass
    assert not broken.folder.exists()
    assert processes_naming(str(broken.folder)) == []


def test_postfix_writes_addresses_the_other_way_round() -> None:
    assert postfix_address("inet:8890@127.0.0.1") == "inet:127.0.0.1:8890"
    assert postfix_address("inet6:8890@::1") == "inet:[::1]:8890"
    assert postfix_address("unix:/run/gate") == "unix:/run/gate"


def test_sink_keeps_envelope_and_bytes() -> None:
    message = b"Subject: one\r\n two\r\nSubject: three\r\n\r\n.dot\r\n\xe9\r\n"
    with Sink() as sink:
        with smtplib.SMTP("127.0.0.1", sink.port, timeout=10) as client:
            client.sendmail("<a@example.org>", ["<b@example.net>"], message, ["RET=HDRS"], ["NOTIFY=NEVER"])
        delivery = sink.wait("Subject")
        with pytest.raises(TimeoutError, match="nowhere"):
            sink.wait("nowhere", timeout=0.01)
    assert delivery.sender.address == "<a@example.org>"
    assert "RET=HDRS" in delivery.sender.params
    assert delivery.recipients == (Mailbox("<b@example.net>", ("NOTIFY=NEVER",)),)
    assert delivery.data == message
    assert delivery.header("subject") == ["one\r\n two", "three"]
    assert delivery.names == ["Subject", "Subject"]
    assert delivery.body == b".dot\r\n\xe9\r\n"


def test_missing_part_skips_for_a_user_and_fails_under_ci(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("CI", raising=False)
    with pytest.raises(pytest.skip.Exception, match="apt-get install the-package"):
        require.command("no-such-command", "the-package")
    monkeypatch.setenv("CI", "true")
    with pytest.raises(pytest.fail.Exception, match="apt-get install the-package"):
        require.command("no-such-command", "the-package")


def test_servers_ask_for_root(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("CI", raising=False)
    monkeypatch.setattr(os, "geteuid", lambda: 1000)
    for server in (Postfix, Sendmail):
        with pytest.raises(pytest.skip.Exception, match="must be started by root, and this is user 1000"):
            server([], 9)
