"""The pages about running a filter: settings, log, metrics, memory shared by workers, slow scanners."""

from __future__ import annotations

import json
import re
import signal
import socketserver
import sqlite3
import threading
import urllib.request
from pathlib import Path

from pymilter.testing import Client, free_port
from support.in_thread import InThread
from support.room import Room, refused
from support.wire import eventually

ROOT = Path(__file__).parents[2]
TOP = b"Date: Mon, 2 Mar 2026 10:00:00 +0000\r\nFrom: some@example.org\r\nTo: a@example.net\r\n"
PLAIN = TOP + b"Subject: one\r\n\r\nbody\r\n"
OUTSIDE = {"addr": "192.0.2.7", "name": "mail.example.org", "helo": "mail.example.org"}


def test_config(room: Room, tmp_path: Path) -> None:
    path = tmp_path / "gate.toml"
    path.write_text('blocked = ["spam.example"]\nfooter = "\\n-- \\nfirst\\n"\n')
    with room.running("config.py", path) as program:
        assert refused(room.client(), PLAIN, "x@SPAM.example")[0] == 550
        assert room.deliver(PLAIN).body == b"body\r\n\r\n-- \r\nfirst\r\n"
        path.write_text('footer = "\\n-- \\nsecond\\n"\n')
        program.send_signal(signal.SIGHUP)
        eventually(lambda: program.stderr, lambda log: "INFO:root:read" in log)
        assert room.deliver(PLAIN, "x@spam.example").body == b"body\r\n\r\n-- \r\nsecond\r\n"
        path.write_text("colour = 1\n")
        program.send_signal(signal.SIGHUP)
        eventually(lambda: program.stderr, lambda log: "colour: the settings are blocked, footer" in log)
        assert room.deliver(PLAIN).body == b"body\r\n\r\n-- \r\nsecond\r\n"


def test_json_log(room: Room) -> None:
    with room.running("json_log.py") as program:
        delivery = room.deliver(PLAIN, 'odd"\\name@example.org', **OUTSIDE)
        room.deliver(PLAIN, **OUTSIDE)
        lines = [json.loads(line) for line in program.stderr.splitlines()]
    line, plain = [line for line in lines if line["message"] == "message"]
    assert line["recipients"] == ["a@example.net"]
    assert line["bytes"] == 6
    assert line["peer"] == "mail.example.org[192.0.2.7]"
    assert f"id {line['queue_id']}" in delivery.header("Received")[0]
    assert lines[0]["message"].startswith("listening")
    page = (ROOT / "docs/howto/json-log.md").read_text("utf-8")
    (shown,) = re.findall(r"^```json\n(.*)\n```$", page, re.MULTILINE)
    changing = {name: plain[name] for name in ("time", "connection", "queue_id")}
    assert list(json.loads(shown)) == list(plain)
    assert json.loads(shown) | changing == plain


def test_metrics_and_dashboard(room: Room) -> None:
    where = f"127.0.0.1:{free_port()}"
    with room.running("metrics.py", where):
        room.deliver(PLAIN)
        with room.client() as client:
            client.mail("x@example.org")
            assert client.rcpt("nobody@example.net")[0] == 550
        with urllib.request.urlopen(f"http://{where}/metrics", timeout=20) as answer:
            text = answer.read().decode()
    assert re.search(r"^pymilter_messages_total 1\.0$", text, re.MULTILINE)
    assert re.search(r'^pymilter_answers_total\{status="REJECT",step="envrcpt"\} 1\.0$', text, re.MULTILINE)
    names = set(re.findall(r"^(pymilter_\w+)[ {]", text, re.MULTILINE))
    dashboard = json.loads((ROOT / "examples" / "grafana.json").read_text())
    queries = [target["expr"] for panel in dashboard["panels"] for target in panel["targets"]]
    asked = {name for query in queries for name in re.findall(r"pymilter_\w+", query)}
    assert len(queries) > 5
    assert asked <= names


def test_greylist(room: Room, tmp_path: Path) -> None:
    path = tmp_path / "greylist.db"

    def answers(recipient: str, **client: str) -> int:
        with room.client(**client) as smtp:
            smtp.mail("some@example.org")
            return smtp.rcpt(recipient)[0]

    with room.running("greylist.py", path):
        # Each on a connection of its own, so that both workers take part.
        assert [answers("a@example.net", **OUTSIDE) for _ in range(4)] == [451] * 4
        made = sqlite3.connect(path, timeout=20)
        with made:
            made.execute("UPDATE seen SET first = first - 301")
        neighbour = OUTSIDE | {"addr": "192.0.2.99"}
        assert [answers("a@example.net", **client) for client in (OUTSIDE, neighbour) * 2] == [250] * 4
        assert answers("a@example.net", **OUTSIDE | {"addr": "192.0.3.7"}) == 451
        assert answers("b@example.net", **OUTSIDE) == 451
        assert answers("b@example.net", **OUTSIDE, login="anna") == 250
        with Client(room.address) as client:
            client.connect("mail.example.org", "192.0.2.7")
            client.helo("mail.example.org")
            client.mail(b"<caf\xe9@example.org>")
            assert client.rcpt("<a@example.net>").enhanced == "4.7.1"  # 4.3.0 would be a failure
        with made:
            made.execute("UPDATE seen SET last = last - 40 * 86400")
        assert answers("a@example.net", **OUTSIDE) == 451
        made.close()


class Scanner(socketserver.BaseRequestHandler):
    """Calls a message bad if it contains that word. Two of them wait for each other, so they must be asked at once."""

    both = threading.Barrier(2, timeout=30)

    def handle(self) -> None:
        data = b""
        while part := self.request.recv(65536):
            data += part
        self.both.wait()
        self.request.sendall(b"bad\n" if b"bad" in data else b"good\n")


def test_slow_scanner(room: Room) -> None:
    with (
        InThread(socketserver.ThreadingTCPServer(("127.0.0.1", 0), Scanner)) as one,
        InThread(socketserver.ThreadingTCPServer(("127.0.0.1", 0), Scanner)) as two,
    ):
        addresses = [f"127.0.0.1:{each.port}" for each in (one, two)]
        with room.running("slow_scanner.py", *addresses):
            room.deliver(PLAIN)
            assert refused(room.client(), PLAIN + b"bad\r\n") == (550, "5.7.1 A scanner does not like this")
    with room.running("slow_scanner.py", *addresses):
        assert refused(room.client(), PLAIN)[0] == 451
