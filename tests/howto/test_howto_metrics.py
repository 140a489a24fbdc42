"""The page about metrics: a real Prometheus takes its configuration, its alerts and the queries of the dashboard."""

from __future__ import annotations

import functools
import json
import re
import subprocess
import urllib.parse
import urllib.request
from pathlib import Path
from typing import Any

import pytest

from pymilter.testing import free_port
from support import peers, require
from support.room import Room
from support.wire import eventually

ROOT = Path(__file__).parents[2]
PAGE = ROOT / "docs" / "howto" / "metrics.md"
DASHBOARD = json.loads((ROOT / "examples" / "grafana.json").read_text())
SCRAPES, ALERTS = re.findall(r"^```yaml\n(.*?)^```$", PAGE.read_text("utf-8"), re.DOTALL | re.MULTILINE)
PLAIN = b"From: some@example.org\r\nTo: a@example.net\r\nSubject: one\r\n\r\nbody\r\n"
MINUTES = 60
LABELS = {"job": "gate", "instance": "gate"}


def series(name: str, *values: str) -> dict[str, str]:
    labels = ", ".join(f'{label}="{value}"' for label, value in LABELS.items())
    return {"series": f"{name}{{{labels}}}", "values": " ".join(values)}


def state(name: str, minute: int, *, fires: bool) -> dict[str, Any]:
    """Whether an alert fires at a minute, as promtool wants to have it."""
    (rule,) = re.findall(rf"alert: {name}\n(?:.*\n)*?(?=      - alert|\Z)", ALERTS)
    summary = re.findall(r"summary: (.*)", rule)
    alert = {"exp_labels": LABELS, "exp_annotations": {"summary": summary[0]} if summary else {}}
    return {"alertname": name, "eval_time": f"{minute}m", "exp_alerts": [alert] if fires else []}


@pytest.mark.long
def test_the_alerts(tmp_path: Path) -> None:
    """The filter fails once in the minute 10, is gone from 20 to 29, and hangs from 35 to 49."""
    promtool = require.command("promtool", "prometheus")
    (tmp_path / "rules.yml").write_text(ALERTS)
    test = {
        "rule_files": ["rules.yml"],
        "evaluation_interval": "1m",
        "tests": [
            {
                "interval": "1m",
                "input_series": [
                    series("pymilter_failures_total", "0x9", "1x49"),
                    series("up", "1x19", "0x9", "1x29"),
                    series("pymilter_in_flight", "3x34", "25x14", "3x9"),
                ],
                "alert_rule_test": [
                    *(state("FilterFails", at, fires=fires) for at, fires in ((9, False), (11, True), (40, False))),
                    *(state("FilterIsGone", at, fires=fires) for at, fires in ((23, False), (26, True), (31, False))),
                    *(state("FilterHangs", at, fires=fires) for at, fires in ((40, False), (46, True), (51, False))),
                ],
            }
        ],
    }
    (tmp_path / "test.json").write_text(json.dumps(test))
    for command in (["check", "rules", "rules.yml"], ["test", "rules", "test.json"]):
        done = subprocess.run([promtool, *command], cwd=tmp_path, capture_output=True, text=True, timeout=60)
        assert done.returncode == 0, done.stdout + done.stderr


def ask(port: int, path: str, **query: str) -> Any:
    """What the HTTP API of Prometheus answers."""
    words = urllib.parse.urlencode({name.replace("match", "match[]"): value for name, value in query.items()})
    with urllib.request.urlopen(f"http://127.0.0.1:{port}/api/v1/{path}?{words}", timeout=20) as answer:
        found = json.load(answer)
    assert found["status"] == "success"
    return found["data"]


def filled_in(query: str) -> str:
    """A query as Grafana sends it, with all jobs chosen."""
    return query.replace("$__rate_interval", "5s").replace("$job", ".*")


@pytest.mark.long
def test_the_dashboard(room: Room, folder: Path) -> None:
    where = f"127.0.0.1:{free_port()}"
    config = f"global: {{scrape_interval: 1s, evaluation_interval: 1s}}\nrule_files: [rules.yml]\n{SCRAPES}"
    assert "127.0.0.1:9464" in config
    (folder / "rules.yml").write_text(ALERTS)
    with peers.prometheus(folder, config.replace("127.0.0.1:9464", where)) as port:
        with room.running("metrics.py", where):
            room.deliver(PLAIN)
            with room.client() as client:
                client.mail("x@example.org")
                assert client.rcpt("nobody@example.net")[0] == 550
            for panel in DASHBOARD["panels"]:
                for target in panel["targets"]:
                    look = functools.partial(ask, port, "query", query=filled_in(target["expr"]))
                    data = eventually(look, lambda data: data["result"])
                    shown = set(re.findall(r"\{\{(\w+)\}\}", target["legendFormat"]))
                    assert all(shown == row["metric"].keys() for row in data["result"]), panel["title"]
            (messages,) = ask(port, "query", query="sum(pymilter_messages_total)")["result"]
            assert messages["value"][1] == "1"
            variables = {variable["name"]: variable.get("query") for variable in DASHBOARD["templating"]["list"]}
            assert variables["job"]["query"] == "label_values(pymilter_messages_total, job)"
            assert ask(port, "label/job/values", match="pymilter_messages_total") == ["gate"]
            assert ask(port, "alerts")["alerts"] == []
        gone = eventually(lambda: ask(port, "alerts")["alerts"], bool)
    assert [(alert["labels"]["alertname"], alert["state"]) for alert in gone] == [("FilterIsGone", "pending")]
